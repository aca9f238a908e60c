"""Pictures at other sizes: light is averaged over areas, photographs are resized by Lanczos."""

import numpy as np
from PIL import Image

from hdr_jax import images


def middle_radiance(radiance: np.ndarray, size: int | None) -> np.ndarray:
    """The largest square in the middle of a radiance map at another size.

    Averaged over areas when shrunk (a windowed sinc would ring below zero beside lamps), bilinear
    when enlarged.

    Args:
      radiance: float32 [h, w, 3], linear.
      size: pixels of a side; None returns the map itself.

    Returns:
      float32 [size, size, 3].
    """
    if size is None:
        return radiance
    left, top, right, bottom = _middle(radiance)
    return images.resized(radiance[top:bottom, left:right], size, size)


def middle_photo(picture: np.ndarray, size: int | None) -> np.ndarray:
    """The largest square in the middle of a photograph at another size, by Lanczos.

    Args:
      picture: uint8 [h, w, 3], display-encoded.
      size: pixels of a side; None returns the picture itself.

    Returns:
      uint8 [size, size, 3].
    """
    if size is None:
        return picture
    return lanczos(picture, size, size, box=_middle(picture))


def lanczos(
    picture: np.ndarray, height: int, width: int, box: tuple[int, int, int, int] | None = None
) -> np.ndarray:
    """A photograph, or a box (left, top, right, bottom) of it, at another size.

    Args:
      picture: uint8 [h, w, 3], display-encoded.
      height, width: of the result, pixels.
      box: the part that is taken; None takes all.

    Returns:
      uint8 [height, width, 3].
    """
    size, method = (width, height), Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(picture).resize(size, method, box=box))


def _middle(picture: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the largest square in the middle of [h, w, c]."""
    height, width = picture.shape[:2]
    side = min(height, width)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side
