"""Where an exposure holds no data although no opacity tells: wedges beside a turned picture.

More exposure never darkens a pixel but by noise, and no camera takes it from mid-grey to black
within two stops. A wedge is an area: what is nowhere WEDGE pixels wide is noise.
Notation: stack [n, h, w, c] uint8, uint16 or float in [0, 1], log_times ln t [n], valid [n, h, w].
"""

import functools

import cv2
import numpy as np

from hdr_jax.levels import white_level

# Shares of the largest level: the brightest channel of a pixel that may be no data; by how much a
# shorter exposure must be above twice that of it; and what contradicts it up to so many stops
# longer.
BLACK, CLEARLY, BRIGHT, STOPS = 0.03, 0.03, 0.5, 2.5
# Turning and JPEG mix the colours beside a wedge, so many pixels far.
MARGIN = 2
WEDGE = 3
# How far what is found at a pixel depends on others, but for the narrow ends of an area.
REACH = MARGIN + WEDGE - 1


def contradicted(
    stack: np.ndarray, log_times: np.ndarray, valid: np.ndarray | None = None
) -> np.ndarray:
    """Black pixels that an exposure which shows more in spite of less light contradicts.

    Args:
      stack: n exposures.
      log_times: [n] natural logs of exposure times.
      valid: bool [n, h, w], where an exposure is known to hold data; None is everywhere.

    Returns:
      bool [n, h, w], with a margin of MARGIN pixels.

    Not differentiable.
    Example:
      >>> stack = np.full((2, 1, 8, 3), 99, np.uint8)
      >>> stack[1, :, :2] = 0
      >>> contradicted(stack, np.log([1.0, 4.0]))[1, 0].tolist()
      [True, True, True, True, False, False, False, False]
    """
    brightest, shown = _brightest(stack, valid)
    masks = [_too_black(brightest, shown, log_times, j) for j in range(len(log_times))]
    if valid is not None:
        masks = [mask & known for mask, known in zip(masks, valid, strict=True)]
    return np.stack([_with_margin(_areas(mask)) if mask.any() else mask for mask in masks])


def too_black(
    stack: np.ndarray, log_times: np.ndarray, valid: np.ndarray, index: int
) -> np.ndarray:
    """Black pixels of one exposure that others contradict, each by itself: no areas, no margin.

    Args:
      stack, log_times, valid: as for `contradicted`.
      index: of the exposure.

    Returns:
      bool [h, w].

    Not differentiable.
    Example:
      >>> stack = np.full((2, 1, 8, 3), 99, np.uint8)
      >>> stack[1, :, :2] = 0
      >>> int(too_black(stack, np.log([1.0, 4.0]), np.ones((2, 1, 8), bool), 1).sum())
      2
    """
    return _too_black(*_brightest(stack, valid), log_times, index) & valid[index]


def wedges_at_sides(mask: np.ndarray) -> np.ndarray:
    """Of an exposure that tells what moved: its black, which may be a coat that no other exposure
    shows, is a wedge only where it reaches the left or the right side of the picture.

    Args:
      mask: bool [h, w] of `too_black`, of the whole picture: areas may be of any size.

    Returns:
      bool [h, w], with a margin of MARGIN pixels.

    Not differentiable.
    Example:
      >>> mask = np.zeros((9, 30), bool)
      >>> mask[2:7, :5] = mask[2:7, 12:17] = True
      >>> wedges_at_sides(mask)[4].nonzero()[0].tolist()
      [0, 1, 2, 3, 4, 5, 6]
    """
    return _with_margin(_areas(mask, only_at_sides=True)) if mask.any() else mask


def _brightest(stack: np.ndarray, valid: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The brightest channel of every pixel, [n, h, w], and the same, 0 where there is no data."""
    # Not `stack.max(-1)`, which takes ten times as long over three channels.
    brightest = functools.reduce(np.maximum, np.moveaxis(stack, -1, 0))
    return brightest, brightest if valid is None else np.where(valid, brightest, 0)


def _too_black(
    brightest: np.ndarray, shown: np.ndarray, log_times: np.ndarray, index: int
) -> np.ndarray:
    """`too_black` of what `_brightest` gives, wherever the exposure holds data."""
    top = white_level(brightest)
    own = brightest[index]
    stops = (np.asarray(log_times) - log_times[index]) / np.log(2)
    shorter, longer = stops < -1e-3, (stops > 1e-3) & (stops <= STOPS)
    lit = np.zeros(own.shape, bool)
    if shorter.any():
        lit |= shown[shorter].max(0) > 2.0 * own + CLEARLY * top
    if longer.any():
        lit |= shown[longer].max(0) >= BRIGHT * top
    return (own <= BLACK * top) & lit


def _with_margin(mask: np.ndarray) -> np.ndarray:
    """A mask uint8 [h, w] as bools, MARGIN pixels wider."""
    return cv2.dilate(mask, _square(2 * MARGIN + 1)) > 0


def _square(side: int) -> np.ndarray:
    """The neighbourhood of a pixel."""
    return np.ones((side, side), np.uint8)


def _areas(mask: np.ndarray, only_at_sides: bool = False) -> np.ndarray:
    """The areas of a mask bool [h, w] that are somewhere WEDGE pixels wide, with their narrow
    ends; of these perhaps only those that touch its left or its right side. uint8."""
    mask = mask.astype(np.uint8)
    wide = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _square(WEDGE)) > 0
    areas = np.asarray(cv2.connectedComponents(mask)[1], np.int32)
    kept = np.zeros(areas.max() + 1, bool)
    kept[areas[wide]] = True
    if only_at_sides:
        touching = np.zeros_like(kept)
        touching[areas[:, [0, -1]]] = True
        kept &= touching
    return mask * kept[areas]
