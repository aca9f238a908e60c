"""Colour: sRGB <-> linear, luminance, and the perceptually uniform encoding PU21.

Notation: `encoded` are display-encoded values in [0, 1], `linear` relative light in [0, 1],
`luminance` absolute light in cd/m^2. Inverse pairs stand side by side. Everything works element by
element on arrays of any shape and follows the input's float type.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from hdr_jax.checks import check_same_shape
from hdr_jax.errors import InputError
from hdr_jax.levels import widened

# ITU-R BT.709 / sRGB primaries with white D65.
LUMINANCE_WEIGHTS = (0.2126, 0.7152, 0.0722)

# PU21, variant "banding_glare": the parameters p1 .. p7 and the range of the fit in cd/m^2.
PU21_PARAMETERS = (
    0.353487901,
    0.3734658629,
    8.277049286e-05,
    0.9062562627,
    0.09150303166,
    0.9099517204,
    596.3148142,
)
PU21_MIN_LUMINANCE = 0.005
PU21_MAX_LUMINANCE = 10000.0


def srgb_to_linear(encoded: Array) -> Array:
    """Linear light of sRGB values: x / 12.92 up to 0.04045, else ((x + 0.055) / 1.055)^2.4.

    Args:
      encoded: any shape, display-encoded, nominally in [0, 1]; not clipped.

    Returns:
      Linear light, same shape, 1 for 1.

    Raises:
      InputError: for integers.

    Differentiable in `encoded`.
    Source: IEC 61966-2-1.
    Example:
      >>> round(float(srgb_to_linear(0.5)), 4)
      0.214
    """
    encoded, dtype = _floats("srgb_to_linear", encoded)
    linear_part = encoded <= 0.04045
    # Double where: the power must not see values of the linear part, or NaN gradients of
    # negative bases leak through the unselected branch.
    safe = jnp.where(linear_part, 1.0, encoded)
    linear = jnp.where(linear_part, encoded / 12.92, ((safe + 0.055) / 1.055) ** 2.4)
    return linear.astype(dtype)


def linear_to_srgb(linear: Array) -> Array:
    """sRGB values of linear light: 12.92 x up to 0.0031308, else 1.055 x^(1 / 2.4) - 0.055.

    Args:
      linear: any shape, relative light, nominally in [0, 1]; not clipped.

    Returns:
      Display-encoded values, same shape, 1 for 1.

    Raises:
      InputError: for integers.

    Differentiable in `linear`.
    Source: IEC 61966-2-1.
    Example:
      >>> round(float(linear_to_srgb(0.214)), 3)
      0.5
    """
    linear, dtype = _floats("linear_to_srgb", linear)
    linear_part = linear <= 0.0031308
    # Double where, as above.
    safe = jnp.where(linear_part, 1.0, linear)
    encoded = jnp.where(linear_part, 12.92 * linear, 1.055 * safe ** (1 / 2.4) - 0.055)
    return encoded.astype(dtype)


def _floats(name: str, values: ArrayLike) -> tuple[Array, Any]:
    """Floats of at least 32 bits, as half precision has no 256 levels near white, and the type they
    came in; whether integers are of [0, 1] cannot be known."""
    values = jnp.asarray(values)
    if not jnp.issubdtype(values.dtype, jnp.floating):
        raise InputError(
            f"{name} got {values.dtype}; expected floats in [0, 1]: divide by 255 or 65535, as "
            "hdr_jax.levels.as_unit_float does"
        )
    return widened(values), values.dtype


def luminance(rgb: ArrayLike) -> Array:
    """Luminance Y = 0.2126 R + 0.7152 G + 0.0722 B of linear RGB.

    Args:
      rgb: [..., 3], linear, BT.709 primaries, in cd/m^2 or relative.

    Returns:
      [...], the unit of `rgb`.

    Raises:
      InputError: when the last axis is not 3.

    Differentiable in `rgb`.
    Source: ITU-R BT.709-6, item 3.2.
    Example:
      >>> round(float(luminance(jnp.array([0.0, 1.0, 0.0]))), 4)
      0.7152
    """
    rgb = jnp.asarray(rgb)
    if rgb.ndim == 0 or rgb.shape[-1] != 3:
        raise InputError(
            f"luminance got shape {rgb.shape}; expected [..., 3], the channels on the last axis"
        )
    # Not a matrix product: accelerators would round it to fewer bits.
    red, green, blue = (weight * rgb[..., i] for i, weight in enumerate(LUMINANCE_WEIGHTS))
    return red + green + blue


def median_scale(radiance: Array, reference: Array) -> Array:
    """The factor that brings a map of relative light to the scale of another.

    exp(median(ln reference - ln radiance)): one factor for the whole map and all channels, so that
    colour stays. Exact when the maps differ by a factor; half of the values may be wrong.

    Args:
      radiance: any shape, linear, in any unit.
      reference: the same shape, in any other unit.

    Returns:
      Scalar > 0, of at least 32 bits; values that are not positive and finite in both have no say
      in it. With none left the factor is 1.

    Raises:
      InputError: for two shapes.

    Constant under differentiation.
    Example:
      >>> scale = median_scale(jnp.array([10.0, 20.0, 30.0]), jnp.array([1.0, 2.0, 0.0]))
      >>> round(float(scale), 4)
      0.1
    """
    check_same_shape("radiance and reference", radiance, reference)
    pair = jax.lax.stop_gradient((widened(radiance), widened(reference)))
    return _median_scale(*pair) if pair[0].size else jnp.ones((), pair[0].dtype)


@jax.jit
def _median_scale(*pair: Array) -> Array:
    """`median_scale` of floats; one program, of which no NaN leaves (`jax_debug_nans`)."""
    usable = jnp.all(jnp.stack([(x > 0) & jnp.isfinite(x) for x in pair]), axis=0)
    log_radiance, log_reference = (jnp.log(jnp.where(usable, x, 1)) for x in pair)
    median = jnp.nanmedian(jnp.where(usable, log_reference - log_radiance, jnp.nan))
    return jnp.exp(jnp.where(jnp.any(usable), median, 0))


def pu21_encode(luminance: Array) -> Array:
    """PU21 values of absolute luminance: max(p7 (((p1 + p2 Y^p4) / (1 + p3 Y^p4))^p5 - p6), 0).

    Equal steps are about equally visible; 100 cd/m^2, the white of an ordinary display, is close
    to 256.

    Args:
      luminance: any shape, cd/m^2 (or one linear colour channel in that unit), clipped to
        [0.005, 10000].

    Returns:
      Encoded values, same shape, in [0, 595.4].

    Differentiable in `luminance`, with slope 0 outside the range.
    Source: Mantiuk and Azimi, "PU21: A novel perceptually uniform encoding for adapting existing
    quality metrics for HDR", Picture Coding Symposium 2021; variant banding_glare.
    Example:
      >>> round(float(pu21_encode(100.0)), 1)
      256.4
    """
    p1, p2, p3, p4, p5, p6, p7 = PU21_PARAMETERS
    luminance = jnp.asarray(luminance)
    given, luminance = luminance.dtype, widened(luminance)
    dtype = given if jnp.issubdtype(given, jnp.floating) else luminance.dtype
    # The clip keeps the base of the power away from 0, where its slope is infinite.
    power = jnp.clip(luminance, PU21_MIN_LUMINANCE, PU21_MAX_LUMINANCE) ** p4
    encoded = jnp.maximum(p7 * (((p1 + p2 * power) / (1 + p3 * power)) ** p5 - p6), 0)
    # XLA's minimum and maximum on a CPU may make numbers of NaN.
    return jnp.where(jnp.isnan(luminance), jnp.nan, encoded).astype(dtype)
