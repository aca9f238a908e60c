"""Look-up tables on the axis of log10 luminance from -5 to 5, shared by the visual stages.

A table [..., k] holds a function of log10 luminance at k equally spaced points. Tables are computed
in float64 with NumPy and cast to the type of the image.
"""

import jax.numpy as jnp
import numpy as np
from jax import Array

LOG10_MIN, LOG10_MAX = -5.0, 5.0
MIN_LUMINANCE, MAX_LUMINANCE = 1e-5, 1e5


def axis(num_points: int) -> np.ndarray:
    """The points [num_points] of a table, log10 cd/m^2."""
    return np.linspace(LOG10_MIN, LOG10_MAX, num_points)


def look_up(log10_luminance: Array, table: np.ndarray) -> Array:
    """Linear interpolation in a table; the ends are held outside [-5, 5].

    The points are equally spaced, so the segment is found by arithmetic instead of a search.

    Args:
      log10_luminance: any shape, log10 cd/m^2.
      table: [k]; or [r, k], one for each of r planes [..., r, h, w].

    Returns:
      Values, shape and type of `log10_luminance`.

    Differentiable in `log10_luminance` (slope of the segment; 0 outside).
    Example:
      >>> float(look_up(jnp.array(0.0), np.linspace(0.0, 1.0, 11)))
      0.5
    """
    dtype = log10_luminance.dtype
    clipped = jnp.clip(log10_luminance, LOG10_MIN, LOG10_MAX)
    segments = table.shape[-1] - 1
    position = (clipped - LOG10_MIN) * (segments / (LOG10_MAX - LOG10_MIN))
    k = jnp.clip(position.astype(jnp.int32), 0, segments - 1)
    if table.ndim > 1:
        first = segments * np.arange(len(table), dtype=np.int32)
        place = k + first.reshape((1,) * (k.ndim - 3) + (-1, 1, 1))
    else:
        place = k

    def take(values):
        return jnp.asarray(values.ravel(), dtype).at[place].get(mode="promise_in_bounds")

    return take(table[..., :-1]) + (position - k) * take(np.diff(table))


def log10_luminance(luminance: Array) -> Array:
    """log10 of luminance clipped to [1e-5, 1e5] cd/m^2, which keeps the slope finite at 0."""
    return jnp.log10(jnp.clip(luminance, MIN_LUMINANCE, MAX_LUMINANCE))
