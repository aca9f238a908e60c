"""AVIF for HDR screens, written."""

import numpy as np

from hdr_jax.files import replacing
from hdr_jax.images import _writing
from hdr_jax.images._paths import PathLike
from hdr_jax.images._primaries import SPACES, converted
from hdr_jax.images._writing import PEAK, STRIP_ROWS

WHITE = 203.0  # cd/m^2
QUALITY, SPEED = 95, 8


def write_avif(path: PathLike, radiance: np.ndarray, *, peak: float = PEAK) -> None:
    """Write an HDR picture as AVIF: PQ, primaries of Rec. 2020, 10 bits a channel.

    Args:
      path: ending in .avif; the folder must exist.
      radiance: float32 [h, w, 3], linear, Rec.709; 1 is white, shown with 203 cd/m^2 (ITU-R
        BT.2408). Values below 0 and above 2^peak are clipped.
      peak: stops above white, above 0 and at most 12; PQ ends at 10000 cd/m^2, 5.6 stops.

    Raises:
      InputError: as `write_ultra_hdr`.

    Not differentiable.
    Source: SMPTE ST 2084 for PQ.
    Example: `write_avif("scene.avif", radiance, peak=5)`
    """
    import imagecodecs

    path = _writing.check_for_screens(path, (".avif",), radiance, peak)
    levels = np.empty(radiance.shape, np.uint16)
    for start in range(0, len(radiance), STRIP_ROWS):
        light = radiance[start : start + STRIP_ROWS].clip(0, 2.0**peak)
        light = converted(light, SPACES["sRGB"], SPACES["Rec. 2020"])
        levels[start : start + STRIP_ROWS] = np.rint(pq(WHITE * light) * 1023)
    data = imagecodecs.avif_encode(
        levels, level=QUALITY, speed=SPEED, bitspersample=10,
        pixelformat="yuv444", primaries=9, transfer=16, matrix=9,
    )  # fmt: skip
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def pq(light: np.ndarray) -> np.ndarray:
    """The inverse of PQ's transfer function.

    Args:
      light: cd/m^2, any shape; clipped to [0, 10000].

    Returns:
      The same shape, in [0, 1].

    Source: SMPTE ST 2084:2014, 5.2.
    Example:
      >>> pq(np.array([0, 203, 10000.0])).round(3).tolist()
      [0.0, 0.581, 1.0]
    """
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    powered = (np.clip(light, 0, 1e4) / 1e4) ** m1
    return ((c1 + c2 * powered) / (1 + c3 * powered)) ** m2
