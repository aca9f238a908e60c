"""The terms of the training loss, each a mean over the pixels, levels or features it is given.

Notation: prediction I', target I (display-encoded, [0, 1] units, any of [h, w, c], a stack
[n, h, w, c] or more leading axes); radiance maps H', H (linear, relative, >= 0); features
p = prediction's, q = target's. Network outputs are not clipped: every function says what it does
with values outside its range, and its gradients are finite there, and at black and white.
A NaN in gives a NaN out: nothing is hidden.
"""

import math

import jax
import jax.numpy as jnp
from jax import Array

from hdr_jax import color
from hdr_jax.checks import as_array, check_count, check_same_shape
from hdr_jax.errors import InputError
from hdr_jax.levels import clamp, widened
from hdr_jax.tonemap import mu_law


def l1(prediction: Array, target: Array) -> Array:
    """Mean absolute difference: mean |I' - I|.

    Args:
      prediction: I', any shape and range.
      target: I, the same shape.

    Returns:
      Scalar, >= 0; the gradient where both are equal is 0.

    Raises:
      InputError: when the shapes differ.

    Differentiable in both.
    Source: Kim, Lee, Kang 2020, Eq. 4-6, first terms.
    Example:
      >>> float(l1(jnp.array([0.0, 1.0]), jnp.array([0.5, 1.0])))
      0.25
    """
    _check_pair(prediction, target)
    return jnp.mean(_abs(widened(prediction) - widened(target)))


def soft_histogram(image: Array, num_levels: int = 256) -> Array:
    """Level counts with a gradient: each pixel of level l adds 255 x / l to its bin l.

    level = floor((num_levels - 1) x);  cnt_l = sum over pixels of level l of
    (num_levels - 1) x / max(l, 1), which lies in [1, 1 + 1/l) per pixel, so that it is nearly the
    count and its gradient is (num_levels - 1) / max(l, 1). In bin 0 a pixel adds
    (num_levels - 1) x, in [0, 1): black pixels count 0.

    Args:
      image: [..., h, w, c] in [0, 1]. Values outside count as 0 or 1 and get no gradient; at 0 and
        1 themselves the gradient is the full one. Give a whole stack at once: on a CPU this is 3-4
        times as fast as `jax.vmap`.
      num_levels: number of levels and bins, >= 2.

    Returns:
      [..., c, num_levels], >= 0, not normalised: it sums to about h w.

    Raises:
      InputError: for integers, fewer than three axes, or num_levels below 2 or not whole.

    Differentiable in `image` (the level of a pixel is treated as constant).
    Source: Kim, Lee, Kang 2020, appendix D.
    Example:
      >>> image = jnp.array([0.0, 0.5, 1.0, 1.0]).reshape(2, 2, 1)
      >>> counts = soft_histogram(image, num_levels=3)
      >>> counts.tolist()
      [[0.0, 1.0, 2.0]]
    """
    check_count("num_levels", num_levels, 2)
    image = as_array(image)
    if image.ndim < 3:
        raise InputError(f"expected an image [..., h, w, c], got {image.shape}")
    _check_float(image)
    *leading, _, _, channels = image.shape
    image = widened(image)  # bfloat16 counts to 256
    scaled = (num_levels - 1) * clamp(image, 0, 1)
    # A level that was divided by the largest may be a last digit less than itself.
    rounded_up = jax.lax.stop_gradient(scaled) * (1 + 2 * float(jnp.finfo(scaled.dtype).eps))
    level = jnp.floor(rounded_up).astype(jnp.int32)
    level = jnp.clip(level, 0, num_levels - 1)  # a NaN must stay in bounds, and in the sum
    num_histograms = math.prod(leading) * channels
    bins = level + num_levels * jnp.arange(num_histograms).reshape(*leading, 1, 1, channels)
    counts = jax.ops.segment_sum(
        (scaled / jnp.maximum(level, 1)).ravel(),
        bins.ravel(),
        num_histograms * num_levels,
        mode="promise_in_bounds",
    )
    return counts.reshape(*leading, channels, num_levels)


def histogram_l1(prediction: Array, target: Array, num_levels: int = 256) -> Array:
    """Mean absolute difference of level counts: mean over levels of |cnt(I') - cnt(I)| / 255.

    The mean is over levels, channels and leading axes (exposures); 255 stands for num_levels - 1.
    Counts are not divided by the number of pixels: the value grows with the area, and the weight
    of this term in Eq. (4) belongs to pictures of 256 x 256.

    The released program takes images in [-1, 1]; on x = (image + 1) / 2 the values are the same,
    and the gradient with respect to x is twice that with respect to its image.

    Args:
      prediction: I', [..., h, w, c] in [0, 1]; outside as in `soft_histogram`.
      target: I, the same shape.
      num_levels: number of levels, >= 2.

    Returns:
      Scalar, >= 0; 0 for equal images.

    Raises:
      InputError: when the shapes differ.

    Differentiable in both: a pixel of level l gets +-1 / (max(l, 1) * number of counts), by the
    sign of cnt(I') - cnt(I) in its bin.
    Source: Kim, Lee, Kang 2020, Eq. 4, second term.
    Example:
      >>> black, white = jnp.zeros((2, 2, 1)), jnp.ones((2, 2, 1))
      >>> float(histogram_l1(white, black, num_levels=3))  # 4 pixels / 2 / 3 levels
      0.6666666865348816
    """
    _check_pair(prediction, target)
    difference = soft_histogram(prediction, num_levels) - soft_histogram(target, num_levels)
    return jnp.mean(_abs(difference)) / (num_levels - 1)


def hdr_l1(prediction: Array, target: Array, mu: float = 5000.0) -> Array:
    """Mean absolute log ratio of radiance maps: mean |log((1 + mu H') / (1 + mu H))|.

    This is log(1 + mu) times the mean absolute difference of `mu_law`. mu is relative to the scale
    of H: in `hdr_jax.merge` the largest inverse response is 1. Bring a radiance map of another
    scale to it by `align_scale` first.

    Args:
      prediction: H', any shape, linear, >= 0 (negative values as in `mu_law`).
      target: H, the same shape and scale.
      mu: > 0; 5000 in the paper, 100 in the released program.

    Returns:
      Scalar, >= 0.

    Raises:
      InputError: when the shapes differ.

    Differentiable in both; the gradient where they are equal is 0.
    Source: Kim, Lee, Kang 2020, Eq. 6, second term.
    Example:
      >>> round(float(hdr_l1(jnp.ones(3), jnp.zeros(3), mu=100.0)), 4)  # log(101)
      4.6151
    """
    _check_pair(prediction, target)
    prediction, target = widened(prediction), widened(target)  # mu H is beyond float16
    return jnp.log1p(mu) * jnp.mean(_abs(mu_law(prediction, mu) - mu_law(target, mu)))


def align_scale(prediction: Array, target: Array) -> Array:
    """Brings a radiance map onto the scale of another: H exp(median(log H' - log H)).

    One factor for the whole map and all channels, so that colour stays. Exact when the maps differ
    by a factor; half of the pixels may be wrong.

    Args:
      prediction: H', any shape, linear.
      target: H, the same shape, linear, in any unit.

    Returns:
      H times the factor, the same shape; pixels that are not positive and finite in both have no
      say in it. With none left the factor is 1.

    Raises:
      InputError: when the shapes differ.

    Differentiable in `target`; the factor is a constant.
    Example:
      >>> align_scale(jnp.array([1.0, 2.0, 0.0]), jnp.array([10.0, 20.0, 30.0])).round(4).tolist()
      [1.0, 2.0, 3.0]
    """
    _check_pair(prediction, target)
    target = jnp.asarray(target)
    scaled = color.median_scale(target, prediction) * widened(target)
    return scaled.astype(target.dtype)


def _abs(x: Array) -> Array:
    """|x| with the gradient 0 at 0, where that of `jnp.abs` is 1: equal pixels must not drift."""
    return x * jax.lax.stop_gradient(jnp.sign(x))


def _check_pair(prediction: Array, target: Array) -> None:
    """Equal shapes, and floats."""
    check_same_shape("prediction and target", prediction, target)
    for image in (prediction, target):
        _check_float(image)


def _check_float(image: Array) -> None:
    """No integers, whose differences wrap round."""
    dtype = as_array(image).dtype
    if not jnp.issubdtype(dtype, jnp.floating):
        raise InputError(f"got {dtype} pixels; expected floats. Divide by 255 or 65535 first")
