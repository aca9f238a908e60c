"""Pictures at other sizes, by averaging over areas."""

import cv2
import numpy as np


def resized(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Picture at another size: averaged over areas when shrunk, bilinear when enlarged.

    Args:
      picture: [h, w] or [h, w, c], uint8 or float32.
      height, width: of the result, pixels.

    Returns:
      [height, width, ...] of the same dtype; the picture itself if it has that size.

    Not differentiable.
    Example:
      >>> resized(np.ones((4, 6, 3), np.float32), 2, 3).shape
      (2, 3, 3)
    """
    if picture.shape[:2] == (height, width):
        return picture
    shrunk = height <= picture.shape[0] and width <= picture.shape[1]
    method = cv2.INTER_AREA if shrunk else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(picture), (width, height), interpolation=method)


def reduced(image: np.ndarray, longest: int) -> np.ndarray:
    """A picture scaled down, by averaging, until its longer side has at most so many pixels.

    Args:
      image: [h, w, 3].
      longest: pixels.

    Returns:
      [h', w', 3] of the same type; the image itself if it is small enough.

    Not differentiable.
    Example:
      >>> reduced(np.zeros((40, 80, 3), np.float32), 20).shape
      (10, 20, 3)
    """
    scale = longest / max(image.shape[:2])
    if scale >= 1:
        return image
    return resized(image, *(max(1, round(side * scale)) for side in image.shape[:2]))
