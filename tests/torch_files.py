"""Files as PyTorch writes them, made without it."""

import io
import pickle
import struct
import tarfile
import zipfile
from collections import OrderedDict

import numpy as np

# The pickles below name PyTorch's functions, which the pickle module can only write when they can
# be imported: these stand for them.


class Named:
    """Pickles as the global `module.name`."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Call:
    """Pickles as a call of a `Named` with arguments."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments


class Reference:
    """Pickles as a persistent reference."""

    def __init__(self, pid):
        self.pid = pid


class Pickler(pickle._Pickler):
    """Python's pickler with the three above; protocol 2, as PyTorch's."""

    def persistent_id(self, obj):
        return obj.pid if isinstance(obj, Reference) else None

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, Named):
            return self.write(f"c{obj.module}\n{obj.name}\n".encode())
        if isinstance(obj, Call):
            self.save(obj.function)
            self.save(obj.arguments)
            return self.write(pickle.REDUCE)
        return super().save(obj, save_persistent_id)


def pickled(obj, protocol=2):
    file = io.BytesIO()
    Pickler(file, protocol).dump(obj)
    return file.getvalue()


FLOATS = Named("torch.cuda", "FloatStorage")
MAGIC = [pickled(0x1950A86A20F9469CFC6C), pickled(1001), pickled({"little_endian": True})]


def rebuild(reference, offset, size, stride):
    function = Named("torch._utils", "_rebuild_tensor_v2")
    return Call(function, reference, offset, size, stride, False, OrderedDict())


def zip_bytes(content, storages=()):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("net/data.pkl", pickled(content))
        archive.writestr("net/version", "3\n")
        for key, values in storages:
            archive.writestr(f"net/data/{key}", np.asarray(values, np.float32).tobytes())
    return file.getvalue()


def legacy_bytes(content, storages=()):
    parts = [*MAGIC, pickled(content), pickled([key for key, _ in storages])]
    for _, values in storages:
        parts += [struct.pack("<q", len(values)), np.asarray(values, np.float32).tobytes()]
    return b"".join(parts)


def tar_bytes(content, storages=(), views=(), tensors=()):
    """Storages are (key, values), views (key, of, offset, numel), tensors (key, view, offset, ...).

    Of a tensor also size and strides.
    """
    parts = {"storages": pickled(len(storages)), "tensors": pickled(len(tensors))}
    for key, values in storages:
        parts["storages"] += pickled((key, "cpu", Named("torch", "FloatStorage")))
        parts["storages"] += struct.pack("<q", len(values))
        parts["storages"] += np.asarray(values, np.float32).tobytes()
    parts["storages"] += pickled(list(views))
    for key, view, offset, size, stride in tensors:
        parts["tensors"] += pickled((key, view, Named("torch", "FloatTensor")))
        parts["tensors"] += struct.pack(
            f"<q{2 * len(size) + 1}q", len(size), *size, *stride, offset
        )
    parts["pickle"] = pickled(content)
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, raw in parts.items():
            info = tarfile.TarInfo(name)
            info.size = len(raw)
            archive.addfile(info, io.BytesIO(raw))
    return file.getvalue()


VALUES = np.arange(12, dtype=np.float32)


def containers():
    """The same state_dict in the three containers: w [2, 3] from element 1 on, its transpose t."""
    reference = Reference(("storage", FLOATS, "k", "cuda:1", 12))
    part = Reference(("storage", FLOATS, "k", "cuda:1", 12, ("v", 1, 8)))
    tensors = [(10, 6, 0, (2, 3), (3, 1)), (11, 5, 1, (3, 2), (1, 3))]
    return {
        "zip": zip_bytes(
            OrderedDict(
                w=rebuild(reference, 1, (2, 3), (3, 1)), t=rebuild(reference, 1, (3, 2), (1, 3))
            ),
            [("k", VALUES)],
        ),
        "legacy": legacy_bytes(
            OrderedDict(w=rebuild(part, 0, (2, 3), (3, 1)), t=rebuild(part, 0, (3, 2), (1, 3))),
            [("k", VALUES)],
        ),
        "tar": tar_bytes(
            OrderedDict(w=Reference("10"), t=Reference("11")),
            [(5, VALUES)],
            [(6, 5, 1, 8)],
            tensors,
        ),
    }
