"""Damaged files of every kind to every reader: a value or an InputError, in 2 GB and in time.

The readers run in processes of their own (tests/reader_worker.py). tests/cli/test_fuzz.py gives
damaged files to the commands.
"""

import io
import json
import pathlib
import struct
import subprocess
import sys
import zlib

import jax
import numpy as np
import picture_files
import pytest
import reader_worker
import torch_files
from PIL import Image

from hdr_jax import files, images
from hdr_jax.models import HighlightModel, parameter_shapes
from hdr_jax.runs import checkpoints, description

WORKER = pathlib.Path(reader_worker.__file__)
KINDS = (
    "png", "jpg", "tif", "dng", "hdr", "exr", "zip", "legacy", "tar", "times", "curve", "manifest",
    "config", "checkpoint",
)  # fmt: skip
SIZES = {"huge": 60_000, "large": 16_000}  # pixels of a side: refused as such, and not
linux = pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA of Linux")


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A file, or a folder, of each kind."""
    folder = tmp_path_factory.mktemp("good")
    light = np.exp(np.random.default_rng(0).normal(-2, 1, (24, 32, 3))).astype(np.float32)
    levels = np.rint(255 * np.clip(light, 0, 1) ** (1 / 2.2)).astype(np.uint8)
    exif = {"time": (1, 60), "iso": 100, "f_number": (8, 1), "orientation": 6}
    deep = levels.astype(np.uint16) * 257
    alpha = np.full((24, 32), 65535, np.uint16)
    write = lambda name, data: (folder / name).write_bytes(data)  # noqa: E731
    write("a.png", picture_files.png(deep, alpha=alpha, exif=picture_files.exif_block(**exif)))
    tags = Image.Exif()
    tags[33434], tags[274] = 0.25, 6
    Image.fromarray(levels).save(folder / "a.jpg", exif=tags)
    tags = picture_files.exif_tags(**exif)
    write("a.tif", picture_files.tiff(deep, compression=8, predictor=2, tile=16, tags=tags))
    mosaic = deep[..., 1].repeat(2, 0).repeat(2, 1)
    write("a.dng", picture_files.dng(mosaic, np.full((8, 8, 3), 9), tags))
    for suffix in ("hdr", "exr"):
        images.write(folder / f"a.{suffix}", light)
    for container, data in torch_files.containers().items():
        write(f"a.{container}", data)
    files.write_text(folder / "exposures.csv", "file,exposure_time_s\na.jpg,1/4\nb.jpg,1\n")
    images.write_response(folder / "curve.csv", images.named_response("srgb"))
    rows = "view,scene,split\na.hdr,one,val\nb.hdr,one,val\nc.hdr,two,train\n"
    files.write_text(folder / "manifest.csv", rows)
    config = {"size": 64, "loss": {"hdr": 1.0}, "ev_offsets": [-1.0, 0.0, 1.0], "seed": 3}
    files.write_text(folder / description.FILE, json.dumps(config, indent=2))
    model = HighlightModel(widths=(4,), depths=(1,))
    params = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), parameter_shapes(model))
    checkpoints.save_model(folder / "checkpoint", model, params, config)
    return folder


NAMES = {
    "times": "exposures.csv", "curve": "curve.csv", "manifest": "manifest.csv",
    "config": description.FILE, "checkpoint": "checkpoint",
}  # fmt: skip


def read_damaged(kind, good, work, first, count):
    """Outcomes of a worker, which must survive."""
    path = good / NAMES.get(kind, f"a.{kind}")
    call = [sys.executable, WORKER, kind, path, work, str(first), str(count)]
    root = WORKER.parents[1]
    done = subprocess.run(call, cwd=root, env={**ENVIRONMENT, "PYTHONPATH": str(root)}, **CAPTURED)
    assert done.returncode == 0, (kind, (work / "seed").read_text(), done.stderr[-3000:])
    assert "Traceback" not in done.stderr, done.stderr[-3000:]  # nor by a library's own thread
    return json.loads(done.stdout.splitlines()[-1])


BOMBS = [f"{size}.{kind}" for kind in ("png", "jpg", "tif", "dng", "exr", "hdr") for size in SIZES]
BOMBS += ["huge.npy"]


def png_claim(side: int, data: bytes = b"") -> bytes:
    """A PNG of 16-bit RGB of that side, whatever its data hold."""
    header = struct.pack(">IIBBBBB", side, side, 16, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", data or zlib.compress(bytes(99))), (b"IEND", b"")]
    packed = (
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def patched(data: bytes, old: bytes, new: bytes) -> bytes:
    """Data with every place of some bytes changed, at least one."""
    assert old in data and len(old) == len(new)
    return data.replace(old, new)


def bombs() -> dict[str, bytes]:
    """Small files by name that promise what no memory holds."""
    small = np.full((24, 40, 3), 7, np.uint8)
    jpeg = io.BytesIO()
    Image.fromarray(small).save(jpeg, "jpeg")
    tiff = picture_files.tiff(small, compression=8)
    dng = picture_files.dng(small[..., 0].astype(np.uint16), small[:8, :8])
    exr = picture_files.exr({name: (small[..., 0].astype(np.float32), 1) for name in "RGB"})
    npy = io.BytesIO()
    np.save(npy, np.zeros((3, 256), np.float32))
    found = {}
    for name, side in SIZES.items():
        width, height = (struct.pack("<HHII", tag, 4, 1, side) for tag in (256, 257))
        sides = struct.pack("<HHII", 256, 4, 1, 40), struct.pack("<HHII", 257, 4, 1, 24)
        tags = lambda data: patched(patched(data, sides[0], width), sides[1], height)  # noqa: B023,E731
        window = struct.pack("<iiii", 0, 0, 39, 23), struct.pack("<iiii", 0, 0, side, side)
        found |= {
            f"{name}.png": png_claim(side),
            f"{name}.jpg": patched(
                jpeg.getvalue(), struct.pack(">HH", 24, 40), struct.pack(">HH", side, side)
            ),
            f"{name}.tif": tags(tiff),
            f"{name}.dng": tags(dng),
            f"{name}.exr": patched(exr, *window),
            f"{name}.hdr": b"#?RADIANCE\n\n-Y %d +X %d\n" % (side, side) + bytes(99),
        }
    npy = patched(npy.getvalue(), b"(3, 256), }" + b" " * 8, b"(3, 25600000000), }")
    return found | {"huge.npy": npy}


@linux
@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_promised_sizes_are_refused_before_decoding(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(bombs()[name])
    root = WORKER.parents[1]
    environment = {**ENVIRONMENT, "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, WORKER, path], cwd=root, env=environment, **CAPTURED)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    # Metadata of a TIFF are read whatever its size.
    assert len(found["messages"]) >= found["readers"] - 2 * (path.suffix == ".tif") > 0
    assert all(name in message for message in found["messages"])
    assert found["mib"] < 100 and found["seconds"] < 5, found
    if name == "large.exr":
        assert "its pixels cannot be decoded" in found["messages"][0]
    if name.startswith("huge"):
        words = ("megapixels", "exceeds limit", "Unable to allocate")
        assert all(any(word in message for word in words) for message in found["messages"])


ENVIRONMENT = {"PATH": "/usr/bin:/bin", "OPENBLAS_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"}
CAPTURED = {"capture_output": True, "text": True}


@linux
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files(kind, good, tmp_path):
    outcomes = read_damaged(kind, good, tmp_path, 0, 40 if kind == "checkpoint" else 50)
    assert outcomes["refused"] >= 5, "hardly anything was damaged"


@linux
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_much_damaged_files(kind, good, tmp_path):
    outcomes = read_damaged(kind, good, tmp_path, 1000, 2000)
    print(kind, outcomes)
    assert outcomes["refused"] >= 200 and outcomes.get("read", 0) >= 1
