"""Hand-held brackets as seen from one place; warps as in `hdr_jax.brackets._warps`."""

import math
import warnings

import numpy as np

from hdr_jax.brackets import _warps
from hdr_jax.brackets._brackets import Brackets, Exposures, counted
from hdr_jax.brackets._registration import registered
from hdr_jax.progress import Progress, silent


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
