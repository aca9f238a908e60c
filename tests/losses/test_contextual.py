"""The contextual bilateral loss against loops in float64, finite differences and its symmetries."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from hdr_jax.losses import contextual_bilateral, rgb_patches

pytestmark = pytest.mark.usefixtures("compiled_quickly")

loss = jax.jit(contextual_bilateral, static_argnames="pairs_per_block")
loss_and_gradients = jax.jit(jax.value_and_grad(contextual_bilateral, (0, 1)))


def _random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def _by_loops(x, y, spatial_weight):
    """Eq. (7) one pair at a time in float64, with D = 1 - cos."""
    x, y = x.astype(float), y.astype(float)
    mean = y.mean(axis=(0, 1))
    matches = []
    for row, column in np.ndindex(x.shape[:2]):
        p, best = x[row, column] - mean, np.inf
        for target_row, target_column in np.ndindex(y.shape[:2]):
            q = y[target_row, target_column] - mean
            cosine = p @ q / np.sqrt((p @ p) * (q @ q))
            vertical = row / (x.shape[0] - 1) - target_row / (y.shape[0] - 1)
            horizontal = column / (x.shape[1] - 1) - target_column / (y.shape[1] - 1)
            position = vertical**2 + horizontal**2
            best = min(best, 1 - cosine + spatial_weight * position)
        matches.append(best)
    return np.mean(matches)


def _dense(x, y, spatial_weight=0.1):
    """Eq. (7) through the whole matrix of distances, left to automatic differentiation."""
    height, width, depth = x.shape
    mean = jnp.mean(y, (0, 1), keepdims=True)
    u, v = (z / jnp.linalg.norm(z, axis=-1, keepdims=True) for z in (x - mean, y - mean))
    axes = jnp.linspace(0, 1, height), jnp.linspace(0, 1, width)
    grid = jnp.stack(jnp.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)
    position = jnp.sum((grid[:, None] - grid[None]) ** 2, axis=-1)
    cosine = u.reshape(-1, depth) @ v.reshape(-1, depth).T
    return jnp.mean(jnp.min(1 - cosine + spatial_weight * position, axis=1))


@pytest.mark.parametrize("spatial_weight", [0.0, 0.1, 3.0])
@pytest.mark.parametrize("shape", [(5, 4, 6), (4, 7, 6)])
def test_equals_the_loop_in_float64(shape, spatial_weight):
    x, y = _random(5, 4, 6), _random(*shape, seed=1) + 0.5
    value = loss(jnp.asarray(x), jnp.asarray(y), spatial_weight=spatial_weight)
    np.testing.assert_allclose(value, _by_loops(x, y, spatial_weight), rtol=2e-6)


def test_gradient_equals_finite_differences():
    with jax.enable_x64(True):
        x, y = (jnp.asarray(_random(4, 3, 5, seed=seed), jnp.float64) for seed in (0, 1))
        check_grads(loss, (x, y), 1, modes=["rev"], eps=1e-6, rtol=1e-6)


def test_gradient_equals_that_of_the_whole_matrix():
    x, y = jnp.asarray(_random(9, 8, 16)), jnp.asarray(_random(9, 8, 16, seed=1) + 1)
    value, gradients = loss_and_gradients(x, y)
    expected, expected_gradients = jax.jit(jax.value_and_grad(_dense, (0, 1)))(x, y)
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    for gradient, expected in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(gradient, expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("pairs", [1, 20, 63, 100, 2**20])
def test_blocks_change_nothing(pairs):
    x, y = jnp.asarray(_random(5, 4, 6)), jnp.asarray(_random(5, 4, 6, seed=1))
    value = loss(x, y, pairs_per_block=pairs)
    np.testing.assert_allclose(value, _by_loops(np.asarray(x), np.asarray(y), 0.1), rtol=2e-6)


@pytest.mark.parametrize("level", [None, 0.0, 1e-3, 0.3, 1.0, 1000.0])
def test_zero_for_identical_inputs(level):
    """Also for flat ones, whose features have no direction; and there is nothing to improve."""
    x = _random(8, 8, 12) if level is None else np.full((8, 8, 12), level, np.float32)
    value, (gradient, _) = loss_and_gradients(jnp.asarray(x), jnp.asarray(x))
    assert 0 <= float(value) < 1e-6
    np.testing.assert_allclose(gradient, 0, atol=1e-6)


def test_flat_against_structure_is_one_half():
    flat, structure = jnp.zeros((4, 4, 6)), jnp.asarray(_random(4, 4, 6))
    structure -= jnp.mean(structure, (0, 1), keepdims=True)  # so that the flat one is its mean
    np.testing.assert_allclose(loss(flat, structure), 0.5, rtol=1e-5)


def test_without_positions_the_order_does_not_matter():
    x, y = _random(6, 5, 7), _random(6, 5, 7, seed=1)
    shuffled = np.random.default_rng(2).permutation(y.reshape(30, 7)).reshape(y.shape)
    values = [loss(x, jnp.asarray(z), spatial_weight=0.0) for z in (y, shuffled)]
    np.testing.assert_allclose(*values, rtol=1e-6)
    values = [loss(x, jnp.asarray(z)) for z in (y, shuffled)]
    assert abs(float(values[0] - values[1])) > 1e-4


def test_a_large_spatial_weight_compares_in_place():
    x, y = _random(6, 5, 7), _random(6, 5, 7, seed=1)
    mean = y.mean((0, 1))
    u, v = (z / np.linalg.norm(z, axis=-1, keepdims=True) for z in (x - mean, y - mean))
    expected = np.mean(1 - np.sum(u * v, axis=-1))
    value = loss(jnp.asarray(x), jnp.asarray(y), spatial_weight=1e3)
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_a_shift_costs_less_than_noise():
    image = np.cumsum(np.cumsum(_random(72, 72, 3), 0), 1)
    image = (image - image.min()) / np.ptp(image)
    here, shifted = (jnp.asarray(image[row : row + 64, :64]) for row in (0, 8))
    other = jnp.asarray(np.random.default_rng(3).permutation(np.asarray(here).reshape(-1, 3)))
    near, far = (
        loss(rgb_patches(z), rgb_patches(here), spatial_weight=0.01)
        for z in (shifted, other.reshape(64, 64, 3))
    )
    assert float(near) < 0.2 * float(far)


def test_feature_maps_by_name_are_added_and_batches_come_from_vmap():
    x = {"a": jnp.asarray(_random(2, 4, 4, 5)), "b": jnp.asarray(_random(2, 2, 3, 6, seed=1))}
    y = {
        "a": jnp.asarray(_random(2, 4, 4, 5, seed=2)),
        "b": jnp.asarray(_random(2, 2, 3, 6, seed=3)),
    }
    values = jax.jit(jax.vmap(contextual_bilateral))(x, y)
    for index, value in enumerate(values):
        terms = [_by_loops(*(np.asarray(z[name][index]) for z in (x, y)), 0.1) for name in "ab"]
        np.testing.assert_allclose(value, sum(terms), rtol=2e-6)


def test_half_precision_features_are_compared_in_single():
    x, y = (jnp.asarray(_random(4, 4, 8, seed=seed), jnp.bfloat16) for seed in (0, 1))
    value = loss(x, y)
    assert value.dtype == jnp.float32
    expected = _by_loops(np.asarray(x, np.float32), np.asarray(y, np.float32), 0.1)
    np.testing.assert_allclose(value, expected, rtol=2e-6)


def test_a_nan_stays_visible():
    x, y = jnp.asarray(_random(4, 4, 8)), jnp.asarray(_random(4, 4, 8, seed=1))
    assert np.isnan(loss(x.at[1, 2, 3].set(jnp.nan), y))
    assert np.isnan(loss(x, y.at[1, 2, 3].set(jnp.nan)))


def test_memory_at_256_x_256():
    """4096 features of relu3_4, forward and backward: 17 M distances, but never all at once."""
    features = jax.ShapeDtypeStruct((64, 64, 256), jnp.float32)
    step = jax.jit(jax.value_and_grad(contextual_bilateral)).lower(features, features).compile()
    assert step.memory_analysis().temp_size_in_bytes < 40e6


@pytest.mark.parametrize("shapes", [((4, 4, 3), (4, 4, 2)), ((4, 3), (4, 3)), ((0, 4, 3),) * 2])
def test_bad_shapes_are_refused(shapes):
    with pytest.raises(ValueError, match="of one depth"):
        contextual_bilateral(*map(jnp.zeros, shapes))


@pytest.mark.parametrize("names", [("a", "b"), ("a", None), (None, "a")])
def test_unequal_names_are_refused(names):
    array = jnp.zeros((2, 2, 3))
    with pytest.raises(ValueError, match="same feature maps"):
        contextual_bilateral(*(array if name is None else {name: array} for name in names))


def test_a_negative_spatial_weight_is_refused():
    with pytest.raises(ValueError, match="spatial_weight -1.0: expected a number >= 0"):
        contextual_bilateral(jnp.ones((2, 2, 3)), jnp.zeros((2, 2, 3)), spatial_weight=-1.0)
