"""Training of a HighlightModel: terms, phases, and that it learns."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from ml_collections import ConfigDict
from tiny_run import tiny_source

from configs import highlights
from hdr_jax import data, training
from hdr_jax.errors import InputError
from hdr_jax.models._gain import MAX_GAIN
from hdr_jax.models._highlights import clip_mask, linearised
from hdr_jax.runs.checkpoints import load_model
from hdr_jax.runs.log import RunLog

pytestmark = pytest.mark.usefixtures("compiled_quickly")


def small_config(**changes) -> ConfigDict:
    config = highlights.get_config()
    config.model.update(widths=(8, 8), depths=(1, 1))
    config.update(size=32, steps=8, refine_from=4, **changes)
    return config


def batch(count=2, size=32):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size]
    disc = 40.0 * ((y - 9) ** 2 + (x - 12) ** 2 < 30)
    maps = [(0.2 + disc)[..., None] * np.exp(rng.normal(0, 0.3, (size, size, 3)))] * 3
    source = [{"hdr": np.asarray(hdr, np.float32)} for hdr in maps]
    taken = data.photographs(source, batch_size=count, size=(size, size), seed=0)
    return {name: jnp.asarray(value) for name, value in next(taken).items()}


@pytest.fixture(scope="module")
def state():
    setup = training.Setup.from_config(small_config())
    return setup, training.create_state(setup, jax.random.key(0))


def test_gain_terms_against_numpy(state):
    setup, start = state
    arrays = batch()
    terms = jax.jit(lambda p: training.highlight_terms(setup, p, arrays, 1))(start.params)
    image = np.asarray(arrays["image"]) / np.float32(255)
    known, mask = (np.asarray(f(jnp.asarray(image))) for f in (linearised, clip_mask))
    output = jax.jit(setup.model.apply)(
        {"params": start.params}, jnp.asarray(image), arrays["rim_distance"]
    )
    true = np.clip(np.log(np.maximum(arrays["hdr"], 1e-6)) - known, 0, MAX_GAIN)
    error = np.asarray(output.gain) - true

    def masked_l1(error, mask):
        total = (mask * np.abs(error)).sum((1, 2, 3))
        return (total / (mask.sum((1, 2, 3)) + 0.008 * mask[0].size)).mean()

    assert set(terms) == {"gain_l1", "gradient_l1"}
    np.testing.assert_allclose(terms["gain_l1"], masked_l1(error, mask), rtol=1e-4)
    differences = sum(
        masked_l1(
            np.diff(error, axis=axis), np.minimum(*(np.delete(mask, end, axis) for end in (0, -1)))
        )
        for axis in (1, 2)
    )
    expected = setup.objective.weights["gradient_l1"] * differences
    np.testing.assert_allclose(terms["gradient_l1"], expected, rtol=1e-4)


@pytest.mark.slow
def test_phase_2_adds_the_metrics(state):
    setup, start = state
    terms = jax.jit(lambda p: training.highlight_terms(setup, p, batch(), 2))(start.params)
    names = {"gain_l1", "chroma_l1", "partial_l1", "gradient_l1", "hdrvdp2", "pu21"}
    assert set(terms) == names
    total = jax.jit(
        jax.grad(lambda p: sum(training.highlight_terms(setup, p, batch(), 2).values()))
    )
    gradient = total(start.params)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


@pytest.mark.slow
def test_the_metric_leaves_partly_clipped_pixels_alone(state):
    setup, start = state
    arrays = batch()
    red_alone = arrays["image"].at[..., 1:].min(200)

    def term(params, image):
        terms = training.highlight_terms(setup, params, arrays | {"image": image}, 2)
        return terms["hdrvdp2"]

    slope = jax.jit(jax.grad(term))
    slopes = [slope(start.params, image) for image in (red_alone, arrays["image"])]
    largest = [max(float(jnp.abs(x).max()) for x in jax.tree.leaves(slope)) for slope in slopes]
    assert largest[0] == 0 < largest[1]


@pytest.mark.slow
def test_the_hdr_term_goes_through_the_layer():
    config = small_config()
    config.loss.hdr = 1.0
    setup = training.Setup.from_config(config)
    params = training.create_state(setup, jax.random.key(0)).params
    term = jax.jit(
        jax.value_and_grad(lambda p: training.highlight_terms(setup, p, batch(), 1)["hdr"])
    )
    value, gradient = term(params)
    assert 0 < value < 1
    assert max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(gradient)) > 0


@pytest.mark.slow
def test_steps_learn():
    """The same batch over and over: the gain error falls."""
    config = small_config(learning_rate=3e-3)
    config.update(steps=60, refine_from=60)
    setup = training.Setup.from_config(config)
    start = training.create_state(setup, jax.random.key(0))
    arrays = jax.tree.map(lambda x: x[None], batch())
    step = jax.pmap(
        lambda state, b: training.train_step(setup, 1, state, b, (0, 0)),
        axis_name=training.DEVICES,
        devices=jax.local_devices()[:1],
    )
    state = jax.tree.map(lambda x: jnp.asarray(x)[None], start)
    values = []
    for _ in range(60):
        state, terms = step(state, arrays)
        values.append(float(terms["gain_l1"][0]))
    assert values[-1] < 0.6 * values[0]


@pytest.mark.slow
def test_micro_batches_are_one_batch():
    arrays = jax.tree.map(lambda x: x[None], batch(4))

    def gradient(micro_batches):
        setup = training.Setup.from_config(small_config(batch_size=4, micro_batches=micro_batches))
        start = training.create_state(setup, jax.random.key(0))
        step = jax.pmap(
            lambda state, b: training.train_step(setup, 1, state, b, (0, 0)),
            axis_name=training.DEVICES,
            devices=jax.local_devices()[:1],
        )
        state, terms = step(jax.tree.map(lambda x: jnp.asarray(x)[None], start), arrays)
        (moments,) = (s for s in jax.tree.leaves(state.opt_state, is_leaf=adam) if adam(s))
        return moments.mu, terms

    def adam(node):
        return isinstance(node, optax.ScaleByAdamState)

    # Adam's first moment is the gradient times a number; its step is only the gradient's sign.
    whole, parts = gradient(1), gradient(2)
    largest = max(float(jnp.abs(x).max()) for x in jax.tree.leaves(whole[0]))
    chex.assert_trees_all_close(whole, parts, rtol=1e-4, atol=1e-5 * largest)


@pytest.mark.slow
def test_the_photograph_stands_in_its_place(state):
    setup, start = state
    stack = np.random.default_rng(0).integers(0, 256, (1, 5, 32, 32, 3)).astype(np.uint8)
    arrays = {
        "stack": jnp.asarray(stack),
        "ev_offset": jnp.asarray([[-2.0, -1, 0, 1, 2]]),
        "image": jnp.asarray(stack[:, 2]),
        "rim_distance": jnp.zeros((1, 32, 32, 3)),
    }
    made = training.highlight_stack(setup, start.params, arrays)
    assert made.shape == stack.shape
    np.testing.assert_allclose(made[:, 2], stack[:, 2] / 255, atol=1e-6)
    unclipped = (stack[:, 2] < 0.97 * 255)[:, None]  # those that clip in part are brightened
    assert (np.where(unclipped, np.diff(np.asarray(made), axis=1), 0) >= -2e-3).all()


@pytest.mark.slow
def test_scenes_of_a_batch_may_have_their_photograph_at_different_places(state):
    setup, start = state
    stack = np.random.default_rng(0).integers(0, 256, (2, 3, 32, 32, 3)).astype(np.uint8)
    arrays = {
        "stack": jnp.asarray(stack),
        "ev_offset": jnp.asarray([[-2.0, 0, 2], [0, 1, 2]]),
        "image": jnp.asarray(np.stack([stack[0, 1], stack[1, 0]])),
        "rim_distance": jnp.zeros((2, 32, 32, 3)),
    }
    together = training.highlight_stack(setup, start.params, arrays)
    for i in range(2):
        one = {name: value[i : i + 1] for name, value in arrays.items()}
        alone = training.highlight_stack(setup, start.params, one)
        np.testing.assert_allclose(together[i : i + 1], alone, atol=1e-5)


@pytest.mark.parametrize(
    "change, word",
    [
        (lambda c: c.loss.update(typo=1.0), "config.loss"),
        (lambda c: c.model.update(tone="sepia"), "tone"),
        (lambda c: c.update(size=30), "multiple of 4"),
    ],
)
def test_wrong_fields_are_named(change, word):
    config = small_config()
    with config.unlocked():
        change(config)
    with pytest.raises(InputError, match=word):
        training.Setup.from_config(config)


def test_each_phase_has_a_rate_of_its_own():
    config = small_config(learning_rate=1.0, refinement_learning_rate=0.5)
    config.update(steps=200, refine_from=100, weight_decay=0.0)
    optimizer = training.Setup.from_config(config).optimizers["highlights"]
    params, moved = {"w": jnp.zeros(())}, []
    opt_state = optimizer.init(params)
    for _ in range(200):
        updates, opt_state = optimizer.update({"w": jnp.ones(())}, opt_state, params)
        moved.append(-float(updates["w"]))
    assert moved[0] == 0 and abs(moved[5] - 1) < 0.01 and moved[99] < 0.01
    assert abs(max(moved[100:]) - 0.5) < 0.01 and moved[199] < 0.01


def test_the_average_is_what_is_stored_and_comes_back(state):
    setup, start = state
    stored = training.averaged(start.replace(params=jax.tree.map(lambda x: x + 1, start.params)))
    chex.assert_trees_all_equal(stored.params, start.params)
    back = training.averaged(stored)
    chex.assert_trees_all_equal(back.params, jax.tree.map(lambda x: x + 1, start.params))
    chex.assert_trees_all_equal(back.opt_state, start.opt_state)


def run_config() -> ConfigDict:
    """Six steps, three in each phase."""
    config = small_config(data_dir="", batch_size=2, log_every=1, eval_every=6, eval_scenes=2)
    config.update(steps=6, refine_from=3, checkpoint_every=2)
    return config


@pytest.fixture
def train(monkeypatch):
    """`train_and_evaluate` on a few made scenes."""
    import train as program

    monkeypatch.setattr(data, "load_source", lambda *_: tiny_source(size=40))
    return program.train_and_evaluate


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bits(train, tmp_path, monkeypatch):
    train(run_config(), tmp_path / "whole")
    expected = (tmp_path / "whole" / "metrics.jsonl").read_text()
    assert len(expected.splitlines()) == 6
    stop = RunLog.put

    def killed(log, step, terms, *, write):
        if step == 5:
            raise KeyboardInterrupt
        stop(log, step, terms, write=write)

    with monkeypatch.context() as patch:
        patch.setattr(RunLog, "put", killed)
        with pytest.raises(KeyboardInterrupt):
            train(run_config(), tmp_path / "killed")
    train(run_config(), tmp_path / "killed")
    assert (tmp_path / "killed" / "metrics.jsonl").read_text() == expected
    model, _, step = load_model(tmp_path / "killed")
    assert step == 6 and model.widths == (8, 8)


@pytest.mark.slow
def test_losses_of_weight_zero_are_left_out():
    config = small_config()
    config.loss.update(hdrvdp2=0.0, pu21=0.0, chroma_l1=0.0, partial_l1=0.0, gradient_l1=0.0)
    setup = training.Setup.from_config(config)
    params = training.create_state(setup, jax.random.key(0)).params
    assert set(training.highlight_terms(setup, params, batch(), 2)) == {"gain_l1"}
