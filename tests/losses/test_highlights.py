"""Losses of predicted highlights against loops, limits and properties."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hdr_jax import losses, metrics
from hdr_jax.errors import InputError

pytestmark = pytest.mark.usefixtures("compiled_quickly")

RNG = np.random.default_rng(0)


def test_masked_l1_against_a_loop():
    error, mask = RNG.normal(size=(7, 9, 3)), RNG.uniform(size=(7, 9, 3)).round()
    total = sum(m * abs(e) for e, m in zip(error.ravel(), mask.ravel(), strict=True))
    expected = total / (mask.sum() + 0.008 * mask.size)
    np.testing.assert_allclose(losses.masked_l1(jnp.asarray(error), jnp.asarray(mask)), expected)


def test_nothing_clipped_costs_nothing():
    error = jnp.asarray(RNG.normal(size=(8, 8, 3)))
    assert losses.masked_l1(error, jnp.zeros((8, 8, 3))) == 0


MASKED = [losses.masked_l1, losses.chroma_l1, losses.partial_l1, losses.gradient_l1]


@pytest.mark.parametrize("loss", MASKED)
@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 8, 3), (8, 1, 3)])
def test_pictures_of_one_row_or_column(loss, shape):
    error, mask = jnp.ones(shape).at[0, 0, 0].set(2), jnp.ones(shape).at[0, 0, 1].set(0)
    value, slope = jax.value_and_grad(loss)(error, mask)
    assert np.isfinite(value) and np.isfinite(slope).all()


@pytest.mark.parametrize("loss", MASKED)
@pytest.mark.parametrize("shape", [(4, 4, 1), (4, 4), (1, 4, 4, 3)])
def test_a_mask_of_another_shape_is_refused(loss, shape):
    with pytest.raises(InputError, match="error and mask of one shape"):
        loss(jnp.ones((4, 4, 3)), jnp.ones(shape))


def test_masked_l1_has_no_slope_at_zero():
    slope = jax.grad(losses.masked_l1)(jnp.zeros((4, 4, 3)), jnp.ones((4, 4, 3)))
    np.testing.assert_array_equal(slope, 0)


def test_chroma_l1_ignores_what_channels_share_and_pixels_that_clip_in_part():
    shared = jnp.asarray(RNG.normal(size=(8, 8, 1)))
    error = shared + jnp.asarray(RNG.normal(size=(8, 8, 3)))
    mask = jnp.ones((8, 8, 3)).at[:, :4, 0].set(0)
    whole = losses.chroma_l1(error, mask)
    np.testing.assert_allclose(losses.chroma_l1(error - shared, mask), whole, rtol=1e-5)
    np.testing.assert_allclose(losses.chroma_l1(error.at[:, :4].set(9), mask), whole, rtol=1e-5)


def test_the_metric_cannot_move_the_chroma():
    chroma = jnp.asarray(RNG.normal(size=(4, 4, 3)), jnp.float32)
    weights = jnp.asarray(RNG.normal(size=(4, 4, 3)), jnp.float32)

    def loss(chroma):
        return (weights * losses.without_chroma_gradient(chroma)).sum()

    np.testing.assert_allclose(loss(chroma), (weights * chroma).sum(), rtol=1e-4)
    slope = jax.grad(loss)(chroma)
    np.testing.assert_allclose(slope - slope.mean(-1, keepdims=True), 0, atol=1e-6)


def test_the_metric_losses_are_the_metrics():
    truth = jnp.asarray(RNG.uniform(0.1, 5, (32, 32, 3)), jnp.float32)
    guess = truth * jnp.asarray(RNG.uniform(0.8, 1.2, truth.shape), jnp.float32)
    q = metrics.hdrvdp2_by_protocol(guess, truth, protocol="singlehdr").Q
    np.testing.assert_allclose(losses.hdrvdp2_loss(guess, truth), 100 - q, rtol=1e-5)
    psnr = metrics.pu21_psnr(*metrics.calibrate(guess, truth, protocol="display"))
    expected = 2 * np.log(256) - np.log(10) / 10 * psnr
    np.testing.assert_allclose(losses.pu21_l2(guess, truth), expected, atol=1e-2)


@pytest.mark.parametrize("loss", [losses.hdrvdp2_loss, losses.pu21_l2])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_gradients_are_finite_for_flat_pictures(loss, value):
    truth = jnp.asarray(RNG.uniform(0.1, 5, (32, 32, 3)), jnp.float32)
    slope = jax.grad(loss)(jnp.full((32, 32, 3), value), truth)
    assert np.isfinite(slope).all()


@pytest.mark.parametrize(
    "loss", [pytest.param(losses.hdrvdp2_loss, marks=pytest.mark.slow), losses.pu21_l2]
)
def test_gradients_of_a_batch_are_those_of_its_pictures(loss):
    truth = jnp.asarray(RNG.uniform(0.1, 5, (32, 32, 3)), jnp.float32)
    guess = truth * jnp.asarray(RNG.uniform(0.8, 1.2, truth.shape), jnp.float32)
    batch = jnp.stack([jnp.zeros_like(truth), jnp.ones_like(truth), guess])
    slopes = jax.jit(jax.grad(lambda x: jax.vmap(loss, (0, None))(x, truth).sum()))(batch)
    assert np.isfinite(slopes).all()
    alone = np.asarray(jax.grad(loss)(guess, truth))
    np.testing.assert_allclose(slopes[2], alone, atol=1e-3 * np.abs(alone).max())
