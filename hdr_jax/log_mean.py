"""Eq. (2) pixel by pixel: the weighted mean of ln E over the exposures, and its gradient.

Notation as in `hdr_jax.merge`. Inside, pictures [h, w, c] are lines [h, w * c], see
`hdr_jax.xla_cpu.lines`.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from hdr_jax.levels import as_unit_float, clamp, entries, evaluate
from hdr_jax.weighting import each_extreme_once, noise
from hdr_jax.weighting import get as weight_function
from hdr_jax.xla_cpu import in_memory, lines

# A pixel of less weight in all goes to its fallback. By "hat" only black and white weigh so little:
# other levels have 0.008 and more of 256 levels, 3e-5 of 65536. By "noise" the darkest levels do
# too (1 to 74 of 65536 of sRGB, 1 to 3 of 256 of a gamma of 2.2): of these the fallback, the
# longest exposure, knows most.
NEGLIGIBLE_WEIGHT = 1e-6


class LogMean(NamedTuple):
    """The weighted mean of ln E and what it came from, all lines [h, w * c].

    Attributes:
      value: ln E, up to its scale.
      total: sum of the weights.
      alone: int16, the exposure that a pixel is read from by itself; -1 where the mean counts.
      brightest: the shortest exposure in [0, 1].
    """

    value: Array
    total: Array
    alone: Array
    brightest: Array


def log_mean(
    stack,
    log_times,
    g,
    confidence,
    *,
    weighting,
    rounding,
    weight_gradient=False,
    extremes_once=False,
) -> LogMean:
    """The mean of ln E, with its exceptions, as `hdr_jax.merge.merge` says.

    Exposure by exposure, so that XLA makes one pass over the pixels of it; with arrays
    [n, h, w, c] of levels, weights and the like memory would take ten times as long.

    Args:
      stack: [n, h, w, c] float, uint8 or uint16, checked.
      log_times: [n].
      g: log inverse response [c, num_levels].
      confidence: of pixels, but for every channel, lines [n, h, w * c] in [0, 1]; or None.
      weighting: name or function of `hdr_jax.weighting`.
      rounding: read g at integer levels.
      weight_gradient: let gradients flow through the weights too.
      extremes_once: of exposures that are all nearly white, or black, only one counts.

    Returns:
      The mean, finite.

    Differentiable in `stack`, `log_times` and `g`.
    Source: Debevec and Malik 1997, Eq. 6.
    """
    n, num_levels = len(stack), g.shape[-1]
    exposures = _each(lines(stack))
    pictures = [clamp(as_unit_float(picture), 0, 1) for picture in exposures]
    levels = [picture * (num_levels - 1) for picture in pictures]
    weigh = _weighing(g, weighting)
    weights = [weigh(z) for z in levels]
    if not weight_gradient:
        weights = jax.lax.stop_gradient(weights)
    if stack.dtype == jnp.uint8 and num_levels == 256:
        read = [entries(g, picture) for picture in exposures]
    else:
        read = [evaluate(z, g, rounding) for z in levels]
    log_radiance = [x - log_times[j] for j, x in enumerate(read)]
    believed = None
    if confidence is not None:
        believed = _believed(confidence)
        factors = _factors(confidence)
        weights = [w * factor for w, factor in zip(weights, factors, strict=True)]
    if extremes_once:
        counts = each_extreme_once(pictures, log_times, believed or [True] * n)
        weights = [jnp.where(count, w, 0) for w, count in zip(weights, counts, strict=True)]
    total = functools.reduce(jnp.add, weights)
    # Double where: a pixel that weighs nothing has no mean, and 0/0 would poison its gradient.
    lost = total < NEGLIGIBLE_WEIGHT
    weighted = sum(w * x for w, x in zip(weights, log_radiance, strict=True))
    mean = weighted / jnp.where(lost, 1, total)
    shortest, middle, longest = _ends(log_times, believed)
    white = lost & (_at(pictures, middle) > 0.5)
    filled = jnp.where(lost, _at(log_radiance, longest), mean)
    some_white = jnp.any(white.reshape(stack.shape[1:]), axis=-1, keepdims=True)
    beside_white = lines(jnp.broadcast_to(some_white, stack.shape[1:]))
    usable = beside_white & (_at(weights, shortest) >= NEGLIGIBLE_WEIGHT)
    from_shortest = white | usable
    value = jnp.where(from_shortest, _at(log_radiance, shortest), filled)
    alone = jnp.where(from_shortest, shortest, jnp.where(lost, longest, -1)).astype(jnp.int16)
    return LogMean(value, total, alone, _at(pictures, shortest))


@functools.partial(jax.custom_vjp, nondiff_argnums=(4, 5))
def with_constant_weights(stack, log_times, g, confidence, weighting, rounding) -> LogMean:
    """`log_mean` whose gradient is one pass over the stack; only that of its value is known.

    The value is sum_j a_j x_j of what each exposure says, x_j = g(Z_j) - ln t_j, with the shares
    a_j = w_j / total, or 1 for the exposure that a pixel is read from by itself and 0 for others.
    JAX's own gradient keeps 14 arrays of the stack's entries of g for seven exposures.

    Args:
      stack: [n, h, w, c] float, uint8 or uint16, checked.
      log_times: [n].
      g: log inverse response [c, num_levels].
      confidence: of pixels, but for every channel, lines [n, h, w * c] in [0, 1]; or None.
      weighting: name or function of `hdr_jax.weighting`, static.
      rounding: read g at integer levels, static.

    Returns:
      The mean, finite.

    Differentiable in `stack`, `log_times` and `g`, in reverse mode only.
    Source: Kim, Lee, Kang 2020, Eq. 2 and 3.
    """
    return log_mean(stack, log_times, g, confidence, weighting=weighting, rounding=rounding)


def _forward(stack, log_times, g, confidence, weighting, rounding):
    mean: Any = with_constant_weights(stack, log_times, g, confidence, weighting, rounding)
    # As floats, which alone `in_memory` keeps; else XLA finds it anew for every exposure.
    alone = in_memory(mean.alone.astype(mean.total.dtype))
    return mean, (stack, log_times, g, confidence, mean.total, alone)


def _backward(weighting, rounding, residuals, cotangent):
    stack, log_times, g, confidence, total, alone = residuals

    def read(stack, g):
        levels = clamp(as_unit_float(lines(stack)), 0, 1) * (g.shape[-1] - 1)
        return evaluate(levels, g, rounding), levels

    _, pull, levels = jax.vjp(read, stack, g, has_aux=True)
    weights = _weighing(g, weighting)(levels)
    if confidence is not None:
        half = confidence >= 0.5  # `_factors` as one array
        nobody = in_memory((~jnp.any(half, axis=0, keepdims=True)).astype(weights.dtype)) > 0
        weights = weights * jnp.where(half | nobody, confidence, 0)
    # Behind a barrier, or XLA would divide, and sum the weights, anew for every exposure.
    per_weight = jax.lax.optimization_barrier(cotangent.value / jnp.where(alone < 0, total, 1))
    exposure = jnp.arange(len(stack)).reshape(-1, 1, 1)
    alone = alone[None]
    x_bar = per_weight[None] * jnp.where(alone < 0, weights, alone == exposure)
    stack_bar, g_bar = pull(x_bar)
    return stack_bar, -jnp.sum(x_bar, axis=(1, 2)).astype(log_times.dtype), g_bar, None


with_constant_weights.defvjp(_forward, _backward)


def _weighing(g, weighting) -> Callable[[Any], Any]:
    """w, a function of levels, lines, from a camera of response g [c, num_levels]."""
    channels, num_levels = g.shape
    if weighting == "noise":
        table = noise(g)
        return lambda levels: evaluate(levels, table)
    weight = weight_function(weighting)
    if not callable(weighting):
        return lambda levels: weight(levels, num_levels)

    def of_pictures(levels):
        """A user's own may look at all channels of a pixel."""
        pixels = levels.reshape(*levels.shape[:-1], -1, channels)
        weights = jnp.asarray(weight(pixels, num_levels))
        # Of bools a sum would be one of them.
        return lines(jnp.broadcast_to(weights.astype(pixels.dtype), pixels.shape))

    return of_pictures


def _each(stack):
    """The n pictures of a stack, for loops that XLA fuses."""
    return [picture[0] for picture in jax.lax.split(stack, [1] * len(stack))]


def _believed(confidence):
    """Which of n exposures count: those believed by one half, or all where there are none."""
    half = [trust >= 0.5 for trust in _each(confidence)]
    none = ~functools.reduce(jnp.logical_or, half)
    return [believed | none for believed in half]


def _factors(confidence):
    """What the weights of n exposures are multiplied by."""
    pairs = zip(_believed(confidence), _each(confidence), strict=True)
    return [jnp.where(counts, trust, 0) for counts, trust in pairs]


def _ends(log_times, believed):
    """The shortest, the middle and the longest exposure, indices; of those that are believed.

    With n bools of one shape they are of that shape; the longest stands for a middle that is not
    believed.
    """
    order = jnp.argsort(log_times)
    shortest, middle, longest = order[0], order[len(log_times) // 2], order[-1]
    if believed is None:
        return shortest, middle, longest
    first = last = jnp.zeros(believed[0].shape, jnp.int32)
    earliest, latest = jnp.inf, -jnp.inf
    for j, (time, counts) in enumerate(zip(log_times, believed, strict=True)):
        sooner, later = counts & (time < earliest), counts & (time > latest)
        first, earliest = jnp.where(sooner, j, first), jnp.where(sooner, time, earliest)
        last, latest = jnp.where(later, j, last), jnp.where(later, time, latest)
    return first, jnp.where(_at(believed, middle), middle, last), last


def _at(values, exposure):
    """Of n arrays of one shape that of one exposure, or of another one for each of its entries."""
    chosen = values[0]
    for j, value in enumerate(values[1:], start=1):
        chosen = jnp.where(exposure == j, value, chosen)
    return chosen
