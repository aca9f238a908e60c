"""From exposures of any size and a known response to one radiance map, in strips.

Memory holds one photograph, one strip of all of them and the radiance map, however many
photographs there are. The strips do not show: every pixel's value is that of `hdr_jax.merge.merge`
on the whole stack, with `extremes_once` (see GHOST_LINKS for deghosting), and 0 where no exposure
holds data.
"""

import warnings
from collections.abc import Iterator

import numpy as np

from hdr_jax.brackets._brackets import Exposures
from hdr_jax.brackets._deghosting import confidence
from hdr_jax.brackets._validity import REACH, contradicted, too_black, wedges_at_sides
from hdr_jax.errors import InputError
from hdr_jax.merge import merge
from hdr_jax.progress import Progress, silent

# Values of all exposures together in one strip; about 20 float32 copies of it exist at a time.
STRIP_VALUES = 2**23
# The confidence in an exposure looks 2 radius + 1 pixels around and, where the reference is black
# or white, at exposures nearer to it, which look as far around: strips overlap by two such links.
GHOST_LINKS = 2


def merge_strips(
    brackets: Exposures,
    log_times: np.ndarray,
    g: np.ndarray,
    *,
    reference: int | None = None,
    progress: Progress = silent,
) -> np.ndarray:
    """Radiance map of brackets with known response, in bounded memory.

    Args:
      brackets: n >= 2 exposures.
      log_times: [n] natural logs of exposure times.
      g: log inverse response [c, num_levels] or [1, num_levels], non-decreasing.
      reference: index of the exposure whose scene is kept where others disagree (deghosting);
        None merges all of them.
      progress: shows how far it is, see `hdr_jax.progress`.

    Returns:
      Radiance float32 [h, w, 3], as `hdr_jax.merge.merge` scales it: 0 where no exposure holds data
      (transparent in all of them), else > 0.

    Raises:
      InputError: when the numbers of exposures and times differ.

    Warns:
      UserWarning: of pixels that no exposure shows.

    Example: `radiance = merge_strips(brackets, np.log([0.1, 0.4]), g)`
    """
    n, height, width, channels = brackets.shape
    log_times = np.asarray(log_times, np.float32)
    if log_times.shape != (n,):
        raise InputError(f"got times of shape {log_times.shape} for {n} exposures; expected ({n},)")
    g = np.broadcast_to(np.asarray(g, np.float32), (channels, g.shape[-1]))
    radius = max(2, round(max(height, width) / 1000))
    margin = REACH + (0 if reference is None else GHOST_LINKS * (2 * radius + 1))
    rows = max(1, STRIP_VALUES // (n * width * channels))
    radiance = np.empty((height, width, channels), np.float32)
    strips, unknown, wedges = list(_strips(height, rows, margin)), 0, None
    if reference is not None:
        wedges = _wedges_at_sides(brackets, log_times, reference, rows, progress)
    with progress("merging", len(strips)) as advance:
        for start, stop, first, last in strips:
            stack, valid = brackets.rows(first, last), brackets.valid_rows(first, last)
            inside = np.s_[start - first : stop - first]
            empty = np.asarray(~valid.any(0))[inside]
            wrong = contradicted(stack, log_times, valid)
            if wedges is not None:
                wrong[reference] = wedges[first:last]
            valid &= ~wrong
            trust = None if valid.all() else valid.astype(np.float32)
            if reference is not None:
                trust = np.asarray(
                    confidence(stack, log_times, g, reference=reference, radius=radius, valid=valid)
                )
            strip = np.asarray(merge(stack, log_times, g, confidence=trust, extremes_once=True))
            radiance[start:stop] = strip[inside]
            radiance[start:stop][empty] = 0
            unknown += np.count_nonzero(empty)
            advance()
    if unknown:
        warnings.warn(
            f"{unknown} pixels ({unknown / (height * width):.2%}) hold data in no exposure: their "
            "radiance is 0.",
            stacklevel=2,
        )
    return radiance


def _wedges_at_sides(
    brackets: Exposures, log_times: np.ndarray, reference: int, rows: int, progress: Progress
) -> np.ndarray:
    """`wedges_at_sides` of the reference, bool [h, w]: beforehand, as no strip tells what an area
    touches in another one."""
    height, width = brackets.shape[1:3]
    black, starts = np.empty((height, width), bool), range(0, height, rows)
    with progress("looking for wedges", len(starts)) as advance:
        for start in starts:
            piece = start, min(start + rows, height)
            stack, valid = brackets.rows(*piece), brackets.valid_rows(*piece)
            black[slice(*piece)] = too_black(stack, log_times, valid, reference)
            advance()
        return wedges_at_sides(black)


def _strips(height: int, rows: int, margin: int) -> Iterator[tuple[int, int, int, int]]:
    """(start, stop) of strips of rows, and (first, last) of the rows that are read for each.

    All but short pictures are read in equal numbers of rows, so that one program is compiled.
    """
    window = min(rows + 2 * margin, height)
    for start in range(0, height, rows):
        first = min(max(start - margin, 0), height - window)
        yield start, min(start + rows, height), first, first + window
