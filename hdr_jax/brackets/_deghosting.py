"""Deghosting: how far each exposure of a stack tells of the same scene as a reference exposure.

Notation: stack [n, h, w, c] in [0, 1] or unsigned integers, log_times ln t [n], log inverse
response g [c, num_levels], levels Z = stack * (num_levels - 1). Confidence [n, h, w] in [0, 1] is
for `hdr_jax.merge.merge`, which multiplies its weights by it.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from hdr_jax import crf
from hdr_jax.errors import InputError
from hdr_jax.levels import Pixels, white_level

# In levels of 256: how far a level may be off by noise and coding, and the misfit beyond that at
# which an exposure counts 1/e.
TOLERANCE = 4.0
SOFTNESS = 8.0
# Levels of 256 within which a camera tells how much light there is. Towards white it bends colours:
# a channel that nears white drags the others along.
DARKEST, BRIGHTEST = 4.0, 240.0


def reference_index(stack: Pixels) -> int:
    """The exposure with most well-exposed pixels: all channels between a tenth and nine tenths.

    Args:
      stack: [n, h, w, c] float in [0, 1], uint8 or uint16.

    Returns:
      Its index; the first one of equals.

    Not differentiable.
    Example:
      >>> reference_index(jnp.stack([jnp.full((2, 2, 3), x) for x in (0.0, 0.4, 1.0)]))
      1
    """
    # NumPy: a picture of a new size should need no program for this.
    pixels = np.asarray(stack)
    white = white_level(pixels)
    usable = ((pixels > 0.1 * white) & (pixels < 0.9 * white)).all(-1)
    return int(usable.sum((1, 2)).argmax())


def confidence(
    stack: ArrayLike,
    log_times: ArrayLike,
    g: ArrayLike,
    *,
    reference: int,
    radius: int = 2,
    valid: ArrayLike | None = None,
) -> Array:
    """Confidence in every pixel of every exposure, by what the reference exposure predicts.

    A level z of the reference stands for [z - TOLERANCE, z + TOLERANCE]. Through the response that
    is an interval of ln E, widened to those of the eight neighbours, as exposures are rarely
    registered to the pixel; and an interval of levels in exposure j. The misfit d is the distance
    of Z_j from it, the largest of the channels, averaged over 2 radius + 1 pixels squared.
    confidence = exp(-((d - TOLERANCE)_+ / SOFTNESS)^2), lowered to its minimum over as many pixels,
    since a moving edge is soft.

    Where the reference is black its interval has one end only; where one of its channels is nearly
    white, that channel has a lower end and the others have none. Other exposures, those nearest to
    it first, then close the interval, where they agree with it. Where the reference holds no data
    its interval is open at both ends.

    Args:
      stack: [n, h, w, c] float in [0, 1], uint8 or uint16.
      log_times: [n] natural logs of exposure times.
      g: log inverse response [c, num_levels], non-decreasing.
      reference: index of the exposure that is believed.
      radius: of the window, pixels.
      valid: bool [n, h, w], where an exposure holds data; None is everywhere.

    Returns:
      Confidence [n, h, w] in [0, 1]; 1 everywhere in the reference, 0 where there is no data.

    Raises:
      InputError: when shapes do not fit.

    Not meant to be differentiated.
    Source: own; consistency with a reference through the response as in Grosch 2006, "Fast and
      robust high dynamic range image generation with camera and object movement".
    Example:
      >>> g = jnp.log((jnp.arange(256) + 0.5) / 255.5)[None]
      >>> stack = jnp.full((2, 9, 9, 1), 0.25).at[1].set(0.5).at[1, 6:, 6:].set(0.9)
      >>> trust = confidence(stack, jnp.log(jnp.array([1.0, 2.0])), g, reference=0)
      >>> float(trust[1, 0, 0]), float(trust[1, 8, 8]) < 0.1
      (1.0, True)
    """
    stack, log_times = crf.check_stack(stack, log_times)
    g = jnp.asarray(g)
    if g.ndim != 2 or not 0 <= reference < stack.shape[0]:
        raise InputError(
            f"got g of shape {g.shape} and reference {reference} for {stack.shape[0]} "
            "exposures; expected g [c, num_levels] and an index of an exposure"
        )
    valid = jnp.ones(stack.shape[:3], bool) if valid is None else jnp.asarray(valid)
    return _confidence(stack, log_times, g, valid, reference, radius)


@functools.partial(jax.jit, static_argnames=("reference", "radius"))
def _confidence(stack, log_times, g, valid, reference, radius):
    """`confidence` of a checked stack."""
    levels = jnp.clip(stack, 0, 1) * (g.shape[1] - 1)
    order = jnp.argsort(jnp.abs(log_times - log_times[reference]).at[reference].set(-1))

    def judge(interval, j):
        misfit = jnp.where(valid[j], _misfit(levels[j], log_times[j], g, interval), 0)
        trust = _agreement(misfit, g.shape[1], radius) * valid[j]
        closed = _close(interval, _interval(levels[j], log_times[j], g, valid[j]), trust > 0.5)
        return closed, trust

    first = _interval(levels[reference], log_times[reference], g, valid[reference])
    _, trusts = jax.lax.scan(judge, first, order[1:])
    whole = valid[reference].astype(trusts.dtype)[None]
    return jnp.concatenate([whole, trusts])[jnp.argsort(order)]


def _interval(levels: Array, log_time: Array, g: Array, valid: Array) -> tuple[Array, Array]:
    """Lowest and highest ln E [h, w, c] that levels of one exposure stand for."""
    unit = (g.shape[1] - 1) / 255
    white = levels >= BRIGHTEST * unit
    bent = jnp.any(white, axis=-1, keepdims=True)
    lowest = jnp.where(white, (BRIGHTEST - 2 * TOLERANCE) * unit, levels) - TOLERANCE * unit
    low = crf.lookup(lowest, g) - log_time
    low = jnp.where(white | ~bent & (levels > DARKEST * unit), low, -jnp.inf)
    high = jnp.where(bent, jnp.inf, crf.lookup(levels + TOLERANCE * unit, g) - log_time)
    low = jnp.where(valid[..., None], low, -jnp.inf)
    high = jnp.where(valid[..., None], high, jnp.inf)
    return _window(low, jnp.inf, jax.lax.min, 1), _window(high, -jnp.inf, jax.lax.max, 1)


def _misfit(levels: Array, log_time: Array, g: Array, interval: tuple[Array, Array]) -> Array:
    """How many levels [h, w] an exposure is off the interval of ln E, its worst channel."""
    low, high = (crf.respond(end + log_time, g) for end in interval)
    return jnp.max(jnp.maximum(jnp.maximum(low - levels, levels - high), 0), axis=-1)


def _agreement(misfit: Array, num_levels: int, radius: int) -> Array:
    """Confidence [h, w] of an exposure's misfit in levels."""
    size = 2 * radius + 1
    mean = _window(misfit, 0.0, jax.lax.add, radius) / size**2
    excess = jnp.maximum(mean * (255 / (num_levels - 1)) - TOLERANCE, 0)
    return _window(jnp.exp(-((excess / SOFTNESS) ** 2)), jnp.inf, jax.lax.min, radius)


def _close(interval, other, agrees):
    """The interval, its open ends taken from another exposure where that agrees with it."""
    (low, high), (other_low, other_high) = interval, other
    agrees = agrees[..., None]
    return (
        jnp.where(agrees & jnp.isinf(low), jnp.minimum(other_low, high), low),
        jnp.where(agrees & jnp.isinf(high), jnp.maximum(other_high, low), high),
    )


def _window(image: Array, start: float, reduce, radius: int) -> Array:
    """`reduce` over windows of 2 radius + 1 pixels squared of [h, w, ...], edges repeated."""
    others = image.ndim - 2
    padded = jnp.pad(image, [(radius, radius)] * 2 + [(0, 0)] * others, mode="edge")
    size, one = 2 * radius + 1, (1,) * image.ndim
    for window in ((size, 1), (1, size)):
        shape = window + (1,) * others
        padded = jax.lax.reduce_window(padded, start, reduce, shape, one, "VALID")
    return padded
