"""eval.py on scenes that are unlike each other."""

import json

import jax
import numpy as np
import pytest
from tiny_run import tiny_source

from configs import highlights
from hdr_jax import data
from hdr_jax.errors import InputError
from hdr_jax.models import HighlightModel, parameter_shapes
from hdr_jax.programs import _evaluate
from hdr_jax.runs import checkpoints, scores


@pytest.fixture
def run(tmp_path):
    """A work directory with a small model that adds nothing, and its configuration."""
    model = HighlightModel(widths=(4,), depths=(1,))
    params = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), parameter_shapes(model))
    with checkpoints.Checkpoints(tmp_path / "checkpoints") as saved:
        saved.save(3, model, params)
    config = highlights.get_config()
    config.model.update(widths=(4,), depths=(1,))
    config.size = 32
    return tmp_path, config


@pytest.mark.slow
def test_scenes_of_other_exposures_equal_names_and_perfect_scores(run, monkeypatch, capsys):
    workdir, config = run
    first, second = tiny_source(2, 32)
    fog = np.full_like(first["stack"], 255)  # made exactly at the longer exposures
    scenes = [
        first | {"scene": "a/b", "stack": fog, "hdr": np.full_like(first["hdr"], 99)},
        {name: second[name][2:5] for name in ("stack", "ev_offset")}
        | {"scene": "a_b", "hdr": second["hdr"]},
    ]
    monkeypatch.setattr(data, "load_source", lambda *_: scenes)
    _evaluate.evaluate(config, workdir)
    result = json.loads((workdir / "eval/metrics.json").read_text(), parse_constant=pytest.fail)
    panels = [row["panel"] for row in result["scenes"]]
    assert len(set(panels)) == 2 and all((workdir / "eval" / name).is_file() for name in panels)
    assert [len(row["psnr_exposures"]) for row in result["scenes"]] == [7, 3]
    assert "psnr_exposures" not in result["mean"] and result["mean"]["stack_ssim"] > 0
    assert result["scenes"][0]["psnr_exposures"].count(None) > 1  # the given one, and others
    psnr = [row["stack_psnr"] for row in result["scenes"]]
    assert result["mean"]["stack_psnr"] == pytest.approx(np.mean(psnr))
    assert f"stack_psnr           {np.mean(psnr):8.3f} +- " in capsys.readouterr().out

    (workdir / "eval/notes.png").write_bytes(b"a user's own")
    monkeypatch.setattr(data, "load_source", lambda *_: scenes[1:])
    _evaluate.evaluate(config, workdir)
    assert {p.name for p in (workdir / "eval").glob("*.png")} == {"a_b.png", "notes.png"}


def test_pictures_too_small_for_the_metric_are_refused_by_the_name_of_the_field(run):
    workdir, config = run
    config.size = 16
    with pytest.raises(InputError, match=r"config.size = 16: expected at least 17"):
        _evaluate.evaluate(config, workdir)


def test_a_perfect_scene_hides_no_other_and_nan_is_not_hidden():
    """Infinite PSNR is left out, by exposure too; where nothing is left, and for NaN, None."""
    values = [
        {"psnr": np.float32(np.inf), "all": np.float32(np.inf), "wrong": np.float32(np.nan),
         "psnr_exposures": np.float32([20, np.inf, np.inf])},
        {"psnr": np.float32(30), "all": np.float32(np.inf), "wrong": np.float32(30),
         "psnr_exposures": np.float32([24, np.inf, 30])},
        {"psnr": np.float32(40), "all": np.float32(np.inf), "wrong": np.float32(np.inf),
         "psnr_exposures": np.float32([25, np.inf, 40])},
    ]  # fmt: skip
    found = _evaluate._summary(values)
    mean = {"psnr": 35, "all": None, "wrong": None, "psnr_exposures": [23, None, 35]}
    assert found["mean"] == mean
    assert found["sd"]["psnr"] == 5 and found["sd"]["all"] is found["sd"]["wrong"] is None
    assert found["sd"]["psnr_exposures"][1:] == [None, 5]


def test_a_model_that_looks_at_no_edges_is_evaluated_without(run, monkeypatch):
    workdir, config = run
    looked = []
    monkeypatch.setattr(data, "load_source", lambda *_: tiny_source(1, 32))
    monkeypatch.setattr(scores, "evaluated", lambda batches, *_: looked.extend(batches) or [])
    monkeypatch.setattr(_evaluate, "_summary", lambda _: {"mean": {}, "sd": {}})
    _evaluate.evaluate(config, workdir)
    assert "image" in looked[0] and "edges" not in looked[0]


def test_the_work_directory_may_begin_with_a_tilde(run, monkeypatch):
    workdir, config = run
    monkeypatch.setenv("HOME", str(workdir.parent))
    monkeypatch.setattr(data, "load_source", lambda *_: tiny_source(1, 32))
    monkeypatch.setattr(scores, "evaluated", lambda *_: [])
    monkeypatch.setattr(_evaluate, "_summary", lambda _: {"mean": {}, "sd": {}})
    _evaluate.evaluate(config, f"~/{workdir.name}")
    assert (workdir / "eval/metrics.json").is_file()
