"""Tone mapping: a radiance map -> a picture for an ordinary display.

Input: radiance [h, w, c] float, linear, relative, >= 0. Output: float in [0, 1].
"""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from hdr_jax import color
from hdr_jax.checks import as_array, check_positive, check_within
from hdr_jax.errors import InputError
from hdr_jax.levels import clamp, widened

BURN_FRACTION = 0.01  # of the pixels, which may become white
# Of the brightest pixel, far below anything visible: the logarithm must exist at 0.
DARKEST = 1e-6


def mu_law(radiance: Array, mu: ArrayLike = 5000.0) -> Array:
    """The mu-law curve T(H) = log(1 + mu H) / log(1 + mu), which maps [0, 1] onto [0, 1].

    Args:
      radiance: H, linear, any shape; values over 1 map over 1. Negative values, which no radiance
        map has but a network may give, map by the odd continuation -T(-H): finite, and with a slope
        that leads back.
      mu: scalar > 0, strength of the compression.

    Returns:
      The same shape and type; not display-encoded, but near enough to look at.

    Raises:
      InputError: for a mu that is not positive.

    Differentiable in `radiance`; the slope at 0 is mu / log(1 + mu).
    Source: Kalantari and Ramamoorthi 2017, Eq. 1.
    Example:
      >>> mu_law(jnp.array([-1.0, 0.0, 1.0])).tolist()
      [-1.0, 0.0, 1.0]
    """
    check_positive("mu_law", "mu", mu)
    radiance = jnp.asarray(radiance)
    given, radiance = radiance.dtype, widened(radiance)  # 1 + mu H is beyond float16
    dtype = given if jnp.issubdtype(given, jnp.floating) else radiance.dtype
    negative = radiance < 0
    # Double where: neither branch sees the other's values.
    above, below = jnp.where(negative, 0, radiance), jnp.where(negative, -radiance, 0)
    compressed = jnp.where(negative, -jnp.log1p(mu * below), jnp.log1p(mu * above))
    return (compressed / jnp.log1p(mu)).astype(dtype)


def reinhard(
    radiance: ArrayLike, *, key: float = 0.18, burn_fraction: float = BURN_FRACTION
) -> Array:
    """Reinhard's global operator on luminance, display-encoded.

    L = key Y / geometric_mean(Y);  L_d = L (1 + L / L_white^2) / (1 + L), where L_white is
    exceeded by `burn_fraction` of the pixels; colours keep their ratios; then the sRGB curve.

    Args:
      radiance: [h, w, 3] or [h, w, 1], linear, >= 0.
      key: the luminance that the scene's geometric mean is given, 0.18 for a mid-grey scene.
      burn_fraction: fraction of the pixels that may become white.

    Returns:
      Picture [h, w, c] float of at least 32 bits in [0, 1], sRGB-encoded; all black for a black
      scene.

    Raises:
      InputError: for other shapes, a key that is not positive, a fraction outside of [0, 1].

    Differentiable in `radiance`.
    Source: Reinhard et al. 2002, Eq. 1 and 4.
    Example:
      >>> picture = reinhard(jnp.full((4, 4, 3), 7.0))
      >>> bool(jnp.allclose(picture, picture[0, 0, 0]))
      True
    """
    _check_scale("reinhard", key, burn_fraction)
    return _reinhard(_checked("reinhard", radiance), key, burn_fraction)


def adaptation(
    radiance: ArrayLike, *, key: float = 0.18, burn_fraction: float = BURN_FRACTION
) -> tuple[Array, Array]:
    """What `reinhard` finds out about a scene before it changes any pixel.

    For maps too large to be tone-mapped as a whole: measure a reduced one, then call
    `with_adaptation` strip by strip.

    Args:
      radiance: [h, w, 3] or [h, w, 1], linear, >= 0.
      key: as for `reinhard`.
      burn_fraction: as for `reinhard`.

    Returns:
      Scalars: the factor that gives the scene's geometric mean the luminance `key`, and L_white,
      which is luminance times that factor.

    Raises:
      InputError: for other shapes, a key that is not positive, a fraction outside of [0, 1].

    Differentiable in `radiance`.
    Source: Reinhard et al. 2002, Eq. 1 and 4.
    Example:
      >>> scale, white = adaptation(jnp.full((4, 4, 3), 9.0))
      >>> round(float(scale), 3), round(float(white), 2)
      (0.02, 0.18)
    """
    _check_scale("adaptation", key, burn_fraction)
    luminance, peak = _luminance(_checked("adaptation", radiance))
    gain, white = _adaptation(luminance / peak, key, burn_fraction)
    return gain / peak, white


def with_adaptation(radiance: ArrayLike, scale: ArrayLike, white: ArrayLike) -> Array:
    """`reinhard` with what `adaptation` found.

    Args:
      radiance: [h, w, 3] or [h, w, 1], linear, >= 0, any part of the scene.
      scale: scalar.
      white: scalar.

    Returns:
      Picture [h, w, c] float in [0, 1], sRGB-encoded.

    Raises:
      InputError: for other shapes.

    Differentiable in `radiance`.
    Source: Reinhard et al. 2002, Eq. 4.
    Example:
      >>> radiance = jnp.array([[[0.5] * 3, [4.0] * 3]])
      >>> picture = with_adaptation(radiance, *adaptation(radiance))
      >>> bool(jnp.allclose(picture, reinhard(radiance), atol=1e-6))
      True
    """
    scaled = _checked("with_adaptation", radiance) * scale
    return _compressed(_luminance(scaled)[0], scaled, white)


@jax.jit
def _reinhard(radiance, key, burn_fraction):
    """`reinhard`, compiled as one."""
    luminance, peak = _luminance(radiance)
    luminance, radiance = luminance / peak, radiance / peak
    gain, white = _adaptation(luminance, key, burn_fraction)
    return _compressed(gain * luminance, gain * radiance, white)


def _checked(name, radiance):
    """Radiance [h, w, 3] or [h, w, 1] as floats of at least 32 bits."""
    radiance = as_array(radiance)
    shape = radiance.shape
    if len(shape) != 3 or shape[2] not in (1, 3) or 0 in shape:
        raise InputError(
            f"{name} got radiance {shape}; expected [h, w, 3] or [h, w, 1]: leave "
            "alpha out, give one channel an axis, use jax.vmap for batches"
        )
    return widened(radiance)


def _check_scale(name, key, burn_fraction):
    """A key above 0, and a fraction."""
    check_positive(name, "key", key)
    check_within("burn_fraction", burn_fraction, 0, 1)


def _luminance(radiance):
    """Luminance [h, w, 1] and its largest value, by which squares neither overflow nor vanish."""
    luminance = color.luminance(radiance)[..., None] if radiance.shape[-1] == 3 else radiance
    peak = jnp.max(luminance)
    return luminance, jnp.where(peak > 0, peak, 1)


def _adaptation(luminance, key, burn_fraction):
    """Gain and white of luminance in units of its largest value."""
    log_mean = jnp.mean(jnp.log(jnp.maximum(luminance, DARKEST)))
    gain = key / jnp.exp(log_mean)
    kept = 1 - jnp.asarray(burn_fraction, luminance.dtype)
    return gain, jnp.maximum(jnp.quantile(gain * luminance, kept), DARKEST)


def _compressed(luminance, radiance, white):
    """Radiance times L_d / L of its luminance, display-encoded."""
    share = (1 + luminance / white**2) / (1 + luminance)
    return color.linear_to_srgb(clamp(radiance * share, 0, 1))
