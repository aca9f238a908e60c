"""Samples of one picture, whatever the format: colours, and where there is a picture at all."""

from typing import NamedTuple

import numpy as np

from hdr_jax.images._paths import Unsupported
from hdr_jax.levels import white_level

# Filters make values a little outside of [0, 1].
SLACK = 0.01
# Where a picture ends softly, colours are mixed with what is no picture: less opaque pixels than
# this share of the most opaque ones do not count, unless most of the picture is like that.
SOLID = 0.9


class Samples(NamedTuple):
    """Colours [h, w, 3] or [h, w, 1], and where they are data, bool [h, w]; None is everywhere."""

    colours: np.ndarray
    valid: np.ndarray | None

    def also(self, valid: np.ndarray) -> "Samples":
        """The same where `valid` holds too."""
        return Samples(self.colours, valid if self.valid is None else self.valid & valid)

    def turned(self, orientation: int) -> "Samples":
        """The same upright, as an EXIF orientation tells."""
        valid = None if self.valid is None else upright(self.valid, orientation)
        return Samples(upright(self.colours, orientation), valid)


def unit_range(colours: np.ndarray, alpha: np.ndarray | None, associated: bool = False) -> Samples:
    """Samples with opacity taken out: colours not multiplied by it, and where it is enough.

    Args:
      colours: uint8, uint16 or float32 [h, w, c].
      alpha: opacity of the same type [h, w], or None.
      associated: the colours are multiplied by the opacity.

    Returns:
      Colours of the same type, floats in [0, 1], and where they count.

    Raises:
      Unsupported: for floats beyond [0, 1].

    Example:
      >>> picture = np.array([[[50], [100]]], np.uint8)
      >>> unit_range(picture, np.array([[0, 127]], np.uint8), associated=True).colours.tolist()
      [[[0], [201]]]
    """
    valid = None if alpha is None else solid(alpha)
    if associated and alpha is not None:
        top = white_level(colours)
        share = np.where(alpha > 0, alpha, np.inf)[..., None] / top
        straight = np.minimum(colours / share, top)
        colours = (np.rint(straight) if top > 1 else straight).astype(colours.dtype)
    if colours.dtype.kind != "f":
        return Samples(colours, valid)
    finite = np.asarray(np.isfinite(colours).all(-1))
    known = finite if valid is None else finite & valid
    if known.any():
        low, high = colours[known].min(), colours[known].max()
        if low < -SLACK or high > 1 + SLACK:
            raise Unsupported(
                f"holds float pixels from {low:.4g} to {high:.4g}; expected values in [0, 1]. "
                "Scale all exposures alike, or save them with 16 bits"
            )
    colours = np.where(finite[..., None], colours, 0).clip(0, 1)
    return Samples(colours, known if valid is not None or not finite.all() else None)


def in_levels_of(dtype: type, levels: np.ndarray) -> np.ndarray:
    """Levels of any depth as those of another.

    Args:
      dtype: np.uint8 or np.uint16.
      levels: uint8, uint16 or float32 in [0, 1], any shape.

    Returns:
      The same shape, of that type; the same array where it is of it.

    Example:
      >>> in_levels_of(np.uint8, np.array([0, 257, 65535], np.uint16)).tolist()
      [0, 1, 255]
    """
    if levels.dtype == dtype:
        return levels
    return np.rint(levels * np.float32(np.iinfo(dtype).max / white_level(levels))).astype(dtype)


def solid(alpha: np.ndarray) -> np.ndarray | None:
    """Where opacity [h, w] is enough for a pixel to count; None is everywhere.

    Args:
      alpha: opacity, any type.

    Returns:
      bool [h, w], or None.

    Example:
      >>> solid(np.array([[0, 200, 255, 255]])).tolist()
      [[False, False, True, True]]
    """
    visible = alpha > 0
    opaque = alpha >= SOLID * alpha.max(initial=0)
    valid = visible & opaque if 2 * np.sum(visible & opaque) > np.sum(visible) else visible
    return None if valid.all() else valid


def upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an EXIF orientation 1..8; others are taken as upright.

    Args:
      image: [h, w, ...] as it is stored.
      orientation: of EXIF.

    Returns:
      [h, w, ...] or [w, h, ...], as it is to be seen.

    Example:
      >>> upright(np.array([[1, 2, 3]]), 6).tolist()
      [[1], [2], [3]]
    """
    if orientation in (5, 6, 7, 8):
        image = np.swapaxes(image, 0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)
