"""Highlights of a photograph: the holes that JPEG tears in them, and the distance from the rim."""

import cv2
import numpy as np

from hdr_jax.errors import InputError
from hdr_jax.levels import CLIP_FROM, RIM_LEVEL, white_level

# JPEG disturbs levels by a few per cent and tears holes in highlights. Closing with squares of so
# many pixels what is above CLIP_FROM, where `hdr_jax.models.clip_mask` begins, raised
# Q of reconstructions of JPEGs by 0.75 and PU21-PSNR by 0.70 dB. (From 0.95 of white on: by 0.84
# and 0.76, but pixels that are known would change.)
CLOSING = 5


def closed_highlights(image: np.ndarray) -> np.ndarray:
    """A photograph without the dark specks that compression and noise leave in its highlights.

    closing(Z) where that is at least level 252 of 255 and Z at least 0.97 of white, else Z, for
    each channel by itself: nearly white holes of less than 5 pixels are filled.

    Args:
      image: [h, w, c] display-encoded; uint8, uint16, or float in [0, 1].

    Returns:
      The same shape and type, nowhere darker; levels below 0.97 of white are kept.

    Not differentiable.
    Source: the grey-scale closing of mathematical morphology, Serra 1982, by OpenCV.
    Example:
      >>> row = np.array([128, 255, 248, 255, 255, 255, 200], np.uint8)
      >>> closed_highlights(np.tile(row, (5, 1))[..., None])[2, :, 0].tolist()
      [128, 255, 255, 255, 255, 255, 200]
    """
    image = np.asarray(image)
    white = white_level(image)
    plain = image if image.dtype.kind == "u" else image.astype(np.float32)
    closing = cv2.morphologyEx(plain, cv2.MORPH_CLOSE, np.ones((CLOSING, CLOSING), np.uint8))
    closing = closing.reshape(image.shape)  # OpenCV drops a single channel
    inside = (closing >= RIM_LEVEL / 255 * white) & (image >= CLIP_FROM * white)
    return np.where(inside, closing, image).astype(image.dtype)


def rim_distance(image: np.ndarray) -> np.ndarray:
    """Distance of every pixel of a highlight from its rim, for each channel by itself.

    Args:
      image: [h, w, c] display-encoded; uint8, uint16, or float in [0, 1].

    Returns:
      float32 [h, w, c]: pixels to the nearest pixel below level 252 of 255, 0 at such pixels; in a
      channel without any, the picture's diagonal.

    Raises:
      InputError: for another shape.

    Not differentiable.
    Source: the exact Euclidean distance transform, Felzenszwalb and Huttenlocher 2012, by OpenCV.
    Example:
      >>> row = np.array([0, 255, 255, 255, 0], np.uint8)
      >>> rim_distance(np.tile(row, (5, 1))[..., None])[2, :, 0].tolist()
      [0.0, 1.0, 2.0, 1.0, 0.0]
    """
    image = np.asarray(image)
    if image.ndim != 3:
        raise InputError(f"rim_distance got a picture {image.shape}: expected [h, w, c]")
    inside = (image >= RIM_LEVEL / 255 * white_level(image)).astype(np.uint8)
    diagonal = np.hypot(*image.shape[:2])
    transform = lambda plane: cv2.distanceTransform(  # noqa: E731
        np.ascontiguousarray(plane), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
    )
    planes = np.stack([transform(plane) for plane in np.moveaxis(inside, -1, 0)], -1)
    # Squares of distances are whole numbers. OpenCV's roots of them differ in the last bit from
    # call to call, by the thread that took them: a run would not go on to the same bits.
    planes = np.sqrt(np.rint(np.square(planes.astype(np.float64))))
    return np.minimum(planes, diagonal).astype(np.float32)
