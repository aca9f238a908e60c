"""Recorded exposures: their order, their size, their alignment.

Notation: stack uint8 [n, h, w, 3], times [n] exposure times in seconds.
"""

import pathlib
import warnings
from collections.abc import Sequence

import cv2
import numpy as np

from hdr_jax import brackets, images
from hdr_jax.errors import InputError
from tfds_builders import sizes

SAME_SHAPE = 0.01
"""Relative difference of aspect ratios up to which pictures are taken to show the same."""


def read(paths: Sequence[pathlib.Path]) -> np.ndarray:
    """Photographs of equal size, as bytes and without their times.

    Args:
      paths: n files of 8 or 16 bits.

    Returns:
      uint8 [n, h, w, 3].

    Raises:
      InputError: if a file is missing or damaged, or sizes differ.
    """
    return as_bytes(images.read_stack(paths, [1.0] * len(paths))[0])


def as_bytes(stack: np.ndarray) -> np.ndarray:
    """A stack of 8 or 16 bits or of floats in [0, 1], rounded to 8 bits."""
    if stack.dtype == np.uint8:
        return stack
    return np.rint(stack / (257 if stack.dtype == np.uint16 else 1 / 255)).astype(np.uint8)


def times_if_known(paths: Sequence[pathlib.Path]) -> np.ndarray | None:
    """Exposure times by EXIF or `exposures.csv`, or None if one of them is unknown."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return images.exposure_times(paths)
    except InputError:
        return None


def order(stack: np.ndarray, times: np.ndarray | None = None) -> np.ndarray:
    """Indices of the exposures from darkest to brightest.

    Args:
      stack: uint8 [n, h, w, 3].
      times: [n] seconds; None orders by the mean level.

    Returns:
      int [n].

    Raises:
      InputError: if two exposures are equally bright and times are unknown.
    """
    key = stack.mean((1, 2, 3)) if times is None else times
    if times is None and len(np.unique(key)) < len(key):
        raise InputError(
            "two of its exposures have the same mean level and their exposure times are unknown; "
            "expected different exposures."
        )
    return np.argsort(key, kind="stable")


def fitted(picture: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A photograph at the size of its radiance map, by Lanczos, if both show the same.

    Args:
      picture: uint8 [h, w, 3].
      shape: of the radiance map; (height, width, ...).

    Returns:
      uint8 [height, width, 3]; the picture itself where the shapes of both differ by more than
      their size.
    """
    height, width = shape[:2]
    if picture.shape[:2] == (height, width):
        return picture
    ratio = picture.shape[1] * height / (picture.shape[0] * width)
    if abs(ratio - 1) > SAME_SHAPE:
        return picture
    return sizes.lanczos(picture, height, width)


def aligned(stack: np.ndarray) -> np.ndarray:
    """A stack whose exposures are shifted onto the middle one by median threshold bitmaps.

    Args:
      stack: uint8 [n, h, w, 3], from darkest to brightest.

    Returns:
      uint8 [n, h, w, 3]; what is uncovered at the borders is cropped from all exposures.

    Source: see `hdr_jax.brackets.shift`.
    """
    grays = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in stack]
    middle = grays[len(grays) // 2]
    shifts = np.array([brackets.shift(middle, gray) for gray in grays]).round().astype(int)
    (left, top), (right, bottom) = shifts.max(0).clip(0), -shifts.min(0).clip(max=0)
    height, width = stack.shape[1:3]
    moved = [
        picture[top - y : height - bottom - y, left - x : width - right - x]
        for picture, (x, y) in zip(stack, shifts, strict=True)
    ]
    return np.stack(moved)
