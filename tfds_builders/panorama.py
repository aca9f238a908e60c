"""Perspective views of equirectangular panoramas, in linear light.

A panorama [h, 2h, c] holds longitude -180 .. 180 degrees along its rows (the middle looks along z)
and latitude 90 .. -90 degrees down its columns.
"""

import math

import cv2
import numpy as np

from hdr_jax import images

FIELD_OF_VIEW = math.radians(75.0)
VIEWS = tuple((60.0 * k, pitch) for k, pitch in enumerate((0.0, 15.0, -10.0, 0.0, 15.0, -10.0)))
"""Yaw and pitch of the views, degrees: all around, some up and some down."""


def is_panorama(radiance: np.ndarray) -> bool:
    """Whether a picture [h, w, c] is exactly twice as wide as high."""
    return radiance.shape[1] == 2 * radiance.shape[0]


def cut(panorama: np.ndarray, size: int | None = None) -> list[np.ndarray]:
    """All views of a panorama (see `VIEWS`).

    Args:
      panorama: float32 [h, 2h, 3], linear.
      size: pixels of a view's side; None keeps the panorama's resolution in the view's middle.

    Returns:
      Square views, float32 [size, size, 3].
    """
    focal = panorama.shape[1] / (2 * math.pi)
    native = max(round(2 * focal * math.tan(FIELD_OF_VIEW / 2)), 1)
    size = size or native
    if size < native:
        # Shrunk by areas first: sampling alone would miss small lights.
        height = max(round(panorama.shape[0] * size / native), 1)
        panorama = images.resized(panorama, height, 2 * height)
    return [view(panorama, yaw, pitch, size) for yaw, pitch in VIEWS]


def view(panorama: np.ndarray, yaw: float, pitch: float, size: int) -> np.ndarray:
    """One square perspective view by bilinear sampling.

    Args:
      panorama: float32 [h, 2h, 3], linear.
      yaw: degrees to the right.
      pitch: degrees up.
      size: pixels of a side.

    Returns:
      float32 [size, size, 3].
    """
    height, width = panorama.shape[:2]
    across = (np.arange(size) + 0.5) / size * 2 - 1
    x, y = np.meshgrid(across, -across)
    z = np.full_like(x, 1 / math.tan(FIELD_OF_VIEW / 2))
    up = math.radians(pitch)
    y, z = y * math.cos(up) + z * math.sin(up), z * math.cos(up) - y * math.sin(up)
    longitude = np.arctan2(x, z) + math.radians(yaw)
    latitude = np.arctan2(y, np.hypot(x, z))
    column = (longitude / (2 * math.pi) + 0.5) % 1.0 * width - 0.5
    row = (0.5 - latitude / math.pi) * height - 0.5
    # A column of the other end on both sides, so that sampling goes on across the seam.
    around = np.concatenate([panorama[:, -1:], panorama, panorama[:, :1]], axis=1)
    return cv2.remap(
        np.ascontiguousarray(around, np.float32),
        (column + 1).astype(np.float32),
        row.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
