"""How far inside a highlight a pixel lies."""

import cv2
import numpy as np

RIM_LEVEL = 252  # of 255: from here on a pixel lies inside a highlight; JPEG disturbs white


def rim_distance(image: np.ndarray) -> np.ndarray:
    """Distance of every pixel of a highlight from its rim, for each channel by itself.

    Args:
      image: [h, w, c] display-encoded; uint8, or float in [0, 1].

    Returns:
      float32 [h, w, c]: pixels to the nearest pixel below level 252 of 255, 0 at such pixels; in a
      channel without any, the picture's diagonal.

    Not differentiable.
    Source: the exact Euclidean distance transform, Felzenszwalb and Huttenlocher 2012, by OpenCV.
    Example:
      >>> row = np.array([0, 255, 255, 255, 0], np.uint8)
      >>> rim_distance(np.tile(row, (5, 1))[..., None])[2, :, 0].tolist()
      [0.0, 1.0, 2.0, 1.0, 0.0]
    """
    image = np.asarray(image)
    limit = RIM_LEVEL if image.dtype == np.uint8 else RIM_LEVEL / 255
    inside = (image >= limit).astype(np.uint8)
    diagonal = np.hypot(*image.shape[:2])
    transform = lambda plane: cv2.distanceTransform(  # noqa: E731
        np.ascontiguousarray(plane), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
    )
    planes = [transform(plane) for plane in np.moveaxis(inside, -1, 0)]
    return np.minimum(np.stack(planes, -1), diagonal).astype(np.float32)
