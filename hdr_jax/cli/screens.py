"""Radiance maps as pictures for HDR screens."""

import pathlib

import numpy as np

from hdr_jax import images, tonemap
from hdr_jax.cli.outputs import known_pixels
from hdr_jax.errors import InputError

SUFFIXES = (*images.JPEG_SUFFIXES, ".avif")
MEASURED_PIXELS = 2048  # of the longer side of the map that brightness is measured on
STRIP_ROWS = 256
AVIF_PEAK = 5.6  # PQ ends at 10000 cd/m^2, where white is 203


def peak_of(given: float | None, suffix: str) -> float:
    """The stops above white of the option --peak, which only pictures for screens have."""
    if given is None:
        return images.PEAK
    if suffix not in SUFFIXES:
        raise InputError(f"--peak is for {', '.join(SUFFIXES)}; {suffix} holds all of the light")
    highest = AVIF_PEAK if suffix == ".avif" else images.HIGHEST_PEAK
    if not 0 < given <= highest:
        raise InputError(f"got --peak {given:g}; expected stops above white, at most {highest:g}")
    return given


def write(
    path: pathlib.Path, radiance: np.ndarray, chromaticities, peak: float, comment: str
) -> tuple[float, float]:
    """A radiance map as JPEG with a gain map, or as AVIF.

    White is chosen as Reinhard's operator does: the geometric mean of luminance becomes 0.18 of it,
    without pixels of which nothing is known.
    The ordinary picture of the JPEG is what that operator makes of the map.

    Args:
      path: ending in one of SUFFIXES.
      radiance: float32 [h, w, 3], linear.
      chromaticities: its primaries; None are taken for those of Rec.709.
      peak: stops above white where light is clipped.
      comment: about the map.

    Returns:
      White in the unit of the map, and the share of the pixels that were clipped.
    """
    light = np.maximum(images.in_rec709(radiance, chromaticities), 0)
    scale, white = tonemap.adaptation(known_pixels(images.reduced(light, MEASURED_PIXELS)))
    if path.suffix.lower() == ".avif":
        light *= np.float32(scale)
        images.write_avif(path, light, peak=peak)
    else:
        picture = np.empty(light.shape, np.uint8)
        for start in range(0, len(light), STRIP_ROWS):
            rows = slice(start, start + STRIP_ROWS)
            shown = tonemap.with_adaptation(light[rows], scale, white)
            picture[rows] = np.rint(np.asarray(shown) * 255)
        light *= np.float32(scale)
        unit = f"white is {1 / float(scale):.6g} in the unit of the map: {comment}"
        images.write_ultra_hdr(path, picture, light, peak=peak, comment=unit)
    return 1 / float(scale), float((light > 2**peak).any(-1).mean())
