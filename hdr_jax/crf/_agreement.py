"""Which samples agree on one response: a robust fit of a coarse curve; and which exposures match.

A caption, a frame, or whatever moved is in the pictures but does not obey ln(E t) = g(Z). Least
squares would bend g to please it. Here a coarse g is fitted again and again, each time with less
weight on what it does not explain; what is off by several median deviations in the end is left out.
"""

import itertools

import jax
import jax.numpy as jnp
from jax import Array

from hdr_jax.crf._curve import lookup
from hdr_jax.crf._debevec import debevec
from hdr_jax.sampling import thinning
from hdr_jax.shards import alike

# The coarse curve has this many knots, dense where responses bend: level = knot^2, both up to 1.
KNOTS = 32
SMOOTHNESS = 0.05
# Rounds of least absolute deviations, which find the majority from anywhere, then of Welsch's
# weights, which forget the rest.
ROUNDS = (4, 4)
# What is off by so many standard deviations disagrees; but never what the rounding of levels and
# the coarseness of the curve explain.
OUTLIER, LEAST_DEVIATION, LEAST_OUTLIER = 4.0, 0.004, 0.02
# Number of places at which exposures are compared and pixels by which they are moved for that;
# misfits beyond the largest count as that.
COMPARED, SHIFTS, LARGEST_MISFIT, BETTER_ELSEWHERE = 2**12, (1, 4), 0.2, 0.9
# Levels of a sample that are told apart when crowds are counted.
BINS = 128


def agreement(levels: Array, log_times: Array, usable: Array) -> tuple[Array, Array, Array]:
    """Which observations of one channel a common response explains.

    Args:
      levels: [p, n] samples x exposures in [0, 1].
      log_times: [n] natural logs of exposure times.
      usable: bool [p, n], False for observations that are not to be looked at.

    Returns:
      (agrees bool [p, n]; deviation, the standard deviation of ln E from mid-grey on by the median
      difference of neighbouring exposures; the coarse curve [KNOTS]).

    Constant to differentiation: it is piecewise constant in all arguments.
    Source: iteratively re-weighted least squares, Holland and Welsch 1977.
    """
    order = jnp.argsort(log_times)
    levels, log_times = jax.lax.stop_gradient((levels[:, order], log_times[order]))
    weight = _weight(levels)
    usable = usable[:, order] & (weight > 0.02)
    usable &= jnp.sum(usable, axis=1, keepdims=True) >= 2
    base = _thin_crowds(levels, usable)
    unit = _unit(levels)

    def fit(trust):
        g = debevec(
            _knot(levels),
            log_times,
            smoothness=SMOOTHNESS,
            weighting=lambda knot, num: _weight((knot / (num - 1)) ** 2),
            num_levels=KNOTS,
            confidence=trust,
        )
        log_radiance = lookup(_knot(levels), g) - log_times[None]
        agreed = _weighted_median(log_radiance, jnp.square(base * weight))
        return unit * jnp.abs(log_radiance - agreed), _deviation(log_radiance, unit, usable), g

    def round_of(index, last):
        off, deviation, _ = last
        absolute = jax.lax.rsqrt(jnp.maximum(off / deviation, 1))
        trust = jnp.where(index <= ROUNDS[0], absolute, _welsch(off / deviation))
        return fit(base * trust)

    # Nothing is off at first, so that all are trusted; one place that fits keeps the program short.
    nothing = jnp.zeros_like(levels), jnp.ones((), levels.dtype), jnp.zeros(KNOTS, levels.dtype)
    start, _ = alike(nothing, (levels, log_times, usable))
    off, deviation, g = jax.lax.fori_loop(0, 1 + sum(ROUNDS), round_of, start)
    agrees = off <= jnp.maximum(OUTLIER * deviation, LEAST_OUTLIER)
    return agrees[:, jnp.argsort(order)], deviation, g


def share_in_register(stack: Array, log_times: Array, g: Array) -> Array:
    """Share of the pairs of neighbouring exposures that match best as they lie.

    A pair is out of register when its misfit in ln E falls below BETTER_ELSEWHERE of what it is
    when one of the two is moved by one of SHIFTS. Judged by the middle channel.

    Args:
      stack: [n, h, w, c] in [0, 1].
      log_times: [n] natural logs of exposure times.
      g: coarse curves [c, KNOTS] of `agreement`.
    """
    order = jnp.argsort(log_times)
    channel = len(g) // 2
    moved = jax.lax.stop_gradient(_moved(stack[..., channel]))  # [shifts, n, places]
    levels = jnp.clip(moved, 0, 1)[:, order]
    log_radiance = lookup(_knot(levels), g[channel]) - log_times[order][None, :, None]
    inside = _weight(levels[0]) > 0.04
    both = inside[1:] & inside[:-1]
    misfit = _unit(levels[:1, 1:]) * jnp.abs(log_radiance[:, :-1] - log_radiance[:1, 1:])
    misfit = jnp.sum(jnp.where(both[None], jnp.minimum(misfit, LARGEST_MISFIT), 0), axis=2)
    return jnp.mean(jnp.min(misfit, axis=0) >= BETTER_ELSEWHERE * misfit[0])


def _moved(pictures: Array) -> Array:
    """Pictures [n, h, w] at some places, as they are and moved: [1 + 8 len(SHIFTS), n, places]."""
    h, w = pictures.shape[1:]
    margin = max([shift for shift in SHIFTS if 4 * shift < min(h, w)], default=0)
    height, width = h - 2 * margin, w - 2 * margin
    k = thinning(height, width, COMPARED)
    steps = [(0, 0)] + [
        (y * shift, x * shift)
        for shift in SHIFTS
        if shift <= margin
        for y, x in itertools.product((-1, 0, 1), repeat=2)
        if y or x
    ]
    corners = [(margin + y, margin + x) for y, x in steps]
    parts = [pictures[:, y : y + height : k, x : x + width : k] for y, x in corners]
    return jnp.stack([part.reshape(len(part), -1) for part in parts])


def _knot(levels: Array) -> Array:
    """Where levels in [0, 1] are in the coarse curve."""
    return jnp.sqrt(levels) * (KNOTS - 1)


def _unit(levels: Array) -> Array:
    """Factor on ln E up to mid-grey: noise is nearer to the same in levels than in ln exposure."""
    return jnp.minimum(2 * levels, 1)


def _weight(levels: Array) -> Array:
    """Debevec's hat of levels in [0, 1], kept above 0 where it is a factor on the smoothness."""
    return jnp.maximum(2 * jnp.minimum(levels, 1 - levels), 1e-4)


def _welsch(deviations: Array) -> Array:
    """Square root of Welsch's weight function, as `debevec` squares it."""
    return jnp.exp(-jnp.square(deviations / 3) / 2)


def _thin_crowds(levels: Array, usable: Array) -> Array:
    """Weights [p, n] that count a crowd of observations at one level as its square root.

    What has the same level wherever it is, as a frame or a white object has, is thus no majority at
    that level.
    """
    bins = jnp.minimum((levels * BINS).astype(jnp.int32), BINS - 1)
    counts = jnp.zeros(BINS, levels.dtype).at[bins].add(usable)
    return usable * jax.lax.rsqrt(jnp.maximum(counts[bins], 1))


def _deviation(log_radiance: Array, unit: Array, usable: Array) -> Array:
    """Standard deviation of ln E by the median difference of neighbouring exposures [p, n]."""
    difference = jnp.minimum(unit[:, 1:], unit[:, :-1]) * jnp.diff(log_radiance, axis=1)
    both = usable[:, 1:] & usable[:, :-1]
    return jnp.maximum(1.4826 / jnp.sqrt(2) * _median(jnp.abs(difference), both), LEAST_DEVIATION)


def _median(values: Array, chosen: Array) -> Array:
    """Median of the chosen ones of values >= 0, 0 where there is none.

    Such floats are in the order of their bits, and XLA's CPU backend sorts integers four times as
    fast.
    """
    integer = jnp.dtype(f"int{8 * values.dtype.itemsize}")
    bits = jax.lax.bitcast_convert_type(jnp.where(chosen, values, jnp.inf), integer)
    ordered = jax.lax.bitcast_convert_type(jnp.sort(bits.ravel()), values.dtype)
    count = jnp.sum(chosen)
    middle = (ordered[jnp.maximum(count - 1, 0) // 2] + ordered[count // 2]) / 2
    return jnp.where(count > 0, middle, 0)


def _weighted_median(values: Array, weights: Array) -> Array:
    """Median [p, 1] of each row of values [p, n]."""
    # Few exposures are compared each with each faster than they are sorted.
    up_to = values[:, None, :] <= values[:, :, None]
    shares = jnp.sum(jnp.where(up_to, weights[:, None, :], 0), axis=2)
    half = jnp.sum(weights, axis=1, keepdims=True) / 2
    return jnp.min(jnp.where(shares >= half, values, jnp.inf), axis=1, keepdims=True)
