"""Adam on centralised gradients against the released program's optimiser."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from hdr_jax.optim import average_parameters, centralize_kernels, centralized_adam, with_average

SETTINGS = {"paper": (1e-4, 5e-5), "strong": (1e-2, 0.1)}


def _to_flax(name, array):
    """PyTorch's layout to Flax's: OIHW -> HWIO and [out, in] -> [in, out]."""
    if "conv" in name and "bias" not in name:
        return np.moveaxis(array, (-4, -3), (-1, -2))
    return np.swapaxes(array, -1, -2) if name == "dense" else array


def _read(path):
    """Initial parameters, gradients of five steps, and both runs' parameters after each."""
    with np.load(path) as data:
        arrays = {key: data[key] for key in data}
    names = [key[2:] for key in arrays if key.startswith("g_")]
    return [
        {name: jnp.asarray(_to_flax(name, arrays[f"{kind}_{name}"])) for name in names}
        for kind in ("p0", "g", "paper", "strong")
    ]


def _run(optimizer, params, gradients, steps=5):
    """Parameters after each step, stacked."""
    state, update = optimizer.init(params), jax.jit(optimizer.update)
    history = []
    for step in range(steps):
        gradient = jax.tree.map(lambda g: g[step], gradients)  # noqa: B023
        updates, state = update(gradient, state, params)
        params = optax.apply_updates(params, updates)
        history.append(params)
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *history)


@pytest.mark.parametrize("setting", SETTINGS)
def test_equals_the_released_program(shared, setting):
    """All kinds of parameter, of which one conv and one vector lose their gradient after step 1."""
    params, gradients, *runs = _read(shared / "fixtures/released/optim_adam_gcc.npz")
    expected = runs[list(SETTINGS).index(setting)]
    learning_rate, weight_decay = SETTINGS[setting]
    optimizer = centralized_adam(learning_rate, weight_decay=weight_decay)
    history = _run(optimizer, params, gradients)
    assert len(history) == 7
    for name in history:
        np.testing.assert_allclose(history[name], expected[name], rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("name", ["conv", "conv1x1", "conv_zero_after1"])
def test_the_released_kernels_need_centralisation_of_just_these_axes(shared, name):
    """Plain Adam, and centralisation as optax does it, are far from the released numbers."""
    params, gradients, _, expected = _read(shared / "fixtures/released/optim_adam_gcc.npz")
    adam = [optax.scale_by_adam(0.5, 0.999, 1e-8), optax.scale_by_learning_rate(1e-2)]
    decay = optax.add_decayed_weights(0.1)
    for wrong in (optax.identity(), optax.centralize()):
        history = _run(optax.chain(decay, wrong, *adam), params, gradients)
        assert float(jnp.max(jnp.abs(history[name] - expected[name]))) > 1e-3


def test_follows_the_equations_in_float64():
    rng = np.random.default_rng(0)
    shapes = {"kernel": (3, 2, 4, 5), "bias": (5,), "dense": (6, 3), "norm": (2, 3, 4)}
    params = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    gradients = {
        name: rng.standard_normal((6, *shape)).astype(np.float32) for name, shape in shapes.items()
    }
    optimizer = centralized_adam(0.03, b1=0.7, b2=0.9, eps=1e-3, weight_decay=0.2)
    history = _run(optimizer, params, gradients, steps=6)
    for name in shapes:
        parameter, m, v = params[name].astype(float), 0.0, 0.0
        for step in range(6):
            d = gradients[name][step] + 0.2 * parameter
            if name == "kernel":
                d = d - np.stack([d[..., out].mean() + 0 * d[..., out] for out in range(5)], -1)
            m, v = 0.7 * m + 0.3 * d, 0.9 * v + 0.1 * d**2
            unbiased = m / (1 - 0.7 ** (step + 1)), v / (1 - 0.9 ** (step + 1))
            parameter = parameter - 0.03 * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-3)
            np.testing.assert_allclose(history[name][step], parameter, atol=1e-6)


def test_only_convolution_kernels_are_centralised():
    rng = np.random.default_rng(0)
    gradients = {
        f"{len(shape)} axes": jnp.asarray(rng.standard_normal(shape) + 1)
        for shape in [(), (4,), (5, 7), (2, 3, 4), (3, 3, 4, 2), (2, 3, 3, 4, 2)]
    }
    updates, _ = centralize_kernels().update(gradients, optax.EmptyState())
    changed = [name for name in gradients if not np.array_equal(updates[name], gradients[name])]
    assert changed == ["4 axes"]
    np.testing.assert_allclose(jnp.sum(updates["4 axes"], (0, 1, 2)), 0, atol=1e-5)


def test_takes_a_schedule():
    params = gradients = {"bias": jnp.ones(3)}
    rate = lambda step: 0.5 * (step == 0) + 0.25 * (step > 0)  # noqa: E731
    optimizer = centralized_adam(rate, b2=0.75)  # b2 is exact in binary
    history = _run(optimizer, params, jax.tree.map(lambda g: jnp.stack([g, g]), gradients), 2)
    np.testing.assert_allclose(history["bias"][:, 0], [0.5, 0.25], rtol=1e-6)


def test_settings_may_be_changed_between_steps():
    """As `optax.inject_hyperparams` does: the numbers are then traced arrays."""
    params, gradients = {"bias": jnp.ones(3)}, {"bias": jnp.ones((2, 3))}
    settings = {"learning_rate": 0.5, "b2": 0.75, "weight_decay": 0.1}
    injected = optax.inject_hyperparams(centralized_adam)(**settings)
    plain = centralized_adam(**settings)
    histories = [_run(optimizer, params, gradients, 2)["bias"] for optimizer in (injected, plain)]
    np.testing.assert_allclose(*histories, atol=1e-6)


@pytest.mark.parametrize(
    "bad",
    [{"b1": 1.0}, {"b2": -0.1}, {"eps": -1.0}, {"weight_decay": -1}, {"learning_rate": -1e-4}],
)
def test_numbers_out_of_range_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        centralized_adam(**{"learning_rate": 1e-4, **bad})


def test_the_average_of_parameters_against_a_loop():
    optimizer = optax.chain(optax.sgd(0.1), average_parameters(0.6))
    params = {"w": jnp.array([1.0, -2.0])}
    state, expected = optimizer.init(params), np.array([1.0, -2.0])
    for t in range(12):
        updates, state = optimizer.update({"w": jnp.array([0.5, t - 3.0])}, state, params)
        params = optax.apply_updates(params, updates)
        d = min(0.6, (1 + t) / (10 + t))
        expected = d * expected + (1 - d) * np.asarray(params["w"], np.float64)
    average, stored = with_average(params, state)
    np.testing.assert_allclose(average["w"], expected, rtol=1e-5)
    back, again = with_average(average, stored)
    np.testing.assert_array_equal(back["w"], params["w"])
    np.testing.assert_array_equal(again[1].average["w"], average["w"])


def test_without_an_average_nothing_is_exchanged():
    params = {"w": jnp.ones(2)}
    state = centralized_adam(0.1).init(params)
    assert with_average(params, state)[0] is params
