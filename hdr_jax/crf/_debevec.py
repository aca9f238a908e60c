"""Recovery of the log inverse response by Debevec and Malik's least squares."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jax.typing import ArrayLike

from hdr_jax.checks import (
    as_array,
    check_count,
    check_positive,
    check_same_shape,
    check_times,
    check_within,
)
from hdr_jax.crf._least_squares import SOLVERS, ridge
from hdr_jax.errors import InputError, one_of
from hdr_jax.levels import left_segment
from hdr_jax.weighting import Weighting
from hdr_jax.weighting import get as weight_function

# Weight of the term that draws the slope of g at its anchor towards that of a straight line. Of
# exposures a few stops apart one pair of usable samples outweighs it thousands of times.
SLOPE_PRIOR_WEIGHT = 0.1
# A curve of more levels than MAX_UNKNOWNS is solved for at fewer: at each of the first, then at
# steps of a KNOT_RATIO-th of the level, up to steps of the scale's MAX_UNKNOWNS-th part.
MAX_UNKNOWNS, KNOT_RATIO = 256, 16


def debevec(
    levels: ArrayLike,
    log_times: ArrayLike,
    *,
    smoothness: ArrayLike = 20.0,
    weighting: str | Weighting = "hat",
    num_levels: int = 256,
    solver: str = "cholesky",
    confidence: ArrayLike | None = None,
) -> Array:
    """Log inverse response g of one channel by Debevec and Malik's least squares.

    Minimises  sum_ij w(Z_ij)^2 (g(Z_ij) - ln E_i - ln t_j)^2
             + smoothness^2 sum_{z=1}^{m-2} w(z)^2 (g(z-1) - 2 g(z) + g(z+1))^2
             + 0.1^2 (g(a+1) - g(a-1) - 2 ln(m) / (m-1))^2
    with m = num_levels, a = m // 2 and g(a) = 0; in the second sum w(z) is at least 1 / m. The
    third term is not Debevec's: it tells the slope of g where the samples do not. With several
    exposures and the usual smoothness it moves g by 1e-5, with two that are eight stops apart and a
    smoothness of 1 by 0.02. The ln E_i are eliminated exactly: each is the weighted mean of its
    own row of the samples. The unknowns are then not the values of g but its curvature, in the unit
    in which the second sum is their squared length: g = line + P y, a ridge regression, of
    full rank even where all exposures of a sample weigh nothing. In float32 both solvers are within
    2e-6 of float64 down to a `smoothness` of 1, and within 4e-5 down to 0.01, where slopes are
    within 0.1 %; for 256 samples of 7 exposures "cholesky" takes 6 ms, below a smoothness of about
    10 (by QR) 24 ms, and "lstsq" 45 ms on a CPU core. Of the system for the values of g a QR solve
    is 2e-5 off and takes eight times as long as "cholesky", its SVD is 5e-4 off, and so are its
    normal equations.

    With more than 256 levels, as of 16-bit pictures, the unknowns are g at a few hundred knots, the
    denser the darker, between which g is linear; z counts the knots in the second sum.

    Args:
      levels: [p, n] samples x exposures in [0, num_levels - 1]; integers, or reals that are read
        between two unknowns.
      log_times: [n] natural logs of exposure times.
      smoothness: scalar > 0, factor on the smoothness rows.
      weighting: name or function of `hdr_jax.weighting`; "uniform" is Eq. (1) as printed.
      num_levels: length of g.
      solver: "cholesky", or "lstsq" for `jnp.linalg.lstsq` on the same system.
      confidence: [p, n], >= 0, a factor on w(Z_ij): how far each observation is believed.

    Returns:
      g [num_levels]. Samples without a usable pair of exposures (a blank stack) leave the slope of
      g unknown: it is then the straight line (over the knots) that rises by their logarithm.

    Raises:
      InputError: when shapes do not fit, levels are plainly of another scale, times not finite or
        all equal, `smoothness` is not positive, a confidence negative or the solver unknown.

    Differentiable in `levels` (if real), `log_times` and `smoothness`, implicitly through the least
    squares, in both modes and any order.
    Source: Debevec and Malik 1997, Eq. 3; Kim, Lee, Kang 2020, Eq. 1.
    Example:
      >>> times = jnp.log(jnp.array([1.0, 2.0]))
      >>> z = jnp.arange(10, 120)
      >>> g = debevec(jnp.stack([z, 2 * z], axis=1), times)
      >>> round(float(g[200] - g[100]), 2)  # a linear camera: ln 2
      0.69
    """
    check_positive("debevec", "smoothness", smoothness)
    levels, log_times = check_samples(levels, log_times, num_levels, confidence)
    one_of("solver", solver, SOLVERS)
    weight = weight_function(weighting)
    w = jnp.asarray(weight(levels, num_levels)).astype(levels.dtype)  # [p, n]; may be bools
    w = w if confidence is None else w * jnp.asarray(confidence, w.dtype)
    inner = weight(jnp.asarray(_knots(num_levels)[1:-1], levels.dtype), num_levels)
    inner = jnp.asarray(inner).astype(levels.dtype)
    return _debevec(levels, log_times, w, inner, smoothness, int(num_levels), solver)


@functools.partial(jax.jit, static_argnums=(5, 6))
def _debevec(levels, log_times, w, inner, smoothness, num_levels, solver):
    """`debevec` with the weights of the samples [p, n] and of the inner knots."""
    knots = _knots(num_levels)
    anchor = int(np.searchsorted(knots, num_levels // 2))
    line = (jnp.arange(len(knots), dtype=w.dtype) - anchor) * _prior_slope(len(knots))
    # A weighting may be 0 at inner levels; half of what Debevec's hat gives the level next to an
    # end makes g go on straight where nothing is known.
    basis = _curvature_basis(smoothness * jnp.maximum(inner, 1 / num_levels), anchor)
    basis = basis.astype(w.dtype)
    if len(knots) < num_levels:
        numbers = jnp.arange(len(knots), dtype=w.dtype)
        levels = jnp.interp(levels, jnp.asarray(knots, w.dtype), numbers)
    matrix = _without_radiance(w, _read(basis, levels))
    target = _without_radiance(w, (log_times[None] - _read(line, levels))[..., None])
    y = ridge(matrix.reshape(-1, matrix.shape[-1]), target.ravel(), solver)
    g = line + basis @ y
    if len(knots) < num_levels:
        g = jnp.interp(jnp.arange(num_levels, dtype=w.dtype), jnp.asarray(knots, w.dtype), g)
    return g


def check_samples(
    levels: ArrayLike, log_times: ArrayLike, num_levels: int, confidence: ArrayLike | None = None
) -> tuple[Array, Array]:
    """Levels [p, n] and log_times [n] as floats of at least 32 bits, which LAPACK demands.

    Raises InputError unless they fit each other, `num_levels` and a confidence [p, n].
    """
    check_count("num_levels", num_levels, 2)
    levels, log_times = as_array(levels), as_array(log_times)
    shape, times = jnp.shape(levels), jnp.shape(log_times)
    if len(shape) != 2 or times != shape[1:] or shape[1] < 2:
        raise InputError(
            f"expected levels [p, n] and log_times [n] of at least two exposures, got shapes "
            f"{shape} and {times}; use jax.vmap over channels"
        )
    if confidence is not None:
        check_same_shape("levels and confidence", levels, confidence)
        check_within("confidence", confidence, 0, float("inf"))
    check_times(log_times, different=True)
    _check_scale(levels, num_levels)
    dtype = jnp.promote_types(jnp.result_type(levels), jnp.float32)
    return jnp.asarray(levels, dtype), jnp.asarray(log_times, dtype)


def _check_scale(levels: ArrayLike, num_levels: int) -> None:
    """Raises InputError for levels plainly of another scale; traced ones go unseen."""
    if isinstance(levels, Tracer) or not np.size(levels):
        return
    values = np.asarray(levels)
    lowest, highest = values.min(), values.max()
    of_unit = jnp.issubdtype(values.dtype, jnp.floating) and num_levels > 2 and 0 < highest <= 1
    if of_unit or not 0 <= lowest <= highest <= num_levels - 1:
        raise InputError(
            f"got levels from {lowest} to {highest} with num_levels {num_levels}: expected them in "
            f"[0, {num_levels - 1}]; give the num_levels of the pictures, and multiply pixels in "
            f"[0, 1] by {num_levels - 1}"
        )


def _prior_slope(num_levels: int) -> float:
    """Rise of g from level to level where nothing is known: ln(num_levels) over the whole scale."""
    return float(np.log(num_levels)) / (num_levels - 1)  # NumPy's number would widen float32


def _knots(num_levels: int) -> np.ndarray:
    """The levels [k] at which g is unknown, increasing, among them both ends and the anchor."""
    if num_levels <= MAX_UNKNOWNS:
        return np.arange(num_levels)
    knots, widest = [0], num_levels / MAX_UNKNOWNS
    while knots[-1] < num_levels - 1:
        knots.append(knots[-1] + max(1, round(min(knots[-1] / KNOT_RATIO, widest))))
    return np.unique([*np.minimum(knots, num_levels - 1), num_levels // 2])


def _curvature_basis(stiffness: Array, anchor: int) -> Array:
    """P [num_levels, num_levels - 1] with g = line + P y.

    y_k is the second difference of g at the inner level k times stiffness[k]; the last entry of y
    is the deviation of the slope at the anchor times 2 SLOPE_PRIOR_WEIGHT. Each column is 0 at the
    anchor: a hinge at its level, open away from the anchor.
    """
    num_levels = stiffness.shape[0] + 2
    z = jnp.arange(num_levels)[:, None]
    k = jnp.arange(1, num_levels - 1)[None]
    right, left = jnp.maximum(z - k, 0), jnp.maximum(k - z, 0)
    hinge = jnp.where(k > anchor, right, jnp.where(k < anchor, left, (right + left) / 2))
    slope = (z - anchor) / (2 * SLOPE_PRIOR_WEIGHT)
    return jnp.concatenate([hinge / stiffness[None], slope], axis=1)


def _read(table: Array, levels: Array) -> Array:
    """Rows of `table` [num_levels, ...] at real levels [p, n], between integers as `lookup`."""
    k, fraction = left_segment(levels, table.shape[0])
    fraction = fraction.reshape(fraction.shape + (1,) * (table.ndim - 1))
    return (1 - fraction) * table[k] + fraction * table[k + 1]


def _without_radiance(w: Array, rows: Array) -> Array:
    """w (rows - their mean over the exposures with weights w^2): ln E_i projected out.

    `w` is [p, n] and `rows` [p, n, k].
    """
    total = jnp.sum(w**2, axis=1, keepdims=True)
    # Double where: a sample that weighs nothing has no mean, and drops out.
    share = jnp.where(total > 0, w**2 / jnp.where(total > 0, total, 1), 0)
    mean = jnp.einsum("pn,pnk->pk", share, rows)
    return w[..., None] * (rows - mean[:, None])
