"""hdr-jax checkpoint: whole and damaged ones."""

import shutil

import jax
import numpy as np
import pytest
from tiny_run import tiny_config

from hdr_jax import training
from hdr_jax.cli import main
from hdr_jax.models import parameter_shapes
from hdr_jax.runs.checkpoints import Checkpoints, save_model


@pytest.fixture
def folder(tmp_path):
    """Two checkpoints of a run."""
    config = tiny_config()
    model = training.Setup.from_config(config).model
    params = jax.tree.map(lambda x: np.ones(x.shape, x.dtype), parameter_shapes(model))
    for step in (2, 4):
        with Checkpoints(tmp_path / "checkpoints") as checkpoints:
            checkpoints.save(step, model, params, {"moments": params}, config.to_dict())
    return tmp_path


def test_whole_checkpoints_are_described(folder, capsys):
    assert main(["checkpoint", str(folder)]) == 0
    said = capsys.readouterr().out
    assert said.count("whole") == 2 and "step 4" in said
    assert "ExposureStackModel" in said and "global_width 4" in said and "jax " in said
    assert "dataset synthetic_stacks/64" in said


def test_one_that_tells_of_no_run_is_described(tmp_path, capsys):
    model = training.Setup.from_config(tiny_config()).model
    params = jax.tree.map(lambda x: np.ones(x.shape, x.dtype), parameter_shapes(model))
    save_model(tmp_path / "imported", model, params, {"edge_weights": "released"})
    assert main(["checkpoint", str(tmp_path / "imported")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "whole" in lines[0] and all(line.strip() for line in lines)


def test_a_damaged_one_is_named(folder, capsys):
    shutil.rmtree(folder / "checkpoints/4/optimizer")
    assert main(["checkpoint", str(folder)]) == 2
    assert "no optimizer" in capsys.readouterr().out


def test_one_whose_run_cannot_be_read_does_not_hide_the_others(folder, capsys):
    (folder / "checkpoints/2/run/metadata").write_text("{")
    assert main(["checkpoint", str(folder)]) == 2
    first, second = (line for line in capsys.readouterr().out.splitlines() if line[0] == "s")
    assert "run: " in first and "damaged" in first and "whole" not in first
    assert second.startswith("step 4") and second.endswith("whole")


def test_a_folder_without_checkpoints_is_refused(tmp_path, capsys):
    assert main(["checkpoint", str(tmp_path)]) == 2
    assert "no checkpoint" in capsys.readouterr().err
