"""Losses of a radiance map whose clipped pixels were predicted, one picture at a time.

Notation: `error` [h, w, c], the predicted less the true log radiance in nepers; `mask`, of the same
shape, in [0, 1], how much of a pixel's gain counts. Other shapes of it raise InputError.
"""

import jax
import jax.numpy as jnp
from jax import Array

from hdr_jax import color, metrics
from hdr_jax.checks import check_same_shape
from hdr_jax.levels import widened

SMALLEST_AREA = 0.008  # of the picture: an average over fewer clipped pixels is mostly noise


def masked_l1(error: Array, mask: Array) -> Array:
    """sum(mask |error|) / (sum(mask) + 0.8 % of the pixels): the mean error of clipped pixels.

    Args:
      error: [h, w, c], any.
      mask: [h, w, c] in [0, 1].

    Returns:
      Scalar; small where hardly anything clips, 0 where nothing does.

    Differentiable in `error`, with slope 0 where it is 0.
    Example:
      >>> round(float(masked_l1(jnp.full((10, 10, 3), 2.016), jnp.ones((10, 10, 3)))), 4)
      2.0
    """
    error, mask = _pair(error, mask)
    magnitude = jnp.where(error == 0, 0, jnp.abs(error))
    # At least one pixel: a picture of one column has no differences across.
    return jnp.sum(mask * magnitude) / (jnp.sum(mask) + SMALLEST_AREA * max(1, mask.size))


def chroma_l1(error: Array, mask: Array) -> Array:
    """`masked_l1` of an error's chroma, where all channels clip: a white sun must stay white.

    Args:
      error: [h, w, 3] nepers.
      mask: [h, w, 3] in [0, 1].

    Returns:
      Scalar.

    Differentiable in `error`.
    Example:
      >>> float(chroma_l1(jnp.full((10, 10, 3), 2.0), jnp.ones((10, 10, 3))))
      0.0
    """
    error, mask = _pair(error, mask)
    all_clip = jnp.broadcast_to(mask.min(-1, keepdims=True), mask.shape)
    return masked_l1(error - error.mean(-1, keepdims=True), all_clip)


def partial_l1(error: Array, mask: Array) -> Array:
    """`masked_l1` where some channels clip and others do not: there colour is easily lost.

    Args:
      error: [h, w, 3] nepers.
      mask: [h, w, 3] in [0, 1].

    Returns:
      Scalar.

    Differentiable in `error`.
    Example:
      >>> mask = jnp.ones((10, 10, 3)).at[..., 2].set(0)
      >>> round(float(partial_l1(jnp.full((10, 10, 3), 2.0), mask)), 2)
      1.98
      >>> float(partial_l1(jnp.full((10, 10, 3), 2.0), jnp.ones((10, 10, 3))))
      0.0
    """
    error, mask = _pair(error, mask)
    return masked_l1(error, mask - mask.min(-1, keepdims=True))


def gradient_l1(error: Array, mask: Array) -> Array:
    """`masked_l1` of the error's differences down and across: a gain without a grid or blotches.

    Args:
      error: [h, w, c] nepers.
      mask: [h, w, c] in [0, 1]; a difference counts as the lesser of its two pixels.

    Returns:
      Scalar, the sum over both directions.

    Differentiable in `error`.
    Example:
      >>> error = jnp.tile(jnp.array([0.0, 1.0]), (8, 4))[..., None]
      >>> round(float(gradient_l1(error, jnp.ones((8, 8, 1)))), 2)
      0.99
    """
    error, mask = _pair(error, mask)
    down = masked_l1(error[1:] - error[:-1], jnp.minimum(mask[1:], mask[:-1]))
    across = masked_l1(error[:, 1:] - error[:, :-1], jnp.minimum(mask[:, 1:], mask[:, :-1]))
    return down + across


def _pair(error: Array, mask: Array) -> tuple[Array, Array]:
    """Both of one shape, as floats of at least 32 bits."""
    check_same_shape("error and mask", error, mask)
    return widened(error), widened(mask)


def without_chroma_gradient(chroma: Array) -> Array:
    """The same values; a gradient reaches the mean of the channels alone.

    HDR-VDP-2 under the protocol "singlehdr" stretches a picture between percentiles over all
    channels: red alone can move them, and a network that may do so turns highlights pink.

    Args:
      chroma: [..., 3].

    Returns:
      The same values, [..., 3].

    Example:
      >>> slope = jax.grad(lambda c: without_chroma_gradient(c)[0])(jnp.arange(3.0))
      >>> [round(float(x), 3) for x in slope]
      [0.333, 0.333, 0.333]
    """
    mean = chroma.mean(-1, keepdims=True)
    return jax.lax.stop_gradient(chroma - mean) + mean


def hdrvdp2_loss(prediction: Array, target: Array, protocol: str = "singlehdr") -> Array:
    """100 - Q of HDR-VDP-2.2 under a named protocol.

    Args:
      prediction: [h, w, 3] linear radiance.
      target: the same shape.
      protocol: see `hdr_jax.metrics.PROTOCOLS`.

    Returns:
      Scalar, 0 for equal pictures.

    Differentiable in `prediction`.
    Source: `hdr_jax.metrics.hdrvdp2_by_protocol`.
    Example:
      >>> picture = jnp.ones((32, 32, 3)).at[8:24].set(2.0)
      >>> float(hdrvdp2_loss(picture, picture))
      0.0
    """
    return 100 - metrics.hdrvdp2_by_protocol(prediction, target, protocol=protocol).Q


def pu21_l2(prediction: Array, target: Array) -> Array:
    """ln of the mean squared error of PU21 values on a display of 1000 cd/m^2: -PSNR in nepers.

    Args:
      prediction: [h, w, 3] linear radiance.
      target: the same shape.

    Returns:
      Scalar; -0.23 PU21-PSNR + const.

    Differentiable in `prediction`, the scale held constant.
    Source: `hdr_jax.metrics.pu21_psnr` under the protocol "display".
    Example:
      >>> picture = jnp.ones((8, 8, 3)).at[2:4].set(2.0)
      >>> bool(pu21_l2(picture, picture) < pu21_l2(picture**0.9, picture))
      True
    """
    shown = metrics.calibrate(prediction, target, protocol="display")
    encoded, true = (color.pu21_encode(x) for x in shown)
    return jnp.log(jnp.mean(jnp.square(encoded - true)) + 1e-3)
