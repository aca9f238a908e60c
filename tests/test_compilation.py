"""What is compiled once is not compiled again: in a run, in the next process, for the next size."""

import os
import pathlib
import subprocess
import sys

import cv2
import jax
import numpy as np
import pytest
from tiny_run import tiny_config, tiny_source

from hdr_jax import data, training

ROOT = pathlib.Path(__file__).parents[1]
# Runs hdr-jax and prints the name of every program that the cache of an earlier process lacked.
COUNTED = """
import logging, sys
from hdr_jax import cli

class Printed(logging.Handler):
    def emit(self, record):
        if "CACHE MISS for" in record.getMessage():
            print("compiled", record.getMessage().split("'")[1])

logger = logging.getLogger("jax._src.compiler")
logger.setLevel(logging.DEBUG)
logger.propagate = False
logger.addHandler(Printed())
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.fixture
def compiled(tmp_path):
    """compiled(arguments): what a process of hdr-jax compiles that those before it did not."""

    def call(*arguments):
        command = [sys.executable, "-c", COUNTED, *map(str, arguments)]
        environment = {**os.environ, "HDR_JAX_CACHE": str(tmp_path / "cache"), "PYTHONPATH": "."}
        environment.pop("JAX_COMPILATION_CACHE_DIR", None)
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        return [line.split()[1] for line in lines if line.startswith("compiled ")]

    return call


def bracket(folder, height, width):
    """Three photographs of a made scene as PNGs."""
    folder.mkdir()
    y, x = np.mgrid[:height, :width]
    scene = np.exp(2 * np.sin(x / 40) + np.cos(y / 30))[..., None] * [1, 0.9, 0.8]
    for i in range(3):
        picture = 255 * np.clip(0.1 * scene * 4**i, 0, 1) ** (1 / 2.2)
        cv2.imwrite(str(folder / f"{i}.png"), np.rint(picture).astype(np.uint8))
    return sorted(folder.iterdir())


@pytest.mark.slow
def test_merging_pictures_of_another_size_compiles_nothing(compiled, tmp_path):
    first = bracket(tmp_path / "first", 300, 400)
    second = bracket(tmp_path / "second", 310, 390)
    options = ("--times", "1/4,1,4", "-o", tmp_path / "map.exr")
    assert "jit__agreements" in compiled("merge", *first, *options)
    assert compiled("merge", *second, *options) == []


@pytest.mark.slow
def test_training_in_a_second_process_compiles_nothing(compiled, tmp_path):
    options = [
        "--config=hdr_jax:quickstart", f"--config.data_dir={tmp_path}", "--config.steps=2",
        "--config.refine_from=1", "--config.batch_size=1", "--config.eval_scenes=1",
        "--config.model.widths=(8,8)", "--config.model.depths=(1,1)", "--config.size=64",
    ]  # fmt: skip
    assert "jit_eval_step" in compiled("train", f"--workdir={tmp_path / 'a'}", *options)
    assert compiled("train", f"--workdir={tmp_path / 'b'}", *options) == []


@pytest.mark.slow
def test_a_step_is_compiled_once_a_phase():
    setup = training.Setup.from_config(tiny_config())
    batches = data.to_devices(data.batches(tiny_source(), batch_size=2, size=16, seed=0))
    state = training.replicated(training.create_state(setup, jax.random.key(0)))
    traced = []

    def step(phase, state, batch, references):
        traced.append(phase)  # once for every program
        return training.train_step(setup, phase, state, batch, references)

    steps = {
        phase: jax.pmap(
            lambda *args, phase=phase: step(phase, *args), training.DEVICES, in_axes=(0, 0, None)
        )
        for phase in (1, 2)
    }
    for number, batch in zip(range(6), batches, strict=False):
        phase = 1 if number < 3 else 2
        state, terms = steps[phase](state, batch, training.draw_references(setup, number))
    assert traced == [1, 2]
    assert np.isfinite(terms["loss"]).all()
