"""Correction of an image's tones to those of a reference, before quality is measured.

Methods that guess radiance from one photograph guess the camera's response too, and a global
difference of tone then hides all others. Hanji et al. 2022 found that metrics agree with people far
better once it is removed.
"""

import functools

import jax
import jax.numpy as jnp
from jax import Array, lax

from hdr_jax import color
from hdr_jax.checks import check_count
from hdr_jax.metrics import _validation

DEGREE = 3


def correct_response(test: Array, reference: Array, *, degree: int = DEGREE) -> Array:
    """The test image with its tones fitted to the reference, colours kept.

    ln Y' = sum_k c_k (ln Y_test)^k, with c the least-squares fit to ln Y_reference over all pixels;
    RGB' = RGB Y' / Y_test. Below 0.005 cd/m^2 colours fade to the gray Y' that black becomes.

    Args:
      test: [h, w, 3] linear RGB or [h, w, 1] or [h, w], cd/m^2; the fit sees its luminance clipped
        to [0.005, 10000]. Batches: `jax.vmap`.
      reference: the same shape.
      degree: of the polynomial, >= 1.

    Returns:
      Corrected image, shape of `test`, its luminance at most 10000 cd/m^2. A test image of one
      constant luminance, 0 or from 0.005 on, gets the geometric mean of the reference.

    Raises:
      InputError: for integers, unequal shapes, channels other than 1 and 3, or degree below 1.

    Differentiable in `test` and `reference`, through the fit.
    Source: Hanji, Mantiuk, Eilertsen, Hajisharif, Unger, "Comparison of single image HDR
    reconstruction methods - the caveats of quality assessment", SIGGRAPH 2022; its luminance
    part, in logarithms.
    Example:
      >>> y = jnp.geomspace(1.0, 100.0, 64).reshape(8, 8)
      >>> bool(jnp.allclose(correct_response(3 * y**0.8, y), y, rtol=1e-3))
      True
    """
    test = jnp.asarray(test)
    pair = _validation.image_pair("correct_response", test, reference, channels=(1, 3))
    check_count("degree", degree, 1)
    return _correct(*pair, int(degree)).reshape(test.shape)


@functools.partial(jax.jit, static_argnums=2)
def _correct(test, reference, degree):
    y, y_reference = (
        color.luminance(image) if image.shape[-1] == 3 else image[..., 0]
        for image in (test, reference)
    )
    clipped = jnp.clip(y, color.PU21_MIN_LUMINANCE, color.PU21_MAX_LUMINANCE)
    target = jnp.clip(y_reference, color.PU21_MIN_LUMINANCE, color.PU21_MAX_LUMINANCE)
    fitted = jnp.exp(_fit(jnp.log(clipped), jnp.log(target), degree))
    fitted = jnp.clip(fitted, color.PU21_MIN_LUMINANCE, color.PU21_MAX_LUMINANCE)[..., None]
    # Of black no colour is known: what it lacks of the floor is filled up with gray, which leaves
    # equal pictures equal. A luminance below 0 is no colour at all.
    y, floor = y[..., None], color.PU21_MIN_LUMINANCE
    scaled = jnp.where(y >= 0, test, 0) * fitted / jnp.maximum(y, floor)
    filled = jnp.maximum(scaled, jnp.minimum(scaled + fitted * (1 - y / floor), fitted))
    corrected = jnp.where(y < floor, filled, scaled)
    return jnp.where(jnp.isnan(y).any(), jnp.nan, corrected)  # the fit takes NaN for black


def _fit(x: Array, y: Array, degree: int) -> Array:
    """Least-squares polynomial of y over x, evaluated at x."""
    centred = x - x.mean()
    variance = jnp.mean(centred**2)
    # Double where: a constant image has no deviation to divide by, and sqrt no slope at 0.
    spread = variance > 1e-12
    t = jnp.where(spread, centred / jnp.sqrt(jnp.where(spread, variance, 1)), 0)
    # Orthonormal columns, one after the other (Gram-Schmidt, twice for float32), are better
    # conditioned than powers; a column that is a mix of earlier ones is dropped.
    basis = [jnp.ones_like(t)]
    for _ in range(degree):
        column = basis[-1] * t
        for _ in range(2):
            column = column - sum(b * jnp.mean(b * column) for b in basis)
        norm = jnp.mean(column**2)
        kept = norm > 1e-10
        basis.append(jnp.where(kept, column * lax.rsqrt(jnp.where(kept, norm, 1)), 0))
    return sum((b * jnp.mean(b * y) for b in basis), jnp.zeros_like(y))
