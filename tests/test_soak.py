"""Memory levels off: a short form of benchmarks/soak.py, in processes of their own."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
linux = pytest.mark.skipif(sys.platform != "linux", reason="resident memory by /proc")

MERGES = """
import numpy as np
from benchmarks import soak
samples = soak.merges(calls=200, largest=100)
print(soak.growth(samples, 100))
"""
STEPS = """
import tempfile, tensorflow_datasets
from tfds_builders.synthetic_stacks import synthetic_stacks_dataset_builder as scenes
from benchmarks import soak
tensorflow_datasets.disable_progress_bar()
scenes.NUM_SCENES.update(train=4, val=2, test=1)
with tempfile.TemporaryDirectory() as folder:
    samples = soak.train(200, folder)
print(soak.growth(samples, 100))
"""


@linux
@pytest.mark.slow
@pytest.mark.parametrize(
    "code", [MERGES, pytest.param(STEPS, marks=pytest.mark.long)], ids=["merges", "steps"]
)
def test_memory_levels_off(code):
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert float(done.stdout.splitlines()[-1]) < 0.05
