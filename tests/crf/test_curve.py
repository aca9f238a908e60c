"""Lookup, its inverse, and the nearest increasing curve: values, and slopes at ties too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from hdr_jax import crf

pytestmark = pytest.mark.usefixtures("compiled_quickly")


def test_lookup_backward_is_the_derivative_off_the_integers_and_eq_3_on_them():
    g = jnp.asarray(np.sort(np.random.default_rng(0).normal(size=256)).astype(np.float32))
    slope = jax.vmap(jax.grad(crf.lookup), (0, None))
    off = jnp.arange(0, 255) + 0.5
    finite = (crf.lookup(off + 0.25, g) - crf.lookup(off - 0.25, g)) / 0.5
    np.testing.assert_allclose(slope(off, g), finite, atol=1e-5)
    on = slope(jnp.arange(256.0), g)
    np.testing.assert_array_equal(on[1:], g[1:] - g[:-1])
    assert on[0] == g[0]
    np.testing.assert_array_equal(crf.lookup(jnp.arange(256.0), g), g)


def test_lookup_passes_gradients_to_the_table_and_rounds_on_request():
    g = jnp.array([-3.0, -1.0, 0.0, 0.5])
    z = jnp.array([0.25, 1.5, 3.0])
    jacobian = jax.jacrev(crf.lookup, 1)(z, g)
    expected = [[0.75, 0.25, 0, 0], [0, 0.5, 0.5, 0], [0, 0, 0, 1]]
    np.testing.assert_allclose(jacobian, expected)
    np.testing.assert_array_equal(crf.lookup(jnp.array([0.4, 1.6]), g, rounding=True), [-3, 0])


def test_respond_inverts_lookup_per_channel():
    g = jnp.stack([jnp.linspace(-4, 1, 256), jnp.log(jnp.linspace(0.01, 1, 256))])
    levels = jnp.asarray(np.random.default_rng(1).uniform(0, 255, (5, 7, 2)).astype(np.float32))
    np.testing.assert_allclose(crf.respond(crf.lookup(levels, g), g), levels, atol=2e-2)
    with jax.enable_x64(True):
        table = jnp.asarray(np.asarray(g), jnp.float64)
        x = jnp.asarray(np.random.default_rng(2).uniform(-3, 0.5, (6, 2)))
        check_grads(lambda x, g: crf.respond(x, g), (x, table), order=1, modes=["rev"], eps=1e-6)


def test_monotone_equals_pool_adjacent_violators():
    rng = np.random.default_rng(3)
    noisy = np.cumsum(rng.normal(0.1, 1, 100))
    blocks = []  # of (sum, count), merged while they decrease
    for value in noisy:
        blocks.append((value, 1))
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            last, before = blocks.pop(), blocks.pop()
            blocks.append((last[0] + before[0], last[1] + before[1]))
    expected = np.concatenate([[total / count] * count for total, count in blocks])
    with jax.enable_x64(True):
        np.testing.assert_allclose(crf.monotone(jnp.asarray(noisy)), expected, atol=1e-10)


def max_min(g):
    """`monotone` as its formula is printed: max_{i <= z} min_{k >= z} mean(g(i..k))."""
    n = len(g)
    sums = jnp.concatenate([jnp.zeros(1), jnp.cumsum(g)])
    i, k = jnp.arange(n)[:, None], jnp.arange(n)[None]
    means = jnp.where(k >= i, (sums[k + 1] - sums[i]) / jnp.maximum(k - i + 1, 1), jnp.inf)
    lowest = jax.lax.cummin(means, axis=1, reverse=True)
    return jnp.max(jnp.where(k >= i, lowest, -jnp.inf), axis=0)


SLOW = [pytest.param(drift, marks=pytest.mark.slow) for drift in (-1.0, 0.0, 3.0)]


@pytest.mark.parametrize("drift", [0.3, *SLOW])
def test_monotone_and_its_slope_are_those_of_the_max_min_formula(drift):
    g = np.cumsum(np.random.default_rng(12).normal(drift, 1, (3, 40)), axis=1)
    with jax.enable_x64(True):
        for curve in jnp.asarray(g):
            np.testing.assert_allclose(crf.monotone(curve), max_min(curve), atol=1e-12)
            slopes = jax.jit(jax.jacrev(crf.monotone))(curve)
            np.testing.assert_allclose(slopes, jax.jacrev(max_min)(curve), atol=1e-12)
        together = jax.vmap(jax.jit(crf.monotone))(jnp.asarray(g))
        np.testing.assert_array_equal(together, crf.monotone(jnp.asarray(g)))


def test_monotone_of_sixteen_bits_needs_little_memory():
    """The table of all means of the formula would take 35 GB."""
    rising = np.log(np.arange(1, 65537)).astype(np.float32)
    np.testing.assert_array_equal(crf.monotone(rising), rising)
    noisy = rising + np.random.default_rng(13).normal(0, 0.1, 65536).astype(np.float32)
    fitted = np.asarray(crf.monotone(noisy))
    assert np.diff(fitted).min() >= 0
    assert np.abs(fitted - rising)[1000:-1000].max() < 0.05
    # The worst order: every level pools all before it.
    falling = np.asarray(crf.monotone(rising[::-1]))
    np.testing.assert_allclose(falling, rising.astype(np.float64).mean(), rtol=1e-4)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_monotone_counts_in_half_precision(dtype):
    falling = jnp.linspace(3, 0, 1024).astype(dtype)
    fitted = crf.monotone(falling)
    assert fitted.dtype == dtype
    np.testing.assert_allclose(fitted.astype(jnp.float32), 1.5, atol=0.01)


def test_monotone_leaves_ln_0_as_it_is():
    g = jnp.log(jnp.arange(256.0))
    np.testing.assert_array_equal(crf.monotone(g), g)


@pytest.mark.parametrize("g", [np.log(np.arange(1, 9)), [-3.0, -1.0, 0.0, 0.5]])
def test_slopes_of_respond_are_the_reciprocals_of_those_of_lookup(g):
    """Also at a table's own values: half of it there would be the mean with that of clipping."""
    g = jnp.asarray(g, jnp.float32)
    nodes = jax.vmap(jax.grad(crf.respond), (0, None))(g, g)
    np.testing.assert_allclose(nodes[1:], 1 / jnp.diff(g), rtol=1e-5)
    np.testing.assert_allclose(nodes[0], 1 / (g[1] - g[0]), rtol=1e-5)
    slopes = jax.vmap(jax.grad(crf.lookup), (0, None))(jnp.arange(1.0, len(g)), g)
    np.testing.assert_allclose(nodes[1:] * slopes, 1, rtol=1e-5)
    beyond = jax.vmap(jax.grad(crf.respond), (0, None))(jnp.array([g[0] - 1, g[-1] + 1]), g)
    np.testing.assert_array_equal(beyond, 0)


def test_one_curve_serves_all_channels():
    g = jnp.log(jnp.arange(1.0, 257))
    levels = jnp.asarray(np.random.default_rng(14).uniform(0, 255, (5, 7, 3)), jnp.float32)
    np.testing.assert_array_equal(crf.lookup(levels, g[None]), crf.lookup(levels, g))
    np.testing.assert_array_equal(crf.respond(levels / 50, g[None]), crf.respond(levels / 50, g))
    with pytest.raises(ValueError, match="c, num_levels"):
        crf.lookup(levels, jnp.stack([g, g]))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.int32, jnp.float64])
def test_a_coarse_table_costs_the_pixels_nothing(dtype):
    """Nor coarse pixels the table: both are read in the wider type, of 32 bits at least."""
    g, fine = np.arange(-8, 8), jnp.float32(9.123456)
    with jax.enable_x64(dtype == jnp.float64):
        table = jnp.asarray(g, dtype)
        assert crf.lookup(fine, table).dtype == jnp.promote_types(dtype, jnp.float32)
        np.testing.assert_allclose(crf.lookup(fine, table), 1.123456, rtol=1e-6)
        np.testing.assert_allclose(crf.respond(fine - 8, table), 9.123456, rtol=1e-6)


def test_slopes_of_respond_are_the_same_in_a_program_that_holds_the_values():
    g = jnp.log((jnp.arange(256) + 0.5) / 255.5)[None] * jnp.array([[0.9], [1.0], [1.1]])
    values = jnp.asarray(np.random.default_rng(15).uniform(-5, 0, (1000, 3)), jnp.float32)
    slope = jax.grad(lambda g, values: jnp.square(crf.respond(values, g)).sum())
    expected = slope(g, values)
    held = jax.jit(lambda g: slope(g, values))(g)
    np.testing.assert_allclose(held, expected, rtol=1e-4, atol=1e-5 * jnp.abs(expected).max())


@pytest.mark.parametrize("light", [-np.inf, np.inf])
def test_no_light_and_endless_light_leave_the_gradient_of_the_curve_finite(light):
    g = jnp.log(jnp.arange(1.0, 17.0))
    log_exposure = jnp.array([light, 1.3])
    slope = jax.grad(lambda g: crf.respond(log_exposure, g).sum())(g)
    alone = jax.grad(lambda g: crf.respond(log_exposure[1:], g).sum())(g)
    np.testing.assert_array_equal(slope, alone)
