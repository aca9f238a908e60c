"""Named ways of turning relative radiance into cd/m^2, so that reported numbers can be compared.

HDR-VDP-2 and PU21 need absolute light, but most radiance maps are relative. Each protocol is a
function (test, reference) -> (test, reference) in cd/m^2; `score` reports the metrics under one.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from hdr_jax import color
from hdr_jax.errors import InputError, one_of
from hdr_jax.metrics import _validation
from hdr_jax.metrics._order_statistics import order_statistics
from hdr_jax.metrics.hdr_vdp2 import Result, hdrvdp2

PIXELS_PER_DEGREE = 30.0
DEFAULT_PEAK = 1000.0
DISPLAY_BLACK = 0.005
MAX_PEAK = color.PU21_MAX_LUMINANCE


def singlehdr(radiance: Array) -> Array:
    """Radiance stretched to 1 .. 999 between its k-th smallest and k-th largest value.

    k = int(1e-3 h w c), a and b the k-th smallest and largest value over all channels,
    (x - a) 998 / (b - a + 1e-8) + 1, negatives to 0. Test and reference go through it separately.

    Args:
      radiance: [h, w, c], linear, relative.

    Returns:
      [h, w, c], taken as cd/m^2, >= 0. Values beyond b exceed 999. Images of fewer than 1000
      values use the extremes (k = 1). NaN throughout if any value is not finite.

    Differentiable in `radiance`.
    Source: evaluation code of Liu et al., "Single-Image HDR Reconstruction by Learning to Reverse
    the Camera Pipeline", CVPR 2020.
    Example:
      >>> singlehdr(jnp.array([[[0.0, 0.5, 1.0]]])).tolist()
      [[[1.0, 500.0, 999.0]]]
    """
    radiance = jnp.asarray(radiance)
    k = max(int(1e-3 * radiance.size), 1)
    low, high = order_statistics(radiance, (k, radiance.size + 1 - k))
    light = jnp.maximum((radiance - low) * (998 / (high - low + 1e-8)) + 1, 0)
    return jnp.where(jnp.isfinite(radiance).all(), light, jnp.nan)


def display(test: Array, reference: Array, *, peak: float = DEFAULT_PEAK) -> tuple[Array, Array]:
    """Both images as shown on a display of stated peak: the reference's brightest value is white.

    The test image is first brought to the reference's scale by the median ratio of their values,
    over those positive in both; then x peak / max(reference), clipped to [0.005, peak].

    Args:
      test: [h, w, c], linear, relative.
      reference: [h, w, c], linear, relative.
      peak: luminance of white, cd/m^2, above 0.005 and at most 10000, where PU21 ends.

    Returns:
      (test, reference), [h, w, c], cd/m^2, in [0.005, peak]. NaN throughout if any value of either
      is not finite.

    Raises:
      InputError: for a peak out of range, or one that is traced.

    Differentiable in both, with the scales held constant.
    Example:
      >>> pair = display(jnp.full((2, 2, 3), 7.0), jnp.full((2, 2, 3), 0.5), peak=200.0)
      >>> [round(float(image.max()), 3) for image in pair]
      [200.0, 200.0]
    """
    peak = _validation.python_number("display", "peak", peak)
    if not DISPLAY_BLACK < peak <= MAX_PEAK:
        raise InputError(
            f"display got peak {peak}; expected a luminance above {DISPLAY_BLACK} and up to "
            f"{MAX_PEAK:g} cd/m^2, such as 100 for an office display or 1000 for an HDR one"
        )
    test, reference = jnp.asarray(test), jnp.asarray(reference)
    scale = color.median_scale(test, reference)
    white = reference.max()
    to_peak = jax.lax.stop_gradient(peak / jnp.where(white > 0, white, 1))
    finite = jnp.isfinite(test).all() & jnp.isfinite(reference).all()
    light = (test * (scale * to_peak), reference * to_peak)
    test, reference = (
        jnp.where(finite, jnp.clip(image, DISPLAY_BLACK, peak), jnp.nan) for image in light
    )
    return test, reference


@dataclasses.dataclass(frozen=True)
class Protocol:
    """A calibration.

    Attributes:
      description: the calibration in words.
      prepare: (test, reference, peak) -> (test, reference) in cd/m^2.
    """

    description: str
    prepare: Callable[[Array, Array, float], tuple[Array, Array]]


PROTOCOLS = {
    "singlehdr": Protocol(
        "each image stretched to 1..999 cd/m^2 between its 0.1 % and 99.9 % values",
        lambda test, reference, peak: (singlehdr(test), singlehdr(reference)),
    ),
    "display": Protocol(
        "median-aligned, brightest reference value at {peak:g} cd/m^2, clipped to 0.005..peak",
        lambda test, reference, peak: display(test, reference, peak=peak),
    ),
    "absolute": Protocol(
        "values taken as cd/m^2",
        lambda test, reference, peak: (jnp.asarray(test), jnp.asarray(reference)),
    ),
}


def calibrate(
    test: Array, reference: Array, *, protocol: str, peak: float = DEFAULT_PEAK
) -> tuple[Array, Array]:
    """Both images in cd/m^2 under a protocol of `PROTOCOLS`.

    Args:
      test: [h, w, 3], linear RGB.
      reference: the same shape.
      protocol: "singlehdr", "display" or "absolute".
      peak: luminance of white for "display", cd/m^2; the others ignore it.

    Returns:
      (test, reference), [h, w, 3], cd/m^2; of maps that are not finite, what the protocol says.

    Raises:
      InputError: for an unknown protocol, integers, unequal shapes, channels other than 3, or a
        peak out of range.

    Differentiable in both.
    Example:
      >>> pair = calibrate(jnp.ones((1, 1, 3)), jnp.ones((1, 1, 3)), protocol="absolute")
      >>> float(pair[0].max())
      1.0
    """
    one_of("protocol", protocol, PROTOCOLS)
    test, reference = _validation.image_pair("calibrate", test, reference, channels=(3,))
    return PROTOCOLS[protocol].prepare(test, reference, peak)


def hdrvdp2_by_protocol(
    test: ArrayLike,
    reference: ArrayLike,
    *,
    protocol: str = "singlehdr",
    peak: float = DEFAULT_PEAK,
    pixels_per_degree: float = PIXELS_PER_DEGREE,
) -> Result:
    """HDR-VDP-2 of relative radiance: calibrated by a protocol, rgb-bt.709, 30 pixels per degree.

    Args:
      test: [h, w, 3], linear RGB, both sides at least 17. Batches: `jax.vmap`.
      reference: the same shape.
      protocol: "singlehdr", "display" or "absolute".
      peak: luminance of white for "display", cd/m^2.
      pixels_per_degree: 30 in both published protocols.

    Returns:
      `Result`; its `protocol` says all of the above. All of it is NaN for a map with infinities
      and, but under "absolute", for one with NaN.

    Raises:
      InputError: as `calibrate` and `hdrvdp2`.

    Differentiable in `test` and `reference`.
    Source: the protocol's and `hdrvdp2`'s.
    Example:
      >>> image = jnp.ones((32, 32, 3)).at[8:24].set(2.0)
      >>> result = hdrvdp2_by_protocol(image, 3 * image)
      >>> round(float(result.Q), 3), result.version, result.protocol.split(":")[0]
      (100.0, 'HDR-VDP-2.2.1', 'singlehdr')
    """
    light = calibrate(jnp.asarray(test), jnp.asarray(reference), protocol=protocol, peak=peak)
    return hdrvdp2_calibrated(
        *light, protocol=protocol, peak=peak, pixels_per_degree=pixels_per_degree
    )


def hdrvdp2_calibrated(
    test: Array,
    reference: Array,
    *,
    protocol: str,
    peak: float = DEFAULT_PEAK,
    pixels_per_degree: float = PIXELS_PER_DEGREE,
) -> Result:
    """`hdrvdp2_by_protocol` of what `calibrate` has made already, for other metrics too.

    Args:
      test: [h, w, 3], cd/m^2, both sides at least 17.
      reference: the same shape.
      protocol: by which `calibrate` made them.
      peak: with which.
      pixels_per_degree: 30 in both published protocols.

    Returns:
      `Result`; its `protocol` says all of the above. All of it is NaN for an image that is NaN
      throughout or holds infinities; other NaN count as in `hdrvdp2`.

    Raises:
      InputError: as `hdrvdp2`.

    Differentiable in `test` and `reference`.
    Example:
      >>> image = jnp.full((32, 32, 3), 50.0)
      >>> float(hdrvdp2_calibrated(image, image, protocol="absolute").Q)
      100.0
    """
    result = hdrvdp2(
        test, reference, color_encoding="rgb-bt.709", pixels_per_degree=pixels_per_degree
    )
    # `hdrvdp2` would read a map that cannot be calibrated as darkness, and clip infinite light.
    unknown = [jnp.isnan(image).all() | jnp.isinf(image).any() for image in (test, reference)]
    result = jax.tree.map(lambda x: jnp.where(unknown[0] | unknown[1], jnp.nan, x), result)
    words = PROTOCOLS[protocol].description.format(peak=peak)
    return dataclasses.replace(result, protocol=f"{protocol}: {words}; {result.protocol}")
