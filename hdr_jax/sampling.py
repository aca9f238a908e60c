"""Which levels the response is recovered from: quantiles of the exposures' histograms.

The fraction of a scene's pixels that are darker than some radiance is the same in every exposure,
so level quantiles of the exposures correspond to each other: no pixel is followed, nothing needs to
be registered (Grossberg and Nayar 2003).

Notation: stack [n, h, w, c] in [0, 1] or unsigned integers, p samples,
levels = stack * (num_levels - 1), cdf[j, z] = fraction of the pixels of exposure j with a level of
at most z. Results are [c, p, n]: a table of samples x exposures for every channel, as
`hdr_jax.crf.debevec` takes it.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from hdr_jax.checks import as_array, check_count, check_unit, check_valid, check_within
from hdr_jax.errors import InputError, one_of
from hdr_jax.levels import as_unit_float, clamp, left_segment, widened

MAX_HISTOGRAM_PIXELS = 2**22  # a float32 bin counts exactly up to 2**24

# How far the quantiles move from equal numbers of pixels (0) towards equal steps of the mean level
# (1). Measured: 0 predicts the popular levels of real photographs best and 1 recovers a synthetic
# curve best; at 0.2 both are better than OpenCV's samples.
LEVEL_SPREAD = 0.2
GOLDEN_RATIO = 0.618034


def quantiles(
    stack: Array,
    num_samples: int = 256,
    *,
    num_levels: int = 256,
    level_spread: float = LEVEL_SPREAD,
    valid: Array | None = None,
) -> Array:
    """Real-valued, unbiased level quantiles, the same for all exposures: the default.

    A level z stands for the interval [z - 1/2, z + 1/2], so cdf[j, z] is reached at z + 1/2; inside
    it the cdf is linear. Reading the quantile off the nearest integer instead, as the paper's
    recipe does, is half a level too low in every exposure, which bends g most where it is steep.
    Quantiles in the darkest and the brightest level are exactly that level, and weigh nothing.
    The p quantiles u are equally spaced in (1 - level_spread) u + level_spread * mean level(u).

    Args:
      stack: [n, h, w, c] float in [0, 1], uint8 or uint16.
      num_samples: p, the number of quantiles.
      num_levels: number of levels of the response to recover.
      level_spread: 0 spaces the quantiles by numbers of pixels, 1 by the mean level.
      valid: bool [n, h, w], where an exposure holds data; pixels count that are data in all.

    Returns:
      Levels [c, p, n] float in [0, num_levels - 1], increasing along p.

    Raises:
      InputError: for another shape of `stack` or `valid`, floats plainly not in [0, 1], no sample,
        fewer than two levels, or a `level_spread` outside [0, 1].

    Differentiable in `stack` almost everywhere (a pixel between two integers is counted linearly in
    both).
    Source: after Grossberg and Nayar 2003, "Determining the camera response from images".
    Example:
      >>> ramp = jnp.linspace(0, 1, 256).reshape(1, 16, 16, 1)
      >>> stack = jnp.concatenate([ramp, ramp / 2])
      >>> quantiles(stack, num_samples=2, level_spread=0.0)[0].round().tolist()
      [[64.0, 32.0], [192.0, 96.0]]
    """
    _check_counts(num_samples, num_levels)
    check_within("level_spread", level_spread, 0, 1)
    pixels, weights = _pixels_first(stack, valid)
    cdf = _cumulative(pixels * (num_levels - 1), weights, num_levels)
    return jax.vmap(lambda c: _spread_quantiles(c, num_samples, level_spread))(cdf)


def grossberg_nayar(
    stack: Array, num_samples: int = 256, *, num_levels: int = 256, valid: Array | None = None
) -> Array:
    """The paper's recipe: at each of p equally spaced u, the level whose cdf is nearest to u.

    Args:
      stack: [n, h, w, c] float in [0, 1], uint8 or uint16.
      num_samples: p, the number of quantiles u = 0, 1/(p-1), ..., 1.
      num_levels: number of levels of the response to recover.
      valid: bool [n, h, w], where an exposure holds data; pixels count that are data in all.

    Returns:
      Levels [c, p, n] int32 in [0, num_levels - 1].

    Raises:
      InputError: as `quantiles`.

    Source: Grossberg and Nayar 2003; Kim, Lee, Kang 2020.
    Example:
      >>> ramp = jnp.linspace(0, 1, 256).reshape(1, 16, 16, 1)
      >>> grossberg_nayar(jnp.concatenate([ramp, ramp / 2]), num_samples=3)[0].tolist()
      [[0, 0], [127, 63], [255, 128]]
    """
    _check_counts(num_samples, num_levels)
    pixels, weights = _pixels_first(stack, valid)
    cdf = _cumulative(jnp.round(pixels * (num_levels - 1)), weights, num_levels)
    u = jnp.linspace(0, 1, num_samples, dtype=cdf.dtype)
    distance = jnp.abs(cdf[:, :, None] - u[None, None, :, None])  # [c, n, p, num_levels]
    return jnp.argmin(distance, axis=-1).swapaxes(1, 2).astype(jnp.int32)


NAMES: dict[str, Callable[..., Array]] = {
    "quantiles": quantiles,
    "grossberg_nayar": grossberg_nayar,
}


def get(sampling: str | Callable[..., Array]) -> Callable[..., Array]:
    """Returns the sampling function of that name; a function is returned as it is.

    Args:
      sampling: "quantiles", "grossberg_nayar" or a function called like them.

    Returns:
      The sampling function.

    Raises:
      InputError: for an unknown name.

    Example:
      >>> get("quantiles") is quantiles
      True
    """
    if callable(sampling):
        return sampling
    one_of("sampling", sampling, NAMES)
    return NAMES[sampling]


def thinning(height: int, width: int, places: int) -> int:
    """The smallest step between rows and between columns that leaves at most so many places.

    Args:
      height, width: of the picture, in pixels.
      places: how many may be left, >= 1.

    Returns:
      The step, >= 1.

    Example:
      >>> thinning(600, 800, 2**20), thinning(600, 800, 2**18)
      (1, 2)
    """
    step = 1
    while -(-height // step) * -(-width // step) > places:
        step += 1
    return step


def _check_counts(num_samples: int, num_levels: int) -> None:
    """A sample at least, and two levels."""
    check_count("num_samples", num_samples, 1)
    check_count("num_levels", num_levels, 2)


def _pixels_first(stack: Array, valid: Array | None) -> tuple[Array, Array | None]:
    """[n, h, w, c] -> [c, n, pixels] in [0, 1], thinned evenly where there are too many.

    With it the weights [pixels]: 1 where all exposures are valid; None if all pixels are.
    """
    stack = jnp.asarray(stack)
    if stack.ndim != 4 or not stack.size:
        raise InputError(f"got a stack {stack.shape}: expected [n, h, w, c] with pixels")
    check_unit(stack)
    n, h, w, c = stack.shape
    step = thinning(h, w, MAX_HISTOGRAM_PIXELS)
    thinned = widened(as_unit_float(stack[:, ::step, ::step]))  # half precision cannot count
    pixels = clamp(thinned.reshape(n, -1, c).transpose(2, 0, 1), 0, 1)
    if valid is None:
        return pixels, None
    mask = as_array(valid)
    check_valid(mask, stack.shape)
    return pixels, jnp.all(mask[:, ::step, ::step], axis=0).ravel().astype(pixels.dtype)


def _cumulative(levels: Array, weights: Array | None, num_levels: int) -> Array:
    """Fractions [c, n, num_levels] of the pixels of `levels` [c, n, pixels] up to each level."""
    one = jax.vmap(jax.vmap(lambda z: _linear_histogram(z, weights, num_levels)))
    return jnp.cumsum(one(levels), axis=-1)


def _linear_histogram(levels: Array, weights: Array | None, num_levels: int) -> Array:
    """Fractions [num_levels] of `levels` [pixels]; a level between integers counts in both."""
    k, fraction = left_segment(levels, num_levels)
    low, high, total = 1 - fraction, fraction, levels.size
    if weights is not None:
        low, high, total = low * weights, high * weights, jnp.maximum(jnp.sum(weights), 1)
    counts = jnp.zeros(num_levels, levels.dtype).at[k].add(low).at[k + 1].add(high)
    return counts / total


def _spread_quantiles(cdf: Array, num_samples: int, level_spread: float) -> Array:
    """Samples [p, n] of one channel from its cdf [n, num_levels]."""
    # Where no pixel has a level the cdf is flat, at a multiple of 1 / pixels or at an end, and
    # rounding would decide to which side of the gap that fraction belongs: `inner` has none such.
    steps = 4 * cdf.shape[-1]
    inner = (jnp.arange(steps, dtype=cdf.dtype) + GOLDEN_RATIO) / steps
    mean_level = jax.vmap(_level_at, (0, None))(cdf, inner).mean(0) / (cdf.shape[-1] - 1)
    mean_level = jnp.pad(mean_level, 1, mode="edge")
    grid = jnp.concatenate([jnp.zeros(1, cdf.dtype), inner, jnp.ones(1, cdf.dtype)])
    spread = (1 - level_spread) * grid + level_spread * mean_level
    centres = (jnp.arange(num_samples, dtype=cdf.dtype) + 0.5) / num_samples
    u = jnp.interp(spread[0] + centres * (spread[-1] - spread[0]), spread, grid)
    return jax.vmap(_level_at, (0, None), 1)(cdf, u)


def _level_at(cdf: Array, u: Array) -> Array:
    """Real-valued level at which `cdf` [num_levels] reaches each u [p]."""
    num_levels = cdf.shape[0]
    upper_ends = jnp.arange(num_levels, dtype=cdf.dtype) + 0.5
    level = jnp.interp(u, cdf, upper_ends)
    level = jnp.where(u <= cdf[0], 0, jnp.minimum(level, num_levels - 1))
    # A clipped pixel's level is known exactly only to be the end of the scale.
    return jnp.where(u >= cdf[-2], num_levels - 1, level)
