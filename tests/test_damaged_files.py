"""Damaged files of every kind to every reader: a value or an InputError, in 2 GB and in time.

The readers run in processes of their own (tests/reader_worker.py). tests/cli/test_fuzz.py gives
damaged files to the commands.
"""

import json
import pathlib
import subprocess
import sys

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
    return json.loads(done.stdout.splitlines()[-1])


ENVIRONMENT = {"PATH": "/usr/bin:/bin", "OPENBLAS_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"}
CAPTURED = {"capture_output": True, "text": True}


@linux
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files(kind, good, tmp_path):
    outcomes = read_damaged(kind, good, tmp_path, 0, 20 if kind == "checkpoint" else 50)
    assert outcomes["refused"] >= 5, "hardly anything was damaged"


@linux
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_much_damaged_files(kind, good, tmp_path):
    outcomes = read_damaged(kind, good, tmp_path, 1000, 2000)
    print(kind, outcomes)
    assert outcomes["refused"] >= 200 and outcomes.get("read", 0) >= 1
