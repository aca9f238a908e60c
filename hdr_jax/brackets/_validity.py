"""Where an exposure holds no data although no opacity tells: wedges beside a turned picture.

More exposure never darkens a pixel but by noise, and no camera takes it from mid-grey to black
within two stops. A wedge is an area: what is nowhere WEDGE pixels wide is noise.
Notation: stack [n, h, w, c] uint8, uint16 or float in [0, 1], log_times ln t [n], valid [n, h, w].
"""

import functools

import cv2
import numpy as np

# Shares of the largest level: the brightest channel of a pixel that may be no data; by how much a
# shorter exposure must be above twice that of it; and what contradicts it up to so many stops
# longer.
BLACK, CLEARLY, BRIGHT, STOPS = 0.03, 0.03, 0.5, 2.5
# Turning and JPEG mix the colours beside a wedge, so many pixels far.
MARGIN = 2
WEDGE = 3
REACH = MARGIN + WEDGE - 1  # how far what is found at a pixel depends on others


def contradicted(
    stack: np.ndarray,
    log_times: np.ndarray,
    valid: np.ndarray | None = None,
    reference: int | None = None,
) -> np.ndarray:
    """Black pixels that an exposure which shows more in spite of less light contradicts.

    Args:
      stack: n exposures.
      log_times: [n] natural logs of exposure times.
      valid: bool [n, h, w], where an exposure is known to hold data; None is everywhere.
      reference: the exposure that tells what moved; its black, which may be a coat that no other
        exposure shows, is a wedge only where it reaches the left or the right side.

    Returns:
      bool [n, h, w], with a margin of MARGIN pixels.

    Not differentiable.
    Example:
      >>> stack = np.full((2, 1, 8, 3), 99, np.uint8)
      >>> stack[1, :, :2] = 0
      >>> contradicted(stack, np.log([1.0, 4.0]))[1, 0].tolist()
      [True, True, True, True, False, False, False, False]
    """
    top = np.iinfo(stack.dtype).max if stack.dtype.kind == "u" else 1.0
    # Not `stack.max(-1)`, which takes ten times as long over three channels.
    peak = functools.reduce(np.maximum, np.moveaxis(stack, -1, 0))
    shown = peak if valid is None else np.where(valid, peak, 0)
    found = np.zeros(peak.shape, bool)
    for j, log_time in enumerate(log_times):
        stops = (np.asarray(log_times) - log_time) / np.log(2)
        shorter, longer = stops < -1e-3, (stops > 1e-3) & (stops <= STOPS)
        lit = np.zeros(peak.shape[1:], bool)
        if shorter.any():
            lit |= shown[shorter].max(0) > 2.0 * peak[j] + CLEARLY * top
        if longer.any():
            lit |= shown[longer].max(0) >= BRIGHT * top
        wrong = (peak[j] <= BLACK * top) & lit
        if valid is not None:
            wrong &= valid[j]
        if wrong.any():
            wedge = _areas(wrong.astype(np.uint8), only_at_sides=j == reference)
            found[j] = cv2.dilate(wedge, _square(2 * MARGIN + 1)) > 0
    return found


def _square(side: int) -> np.ndarray:
    """The neighbourhood of a pixel."""
    return np.ones((side, side), np.uint8)


def _areas(mask: np.ndarray, only_at_sides: bool) -> np.ndarray:
    """The areas of a mask uint8 [h, w] that are somewhere WEDGE pixels wide, with their narrow
    ends; of these perhaps only those that touch its left or its right side."""
    wide = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _square(WEDGE)) > 0
    areas = cv2.connectedComponents(mask)[1]
    kept = np.unique(areas[wide])
    if only_at_sides:
        kept = np.intersect1d(kept, areas[:, [0, -1]])
    return mask * np.isin(areas, kept)
