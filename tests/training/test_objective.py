"""The losses of a batch."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_run import tiny_config, tiny_source

from hdr_jax import training
from hdr_jax.models._recursion import StackOutput
from hdr_jax.training import _objective

WEIGHTS = {
    "global_l1": 0.3,
    "global_histogram": 0.05,
    "local_l1": 0.7,
    "refinement_l1": 1.1,
    "hdr": 0.9,
    "contextual": 0.0,
}
REFERENCES = (0, 2)


class Walks:
    """Stands for a model of three exposures: two walks, and how they were asked for."""

    num_exposures = 3

    def __init__(self):
        rng = np.random.default_rng(1)
        drawn = lambda c: jnp.asarray(rng.random((2, 3, 4, 6, c), np.float32))  # noqa: E731
        self.outputs = [StackOutput(*(drawn(c) for c in (3, 3, 1, 3))) for _ in REFERENCES]

    def apply(self, variables, stack, edges, references, *, method, refine, gradients):
        assert method == "two_walks" and references == REFERENCES
        self.asked = refine, gradients
        return self.outputs


def setup_of(model=None, **fields):
    """The objective of the tiny run, but for the weights and what else is told."""
    config = tiny_config()
    config.loss.update(WEIGHTS)
    config.update(fields)
    setup = training.Setup.from_config(config)
    return setup if model is None else dataclasses.replace(setup, model=model)


def three_exposures():
    """A batch of two scenes, its stops known."""
    rng = np.random.default_rng(0)
    return {
        "stack": rng.integers(0, 256, (2, 3, 4, 6, 3)).astype(np.uint8),
        "edges": rng.integers(0, 2, (2, 3, 4, 6, 1)).astype(np.uint8),
        "ev_offset": np.tile(np.float32([-1, 0, 2]), (2, 1)),
        "hdr": np.exp(rng.normal(0, 1, (2, 4, 6, 3))).astype(np.float32),
    }


def counts(pictures):
    """Soft counts [..., 3, 256] of pictures [..., h, w, 3]."""
    scaled = 255 * np.float64(pictures)
    level = np.floor(scaled + 1e-4).astype(int)  # 255 (k / 255) may be just below k
    weight = scaled / np.maximum(level, 1)
    bins = level[..., None] == np.arange(256)
    return (weight[..., None] * bins).sum((-4, -3))


def l1_terms(outputs, references, true, edges):
    """Weighted terms but for that of radiance, of all exposures that were made, both walks."""
    expected = dict.fromkeys(("global_l1", "global_histogram", "local_l1", "refinement_l1"), 0.0)
    for output, reference in zip(outputs, references, strict=True):
        made = [j for j in range(true.shape[1]) if j != reference]
        stack, toned, lines = (
            np.asarray(x)[:, made] for x in (output.stack, output.global_stack, output.edges)
        )
        # Pixels in [-1, 1], but edges in [0, 1].
        expected["global_l1"] += 0.3 * 2 * np.abs(toned - true[:, made]).mean()
        expected["refinement_l1"] += 1.1 * 2 * np.abs(stack - true[:, made]).mean()
        expected["local_l1"] += 0.7 * np.abs(lines - edges[:, made]).mean()
        difference = counts(toned) - counts(true[:, made])
        expected["global_histogram"] += 0.05 * np.abs(difference).mean() / 255
    return expected


@pytest.fixture
def mean_of_exposures(monkeypatch):
    """A layer that can be followed: a linear camera's radiance, mean Z / t."""

    def layer(stack, log_times, **options):
        return jnp.mean(stack * jnp.exp(-log_times)[:, None, None, None], axis=0), None

    monkeypatch.setattr(_objective, "synthesize", layer)


@pytest.mark.parametrize(
    ("target", "align"), [("synthesized", False), ("synthesized", True), ("dataset", False)]
)
def test_terms_against_numpy(mean_of_exposures, target, align):
    walks, batch = Walks(), three_exposures()
    setup = setup_of(walks, hdr_target=target, hdr_align=align)
    found = jax.jit(lambda batch: training.loss_terms(setup, {}, batch, REFERENCES, 2))(batch)
    true = batch["stack"] / np.float32(255)
    expected = l1_terms(walks.outputs, REFERENCES, true, batch["edges"])

    times = np.array([0.5, 1, 4])[:, None, None, None]
    prediction = (np.asarray(walks.outputs[1].linked_stack) / times).mean(1)
    goal = batch["hdr"] if target == "dataset" else (true / times).mean(1)
    if align or target == "dataset":
        goal = goal * np.exp(np.median(np.log(prediction / goal), (1, 2, 3), keepdims=True))
    ratio = np.log((1 + 5000 * prediction) / (1 + 5000 * goal))
    expected["refinement_hdr"] = 0.9 * np.abs(ratio).mean()
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("phase", "end_to_end", "asked"),
    [
        (1, True, (False, "own")),
        (2, True, (True, "routed")),
        (2, False, (True, "own")),
    ],
)
def test_only_the_hdr_term_leaves_its_network(mean_of_exposures, phase, end_to_end, asked):
    walks = Walks()
    setup = setup_of(walks, end_to_end=end_to_end)
    terms = jax.eval_shape(
        lambda batch: training.loss_terms(setup, {}, batch, REFERENCES, phase), three_exposures()
    )
    assert walks.asked == asked
    assert ("refinement_hdr" in terms) == (phase == 2)


def tiny_batch():
    scenes, rng = tiny_source(2, 16), np.random.default_rng(0)
    batch = {key: np.stack([scene[key] for scene in scenes]) for key in scenes[0] if key != "scene"}
    batch["edges"] = rng.integers(0, 2, (2, 7, 16, 16, 1)).astype(np.uint8)
    return {key: jnp.asarray(value) for key, value in batch.items()}


@pytest.mark.slow
@pytest.mark.usefixtures("compiled_quickly")
@pytest.mark.parametrize("end_to_end", [True, False])
def test_terms_and_their_reach_in_a_model(end_to_end):
    """The HDR term, through the layer, has a gradient in all networks, or in one alone."""
    setup, batch = setup_of(end_to_end=end_to_end, hdr_target="dataset"), tiny_batch()
    model, true = setup.model, batch["stack"] / 255
    params = training.create_state(setup, jax.random.key(0)).params

    @jax.jit
    def slope(params):
        def radiance(params):
            terms = training.loss_terms(setup, params, batch, (1, 3), 2)
            return terms["refinement_hdr"], terms

        return jax.grad(radiance, has_aux=True)(params)

    gradient, terms = slope(params)
    largest = {
        name: max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(tree))
        for name, tree in training.by_network(gradient).items()
    }
    assert largest["refinement"] > 0
    assert (largest["global"] > 0) == (largest["local"] > 0) == end_to_end
    walks = jax.jit(lambda p: model.apply(p, true, batch["edges"], (1, 3), method="two_walks"))
    expected = l1_terms(walks({"params": params}), (1, 3), np.asarray(true), batch["edges"])
    for name, value in expected.items():
        np.testing.assert_allclose(terms[name], value, rtol=1e-4, err_msg=name)


@pytest.mark.slow
def test_hdr_loss_is_0_for_the_true_stack_and_does_not_see_the_scale_of_the_data_set():
    config, scenes = tiny_config(), tiny_source(2, 16)
    batch = {
        key: np.stack([scene[key] for scene in scenes]) for key in ("stack", "ev_offset", "hdr")
    }
    true = batch["stack"].astype(np.float32) / 255
    wrong = (true + np.roll(true, 1, axis=2)) / 2  # another scene; a mere curve would be undone

    def loss(stack, batch=batch, **fields):
        config.update(fields)
        setup = training.Setup.from_config(config)
        return float(training.hdr_loss(setup.objective, stack, batch))

    for align in (False, True):
        assert loss(true, hdr_target="synthesized", hdr_align=align) < 1e-6
        assert loss(wrong, hdr_align=align) > 0.01
    measured = loss(wrong, hdr_target="dataset")
    scaled = {**batch, "hdr": 7 * batch["hdr"]}
    np.testing.assert_allclose(loss(wrong, scaled), measured, rtol=1e-4)
    with pytest.raises(ValueError, match="expected 'synthesized' or 'dataset'"):
        loss(true, hdr_target="neither")


@pytest.mark.slow
def test_longer_exposures_have_more_light():
    """The radiance a stack was taken of is found by its stops, and not by their negative."""
    setup, batch = setup_of(hdr_target="dataset"), tiny_batch()
    true = batch["stack"] / 255
    loss = jax.jit(lambda batch: training.hdr_loss(setup.objective, true, batch))
    assert 10 * loss(batch) < loss(batch | {"ev_offset": -batch["ev_offset"]})
