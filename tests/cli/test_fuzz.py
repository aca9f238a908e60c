"""Damaged input to the commands: one message and exit code 2, no traceback, nothing half-written.

To add a command, write its valid input files once and give COMMANDS a line: the files that may be
damaged, and the arguments that read them.
"""

import contextlib
import functools
import io
import pathlib
import random
import shutil
import tempfile

import hypothesis
import hypothesis.strategies as st
import jax
import numpy as np
import picture_files
import pytest
from calling import call
from damage import damaged
from PIL import Image

from hdr_jax import images
from hdr_jax.models import model_from_fields
from hdr_jax.runs import checkpoints

SIDES = (24, 32)
STACK = ("a.jpg", "b.png", "c.tif")
# TIFF as it is seldom stored, and raw files; their times are in their EXIF data.
DEEP = {
    "d.tif": {"planar": 2, "compression": 8, "predictor": 2},
    "e.tif": {"compression": 5, "tile": 16, "big": True},
    "f.tif": {"compression": 32773, "order": ">", "orientation": 3},
}
RAW = ("g.dng", "h.dng")

# Command -> (files that may be damaged, ways to call it; every output goes to the folder `out`).
COMMANDS = {
    "merge": (
        (*STACK, *DEEP, *RAW, "exposures.csv", "curve.csv"),
        (
            [*STACK, "--no-curve", "-o", "out/m.hdr"],
            [*STACK, "--no-curve", "--no-preview", "--response", "curve.csv", "-o", "out/m.exr"],
            [*STACK, "--crf-only", "--method", "mitsunaga-nayar", "-o", "out/g.csv"],
            [*STACK, "--no-curve", "--deghost", "--align", "--no-preview", "-o", "out/m.exr"],
            [*DEEP, "--no-curve", "--no-preview", "-o", "out/m.exr"],
            [*DEEP, "--crf-only", "-o", "out/g.csv"],
            [*RAW, "--no-curve", "--no-preview", "-o", "out/m.exr"],
        ),
    ),
    "plot": (
        ("curve.csv", "curve.npy", "map.exr", "map.hdr", "map.jpg"),
        (
            ["map.jpg", "-o", "out/p.png"],
            ["curve.csv", "curve.npy", "-o", "out/p.png"],
            ["map.exr", "-o", "out/p.png"],
            ["map.hdr", "-o", "out/p.png"],
        ),
    ),
    "info": (
        ("a.jpg", "d.tif", "g.dng", "map.exr", "map.hdr", "map.jpg"),
        (["a.jpg", "map.hdr"], ["d.tif", "map.exr", "--json"], ["g.dng", "map.jpg"]),
    ),
    "reconstruct": (
        STACK,
        (
            [*STACK, "--checkpoint", "model", "-o", "out", "--format", "hdr"],
            [*STACK, "--checkpoint", "model", "-o", "out", "--tile", "16", "--overlap", "8"],
        ),
    ),
    "score": (
        ("map.exr", "map.hdr"),
        (
            ["map.exr", "map.hdr", "--map", "out/v.png"],
            ["map.hdr", "map.exr", "--protocol", "display", "--no-map"],
        ),
    ),
}


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Small valid input of every kind, and a folder to damage copies in."""
    folder = tmp_path_factory.mktemp("fuzz")
    good, work = folder / "good", folder / "work"
    good.mkdir(), work.mkdir()
    rng = np.random.default_rng(0)
    radiance = np.exp(rng.normal(-2, 1, (*SIDES, 3))).astype(np.float32)
    for name, seconds in zip(STACK, (0.25, 1, 4), strict=True):
        levels = np.rint(255 * np.clip(radiance * seconds, 0, 1) ** (1 / 2.2)).astype(np.uint8)
        exif = Image.Exif()
        exif[33434] = seconds
        Image.fromarray(levels).save(good / name, exif=exif)
    write_deep_and_raw(good, radiance)
    (good / "exposures.csv").write_text("file,exposure_time_s\na.jpg,1/4\nb.png,1\nc.tif,4\n")
    for suffix in ("exr", "hdr"):
        images.write(good / f"map.{suffix}", radiance)
    images.write_ultra_hdr(good / "map.jpg", np.full((*SIDES, 3), 99, np.uint8), radiance)
    for suffix in ("csv", "npy"):
        images.write_response(good / f"curve.{suffix}", images.named_response("srgb"))
    fields = dict.fromkeys(("global_levels", "local_levels", "refinement_levels"), 1)
    fields |= dict.fromkeys(("global_width", "local_width", "refinement_width"), 2)
    fields |= {"num_exposures": 2, "dtype": "float32"}
    inputs = np.zeros((1, 2, 2, 3)), np.zeros((1, 2, 2, 1))
    model = model_from_fields(fields)
    params = jax.jit(model.init)(jax.random.key(0), *inputs, reference_index=0)["params"]
    checkpoints.save_model(good / "model", model, params)
    loaded = checkpoints.load_model(good / "model")
    with pytest.MonkeyPatch.context() as patch:  # read once: it is not what is damaged here
        patch.setattr(checkpoints, "load_model", lambda *_: loaded)
        patch.setattr(checkpoints, "load_config", lambda *_: {})
        yield good, work


def write_deep_and_raw(folder: pathlib.Path, radiance: np.ndarray) -> None:
    """The files of DEEP and RAW, at 1/4, 1 and 4 s."""
    for name, seconds in zip((*DEEP, *RAW), (0.25, 1, 4, 0.25, 4), strict=True):
        light = np.clip(radiance * seconds, 0, 1)
        tags = picture_files.exif_tags(time=(int(4 * seconds), 4), iso=100)
        if name in DEEP:
            levels = np.rint(65535 * light ** (1 / 2.2)).astype(np.uint16)
            alpha = np.full(SIDES, 65535, np.uint16)
            alpha[: int(seconds)] = 0
            data = picture_files.tiff(levels, alpha=alpha, tags=tags, **DEEP[name])
        else:
            mosaic = np.rint(65535 * light[..., 1]).repeat(2, 0).repeat(2, 1).astype(np.uint16)
            data = picture_files.dng(mosaic, np.full((8, 8, 3), 9), tags)
        (folder / name).write_bytes(data)


@functools.cache
def own_picture() -> bytes:
    """A result of this program, as pictures replace no others."""
    with tempfile.TemporaryDirectory() as folder:
        images.write(f"{folder}/old.png", np.zeros((4, 4, 3)), comment="old")
        return pathlib.Path(folder, "old.png").read_bytes()


def run_damaged(command: str, originals, seed: int) -> int:
    """Calls a command on input damaged by a seed; checks what it leaves; its exit code."""
    good, work = originals
    rng = random.Random(seed)
    shutil.rmtree(work)
    shutil.copytree(good, work)
    (work / "out").mkdir()
    fragile, calls = COMMANDS[command]
    arguments = [command, *rng.choice(calls)]
    touched = [name for name in fragile if name in (*arguments, "exposures.csv")]
    for name in rng.sample(touched, min(rng.choice((1, 1, 2)), len(touched))):
        path = work / name
        path.write_bytes(damaged(path.read_bytes(), rng))
    before = {path.name: path.read_bytes() for path in work.iterdir() if path.is_file()}
    old = work / next((word for word in arguments if word.startswith("out/")), "out/none")
    kept = own_picture() if old.suffix == ".png" else b"old"
    old.write_bytes(kept)
    errors = io.StringIO()
    code = call_in(work, arguments, errors)
    assert code in (0, 2), arguments
    assert "Traceback" not in errors.getvalue()
    after = {path.name: path.read_bytes() for path in work.iterdir() if path.is_file()}
    assert after == before, "an input was changed, or something was written beside it"
    if code == 2:
        assert "error: " in errors.getvalue()
        assert [path.name for path in (work / "out").iterdir()] == [old.name]
        assert old.read_bytes() == kept
    else:
        whole(work / "out")
    return code


def call_in(folder: pathlib.Path, arguments: list[str], errors: io.StringIO) -> int:
    """Exit code of the program called in a folder."""
    quiet = contextlib.redirect_stdout(io.StringIO())
    with contextlib.chdir(folder), contextlib.redirect_stderr(errors), quiet:
        return call(*arguments)


def whole(folder: pathlib.Path) -> None:
    """Reads everything that a command wrote."""
    readers = {".csv": images.read_response}
    readers |= dict.fromkeys(images.HDR_SUFFIXES, images.read_hdr)
    for path in folder.iterdir():
        assert not path.name.startswith("."), "a temporary file was left"
        if path.read_bytes() != b"old" and path.name != "none":
            readers.get(path.suffix, images.read_photo)(path)


HEAVY = ("merge", "reconstruct", "score")


@pytest.mark.parametrize(
    "command",
    [pytest.param(command, marks=[pytest.mark.slow] * (command in HEAVY)) for command in COMMANDS],
)
@pytest.mark.filterwarnings("ignore")
def test_damaged_input(command, originals):
    codes = [run_damaged(command, originals, seed) for seed in range(70)]
    assert codes.count(2) >= 10, "hardly anything was damaged"
    assert codes.count(0) >= 1, "hardly anything was still read"


@pytest.mark.filterwarnings("ignore")
def test_a_few_damaged_brackets(originals):
    """What of the heavy commands the fast tests have time for."""
    codes = {run_damaged("merge", originals, seed) for seed in range(12)}
    assert codes == {0, 2}


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.filterwarnings("ignore")
def test_much_damaged_input(command, originals):
    for seed in range(1000, 3000):
        run_damaged(command, originals, seed)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_damaged_photographs_of_real_cameras(shared, tmp_path):
    pictures = sorted((shared / "data/stacks/frobisher_001").glob("*.jpg"))
    codes = []
    for seed in range(200):
        rng = random.Random(seed)
        for path in pictures:
            (tmp_path / path.name).write_bytes(path.read_bytes())
        victim = rng.choice(pictures)
        (tmp_path / victim.name).write_bytes(damaged(victim.read_bytes(), rng))
        (tmp_path / "g.csv").write_bytes(b"old")
        errors = io.StringIO()
        names = [path.name for path in pictures]
        codes.append(call_in(tmp_path, ["merge", *names, "--crf-only", "-o", "g.csv"], errors))
        assert codes[-1] in (0, 2) and "Traceback" not in errors.getvalue()
        written = {path.name for path in tmp_path.iterdir()} - set(names)
        if codes[-1]:
            assert written == {"g.csv"} and (tmp_path / "g.csv").read_bytes() == b"old"
        else:
            assert written == {"g.csv", "g.png"}
            images.read_response(tmp_path / "g.csv")
            (tmp_path / "g.png").unlink()
    assert 0 in codes and 2 in codes


# No operating system passes a program words with zeros in them.
TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=12)
WORDS = TEXTS | st.sampled_from(
    ["a.jpg", "b.png", "map.exr", "curve.csv", "--times", "--ev", "1/60", "-2", "nan", "0", "-o"]
    + ["--response", "srgb", "--reference", "out/x.exr", "out/x.png", "--crf-only", "--method"]
)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(command, marks=[pytest.mark.slow] * (command in ("reconstruct", "score")))
        for command in COMMANDS
    ],
)
@hypothesis.given(words=st.lists(WORDS, max_size=7))
@hypothesis.settings(max_examples=60, deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_arguments_at_random(command, originals, words):
    good, _ = originals
    errors = io.StringIO()
    assert call_in(good, [command, *words], errors) in (0, 2), errors.getvalue()
    assert not list(good.rglob(".*")), "a temporary file was left"
