"""Structural similarity, at one scale and at five.

With local means, variances and covariance under an 11 x 11 Gaussian of sigma 1.5,
  luminance l = (2 mx my + C1) / (mx^2 + my^2 + C1),
  contrast-structure cs = (2 sxy + C2) / (sx^2 + sy^2 + C2),  C = (K data_range)^2.
Only windows inside the image count. Channels are compared one by one and averaged.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from hdr_jax.errors import InputError
from hdr_jax.metrics import _validation
from hdr_jax.metrics._filtering import separable

K1, K2 = 0.01, 0.03
WINDOW, SIGMA = 11, 1.5
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
# Of five scales, each half of the one before, the last must hold one window.
MS_SSIM_MIN_SIZE = (WINDOW - 1) * 2 ** (len(SCALE_WEIGHTS) - 1) + 1

_offsets = np.arange(WINDOW) - WINDOW // 2
GAUSSIAN = np.exp(-0.5 * (_offsets / SIGMA) ** 2)
GAUSSIAN /= GAUSSIAN.sum()


def ssim(test: Array, reference: Array, *, data_range: ArrayLike = 1.0) -> Array:
    """Structural similarity: the mean of l cs over all windows and channels.

    Args:
      test: [h, w, c] or [h, w], in [0, data_range], both sides at least 11. Batches: `jax.vmap`.
      reference: the same shape.
      data_range: scalar > 0, largest value of the scale.

    Returns:
      Scalar in [-1, 1]; 1 for equal images.

    Raises:
      InputError: for integers, unequal or too small shapes, or a data range not positive.

    Differentiable in `test` and `reference`.
    Source: Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 13(4), 2004, Eq. 13.
    Example:
      >>> float(ssim(jnp.ones((16, 16)), jnp.ones((16, 16))))
      1.0
    """
    test, reference = _validation.image_pair("ssim", test, reference)
    check_size("ssim", test.shape, WINDOW)
    return _ssim(test, reference, _validation.data_range("ssim", data_range, test.dtype))


def ms_ssim(test: Array, reference: Array, *, data_range: ArrayLike = 1.0) -> Array:
    """Multi-scale structural similarity: product of mean cs^w over scales 1 to 4 and (l cs)^w at 5.

    Between scales the image is averaged over 2 x 2 pixels; an odd edge counts twice. A negative
    mean counts as 0, where its power is not a real number.

    Args:
      test: [h, w, c] or [h, w], in [0, data_range], both sides at least 161. Batches: `jax.vmap`.
      reference: the same shape.
      data_range: scalar > 0, largest value of the scale.

    Returns:
      Scalar in [0, 1]; 1 for equal images.

    Raises:
      InputError: for integers, unequal or too small shapes, or a data range not positive.

    Differentiable in `test` and `reference`; slope 0 where a scale counts as 0.
    Source: Wang, Simoncelli, Bovik, Asilomar 2003, Eq. 7 and its weights.
    Example:
      >>> float(ms_ssim(jnp.ones((161, 161)), jnp.ones((161, 161))))
      1.0
    """
    test, reference = _validation.image_pair("ms_ssim", test, reference)
    check_size("ms_ssim", test.shape, MS_SSIM_MIN_SIZE)
    return _ms_ssim(test, reference, _validation.data_range("ms_ssim", data_range, test.dtype))


@jax.jit
def _ssim(test, reference, data_range):
    x, y = jnp.moveaxis(test, -1, 0), jnp.moveaxis(reference, -1, 0)
    luminance, contrast = _similarity(x, y, data_range)
    return (luminance * contrast).mean()


@jax.jit
def _ms_ssim(test, reference, data_range):
    pair = jnp.stack([jnp.moveaxis(test, -1, 0), jnp.moveaxis(reference, -1, 0)])
    product = jnp.ones((), test.dtype)
    for scale, weight in enumerate(SCALE_WEIGHTS):
        luminance, contrast = _similarity(pair[0], pair[1], data_range)
        if scale == len(SCALE_WEIGHTS) - 1:
            contrast = luminance * contrast
        mean = contrast.mean((-2, -1))
        # Double where: below 1 a power has an infinite slope at 0.
        opposed = mean <= 0
        product *= jnp.where(opposed, 0, jnp.where(opposed, 1, mean) ** weight)
        pair = _halve(pair)
    return product.mean()


def _similarity(x: Array, y: Array, data_range: Array) -> tuple[Array, Array]:
    """Luminance and contrast-structure maps of planes [c, h, w]."""
    c = x.shape[0]
    # About the common mean the moments are small and lose no digits to cancellation.
    centre = jax.lax.stop_gradient(0.5 * (x.mean((-2, -1)) + y.mean((-2, -1))))[:, None, None]
    u, v = x - centre, y - centre
    filtered = separable(jnp.concatenate([u, v, u * u, v * v, u * v]), GAUSSIAN)
    mean_u, mean_v, uu, vv, uv = (filtered[i * c : (i + 1) * c] for i in range(5))
    variances = uu - mean_u**2 + vv - mean_v**2
    covariance = uv - mean_u * mean_v
    mean_x, mean_y = mean_u + centre, mean_v + centre
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return luminance, (2 * covariance + c2) / (variances + c2)


def _halve(planes: Array) -> Array:
    """Mean over 2 x 2 pixels of [..., h, w]; an odd last row or column is repeated."""
    for axis in (-2, -1):
        if planes.shape[axis] % 2:
            last = jax.lax.slice_in_dim(planes, planes.shape[axis] - 1, None, axis=axis)
            planes = jnp.concatenate([planes, last], axis)
    *batch, h, w = planes.shape
    return planes.reshape(*batch, h // 2, 2, w // 2, 2).mean((-3, -1))


def check_size(name: str, shape: tuple[int, ...], minimum: int) -> None:
    """Raise when one side is below `minimum`."""
    if min(shape[:2]) < minimum:
        raise InputError(
            f"{name} got images of {shape[1]} x {shape[0]} pixels (width x height); expected at "
            f"least {minimum} on each side, what its windows need"
        )
