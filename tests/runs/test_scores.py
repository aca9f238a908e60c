"""Scores of generated stacks and maps, and the loop that evaluates a data set."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hdr_jax import color, data, metrics
from hdr_jax.runs import scores


@pytest.fixture(scope="module")
def case():
    """Two scenes of three exposures: what a model might give, and the truth."""
    rng = np.random.default_rng(0)
    hdr = np.exp(rng.uniform(-3, 1, (2, 16, 16, 3))).astype(np.float32)
    times = np.array([0.5, 1.0, 2.0], np.float32)
    stack = np.clip(hdr[:, None] * times[:, None, None, None], 0, 1) ** (1 / 2.2)
    truth = {"stack": np.rint(255 * stack).astype(np.uint8), "hdr": 5 * hdr}
    outputs = {
        "stack": np.clip(stack + rng.normal(0, 0.05, stack.shape), 0, 1).astype(np.float32),
        "radiance": hdr * np.exp(rng.normal(0, 0.1, hdr.shape)).astype(np.float32),
        "true_radiance": hdr,
    }
    return outputs, truth


def test_maps_are_held_against_both_references(case):
    outputs, truth = case
    found = jax.jit(scores.scores)(outputs, truth)
    for name in ("psnr_mu", "srgb_psnr_mu", "psnr_reinhard", "srgb_psnr_reinhard"):
        assert found[name].shape == (2,)
        # The data set's map is the merged one here, in another unit.
        np.testing.assert_allclose(found[f"dataset_{name}"], found[name], rtol=1e-4)
    bent = {**truth, "hdr": truth["hdr"] ** 2}
    other = jax.jit(scores.scores)(outputs, bent)
    np.testing.assert_allclose(other["psnr_mu"], found["psnr_mu"])
    assert (other["dataset_psnr_mu"] < found["dataset_psnr_mu"] - 3).all()


def test_the_scores_of_light_have_their_protocols(case, monkeypatch):
    """PU21: on a display of 1000 cd/m^2, the true map's maximum white, the other of its scale."""
    outputs, truth = case
    asked = []

    def hdrvdp2(test, reference, *, protocol):
        asked.append(protocol)
        return SimpleNamespace(Q=jnp.mean(test), P_map=test[..., 0])

    monkeypatch.setattr(metrics, "hdrvdp2_by_protocol", hdrvdp2)
    monkeypatch.setattr(scores, "scores", lambda outputs, truth: {})
    found = jax.jit(scores.all_scores)(outputs, truth)
    assert set(asked) == {"singlehdr"}
    plain = np.asarray(color.srgb_to_linear(truth["stack"][:, 1] / 255))
    for prefix, maps in (("", outputs["radiance"]), ("srgb_", plain)):
        for i, (test, true) in enumerate(zip(maps, outputs["true_radiance"], strict=True)):
            lit = test > 0
            test = test * np.exp(np.median(np.log(true[lit] / test[lit])))
            shown = [np.clip(1000 * x / true.max(), 0.005, 1000) for x in (test, true)]
            expected = metrics.pu21_psnr(*(jnp.asarray(x, jnp.float32) for x in shown))
            np.testing.assert_allclose(found[f"{prefix}pu21_psnr"][i], expected, rtol=1e-4)


def test_every_scene_is_evaluated_once(case):
    outputs, _ = case
    rng = np.random.default_rng(1)
    source = [
        {
            "stack": rng.integers(0, 255, (3, 16, 16, 3)).astype(np.uint8),
            "ev_offset": np.arange(-1.0, 2.0),
            "hdr": np.full((16, 16, 3), 1.0 + i, np.float32),
            "scene": f"scene {i}",
        }
        for i in range(3)
    ]
    batches = data.evaluation_batches(source, batch_size=2, size=16)
    results = list(
        scores.evaluated(
            batches,
            lambda arrays: outputs,
            lambda outputs, arrays: {"mean": arrays["hdr"].mean((1, 2, 3)), "all": arrays["hdr"]},
        )
    )
    assert [result.name for result in results] == ["scene 0", "scene 1", "scene 2"]
    assert [float(result.scores["mean"]) for result in results] == [1, 2, 3]
    assert scores.means(results) == {"mean": 2.0}
    np.testing.assert_allclose(results[2].true_stack, source[2]["stack"] / 255, rtol=1e-6)


def test_an_exposure_made_exactly_hides_no_other(case):
    """The first of two scenes is saturated in the longest exposure, the second one in both."""
    outputs, truth = case
    stack, true = outputs["stack"].copy(), truth["stack"].copy()
    stack[0, 2] = stack[1, ::2] = 1
    true[0, 2] = true[1, ::2] = 255
    found = jax.jit(scores.scores)(outputs | {"stack": stack}, truth | {"stack": true})
    assert np.isinf(found["psnr_exposures"][0, 2])
    np.testing.assert_allclose(found["stack_psnr"], [found["psnr_exposures"][0, 0], np.inf])
    stack[0, 0] = np.nan
    found = jax.jit(scores.scores)(outputs | {"stack": stack}, truth | {"stack": true})
    assert np.isnan(found["stack_psnr"][0])


@pytest.mark.parametrize(
    ("values", "mean"),
    [([np.inf, 30, 40], 35), ([np.inf, np.inf], np.inf), ([np.inf, np.nan, 30], np.nan)],
)
def test_a_perfect_scene_hides_no_other(values, mean):
    results = [scores.Evaluated("", {}, *[np.zeros(0)] * 2, {"psnr": x}) for x in values]
    np.testing.assert_equal(scores.means(results), {"psnr": mean})


@pytest.mark.slow
def test_the_photograph_stands_at_ev_0(case):
    outputs, truth = case
    asymmetrical = truth | {"ev_offset": np.tile(np.float32([-2, -1, 0]), (2, 1))}
    found = scores.scores(outputs, asymmetrical)
    np.testing.assert_allclose(found["stack_psnr"], found["psnr_exposures"][:, :2].mean(1))
    centred = scores.scores(outputs, truth)
    np.testing.assert_allclose(centred["stack_psnr"], found["psnr_exposures"][:, ::2].mean(1))
    assert not np.allclose(found["srgb_psnr_mu"], centred["srgb_psnr_mu"])


def test_each_scene_of_a_batch_has_its_own_reference(case):
    outputs, truth = case
    mixed = truth | {"ev_offset": np.float32([[-1, 0, 1], [0, 1, 2]])}
    found = jax.jit(scores.scores)(outputs, mixed)
    for i in range(2):
        one = jax.tree.map(lambda x: x[i : i + 1], (outputs, mixed))  # noqa: B023
        for name, value in jax.jit(scores.scores)(*one).items():
            np.testing.assert_allclose(found[name][i], value[0], rtol=1e-5)
