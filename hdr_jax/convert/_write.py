"""Writes PyTorch state_dicts without PyTorch: the zip container of 1.6 and later."""

import os
import pickle
import struct
import zipfile
from collections.abc import Mapping

import numpy as np

from hdr_jax.convert._pickles import STORAGE_TYPES
from hdr_jax.errors import InputError
from hdr_jax.files import replacing

_STORAGE_NAMES = {code: name for name, code in STORAGE_TYPES.items() if code != "bf2"}


def save_state_dict(path: str | os.PathLike, tensors: Mapping[str, np.ndarray]) -> None:
    """Write named arrays as a PyTorch state_dict, for `torch.load` and `load_state_dict`.

    Args:
        path: file to write; replaced only when all is written.
        tensors: arrays of any shape by name, of NumPy's float, integer and bool types.

    Raises:
        InputError: an element type PyTorch has no storage for.

    Not differentiable.
    Source: the layout `torch.save` writes.

    Example: see `load_state_dict`.
    """
    arrays = {name: np.asarray(value, order="C") for name, value in tensors.items()}
    content = b"".join(
        _entry(name, str(index), array) for index, (name, array) in enumerate(arrays.items())
    )
    with (
        replacing(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,
    ):
        archive.writestr("archive/data.pkl", _PROLOGUE + content + _EPILOGUE)
        archive.writestr("archive/byteorder", "little")
        for index, array in enumerate(arrays.values()):
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            archive.writestr(f"archive/data/{index}", little.reshape(-1).view(np.uint8).data)
        archive.writestr("archive/version", "3\n")


# The pickle is put together by hand: the pickle module could only name PyTorch's functions if they
# could be imported.
_ORDERED_DICT = b"ccollections\nOrderedDict\n" + pickle.EMPTY_TUPLE + pickle.REDUCE
_PROLOGUE = pickle.PROTO + b"\x02" + _ORDERED_DICT + pickle.MARK
_EPILOGUE = pickle.SETITEMS + pickle.STOP


def _entry(name: str, key: str, array: np.ndarray) -> bytes:
    """Pickle opcodes that push a name and its tensor."""
    code = array.dtype.str[1:]
    if code not in _STORAGE_NAMES:
        raise InputError(f"{name}: PyTorch has no storage for elements of type {array.dtype}")
    strides = [stride // array.itemsize for stride in array.strides]
    storage = (
        pickle.MARK + _text("storage") + f"ctorch\n{_STORAGE_NAMES[code]}\n".encode()
        + _text(key) + _text("cpu") + _integer(array.size) + pickle.TUPLE + pickle.BINPERSID
    )  # fmt: skip
    return (
        _text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n" + pickle.MARK + storage
        + _integer(0) + _integers(array.shape) + _integers(strides) + pickle.NEWFALSE
        + _ORDERED_DICT + pickle.TUPLE + pickle.REDUCE
    )  # fmt: skip


def _text(value: str) -> bytes:
    raw = value.encode()
    return pickle.BINUNICODE + struct.pack("<I", len(raw)) + raw


def _integer(value: int) -> bytes:
    return pickle.LONG1 + b"\x08" + struct.pack("<q", value)


def _integers(values) -> bytes:
    return pickle.MARK + b"".join(map(_integer, values)) + pickle.TUPLE
