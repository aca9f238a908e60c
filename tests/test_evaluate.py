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
from hdr_jax.runs import checkpoints


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
    fog = np.full_like(first["stack"], 255)  # what is white at every exposure is made exactly
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
    assert result["scenes"][0]["stack_psnr"] is None and result["mean"]["stack_psnr"] is None
    assert "stack_psnr           not finite" in capsys.readouterr().out

    (workdir / "eval/notes.png").write_bytes(b"a user's own")
    monkeypatch.setattr(data, "load_source", lambda *_: scenes[1:])
    _evaluate.evaluate(config, workdir)
    assert {p.name for p in (workdir / "eval").glob("*.png")} == {"a_b.png", "notes.png"}


def test_pictures_too_small_for_the_metric_are_refused_by_the_name_of_the_field(run):
    workdir, config = run
    config.size = 16
    with pytest.raises(InputError, match=r"config.size = 16: expected at least 17"):
        _evaluate.evaluate(config, workdir)
