"""The pickle inside a PyTorch file, read without running what it asks for.

A pickle may name any function of any installed module and have it called. The unpickler here admits
the handful of names a state_dict needs and refuses every other before anything is called; what the
admitted names build are the plain records below.

Storage: a run of elements of one type, in the file. View: a part of a storage. Tensor: offset, size
and strides, in elements, into a view.
"""

import math
import pickle
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

# NumPy's type by PyTorch's storage name; NumPy has no bfloat16, see `Storage.fill`.
STORAGE_TYPES = {
    "DoubleStorage": "f8", "FloatStorage": "f4", "HalfStorage": "f2", "BFloat16Storage": "bf2",
    "LongStorage": "i8", "IntStorage": "i4", "ShortStorage": "i2", "CharStorage": "i1",
    "ByteStorage": "u1", "BoolStorage": "b1",
}  # fmt: skip


class StorageType:
    """Stands for `torch.FloatStorage` and its kin."""

    def __init__(self, code: str):
        self.code = code
        self.itemsize = int(code[-1])


class Storage:
    """A storage; `data` arrives with `fill`."""

    def __init__(self, kind: StorageType, numel: int):
        if not isinstance(kind, StorageType) or not isinstance(numel, int) or numel < 0:
            raise ValueError(f"damaged: a storage of {numel!r} elements of type {kind!r}")
        self.kind, self.numel, self.data = kind, numel, None

    @property
    def nbytes(self) -> int:
        """Size in the file."""
        return self.numel * self.kind.itemsize

    def fill(self, raw: bytes, little_endian: bool = True) -> None:
        """Take the elements; bfloat16, the upper half of a float32, is widened to it."""
        if len(raw) != self.nbytes:
            raise ValueError(f"truncated: a storage of {self.nbytes} bytes has {len(raw)}")
        order = "<" if little_endian else ">"
        if self.kind.code == "bf2":
            upper = np.frombuffer(raw, order + "u2").astype(np.uint32)
            self.data = (upper << 16).view(np.float32)
        elif self.kind.code == "b1":
            self.data = np.frombuffer(raw, np.uint8) != 0
        else:
            self.data = np.frombuffer(raw, order + self.kind.code)


class View(NamedTuple):
    """`numel` elements of a storage from `offset` on."""

    storage: Storage
    offset: int
    numel: int


class Tensor:
    """What `torch._utils._rebuild_tensor_v2` is asked to build, not built yet."""

    def __init__(self, view: View, offset: int, size: tuple, stride: tuple, *_):
        self.view, self.offset, self.size, self.stride = view, offset, size, stride

    def array(self) -> np.ndarray:
        """The elements, a view of the storage wherever they lie in order."""
        view, whole = self.view, (self.offset, *self.size, *self.stride)
        if not isinstance(view, View) or not all(isinstance(x, int) and x >= 0 for x in whole):
            raise ValueError(f"damaged: a tensor of size {self.size!r}, strides {self.stride!r}")
        count = math.prod(self.size)
        reach = sum((n - 1) * step for n, step in zip(self.size, self.stride, strict=True))
        end = self.offset + (reach + 1 if count else 0)
        if (
            view.storage.data is None
            or end > view.numel
            or view.offset + view.numel > len(view.storage.data)
        ):
            raise ValueError(f"damaged: a tensor of size {self.size} reaches past its storage")
        if count > view.numel:
            raise ValueError(f"a tensor of size {self.size} repeats its storage's elements")
        data = view.storage.data[view.offset + self.offset : view.offset + end]
        steps = [step * data.itemsize for step in self.stride]
        return np.lib.stride_tricks.as_strided(data, self.size, steps, writeable=False)


def _parameter(tensor: Tensor, *_) -> Tensor:
    """`torch._utils._rebuild_parameter`: the tensor itself."""
    return tensor


_ADMITTED = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor"): Tensor,
    ("torch._utils", "_rebuild_tensor_v2"): Tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
}
for _name, _code in STORAGE_TYPES.items():
    for _module in ("torch", "torch.cuda"):
        _ADMITTED[_module, _name] = StorageType(_code)
        # The oldest container also names the tensors' types.
        _ADMITTED[_module, _name.replace("Storage", "Tensor")] = StorageType(_code)


class Unpickler(pickle._Unpickler):
    """Unpickles tensors, containers and plain values; refuses every other name.

    The one of Python's two that is written in Python: the other takes a damaged number of a memo's
    entry for the memo's length, and fills gigabytes.

    Args:
        file: binary file at the pickle's start.
        resolve: from a reference in the pickle to what it stands for.
    """

    def __init__(self, file, resolve: Callable | None = None):
        super().__init__(file)
        self._resolve = resolve
        self._file_readline = lambda: _whole_line(file)  # Python's takes the half of a name

    def find_class(self, module: str, name: str):
        """Called for each name the pickle mentions, before it can be called."""
        try:
            return _ADMITTED[module, name]
        except KeyError:
            asked = f"{module}.{name}"[:100]
            raise Refused(
                f"refused: the file asks for {asked!r}, and only tensors and ordered dicts are "
                "read. If you trust its origin, open it in PyTorch and save a state_dict()"
            ) from None

    def persistent_load(self, pid):
        """Called for each reference to something outside the pickle."""
        if self._resolve is None:
            raise ValueError(f"damaged: reference {pid!r} where none belongs")
        return self._resolve(pid)


def _whole_line(file) -> bytes:
    """The next line with its end, as names in a pickle have it."""
    line = file.readline()
    if not line.endswith(b"\n"):
        raise EOFError("truncated within a name")
    return line


class Refused(ValueError):
    """The pickle asks for something that is not a tensor."""
