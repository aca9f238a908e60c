"""Pixel differences: PSNR of display-encoded images, and of radiance under the mu law.

Images are [h, w, c] or [h, w]; batches come from `jax.vmap`. Every function follows the type of its
input, float32 or float64, and is finite in its gradient where the images are equal.
"""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from hdr_jax import tonemap
from hdr_jax.checks import check_positive
from hdr_jax.levels import clamp
from hdr_jax.metrics import _validation


def psnr(test: Array, reference: Array, *, data_range: ArrayLike = 1.0) -> Array:
    """Peak signal-to-noise ratio in decibels, 10 log10(data_range^2 / mean (test - reference)^2).

    Args:
      test: [h, w, c] or [h, w], in [0, data_range]; not clipped. Batches: `jax.vmap`.
      reference: the same shape.
      data_range: scalar > 0, largest value of the scale.

    Returns:
      Scalar, dB; infinite for equal images, with gradient 0.

    Raises:
      InputError: for integers, unequal shapes, or a data range that is not positive.

    Differentiable in `test` and `reference`.
    Source: ITU-T J.340 in its still-image form.
    Example:
      >>> float(psnr(jnp.zeros((4, 4)), jnp.full((4, 4), 0.1)).round(3))
      20.0
    """
    test, reference = _validation.image_pair("psnr", test, reference)
    return _psnr(test, reference, _validation.data_range("psnr", data_range, test.dtype))


@jax.jit
def _psnr(test, reference, data_range):
    error = jnp.mean(jnp.square((test - reference) / data_range))
    # Double where: the slope of ln at 0 is infinite, and infinity times 0 is NaN.
    equal = error == 0  # NaN is not: what cannot be compared is not perfect
    return jnp.where(equal, jnp.inf, -10 * jnp.log10(jnp.where(equal, 1, error)))


def psnr_mu(test: Array, reference: Array, *, mu: ArrayLike = 5000.0) -> Array:
    """PSNR of radiance after the mu law T(H) = ln(1 + mu H) / ln(1 + mu), in decibels.

    Args:
      test: [h, w, c] or [h, w], linear radiance, 1 for the white point; negative values count as
        0, larger ones than 1 stay. Batches: `jax.vmap`.
      reference: the same shape and scale.
      mu: scalar > 0, strength of the compression.

    Returns:
      Scalar, dB; infinite for equal images, with gradient 0.

    Raises:
      InputError: for integers, unequal shapes, or mu not positive.

    Differentiable in `test` and `reference`.
    Source: Kalantari and Ramamoorthi 2017.
    Example:
      >>> round(float(psnr_mu(jnp.full((4, 4), 0.1), jnp.full((4, 4), 0.2))), 2)
      21.8
    """
    test, reference = _validation.image_pair("psnr_mu", test, reference)
    check_positive("psnr_mu", "mu", mu)
    curves = [tonemap.mu_law(clamp(image, 0, jnp.inf), mu) for image in (test, reference)]
    return _psnr(*curves, 1.0)
