"""Raw files, developed to linear light by rawpy (the extra `raw`), nothing of it automatic."""

import contextlib
import pathlib
from collections.abc import Iterator

import numpy as np

from hdr_jax.images._paths import Unsupported, check_size

NO_RAWPY = (
    "is a raw file, which is developed by rawpy: pip install 'hdr_jax[raw]', or '.[raw]' in a "
    "checkout. Or develop it to 16-bit TIFF without a tone curve, and merge with --response linear"
)
# LibRaw's turn of the sensor -> EXIF orientation.
ORIENTATIONS = {0: 1, 1: 2, 2: 4, 3: 3, 4: 5, 5: 8, 6: 6, 7: 7}


@contextlib.contextmanager
def opened(path: pathlib.Path) -> Iterator:
    """The file, opened by rawpy."""
    try:
        import rawpy
    except ImportError as error:
        raise Unsupported(NO_RAWPY) from error
    with rawpy.imread(str(path)) as raw:
        check_size(raw.sizes.width, raw.sizes.height)
        yield raw


def white_balance(path: pathlib.Path) -> tuple[float, ...]:
    """The camera's factors for red, green, blue, green, or those of daylight, or ones.

    Args:
      path: of the file.

    Returns:
      Four factors > 0.
    """
    with opened(path) as raw:
        return _balance(raw)


def develop(
    path: pathlib.Path, balance: tuple[float, ...] | None = None, *, to_srgb: bool = False
) -> np.ndarray:
    """Linear light of a raw file, in the primaries of sRGB; white is where the sensor clips.

    Args:
      path: of the file.
      balance: factors of red, green, blue, green; by default those that the camera chose. The
        exposures of one scene need the same.
      to_srgb: encode for a display, by the curve of sRGB.

    Returns:
      uint16 [h, w, 3] as the sensor lies.

    Raises:
      Unsupported: without rawpy.
    """
    with opened(path) as raw:
        # `adjust_maximum_thr` would scale each picture by what it shows.
        return raw.postprocess(
            gamma=(2.4, 12.92) if to_srgb else (1, 1),
            no_auto_bright=True,
            adjust_maximum_thr=0.0,
            user_wb=list(balance or _balance(raw)),
            user_flip=0,
            output_bps=16,
        )


def _balance(raw) -> tuple[float, ...]:
    """Factors of an opened file."""
    for factors in (raw.camera_whitebalance, raw.daylight_whitebalance):
        red, green, blue, second = factors
        if min(red, green, blue) > 0:
            return red, green, blue, second or green
    return 1.0, 1.0, 1.0, 1.0
