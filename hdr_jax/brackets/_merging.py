"""From exposures of any size to one radiance map: response, registration, merging in strips.

Memory holds one photograph, one strip of all of them and the radiance map, however many
photographs there are. The strips do not show: every pixel's value is that of `hdr_jax.merge.merge`
on the whole stack, with `extremes_once` (see GHOST_LINKS for deghosting), and 0 where no exposure
holds data.
"""

import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from hdr_jax import crf
from hdr_jax.brackets import _warps
from hdr_jax.brackets._alignment import registered
from hdr_jax.brackets._brackets import Brackets, Exposures, counted
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
# Pixels of all exposures together that the response is recovered from.
RESPONSE_PIXELS = 2**22
CANVAS = 256  # sides of the pictures for that are multiples of it
# Share of the pixels that all exposures must show for it.
MIN_COMMON = 0.01


def response(
    brackets: Exposures, log_times: np.ndarray, *, holes: bool = True, **options: Any
) -> np.ndarray:
    """Increasing log inverse response of the camera that took the brackets.

    Args:
      brackets: n exposures.
      log_times: [n] natural logs of exposure times.
      holes: whether black that a shorter exposure contradicts is no data, as in photographs; in
        generated exposures it is black.
      **options: of `hdr_jax.crf.recover`.

    Returns:
      g float32 [3, num_levels], non-decreasing (`crf.monotone`); 4096 levels for pictures of more
      than 8 bits.

    Raises:
      InputError: as `crf.recover`, or if the exposures hardly show the same.

    Example: `g = response(brackets, np.log([0.1, 0.4]), method="mitsunaga_nayar")`
    """
    pixels = RESPONSE_PIXELS // brackets.shape[0]
    stack, valid = brackets.thinned(pixels), brackets.valid_thinned(pixels)
    if holes:
        valid &= ~contradicted(stack, log_times, valid)
    common = valid.all(0).mean()
    if common < MIN_COMMON:
        raise InputError(
            f"only {common:.1%} of the scene is shown by all exposures; expected {MIN_COMMON:.0%} "
            "at least. Leave out the pictures that show less, or give the camera's response."
        )
    stack, valid = on_canvas(stack, valid)
    if not valid.all():
        options["valid"] = valid
    options.setdefault("num_levels", 256 if brackets.dtype == np.uint8 else 4096)
    return np.asarray(crf.monotone(crf.recover(stack, log_times, **options)))


def on_canvas(stack: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The exposures on a canvas of one of few sizes, for which programs are compiled already.

    Args:
      stack: [n, h, w, c].
      valid: bool [n, h, w].

    Returns:
      (stack, valid) of sides that are multiples of CANVAS where they were longer than that; what is
      added below and to the right is not valid.

    Example:
      >>> on_canvas(np.ones((2, 300, 200, 3)), np.ones((2, 300, 200), bool))[0].shape
      (2, 512, 200, 3)
    """
    rest = [-side % CANVAS if side > CANVAS else 0 for side in stack.shape[1:3]]
    added = [(0, 0), *((0, more) for more in rest)]
    return np.pad(stack, [*added, (0, 0)]), np.pad(valid, added)


def align(
    brackets: Exposures,
    log_times: np.ndarray,
    g: np.ndarray,
    reference: int,
    *,
    progress: Progress = silent,
) -> tuple[Brackets, list[float]]:
    """The brackets as seen from where the reference was taken, cropped to what all of them show.

    Neighbours in exposure are registered with each other, since they have most in common, and the
    warps are chained.

    Args:
      brackets: n exposures.
      log_times: [n] natural logs of exposure times.
      g: log inverse response [c, num_levels]; its recovery needs no alignment.
      reference: index of the exposure that stays where it is.
      progress: shows how far it is, see `hdr_jax.progress`.

    Returns:
      (aligned brackets, by how many pixels each exposure was moved at most: NaN for one that could
      not be registered, or only with such a one).

    Raises:
      InputError: if the exposures hardly overlap.

    Warns:
      UserWarning: naming an exposure that cannot be registered.

    Example: `aligned, moved = align(brackets, np.log([0.1, 0.4]), g, 0)`
    """
    n = brackets.shape[0]
    order = list(np.argsort(log_times, kind="stable"))
    middle = order.index(reference)
    pairs = [(order[k + 1], order[k]) for k in range(middle - 1, -1, -1)]
    pairs += [(order[k - 1], order[k]) for k in range(middle + 1, n)]
    warps, found = {reference: np.eye(3)}, {reference}
    with progress("aligning", len(pairs)) as advance:
        for neighbour, index in pairs:
            step, known = registered(brackets.picture(neighbour), brackets.picture(index), g)
            if known and neighbour in found:
                found.add(index)
            warps[index] = step @ warps[neighbour]
            advance()
    if lost := [str(j + 1) for j in range(n) if j not in found]:
        warnings.warn(
            f"nothing shows how exposure {', '.join(lost)} of {n} was moved: too little is well "
            "exposed in it and in its neighbour, or they do not match. It is moved as that one is; "
            "look at the result, or leave it out.",
            stacklevel=2,
        )
    warps = [warps[j] for j in range(n)]
    crop = _warps.common_area(warps, brackets.shape[1:])
    moved = [
        _warps.displacement(warp, brackets.shape[1:]) if j in found else math.nan
        for j, warp in enumerate(warps)
    ]
    pictures = (
        tuple(
            _warps.aligned(part, warps[j], crop)
            for part in (brackets.picture(j), brackets.valid(j, 0, brackets.shape[1]))
        )
        for j in range(n)
    )
    with progress("warping", n) as advance:
        return Brackets(counted(pictures, advance)), moved


def merge_strips(
    brackets: Exposures,
    log_times: np.ndarray,
    g: np.ndarray,
    *,
    reference: int | None = None,
    weighting: str = "hat",
    progress: Progress = silent,
) -> np.ndarray:
    """Radiance map of brackets with known response, in bounded memory.

    Args:
      brackets: n >= 2 exposures.
      log_times: [n] natural logs of exposure times.
      g: log inverse response [c, num_levels] or [1, num_levels], non-decreasing.
      reference: index of the exposure whose scene is kept where others disagree (deghosting);
        None merges all of them.
      weighting: of `hdr_jax.merge.merge`.
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
            options = {"weighting": weighting, "confidence": trust, "extremes_once": True}
            strip = np.asarray(merge(stack, log_times, g, **options))
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
