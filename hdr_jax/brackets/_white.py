"""Whether a camera's white is what the type of the pictures can hold."""

import numpy as np

from hdr_jax.brackets._brackets import Chosen, Exposures

PIXELS = 2**18  # of an exposure that are looked at
# White below this share of the type's largest level is not a camera's of that many bits.
LOW = 0.95
STEP = 1 / 255  # of the largest level: what compression makes of one level
# Share and number of the longest exposure's pixels that have its largest level, clipped.
PILED, FEWEST = 0.005, 100
# What is one level in the longest exposure by clipping varies in a shorter one: the difference of
# its 5 % and 95 % quantiles, as shares of the median and of the largest level.
VARIED, VISIBLE = 0.2, 0.03


def low_white(brackets: Exposures, log_times: np.ndarray) -> tuple[float, float, float] | None:
    """White that lies clearly below the largest level, as of 12 bits stored in 16 without scaling.

    It shows where the longest exposure has one level, its largest, and a shorter one has many: a
    surface of one colour has one level in both.

    Args:
      brackets: n >= 2 exposures.
      log_times: [n] natural logs of exposure times.

    Returns:
      White, the largest level of the type, and the share of the longest exposure's pixels that are
      white; None where nothing tells of a low white.

    Not differentiable.
    Example:
      >>> from hdr_jax.brackets import InMemory
      >>> light = np.linspace(0, 16383, 4096).reshape(64, 64, 1)
      >>> stack = np.minimum(np.stack([light, 4 * light]), 16383).astype(np.uint16)
      >>> low_white(InMemory(np.repeat(stack, 3, -1)), np.log([1, 4]))[:2]
      (16383.0, 65535.0)
    """
    log_times = np.asarray(log_times)
    longest = int(np.argmax(log_times))
    top = float(np.iinfo(brackets.dtype).max) if brackets.dtype.kind == "u" else 1.0
    bright = _known(brackets, longest)
    white = float(np.max(bright, initial=0, where=~np.isnan(bright)))
    if not 0 < white < LOW * top:
        return None
    clipped = bright >= white - STEP * top
    count, share = clipped.any(-1).sum(), float(clipped.any(-1).mean())
    if share < PILED or count < FEWEST:
        return None
    for j in map(int, np.flatnonzero(log_times < log_times[longest] - 1e-3)):
        dark = _known(brackets, j)[clipped]
        dark = dark[dark < white - STEP * top]
        low, middle, high = np.quantile(dark, (0.05, 0.5, 0.95)) if dark.size else (0, 0, 0)
        if high - low > max(VARIED * middle, VISIBLE * top):
            return white, top, share
    return None


def _known(brackets: Exposures, index: int) -> np.ndarray:
    """Some pixels of one exposure [h', w', 3], NaN where they are no data."""
    one = Chosen(brackets, [index])
    known = one.valid_thinned(PIXELS)[0][..., None]
    return np.where(known, one.thinned(PIXELS)[0].astype(np.float64), np.nan)
