"""Recovery of the log inverse response by Debevec and Malik's least squares."""

import jax.numpy as jnp
import numpy as np
from jax import Array

from hdr_jax import interpolation, least_squares
from hdr_jax.weighting import Weighting
from hdr_jax.weighting import get as weight_function

# Weight of the row that fixes the slope of g at its anchor where the samples say nothing about it.
# One pair of usable samples outweighs it thousands of times.
SLOPE_PRIOR_WEIGHT = 0.1


def debevec(
    levels: Array,
    log_times: Array,
    *,
    smoothness: float = 20.0,
    weighting: str | Weighting = "hat",
    num_levels: int = 256,
) -> Array:
    """Log inverse response g of one channel by Debevec and Malik's least squares.

    Minimises  sum_ij w(Z_ij)^2 (g(Z_ij) - ln E_i - ln t_j)^2
             + smoothness^2 sum_{z=1}^{num_levels-2} w(z)^2 (g(z-1) - 2 g(z) + g(z+1))^2
    with g(num_levels // 2) = 0. The ln E_i are eliminated exactly (each is the weighted mean of its
    own row of the samples). That leaves num_levels unknowns, and full rank even where all exposures
    of a sample weigh nothing; they are solved for by QR. In float32 that is 5e-6 off float64, where
    an SVD of the same system is 5e-4 off, and Cholesky on the normal equations likewise.

    Args:
      levels: [p, n] samples x exposures in [0, num_levels - 1]; integers, or reals that are read
        between two unknowns.
      log_times: [n] natural logs of exposure times.
      smoothness: factor on the smoothness rows, > 0.
      weighting: name or function of `hdr_jax.weighting`; "uniform" is Eq. (1) as printed.
      num_levels: length of g.

    Returns:
      g [num_levels]. Samples without a usable pair of exposures (a blank stack) leave the slope of
      g unknown: it is then the straight line that rises by ln(num_levels).

    Raises:
      ValueError: when shapes do not fit or `smoothness` is not positive.

    Differentiable in `levels` (if real) and `log_times`, implicitly through the least squares.
    Source: Debevec and Malik 1997, Eq. 3; Kim, Lee, Kang 2020, Eq. 1.
    Example:
      >>> times = jnp.log(jnp.array([1.0, 2.0]))
      >>> z = jnp.arange(10, 120)
      >>> g = debevec(jnp.stack([z, 2 * z], axis=1), times)
      >>> round(float(g[200] - g[100]), 2)  # a linear camera: ln 2
      0.69
    """
    check_samples(levels, log_times, smoothness)
    matrix, target = _debevec_rows(levels, log_times, smoothness, weighting, num_levels)
    g = least_squares.solve(matrix, target)
    return g - g[num_levels // 2]


def check_samples(levels: Array, log_times: Array, smoothness: float) -> None:
    """Raises ValueError unless levels are [p, n], log_times [n] and the smoothness is positive."""
    if jnp.ndim(levels) != 2 or jnp.shape(log_times) != jnp.shape(levels)[1:]:
        raise ValueError(
            f"expected levels [p, n] and log_times [n], got shapes {jnp.shape(levels)} and "
            f"{jnp.shape(log_times)}; use jax.vmap over channels"
        )
    if not smoothness > 0:
        raise ValueError(f"got smoothness {smoothness}: expected a positive number, such as 20")


def _debevec_rows(levels, log_times, smoothness, weighting, num_levels):
    """Rows of Eq. (1) with the ln E_i projected out: (matrix [rows, num_levels], target [rows])."""
    w = weight_function(weighting)(levels, num_levels)  # [p, n]
    log_times = jnp.broadcast_to(jnp.asarray(log_times, w.dtype), w.shape)
    selection = _interpolation_rows(jnp.asarray(levels, w.dtype), num_levels)  # [p, n, num_levels]
    # ln E_i minimises its row: the mean of g(Z_ij) - ln t_j with weights w^2. Double where: a
    # sample that weighs nothing has no mean and drops out.
    total = jnp.sum(w**2, axis=1, keepdims=True)
    share = jnp.where(total > 0, w**2 / jnp.where(total > 0, total, 1), 0)
    row_mean = jnp.einsum("pn,pnz->pz", share, selection)[:, None]
    data = w[..., None] * (selection - row_mean)
    data_target = w * (log_times - jnp.sum(share * log_times, axis=1, keepdims=True))

    inner = jnp.arange(1, num_levels - 1)
    weight_inner = weight_function(weighting)(inner, num_levels).astype(w.dtype)
    identity = jnp.eye(num_levels, dtype=w.dtype)
    second_difference = identity[:-2] - 2 * identity[1:-1] + identity[2:]
    smooth = smoothness * weight_inner[:, None] * second_difference

    middle = num_levels // 2
    slope = SLOPE_PRIOR_WEIGHT * (identity[middle + 1] - identity[middle - 1])
    expected_rise = SLOPE_PRIOR_WEIGHT * 2 * np.log(num_levels) / (num_levels - 1)
    matrix = jnp.concatenate(
        [data.reshape(-1, num_levels), smooth, jnp.stack([identity[middle], slope])]
    )
    zeros = jnp.zeros(num_levels - 1, w.dtype)
    target = jnp.concatenate([data_target.ravel(), zeros, jnp.full(1, expected_rise, w.dtype)])
    return matrix, target


def _interpolation_rows(levels: Array, num_levels: int) -> Array:
    """Rows [..., num_levels] that read a table at real levels, as `lookup` does."""
    k, fraction = interpolation.left_segment(levels, num_levels)
    columns = jnp.arange(num_levels)
    low = (k[..., None] == columns) * (1 - fraction[..., None])
    return low + (k[..., None] + 1 == columns) * fraction[..., None]
