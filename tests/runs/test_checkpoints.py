"""Checkpoints: what they hold, and what they refuse to be read as."""

import subprocess

import jax
import numpy as np
import pytest

from hdr_jax.errors import InputError
from hdr_jax.models import ExposureStackModel, parameter_shapes
from hdr_jax.runs import checkpoints

MODEL = ExposureStackModel(2, 2, 1, 2, 1, 2, 1)


def parameters(model, value=1.0):
    """All of one value."""
    return jax.tree.map(lambda x: np.full(x.shape, value, x.dtype), parameter_shapes(model))


@pytest.fixture
def folder(tmp_path):
    """A checkpoint of step 3, with an optimiser's state."""
    with checkpoints.Checkpoints(tmp_path / "checkpoints") as saved:
        saved.save(3, MODEL, parameters(MODEL), {"moment": np.ones(2)}, {"edge_weights": "rgb"})
    return tmp_path


def restore(folder, model, step=3):
    with checkpoints.Checkpoints(folder / "checkpoints") as saved:
        return saved.restore(step, model, parameters(model, 0.0), {"moment": np.zeros(2)})


def test_what_was_saved_comes_back(folder):
    params, optimizer = restore(folder, MODEL)
    assert all((leaf == 1).all() for leaf in jax.tree.leaves(params))
    np.testing.assert_array_equal(optimizer["moment"], np.ones(2))
    model, params, step = checkpoints.load_model(folder)
    assert (model, step) == (MODEL, 3)
    assert all((leaf == 1).all() for leaf in jax.tree.leaves(params))
    assert checkpoints.load_config(folder) == {"edge_weights": "rgb"}


def test_what_is_donated_while_it_is_written_is_written_whole(tmp_path):
    moment = np.random.default_rng(0).normal(size=2_000_000)  # takes a while to write
    place = jax.pmap(lambda x: x)
    state = place(moment[None])
    negated = jax.pmap(lambda x: -x, donate_argnums=0)
    with checkpoints.Checkpoints(tmp_path / "checkpoints") as saved:
        shared = jax.device_put(jax.device_get(state.addressable_data(0))[0], may_alias=True)
        saved.save(3, MODEL, parameters(MODEL), {"moment": shared})
        del shared
        for _ in range(20):
            state = negated(state)
        saved.wait()
        like = {"moment": np.zeros(moment.shape, np.float32)}
        _, optimizer = saved.restore(3, MODEL, parameters(MODEL, 0.0), like)
    np.testing.assert_array_equal(optimizer["moment"], moment.astype(np.float32))
    np.testing.assert_array_equal(jax.device_get(state)[0], moment.astype(np.float32))


def test_another_width_is_refused_by_name(folder):
    other = ExposureStackModel(2, 4, 1, 2, 1, 2, 1)
    with pytest.raises(InputError, match="global_width = 2 there, 4 in the configuration"):
        restore(folder, other)


def test_how_a_model_is_computed_does_not_matter(folder):
    other = MODEL.clone(remat=True, dtype=jax.numpy.bfloat16, convolution="xla")
    params, _ = restore(folder, other)
    assert all((leaf == 1).all() for leaf in jax.tree.leaves(params))


def test_another_optimiser_is_refused(folder):
    with checkpoints.Checkpoints(folder / "checkpoints") as saved:
        for state in ({"moment": np.zeros(5)}, {"other": np.zeros(2)}):
            with pytest.raises(InputError, match="checkpoint 3"):
                saved.restore(3, MODEL, parameters(MODEL), state)


def test_imported_weights_leave_the_optimiser_at_rest(tmp_path):
    checkpoints.save_model(tmp_path / "checkpoints", MODEL, parameters(MODEL))
    params, optimizer = restore(tmp_path, MODEL, step=0)
    assert all((leaf == 1).all() for leaf in jax.tree.leaves(params))
    np.testing.assert_array_equal(optimizer["moment"], np.zeros(2))
    with pytest.raises(InputError, match="already"):
        checkpoints.save_model(tmp_path / "checkpoints", MODEL, parameters(MODEL))


def test_a_step_that_is_not_there_is_explained(folder, tmp_path):
    with pytest.raises(InputError, match=r"no checkpoint 4 .* found steps \[3\]"):
        checkpoints.load_model(folder, 4)
    with pytest.raises(InputError, match="no folder"):
        checkpoints.load_model(tmp_path / "nowhere")


def test_an_empty_run_does_not_hide_weights_beside_it(tmp_path):
    checkpoints.save_model(tmp_path, MODEL, parameters(MODEL))
    (tmp_path / "checkpoints").mkdir()
    assert checkpoints.load_model(tmp_path)[2] == 0
    with pytest.raises(InputError, match=r"no checkpoint 4 in .* found steps \[0\]"):
        checkpoints.load_model(tmp_path, 4)


def test_the_home_folder_is_found_by_its_sign(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    checkpoints.save_model(tmp_path / "model", MODEL, parameters(MODEL))
    assert checkpoints.load_model("~/model")[2] == 0


def test_a_full_disk_leaves_the_checkpoints_before_it_whole(small_disk, capfd):
    """The first of 300 kB fits; what is written in the background fails in one line."""
    rng = np.random.default_rng(0)
    with (
        pytest.raises(OSError, match="cannot be written to .*No space left on device"),
        checkpoints.Checkpoints(small_disk / "checkpoints") as saved,
    ):
        for step in range(1, 5):
            saved.save(step, MODEL, parameters(MODEL), {"moment": rng.random(40_000)})
    with checkpoints.Checkpoints(small_disk / "checkpoints") as saved:
        assert saved.steps() and not any(saved.damage(step) for step in saved.steps())
        assert saved.steps()[-1] < 4
    assert "Traceback" not in capfd.readouterr().err


def test_a_read_only_folder_is_named(small_disk):
    with checkpoints.Checkpoints(small_disk / "checkpoints") as saved:
        saved.save(3, MODEL, parameters(MODEL), {"moment": np.ones(2)})
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with (
        pytest.raises(OSError, match=f"{small_disk}.*Read-only"),
        checkpoints.Checkpoints(small_disk / "checkpoints") as saved,
    ):
        saved.save(4, MODEL, parameters(MODEL), {"moment": np.ones(2)})
    restore(small_disk, MODEL)


@pytest.mark.parametrize(
    ("step", "config", "expected"),
    [
        (0, {}, True),
        (3, {"refine_from": 5, "init_from": ""}, False),
        (5, {"refine_from": 5, "init_from": ""}, False),  # the sixth step is the first of phase 2
        (9, {"refine_from": 5, "init_from": ""}, True),
        (3, {"refine_from": 5, "init_from": "elsewhere"}, True),
    ],
)
def test_whether_weights_have_refinement_networks(tmp_path, step, config, expected):
    with checkpoints.Checkpoints(tmp_path / "checkpoints") as saved:
        saved.save(step, MODEL, parameters(MODEL), config=config)
    assert checkpoints.refined(tmp_path) is expected
    assert checkpoints.refined(tmp_path / "nowhere") and not checkpoints.refined("")


@pytest.mark.parametrize(("step_of_the_first", "expected"), [(4, False), (6, True)])
def test_refinement_is_asked_for_along_a_chain_of_runs(tmp_path, step_of_the_first, expected):
    before = ""
    for name, step in (("a", step_of_the_first), ("b", 4), ("c", 4)):
        with checkpoints.Checkpoints(tmp_path / name / "checkpoints") as saved:
            config = {"refine_from": 5, "init_from": str(before)}
            saved.save(step, MODEL, parameters(MODEL), config=config)
        before = tmp_path / name
    assert checkpoints.refined(tmp_path / "c") is expected


def test_a_run_from_imported_weights_in_its_own_folder_has_their_refinement(tmp_path):
    folder = tmp_path / "checkpoints"
    checkpoints.save_model(folder, MODEL, parameters(MODEL))
    with checkpoints.Checkpoints(folder) as saved:
        config = {"refine_from": 5, "init_from": str(folder)}
        saved.save(3, MODEL, parameters(MODEL), config=config)
    assert checkpoints.refined(tmp_path)
