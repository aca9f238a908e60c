"""Weight functions w(z): how far a pixel level can be trusted.

Every function takes `levels` (any shape, float or int, in [0, num_levels - 1]) and `num_levels`,
and returns weights of the same shape in [0, 1]. A weight depends on its level alone: it is never
normalised by the pixels at hand, so the same level weighs the same in every picture.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from jax import Array

from hdr_jax.checks import check_table
from hdr_jax.errors import InputError, one_of
from hdr_jax.levels import widened

Weighting = Callable[[Array, int], Array]

# Between these shares of the scale the weights of `noise` fall to 0.
WHITE = (0.9, 0.98)
# Beyond these a stop more or less is white or black: two exposures cannot both be in between.
NEARLY_WHITE, NEARLY_BLACK = 0.95, 0.03
# Noise and JPEG make as little of white.
LESS_WHITE = 0.85


def hat(levels: Array, num_levels: int = 256) -> Array:
    """Debevec's hat: 1 at mid-grey, falling linearly to 0 at the darkest and the brightest level.

    w(z) = min(z, z_max - z) / (z_max / 2), z_max = num_levels - 1.

    Args:
      levels: pixel levels, any shape, in [0, num_levels - 1]; values outside weigh 0.
      num_levels: number of levels of the camera.

    Returns:
      Weights in [0, 1], float32 (or the float type of `levels`), same shape.

    Differentiable in `levels`.
    Source: Debevec and Malik 1997, Eq. 4 (scaled to a peak of 1).
    Example:
      >>> hat(jnp.array([0.0, 127.5, 255.0])).tolist()
      [0.0, 1.0, 0.0]
    """
    given = _as_float(levels)
    levels, z_max = widened(given), num_levels - 1  # half precision does not reach 65535
    # Not jnp.maximum(..., 0), which halves the slope at the ends of the scale.
    inside = (levels >= 0) & (levels <= z_max)
    weights = jnp.where(inside, jnp.minimum(levels, z_max - levels), 0) / (z_max / 2)
    return weights.astype(given.dtype)


def uniform(levels: Array, num_levels: int = 256) -> Array:
    """Every level counts the same, as Eq. (1) of Kim et al. is printed: w(z) = 1.

    Args:
      levels: pixel levels, any shape.
      num_levels: unused; present so that all weight functions are called alike.

    Returns:
      Ones of the shape of `levels`.

    Source: Kim, Lee, Kang 2020, Eq. 1.
    Example:
      >>> uniform(jnp.array([0, 255])).tolist()
      [1.0, 1.0]
    """
    del num_levels
    return jnp.ones_like(_as_float(levels))


def noise(g: Array, *, shot_noise: float = 0.005, read_noise: float = 5e-4) -> Array:
    """Weights of the levels by the noise that a camera of response g has there: 1 / var(ln E).

    With the exposure X(z) = exp(g(z) - max g) and its variance shot_noise^2 X + read_noise^2,
    var(ln E) = (shot_noise^2 X + read_noise^2) / X^2 + g'(z)^2 / 12; the second term is rounding to
    whole levels. So a level weighs about as much as the light that made it, in which a long
    exposure counts for as many short ones as it lasts. From WHITE[0] on the weight falls, at
    WHITE[1] it is 0: there a level is what clipping left. At level 0 it is 0 too.

    Args:
      g: log inverse response [..., num_levels].
      shot_noise: standard deviation of the light's own noise at the largest exposure, in its unit;
        0.005 is that of 40,000 electrons.
      read_noise: standard deviation of the noise that is there without light, same unit.

    Returns:
      Weights [..., num_levels] in [0, 1], 1 where a level is known best.

    Raises:
      InputError: where g is not finite.

    Differentiable in `g`.
    Source: noise model of Hanji, Zhong and Mantiuk 2020, "Noise-aware merging of high dynamic range
      image stacks without camera calibration".
    Example:
      >>> g = jnp.log((jnp.arange(256) + 0.5) / 255.5)  # a linear camera
      >>> w = noise(g)
      >>> round(float(w[200] / w[100]), 1), float(w[0]), float(w[255])
      (2.1, 0.0, 0.0)
    """
    check_table(g)
    g = widened(g)
    num_levels = g.shape[-1]
    exposure = jnp.exp(g - jnp.max(g, axis=-1, keepdims=True))
    slope: Any = jnp.gradient(g, axis=-1)
    # Times X^2, which of a steep curve may vanish, where 1 / X^2 would be infinite.
    variance = shot_noise**2 * exposure + read_noise**2 + (exposure * slope) ** 2 / 12
    # Without any noise a flat part of g knows its exposure exactly, as far as numbers go.
    variance = jnp.maximum(variance, jnp.finfo(g.dtype).tiny)
    z = (jnp.arange(num_levels, dtype=g.dtype) / (num_levels - 1)).reshape(
        (1,) * (g.ndim - 1) + (-1,)
    )
    below_white = jnp.clip((WHITE[1] - z) / (WHITE[1] - WHITE[0]), 0, 1)
    weights = jnp.where(z > 0, below_white, 0) * exposure**2 / variance
    best = jnp.max(weights, axis=-1, keepdims=True)
    return weights / jnp.where(best > 0, best, 1)  # of two levels, both black or white, none counts


def extremes_counted_once(values: Array, log_times: Array) -> Array:
    """0 for all but the shortest nearly white and the longest nearly black exposures, else 1.

    Noise makes levels of white like 254, which tell nothing of how much brighter than white it was.

    Args:
      values: [n, ...] pixel values in [0, 1] of n exposures.
      log_times: [n] natural logs of exposure times.

    Returns:
      0 or 1, shape and type of `values`.

    Not differentiable.
    Example:
      >>> extremes_counted_once(jnp.array([0.99, 1.0, 0.5]), jnp.array([0.0, 1.0, 2.0])).tolist()
      [1.0, 0.0, 1.0]
    """
    counts = each_extreme_once(list(values), log_times, [True] * len(values))
    return jnp.stack(counts).astype(values.dtype)


def each_extreme_once(
    values: Sequence[Array], log_times: Array, trusted: Sequence[Array | bool]
) -> list[Array]:
    """`extremes_counted_once`, exposure by exposure.

    Args:
      values: n arrays of one shape, pixel values in [0, 1].
      log_times: [n] natural logs of exposure times.
      trusted: n bool arrays of that shape, or True: which may be the shortest or the longest.

    Returns:
      n bool arrays of that shape.

    Not differentiable.
    Example:
      >>> each_extreme_once([jnp.array(0.99), jnp.array(1.0)], jnp.array([0.0, 1.0]), [True, True])
      [Array(True, dtype=bool), Array(False, dtype=bool)]
    """
    shortest_white, longest_black = jnp.inf, -jnp.inf
    for value, time, may in zip(values, log_times, trusted, strict=True):
        white, black = (value >= NEARLY_WHITE) & may, (value <= NEARLY_BLACK) & may
        shortest_white = jnp.minimum(shortest_white, jnp.where(white, time, jnp.inf))
        longest_black = jnp.maximum(longest_black, jnp.where(black, time, -jnp.inf))
    # More exposure is not darker: what is a little less white in a longer one is noise.
    return [
        ((value < LESS_WHITE) | (time <= shortest_white))
        & ((value > NEARLY_BLACK) | (time >= longest_black))
        for value, time in zip(values, log_times, strict=True)
    ]


NAMES: dict[str, Weighting] = {"hat": hat, "uniform": uniform}


def get(weighting: str | Weighting) -> Weighting:
    """Returns the weight function of that name; a function is returned as it is.

    Args:
      weighting: "hat", "uniform" or a function `(levels, num_levels) -> weights`.

    Returns:
      The weight function.

    Raises:
      InputError: for an unknown name.
    Example:
      >>> get("hat") is hat
      True
    """
    if callable(weighting):
        return weighting
    if weighting == "noise":
        raise InputError(
            "weighting 'noise' is of a known response: it is for `merge` and `synthesize`, and "
            "`hdr_jax.weighting.noise(g)` gives its table"
        )
    one_of("weighting", weighting, (*NAMES, "noise"))
    return NAMES[weighting]


def _as_float(levels: Array) -> Array:
    """Integers become float32; floats keep their type."""
    levels = jnp.asarray(levels)
    return levels if jnp.issubdtype(levels.dtype, jnp.floating) else levels.astype(jnp.float32)
