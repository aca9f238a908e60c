"""Warps: where the pixels of one exposure lie in another.

A warp is a matrix [3, 3]: it takes a point (x, y, 1) of the reference exposure, in pixels with the
centre of the first one at 0, to the same point of the scene in another exposure.
"""

import cv2
import numpy as np

from hdr_jax.errors import InputError


def aligned(picture: np.ndarray, warp: np.ndarray, crop: tuple[int, int, int, int]) -> np.ndarray:
    """A picture as the reference's camera would have seen it, cropped.

    Args:
      picture: [h, w, 3] uint8, uint16 or float32; or bool [h, w], where it holds data.
      warp: from the reference to this picture.
      crop: (top, bottom, left, right) in the reference, as `common_area` gives it.

    Returns:
      [bottom - top, right - left, 3] of the same type, by cubic interpolation; of a bool picture,
      where that mixes nothing in that is no data.

    Not differentiable.
    Example: `aligned(picture, register(reference, picture, g), crop)`
    """
    top, bottom, left, right = crop
    if displacement(warp, picture.shape) < 0.05:  # interpolation would only blur
        return picture[top:bottom, left:right]
    if picture.dtype == bool:
        return aligned(picture.astype(np.float32), warp, crop) > 0.99
    offset = np.array([[1, 0, left], [0, 1, top], [0, 0, 1]], np.float64)
    return cv2.warpPerspective(
        picture,
        warp @ offset,
        (right - left, bottom - top),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def common_area(warps: list[np.ndarray], shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """A rectangle of the reference that every exposure shows.

    Args:
      warps: from the reference to each exposure.
      shape: (h, w, ...) of the exposures.

    Returns:
      (top, bottom, left, right), ends exclusive.

    Raises:
      InputError: if less than a quarter of the picture is common.

    Not differentiable.
    Example:
      >>> shifted = np.array([[1.0, 0, 3], [0, 1, -2], [0, 0, 1]])
      >>> common_area([np.eye(3), shifted], (100, 200))
      (2, 100, 0, 197)
    """
    h, w = shape[:2]
    top, left, bottom, right = 0.0, 0.0, h - 1.0, w - 1.0
    for warp in warps:
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = _mapped(np.linalg.inv(warp), _corners(shape))
        top, bottom = max(top, y0, y1), min(bottom, y2, y3)
        left, right = max(left, x0, x2), min(right, x1, x3)
    # Interpolation errors of a hair's breadth are no reason to lose a row.
    top, left = (int(np.ceil(end - 1e-3)) for end in (top, left))
    bottom, right = (int(np.floor(end + 1e-3)) + 1 for end in (bottom, right))
    if 4 * max(bottom - top, 0) * max(right - left, 0) < h * w:
        raise InputError(
            "the pictures cannot be aligned: less than a quarter of the reference is found in all "
            "of them. Leave out those of another scene, or merge without alignment."
        )
    return top, bottom, left, right


def displacement(warp: np.ndarray, shape: tuple[int, ...]) -> float:
    """How far the corner of a picture moves at most.

    Args:
      warp: [3, 3].
      shape: (h, w, ...).

    Returns:
      Pixels.

    Not differentiable.
    Example:
      >>> displacement(np.array([[1.0, 0, 3], [0, 1, 4], [0, 0, 1]]), (100, 200))
      5.0
    """
    corners = _corners(shape)
    return float(np.linalg.norm(_mapped(warp, corners) - corners, axis=1).max())


def _corners(shape: tuple[int, ...]) -> np.ndarray:
    """Corner pixels (x, y): top left, top right, bottom left, bottom right."""
    h, w = shape[:2]
    return np.array([[0, 0], [w - 1, 0], [0, h - 1], [w - 1, h - 1]], np.float64)


def _mapped(warp: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points [p, 2] under a warp."""
    mapped = np.c_[points, np.ones(len(points))] @ warp.T
    return mapped[:, :2] / mapped[:, 2:]


def unscaled(warp: np.ndarray, scale: float) -> np.ndarray:
    """A warp of pictures scaled by `scale` as a warp of the unscaled ones."""
    # The centre of the first pixel is at 0: sizes scale about (-1/2, -1/2).
    shift = (scale - 1) / 2
    down = np.array([[scale, 0, shift], [0, scale, shift], [0, 0, 1]])
    return np.linalg.inv(down) @ warp @ down
