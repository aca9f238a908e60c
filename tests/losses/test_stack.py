"""The training losses against loops in float64, finite differences and the released program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from hdr_jax import losses

pytestmark = pytest.mark.usefixtures("compiled_quickly")


def _random(*shape, seed=0, low=0.0, high=1.0):
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


def _histogram_by_loops(image, num_levels):
    """[h, w, c] -> counts [c, num_levels] and slopes [h, w, c], one pixel at a time in float64."""
    height, width, channels = image.shape
    counts, slopes = np.zeros((channels, num_levels)), np.zeros(image.shape)
    for row, column, channel in np.ndindex(height, width, channels):
        value = float(image[row, column, channel])
        scaled = (num_levels - 1) * min(max(value, 0.0), 1.0)
        level = int(scaled)
        counts[channel, level] += scaled / max(level, 1)
        if 0 <= value <= 1:
            slopes[row, column, channel] = (num_levels - 1) / max(level, 1)
    return counts, slopes


# ---------------------------------------------------------------- l1


def test_l1_is_the_mean_absolute_difference():
    x, y = _random(3, 4, 2), _random(3, 4, 2, seed=1)
    expected = np.mean(np.abs(x.astype(float) - y))
    np.testing.assert_allclose(losses.l1(x, y), expected, rtol=1e-6)


def test_l1_has_no_gradient_where_equal():
    x = jnp.array([0.2, 0.5, 0.9])
    gradient = jax.grad(losses.l1)(x, jnp.array([0.2, 0.6, 0.8]))
    np.testing.assert_allclose(gradient, [0, -1 / 3, 1 / 3], rtol=1e-6)


# ---------------------------------------------------------------- histograms


@pytest.mark.parametrize("num_levels", [2, 64, 256])
def test_histogram_and_its_gradient_equal_a_loop(num_levels):
    image = _random(9, 7, 3, low=-0.2, high=1.2)
    image[0, :4, 0] = [0.0, 1.0, 0.5, 1e-9]
    cotangent = _random(3, num_levels, seed=1, low=-1)
    counts, pullback = jax.vjp(lambda x: losses.soft_histogram(x, num_levels), jnp.asarray(image))
    expected, slopes = _histogram_by_loops(image, num_levels)
    np.testing.assert_allclose(counts, expected, rtol=1e-5)
    level = np.floor((num_levels - 1) * np.clip(image.astype(float), 0, 1)).astype(int)
    expected = slopes * cotangent[np.arange(3), level]
    np.testing.assert_allclose(pullback(cotangent)[0], expected, rtol=1e-6)


def test_histogram_bin_of_each_8_bit_level():
    """k / 255 lies in bin k, for every k, and counts exactly one (bin 0: nothing)."""
    image = (np.arange(256) / 255).astype(np.float32).reshape(16, 16, 1)
    counts = losses.soft_histogram(jnp.asarray(image))[0]
    np.testing.assert_allclose(counts, np.minimum(np.arange(256), 1), atol=1e-6)


def test_histogram_of_a_stack_is_that_of_its_images():
    stack = _random(2, 3, 5, 4, 3)
    counts = losses.soft_histogram(stack, 64)
    assert counts.shape == (2, 3, 3, 64)
    for index in np.ndindex(2, 3):
        np.testing.assert_allclose(
            counts[index], losses.soft_histogram(stack[index], 64), rtol=1e-6
        )
    mapped = jax.vmap(lambda x: losses.soft_histogram(x, 64))(stack)
    np.testing.assert_allclose(counts, mapped, rtol=1e-6)


def test_histogram_gradient_is_the_finite_difference_inside_a_level():
    image = (_random(4, 4, 2, low=0, high=250) // 1 + 0.5) / 255
    with jax.enable_x64(True):
        image = jnp.asarray(image, jnp.float64)  # a level is 4e-3 wide
        check_grads(losses.soft_histogram, (image,), 1, eps=1e-5, rtol=1e-7)


def test_histogram_keeps_a_nan():
    image = jnp.full((2, 2, 1), 0.5).at[0, 0].set(jnp.nan)
    assert not bool(jnp.isfinite(losses.histogram_l1(image, jnp.full((2, 2, 1), 0.5))))


@pytest.mark.parametrize("kind", ["4", "5"])
def test_histogram_l1_equals_the_released_program(shared, kind):
    """Released images are in [-1, 1], NCHW; its histogram carries the division by 255."""
    data = np.load(shared / "fixtures/released/loss_hist.npz")
    x, t = (jnp.moveaxis((data[name + kind] + 1) / 2, -3, -1) for name in "xt")
    value, gradient = jax.jit(jax.value_and_grad(losses.histogram_l1))(x, t)
    histogram = losses.soft_histogram(x).reshape(data["hist" + kind].shape) / 255
    np.testing.assert_allclose(histogram, data["hist" + kind], atol=1e-7)
    np.testing.assert_allclose(value, data["l1_" + kind], rtol=1e-6)
    released = np.moveaxis(data["grad" + kind], -3, -1)
    # Ours is per unit of [0, 1], theirs per unit of [-1, 1].
    np.testing.assert_allclose(gradient, 2 * released, rtol=1e-5)


def test_histogram_vjp_equals_the_released_program(shared):
    data = np.load(shared / "fixtures/released/loss_hist.npz")
    x = jnp.moveaxis((data["x4"] + 1) / 2, -3, -1)
    _, pullback = jax.vjp(lambda image: losses.soft_histogram(image) / 255, x)
    gradient = np.moveaxis(pullback(jnp.asarray(data["cotangent4"]))[0], -1, -3)
    np.testing.assert_allclose(gradient, 2 * data["vjp4"], rtol=1e-5, atol=1e-8)


def test_histogram_l1_is_zero_with_zero_gradient_for_equal_images():
    image = jnp.asarray(_random(2, 8, 8, 3))
    value, gradient = jax.jit(jax.value_and_grad(losses.histogram_l1))(image, image)
    assert float(value) == 0
    assert not np.any(np.asarray(gradient))


# ---------------------------------------------------------------- radiance maps


@pytest.mark.parametrize("mu", [5000, 100])
def test_mu_law_equals_the_released_program(shared, mu):
    data = np.load(shared / "fixtures/released/loss_mulaw.npz")
    x = jnp.asarray(data["x"])
    # It takes the log of a rounded 1 + mu x: half a unit in the last place of 1, not 1e-6 of x.
    rounding = 2.0**-24 / np.log(1 + mu)
    np.testing.assert_allclose(losses.mu_law(x, mu), data[f"y_{mu}"], rtol=1e-6, atol=rounding)
    exact = np.log1p(mu * data["x"].astype(float)) / np.log1p(mu)
    np.testing.assert_allclose(losses.mu_law(x, mu), exact, rtol=1e-6)
    slope = jax.vmap(jax.grad(lambda h: losses.mu_law(h, mu)))(x)
    np.testing.assert_allclose(slope, data[f"grad_{mu}"], rtol=1e-6)


def test_mu_law_is_odd_and_smooth_at_zero():
    x = jnp.array([-2.0, -1e-4, 0.0, 1e-4, 2.0])
    np.testing.assert_array_equal(losses.mu_law(-x), -losses.mu_law(x))
    slope = jax.vmap(jax.grad(losses.mu_law))(x)
    np.testing.assert_allclose(slope, 5000 / (1 + 5000 * np.abs(x)) / np.log(5001), rtol=1e-6)


def test_hdr_l1_equals_the_equation_in_float64():
    x, y = _random(6, 5, 3, high=50), _random(6, 5, 3, seed=1)
    x[0], y[1] = 0, 0
    value, gradient = jax.jit(jax.value_and_grad(losses.hdr_l1))(jnp.asarray(x), jnp.asarray(y))
    x, y = x.astype(float), y.astype(float)
    ratio = np.log((1 + 5000 * x) / (1 + 5000 * y))
    np.testing.assert_allclose(value, np.mean(np.abs(ratio)), rtol=1e-6)
    expected = np.sign(ratio) * 5000 / (1 + 5000 * x) / x.size
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)


def test_align_scale_finds_the_factor_in_spite_of_outliers():
    target = _random(20, 20, 3, low=0.01)
    prediction = target * 37.0
    prediction[:9] = 1e4
    prediction[9, :5], target[9, 5:8] = -1, np.inf
    aligned = losses.align_scale(jnp.asarray(prediction), jnp.asarray(target))
    np.testing.assert_allclose(aligned[10:], prediction[10:], rtol=1e-5)


def test_align_scale_without_a_common_pixel_changes_nothing():
    target = jnp.array([0.0, 2.0])
    np.testing.assert_array_equal(losses.align_scale(jnp.array([1.0, 0.0]), target), target)


def test_align_scale_is_a_constant_to_the_gradient():
    prediction, target = jnp.array([1.0, 2.0, 4.0]), jnp.array([3.0, 6.0, 1.0])

    def total(prediction, target):
        return jnp.sum(losses.align_scale(prediction, target))

    by_prediction, by_target = jax.grad(total, (0, 1))(prediction, target)
    np.testing.assert_array_equal(by_prediction, 0)
    np.testing.assert_allclose(by_target, 1 / 3, rtol=1e-6)


# ---------------------------------------------------------------- all of them

HARD = {
    "black": np.zeros((2, 16, 16, 3)),
    "white": np.ones((2, 16, 16, 3)),
    "grey": np.full((2, 16, 16, 3), 0.3),
    "one channel clipped": np.clip(_random(2, 16, 16, 3) + np.array([1, 0, -0.2]), 0, 1),
    "out of range": _random(2, 16, 16, 3, low=-3, high=3),
}


@jax.jit
@lambda total: jax.value_and_grad(total, (0, 1))
def _all_losses(x, y):
    cobi = jax.vmap(losses.contextual_bilateral)(x, y)
    return losses.l1(x, y) + losses.histogram_l1(x, y) + losses.hdr_l1(x, y) + jnp.mean(cobi)


@pytest.mark.parametrize("target", HARD)
@pytest.mark.parametrize("prediction", HARD)
def test_values_and_gradients_are_finite(prediction, target):
    x, y = (jnp.asarray(HARD[name], jnp.float32) for name in (prediction, target))
    value, gradients = _all_losses(x, y)
    assert np.isfinite(value)
    assert all(np.all(np.isfinite(gradient)) for gradient in gradients)
    if prediction == target:
        assert float(value) < 1e-6


@pytest.mark.parametrize(
    "function", [losses.l1, losses.histogram_l1, losses.hdr_l1, losses.align_scale]
)
def test_unequal_shapes_are_refused(function):
    with pytest.raises(ValueError, match=r"\(4, 4, 3\).*\(4, 4, 1\)"):
        function(jnp.zeros((4, 4, 3)), jnp.zeros((4, 4, 1)))


@pytest.mark.parametrize(("shape", "num_levels"), [((4, 4), 256), ((4, 4, 1), 1)])
def test_bad_histogram_arguments_are_refused(shape, num_levels):
    with pytest.raises(ValueError, match=r"num_levels 1: expected .* 2|expected an image"):
        losses.soft_histogram(jnp.zeros(shape), num_levels)


def test_sums_over_a_picture_of_half_precision():
    """bfloat16 counts to 256, float16 goes to 65504."""
    half = jnp.full((32, 32, 1), 0.5, jnp.bfloat16)
    np.testing.assert_allclose(losses.soft_histogram(half).sum(), 1024, rtol=0.01)
    ones = jnp.ones((160, 160, 3), jnp.float16)
    np.testing.assert_allclose(losses.masked_l1(ones, ones), 1 / 1.008, rtol=1e-3)
    assert losses.l1(half, half).dtype == jnp.float32  # as of the other terms
    scaled = losses.align_scale(half, (3000 * half).astype(half.dtype))
    assert scaled.dtype == half.dtype and (scaled == half).all()
    bright = 40 * ones[:2]
    assert losses.hdr_l1(bright, bright) == 0 and losses.hdr_l1(bright, ones[:2]) > 3


def test_integers_are_refused():
    levels = jnp.array([0, 10, 255], jnp.uint8).reshape(1, 3, 1)
    for call in (lambda: losses.l1(levels, levels), lambda: losses.soft_histogram(levels)):
        with pytest.raises(ValueError, match="got uint8 pixels; expected floats"):
            call()


@pytest.mark.parametrize("num_levels", [64, 100, 256, 1000])
def test_every_level_counts_once_in_its_own_bin(num_levels):
    levels = jnp.arange(num_levels, dtype=jnp.float32) / (num_levels - 1)
    counts = losses.soft_histogram(levels.reshape(1, -1, 1), num_levels)
    np.testing.assert_allclose(counts[0, 1:], 1, rtol=1e-6)


def test_lists_are_images():
    image = np.random.default_rng(0).uniform(size=(8, 8, 3)).astype(np.float32)
    for function in (losses.soft_histogram, losses.rgb_patches):
        np.testing.assert_allclose(function(image.tolist()), function(image), rtol=1e-6)
    one, other = image.tolist(), image[::-1].tolist()
    expected = losses.contextual_bilateral(image, image[::-1])
    np.testing.assert_allclose(losses.contextual_bilateral(one, other), expected, rtol=1e-5)
