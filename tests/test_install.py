"""What is installed is what is imported: extras, the wheel, and the lowest versions."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib
import venv

import pytest

import hdr_jax

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
# Tests that need jax, numpy and pytest alone.
CORE_TESTS = (
    "crf/test_curve.py", "crf/test_least_squares.py", "metrics/test_golden.py", "test_color.py",
    "test_merge.py", "test_tonemap.py",
)  # fmt: skip
MORE_CORE_TESTS = ("test_exposure.py", "test_shard_map.py")
DOORS = {
    "images": "photographs", "brackets": "photographs", "progress": "photographs",
    "runs.figures": "photographs", "models": "photographs", "weights": "photographs",
    "reconstruct": "photographs", "data": "data", "losses": "train", "optim": "train",
    "training": "train", "programs": "train", "configs": "train", "convert": "train",
    "runs.checkpoints": "train", "runs.log": "train", "runs.description": "train",
}  # fmt: skip


def libraries(requirements):
    """Requirements without those that name this package's own extras, which are followed."""
    for requirement in requirements:
        own = re.match(r"hdr_jax\[(.*)\]", requirement)
        if own:
            for extra in own[1].split(","):
                yield from libraries(EXTRAS[extra.strip()])
        else:
            yield requirement


def test_requirements_are_the_extra_all():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    listed = {line.partition("#")[0].strip() for line in lines} - {""}
    assert listed == {*PROJECT["dependencies"], *libraries(EXTRAS["all"])}


def test_a_missing_extra_is_named():
    """By every door, and in one line by the commands; the core does without."""
    code = f"""
import sys
core = {{"jax", "jaxlib", "numpy", "scipy", "ml_dtypes", "opt_einsum"}}
for name in "cv2 PIL OpenEXR tqdm matplotlib tensorflow_datasets grain flax optax orbax".split():
    sys.modules[name] = None
for name in "orbax.checkpoint ml_collections tensorboardX absl chex".split():
    sys.modules[name] = None
import importlib
from hdr_jax import color, crf, exposure, levels, merge, metrics, page, sampling, synthetic, tonemap
for door in {list(DOORS)}:
    try:
        importlib.import_module("hdr_jax." + door)
    except ImportError as error:
        print(door, error)
from hdr_jax.cli import main
print(main(["merge", "folder"]))
"""
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    *lines, exit_code = result.stdout.splitlines()
    assert exit_code == "2" and len(lines) == len(DOORS)
    for line, (door, extra) in zip(lines, DOORS.items(), strict=True):
        assert re.fullmatch(rf'{door} \w+ is missing: pip install "hdr_jax\[{extra}\]".*', line)
        assert f'".[{extra}]" in a checkout' in line
    assert re.fullmatch(r"error: \w+ is missing: pip install .*\n", result.stderr)


def environment(folder, *packages):
    """(python of a fresh environment with these packages, pytest and no others, variables)."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    install = [python, "-m", "pip", "install", "-q", *packages, "pytest"]
    subprocess.run(install, check=True)
    return python, {**os.environ, "PYTHONPATH": str(ROOT / "tests"), "JAX_PLATFORMS": "cpu"}


def run_core_tests(python, variables, folder, names=CORE_TESTS):
    """Runs them away from the checkout, whose own package would be imported."""
    settings = folder / "pytest.ini"
    settings.write_text("[pytest]\nmarkers = slow\naddopts = -m 'not slow'\n")
    files = [ROOT / "tests" / name for name in names]
    options = ["-q", "-c", settings, "--import-mode=importlib", "-p", "no:cacheprovider"]
    command = [python, "-m", "pytest", *options, "--rootdir", folder, *files]
    result = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-2000:]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT]
    subprocess.run(command, check=True)
    (built,) = folder.glob("*.whl")
    assert hdr_jax.__version__ in built.name
    return built


@pytest.mark.slow
def test_the_wheel_alone_passes_the_core_tests(wheel, tmp_path):
    python, variables = environment(tmp_path / "venv", wheel)
    say = "from hdr_jax import crf, merge, metrics; print(crf.__file__)"
    result = subprocess.run([python, "-c", say], cwd=tmp_path, capture_output=True, text=True)
    assert str(tmp_path) in result.stdout, result.stderr
    command = [python.parent / "hdr-jax", "merge", "folder"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 2 and 'pip install "hdr_jax[photographs]"' in result.stderr
    assert (next((tmp_path / "venv").rglob("hdr_jax/py.typed"))).is_file()
    run_core_tests(python, variables, tmp_path)


MAPS = """
import numpy as np
from hdr_jax import images, synthetic
for number in range(12):
    images.write(f"maps/{number}.exr", synthetic.render_scene(number, 32, 32))
scene = synthetic.meter(synthetic.render_scene(2, 48, 64))
stack = synthetic.Camera().photograph(scene, [-2, 0, 2], np.random.default_rng(0))
for number, picture in enumerate(stack):
    images.write(f"brackets/{number}.png", picture / np.float32(255))
"""
TINY_RUN = [
    "--config=hdr_jax:quickstart", "--config.dataset=radiance_maps/native",
    "--config.manual_dir=maps", "--config.size=32", "--config.steps=2", "--config.refine_from=2",
    "--config.batch_size=1", "--config.eval_scenes=1", "--config.loss.hdr=0.0",
    "--config.model.widths=(8,8)", "--config.model.depths=(1,1)",
]  # fmt: skip


@pytest.mark.slow
def test_the_wheel_with_its_extras_works_without_a_checkout(wheel, tmp_path):
    """Training, evaluation, merging and reconstruction in an environment of its own."""
    python, variables = environment(tmp_path / "venv", f"{wheel}[all]")
    folder = tmp_path / "elsewhere"
    for name in ("maps", "brackets"):
        (folder / name).mkdir(parents=True)
    del variables["PYTHONPATH"]

    def run(*command):
        result = subprocess.run(
            command, cwd=folder, env=variables, capture_output=True, text=True, timeout=300
        )
        assert result.returncode == 0, f"{command}: {result.stdout[-2000:]}{result.stderr[-3000:]}"
        return result.stdout

    program = python.parent / "hdr-jax"
    run(python, "-c", MAPS)
    run(program, "train", "--workdir", "run", *TINY_RUN)
    rows = (folder / "run/metrics.jsonl").read_text().splitlines()
    assert json.loads(rows[-1])["step"] == 2
    assert "step 2: " in run(program, "checkpoint", "run")
    run(program, "merge", "brackets", "--ev", "-2", "0", "2", "-o", "scene.exr")
    run(program, "reconstruct", "brackets/1.png", "--checkpoint", "run", "-o", "out")
    run(program, "reconstruct", "brackets/1.png", "-o", "shipped")
    run(program, "view", "scene.exr", "-o", "scene.html")
    assert "</html>" in (folder / "scene.html").read_text()
    assert all((folder / name).is_file() for name in ("scene.exr", "out/1.exr", "shipped/1.exr"))


@pytest.mark.slow
@pytest.mark.long
def test_the_lowest_versions_pass_the_core_tests(wheel, tmp_path):
    lowest = [requirement.replace(">=", "==") for requirement in PROJECT["dependencies"]]
    python, variables = environment(tmp_path / "venv", wheel, *lowest)
    run_core_tests(python, variables, tmp_path, (*CORE_TESTS, *MORE_CORE_TESTS))
