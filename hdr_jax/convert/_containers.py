"""The three containers PyTorch has written: zip archive, run of pickles, tar archive.

Each reader takes an open binary file and returns the unpickled content, its storages filled. Bytes
are read only after their number has been checked against the file's size.
"""

import io
import os
import struct
import tarfile
import zipfile

import numpy as np

from hdr_jax.convert._pickles import Refused, Storage, Tensor, Unpickler, View
from hdr_jax.errors import InputError

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


def load_state_dict(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The named tensors of a PyTorch state_dict file, in the file's order.

    Reads every container PyTorch has written, without PyTorch and without running code of the file:
    its pickle may name tensors, storages and ordered dicts only. A dict whose "state_dict" or
    "model" entry is a dict is opened. bfloat16 becomes float32.

    Args:
        path: the `.ckpt`, `.pth` or `.pt` file.

    Returns:
        Read-only arrays in PyTorch's layouts (convolution kernels [out, in, h, w]).

    Raises:
        InputError: no PyTorch file, a truncated or damaged one, one that asks for anything but
            tensors, or one that holds something else. The message names file and finding.

    Not differentiable.
    Source: the layout `torch.save` writes.

    Example:
        >>> import tempfile
        >>> from hdr_jax.convert import save_state_dict
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_state_dict(f"{folder}/x.pth", {"weight": np.ones((2, 3), np.float32)})
        ...     load_state_dict(f"{folder}/x.pth")["weight"].shape
        (2, 3)
    """
    with open(path, "rb") as file:
        try:
            return _named_arrays(_read(file))
        except ValueError as error:
            raise InputError(f"{path}: {error}") from None
        except Exception as error:  # damage can raise nearly anything, OSError and MemoryError too
            found = f"{type(error).__name__}: {error}"
            raise InputError(f"{path}: damaged or truncated PyTorch file ({found})") from None


def _named_arrays(content: object) -> dict[str, np.ndarray]:
    """The state_dict inside, its tensors as arrays."""
    for wrapper in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict):
        raise InputError(f"holds a {type(content).__name__}, expected a dict of named tensors")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise InputError(
                f"entry {str(name)[:100]!r} is a {type(value).__name__}, expected tensors only: "
                "save the network's state_dict() by itself"
            )
    return {name: tensor.array() for name, tensor in content.items()}


def _read(file) -> object:
    """The content, by whichever reader fits the file's first bytes."""
    head = file.read(512)
    file.seek(0)
    if head[:4] == b"PK\x03\x04":
        return _read_zip(file)
    if head[257:262] == b"ustar" or head[:8] in (b"storages", b"sys_info", b"pickle\0\0"):
        return _read_tar(file)
    try:
        magic = Unpickler(file).load() if head[:1] == b"\x80" else None
    except Refused:
        raise
    except Exception:
        magic = None
    if not isinstance(magic, int) or magic != LEGACY_MAGIC:
        raise InputError(
            f"no PyTorch file: it starts with {head[:8]!r}, neither a zip archive, nor PyTorch's "
            "pickles, nor a tar archive"
        )
    return _read_legacy(file)


def _read_zip(file) -> object:
    """<name>/data.pkl and one plainly stored member per storage."""
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise InputError(f"truncated or damaged zip archive ({error})") from None
    members = {info.filename: info for info in archive.infolist()}
    root = next((n.removesuffix("data.pkl") for n in members if n.endswith("/data.pkl")), None)
    if root is None:
        raise InputError("no PyTorch file: a zip archive without data.pkl")
    packed = any(info.compress_type != zipfile.ZIP_STORED for info in members.values())
    if packed or sum(info.file_size for info in members.values()) > _size(file):
        raise InputError("no PyTorch file: a zip archive of compressed members")
    little = f"{root}byteorder" not in members or archive.read(f"{root}byteorder") == b"little"
    storages = {}

    def resolve(pid) -> View:
        _, kind, key, _, numel = pid
        if key not in storages:
            storages[key] = Storage(kind, numel)
            if f"{root}data/{key}" not in members:
                raise InputError(f"truncated or damaged: storage {key!r} is missing")
            storages[key].fill(archive.read(f"{root}data/{key}"), little)
        return View(storages[key], 0, numel)

    return Unpickler(io.BytesIO(archive.read(f"{root}data.pkl")), resolve).load()


def _read_legacy(file) -> object:
    """Pickles behind the magic number: version, system, content, storage keys; then the bytes."""
    version, system = Unpickler(file).load(), Unpickler(file).load()
    if version != 1001:
        raise InputError(f"PyTorch file of protocol {version!r}, expected 1001")
    storages = {}

    def resolve(pid) -> View:
        _, kind, key, _, numel, part = pid
        storage = storages.setdefault(key, Storage(kind, numel))
        return View(storage, 0, numel) if part is None else View(storage, part[1], part[2])

    content = Unpickler(file, resolve).load()
    for key in Unpickler(file).load():
        _fill_counted(file, storages[key], system["little_endian"])
    return content


def _read_tar(file) -> object:
    """Members storages, tensors and pickle; references are the keys the first two define."""
    with tarfile.open(fileobj=file, mode="r:") as archive:
        members = {name: archive.extractfile(name) for name in ("storages", "tensors", "pickle")}
        if None in members.values():
            raise InputError("no PyTorch file: a tar archive of other things")
        views = _tar_views(members["storages"])
        tensors = _tar_tensors(members["tensors"], views)
        return Unpickler(members["pickle"], lambda pid: tensors[int(pid)]).load()


def _tar_views(file) -> dict[int, View]:
    """Storages by key, then parts of them under keys of their own."""
    views = {}
    for _ in range(Unpickler(file).load()):
        key, _, kind = Unpickler(file).load()
        (numel,) = struct.unpack("<q", file.read(8))
        storage = Storage(kind, numel)
        file.seek(-8, os.SEEK_CUR)
        _fill_counted(file, storage, True)
        views[key] = View(storage, 0, numel)
    for key, whole, offset, numel in Unpickler(file).load():
        views[key] = View(views[whole].storage, offset, numel)
    return views


def _tar_tensors(file, views: dict[int, View]) -> dict[int, Tensor]:
    """Tensors by key: dimensions, size, strides and offset as 64-bit integers."""
    tensors = {}
    for _ in range(Unpickler(file).load()):
        key, view, _ = Unpickler(file).load()
        (rank,) = struct.unpack("<q", file.read(8))
        numbers = struct.unpack(f"<{2 * rank + 1}q", file.read(16 * rank + 8))
        tensors[key] = Tensor(views[view], numbers[-1], numbers[:rank], numbers[rank:-1])
    return tensors


def _fill_counted(file, storage: Storage, little_endian: bool) -> None:
    """A storage whose bytes stand behind their own element count."""
    count = file.read(8)
    left = _size(file) - file.tell()
    if len(count) != 8 or struct.unpack("<q", count) != (storage.numel,) or storage.nbytes > left:
        raise InputError(f"truncated or damaged before a storage of {storage.nbytes} bytes")
    storage.fill(file.read(storage.nbytes), little_endian)


def _size(file) -> int:
    """Bytes of the file."""
    here = file.tell()
    end = file.seek(0, os.SEEK_END)
    file.seek(here)
    return end
