"""Pictures at other sizes: light is averaged over areas, photographs are resized by Lanczos."""

import cv2
import numpy as np
from PIL import Image


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
    square = np.ascontiguousarray(radiance[top:bottom, left:right])
    method = cv2.INTER_AREA if size <= right - left else cv2.INTER_LINEAR
    return cv2.resize(square, (size, size), interpolation=method)


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
    resized = Image.fromarray(picture).resize(
        (size, size), Image.Resampling.LANCZOS, box=_middle(picture)
    )
    return np.asarray(resized)


def _middle(picture: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the largest square in the middle of [h, w, c]."""
    height, width = picture.shape[:2]
    side = min(height, width)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side
