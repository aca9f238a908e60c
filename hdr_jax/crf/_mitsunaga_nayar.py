"""Recovery of the inverse response as a polynomial, after Mitsunaga and Nayar."""

import functools

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from hdr_jax.checks import check_count
from hdr_jax.crf._curve import monotone
from hdr_jax.crf._debevec import check_samples
from hdr_jax.crf._least_squares import ridge
from hdr_jax.weighting import Weighting
from hdr_jax.weighting import get as weight_function


def mitsunaga_nayar(
    levels: ArrayLike,
    log_times: ArrayLike,
    *,
    degree: int = 5,
    weighting: str | Weighting = "hat",
    num_levels: int = 256,
    confidence: ArrayLike | None = None,
) -> Array:
    """Log inverse response g of one channel as the logarithm of a polynomial f^-1.

    f^-1(x) = sum_m a_m x^m with x = Z / (num_levels - 1), f^-1(1) = 1, minimising over neighbouring
    exposures  sum_ij w_ij^2 (f^-1(x_ij) / t_j - f^-1(x_i,j+1) / t_j+1)^2 (t_j t_j+1), where
    w_ij is the smaller weight of the two. Exposure ratios are taken as known. Always added is
    1e-6 sum_k b_k^2 of the coefficients in f^-1(x) = x + (x - 1) sum_k b_k T_k(2 x - 1), with
    Chebyshev's T_k, which decides where there is no usable pair.

    Prefer `debevec`: errors of the dark, whose exposures are small, count little here, and not all
    cameras are polynomials. Of a clean bracket of 7 exposures the default degree can be 0.6 RMS off
    in ln exposure where `debevec` is 0.008 off; degree 6 is 0.06 off there.

    Args:
      levels: [p, n] samples x exposures in [0, num_levels - 1], integers or reals.
      log_times: [n] natural logs of exposure times.
      degree: of the polynomial, >= 1; 3 to 6 suit photographs.
      weighting: name or function of `hdr_jax.weighting`.
      num_levels: length of g.
      confidence: [p, n], >= 0, a factor on the weights: how far each observation is believed.

    Returns:
      g [num_levels], 0 at num_levels // 2. The polynomial is made increasing (`monotone`) and kept
      above a hundredth of a level's share, so that its logarithm exists.

    Raises:
      InputError: when shapes do not fit, levels are plainly of another scale, times not finite or
        all equal, or `degree` < 1.

    Differentiable in real `levels` and `log_times`, in both modes and any order.
    Source: Mitsunaga and Nayar 1999, "Radiometric self calibration".
    Example:
      >>> z = jnp.arange(10, 120)
      >>> g = mitsunaga_nayar(jnp.stack([z, 2 * z], axis=1), jnp.log(jnp.array([1.0, 2.0])))
      >>> round(float(g[200] - g[100]), 2)
      0.69
    """
    levels, log_times = check_samples(levels, log_times, num_levels, confidence)
    check_count("degree", degree, 1)
    weight = jnp.asarray(weight_function(weighting)(levels, num_levels))
    weight = weight.astype(levels.dtype)  # a user's own may be bools
    weight = weight if confidence is None else weight * jnp.asarray(confidence, weight.dtype)
    return _mitsunaga_nayar(levels, log_times, weight, int(degree), int(num_levels))


@functools.partial(jax.jit, static_argnums=(3, 4))
def _mitsunaga_nayar(levels, log_times, weight, degree, num_levels):
    """`mitsunaga_nayar` with the weights of the samples [p, n]."""
    order = jnp.argsort(log_times)
    x = levels[:, order] / (num_levels - 1)
    weight, log_times = weight[:, order], log_times[order]
    half_ratio = jnp.exp((log_times[1:] - log_times[:-1]) / 2)
    pair_weight = jnp.minimum(weight[:, 1:], weight[:, :-1])

    def pair_difference(values):  # [p, n, ...] -> [p, n - 1, ...], weighted
        trailing = (1,) * (values.ndim - 2)
        ratio = half_ratio.reshape(1, -1, *trailing)
        difference = ratio * values[:, :-1] - values[:, 1:] / ratio
        return difference * pair_weight.reshape(*pair_weight.shape, *trailing)

    matrix = pair_difference(_zero_at_one(x, degree)).reshape(-1, degree)
    # With the faint ridge f^-1(x) = x where there is no usable pair.
    coefficients = 1e3 * ridge(1e3 * matrix, -pair_difference(x).ravel())
    z = jnp.linspace(0, 1, num_levels, dtype=matrix.dtype)
    inverse_response = z + _zero_at_one(z, degree) @ coefficients
    g = jnp.log(monotone(jnp.maximum(inverse_response, 0.01 / (num_levels - 1))))
    return g - g[num_levels // 2]


def _zero_at_one(x: Array, degree: int) -> Array:
    """A basis [..., degree] of the polynomials up to `degree` that are 0 at 1, so that x plus them
    is 1 there: (x - 1) T_k(2 x - 1) with Chebyshev's T_k, k < degree.

    Of the powers of x the normal equations lose half of float32's digits: g was 0.04 off where all
    that is known are a few levels.
    """
    u = 2 * x - 1
    chebyshev = [jnp.ones_like(x), u]
    for _ in range(2, degree):
        chebyshev.append(2 * u * chebyshev[-1] - chebyshev[-2])
    return (x[..., None] - 1) * jnp.stack(chebyshev[:degree], axis=-1)
