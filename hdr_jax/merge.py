"""Merging an exposure stack into a radiance map; the differentiable HDR synthesis layer.

Notation: stack [n, h, w, c] in [0, 1], log_times ln t [n], log inverse response g [c, num_levels],
weights w(Z), levels Z = stack * (num_levels - 1). The radiance map E [h, w, c] is linear and
relative: E t = 1 is the largest exposure that the camera records. The order of the exposures does
not matter.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jax.typing import ArrayLike

from hdr_jax import crf, exported, log_mean
from hdr_jax.checks import as_array, check_table, check_within
from hdr_jax.errors import InputError
from hdr_jax.levels import default_num_levels
from hdr_jax.rows import by_rows
from hdr_jax.shards import alike
from hdr_jax.weighting import NEARLY_WHITE, Weighting
from hdr_jax.xla_cpu import lines

# From here on noise, not light, tells the levels of white apart.
WHITE = 0.98


def merge(
    stack: ArrayLike,
    log_times: ArrayLike,
    g: ArrayLike,
    *,
    weighting: str | Weighting = "hat",
    rounding: bool = False,
    weight_gradient: bool = False,
    confidence: ArrayLike | None = None,
    extremes_once: bool = False,
) -> Array:
    """Radiance map of a stack with known response.

    ln E = sum_j w(Z_j) (g(Z_j) - ln t_j) / sum_j w(Z_j) for each pixel and channel. The channels
    agree at the anchor of g; one scale for all makes the largest inverse response, exp(max g), 1.
    With a confidence, w(Z_j) is multiplied by it, and by 0 below one half where another exposure
    has more.

    A channel that weighs nothing in any exposure is read from a single one: from the shortest where
    the middle exposure is bright, from the longest where it is dark. Where it is bright, the
    pixel's other channels come from the shortest exposure too, so that a highlight has the colour
    of one exposure, unless they are black or white there. (Where it is dark they keep their merged
    values: the longest exposure may be saturated in them, which would show as a seam.)

    A NumPy stack, as photographs are read, is merged in rows of pixels of two lengths: two programs
    then merge pictures of any size, see `hdr_jax.rows`. A stack of JAX is merged as it is.

    Args:
      stack: [n, h, w, c] float in [0, 1], uint8 or uint16; values outside [0, 1] are clipped.
      log_times: [n] natural logs of exposure times.
      g: log inverse response [c, num_levels] or, the same for all channels, [num_levels] or
        [1, num_levels].
      weighting: name or function of `hdr_jax.weighting`; "noise" weighs the levels by how well a
        camera of response g knows them, see `hdr_jax.weighting.noise`. A function should be one
        object, not a lambda made for each call: every object is compiled anew.
      rounding: read g at integer levels, as the released program does.
      weight_gradient: let gradients flow through the weights too.
      confidence: [n, h, w] in [0, 1], how far each pixel of each exposure is believed, as
        `hdr_jax.brackets.confidence` gives it; 0 where an exposure holds no data. A pixel of which
        no exposure holds any is read from one of them all the same: leave it out afterwards.
      extremes_once: where a channel is nearly white in several exposures only the shortest of them
        counts, where it is nearly black only the longest. Noise makes levels of white like 254,
        of which the longest exposure would make a dark speck in a highlight. Where all channels
        of all exposures are white, nothing tells of a colour: the channels' median is taken for
        each, not the end of each one's curve, which is known least.

    Returns:
      Radiance [h, w, c] float, > 0, linear and relative; finite for black, white and clipped
      pixels.

    Raises:
      InputError: when shapes do not fit, for fewer than two exposures, log times that are all equal
        or not finite, pixels of another type or range, a g that is not finite, an unknown
        weighting, or a confidence that is not in [0, 1].

    Differentiable in `stack`, `log_times` and `g`, in reverse mode; by default the weights are
    constants.
    Source: Debevec and Malik 1997, Eq. 6; Kim, Lee, Kang 2020, Eq. 2.
    Example:
      >>> g = jnp.log((jnp.arange(256) + 0.5) / 255.5)
      >>> merge(jnp.array([0.2, 0.4]).reshape(2, 1, 1, 1), jnp.log(jnp.array([1.0, 2.0])), g).shape
      (1, 1, 1)
    """
    pixels: Any = as_array(stack)
    shape = pixels.shape
    if confidence is not None:
        confidence = confidence if isinstance(confidence, Array) else np.asarray(confidence)
        if confidence.shape != shape[:3]:
            raise InputError(
                f"got confidence {confidence.shape} for a stack {shape}: expected [n, h, w]"
            )
        check_within("confidence", confidence, 0, 1)
    options = {
        "weighting": weighting,
        "rounding": rounding,
        "weight_gradient": weight_gradient,
        "extremes_once": extremes_once,
    }
    g = _curve_per_channel(g, shape)

    def merged(stack: ArrayLike, confidence: Any = None) -> Array:
        return _merge(*crf.check_stack(stack, log_times, integers=True), g, confidence, **options)

    if not isinstance(pixels, np.ndarray) or pixels.ndim != 4 or 0 in shape:
        return merged(pixels, confidence).reshape(shape[1:])
    if isinstance(confidence, Tracer):
        return merged(pixels, confidence).reshape(shape[1:])
    crf.check_exposures(pixels, log_times)  # here, as rows of pixels have other shapes
    if confidence is None:
        return by_rows(merged, pixels)
    trust = np.asarray(confidence)[..., None]  # rows of pixels have channels
    return by_rows(lambda rows, trust: merged(rows, trust[..., 0]), pixels, trust)


def synthesize(
    stack: ArrayLike,
    log_times: ArrayLike,
    *,
    num_samples: int = 256,
    smoothness: ArrayLike = 20.0,
    weighting: str | Weighting = "hat",
    num_levels: int | None = None,
    sampling: str | Callable[..., Array] = "auto",
    solver: str = "cholesky",
    rounding: bool = False,
    response_gradient: bool = False,
    weight_gradient: bool = False,
) -> tuple[Array, Array]:
    """The HDR synthesis layer: recovers the response from the stack and merges with it.

    Args:
      stack: [n, h, w, c] float in [0, 1], uint8 or uint16; n >= 2, in any order.
      log_times: [n] natural logs of exposure times.
      num_samples: samples per channel for the response.
      smoothness: scalar > 0, of the response, see `hdr_jax.crf.debevec`.
      weighting: name or function of `hdr_jax.weighting`; with "noise", which needs a response, the
        response is recovered by "hat".
      num_levels: of the response, see `hdr_jax.crf.recover`.
      sampling: "auto", or name or function of `hdr_jax.sampling`; "grossberg_nayar" is the paper's
        recipe.
      solver: of the least squares, "cholesky" or "lstsq", see `hdr_jax.crf.debevec`.
      rounding: read g at integer levels, as the released program does.
      response_gradient: differentiate through the recovery of g too; by default g is a constant
        table, as in the paper, and only its slope at each pixel counts, Eq. (3). The samples stay
        those that were chosen: see `hdr_jax.crf.recover`, and use sampling "quantiles" for descent.
      weight_gradient: let gradients flow through the weights of the merge too. With both options
        the gradient is that of the whole map stack -> radiance, at fixed samples.

    Returns:
      (radiance [h, w, c], g [c, num_levels]).

    Raises:
      InputError: as `hdr_jax.crf.recover`.

    Differentiable in `stack` and `log_times`, in reverse mode.
    Source: Kim, Lee, Kang 2020, Eq. 1 to 3.
    Example:
      >>> stack = jnp.linspace(0, 1, 2 * 16 * 16 * 3).reshape(2, 16, 16, 3)
      >>> radiance, g = synthesize(stack, jnp.log(jnp.array([1.0, 4.0])))
      >>> radiance.shape, g.shape
      ((16, 16, 3), (3, 256))
    """
    stack = as_array(stack)
    num_levels = default_num_levels(stack) if num_levels is None else num_levels
    stack, log_times = crf.check_stack(stack, log_times, integers=True)
    constant = (lambda x: x) if response_gradient else jax.lax.stop_gradient
    g = crf.recover(
        constant(stack),
        constant(log_times),
        num_samples=num_samples,
        smoothness=smoothness,
        weighting="hat" if weighting == "noise" else weighting,
        num_levels=num_levels,
        sampling=sampling,
        solver=solver,
    )
    radiance = merge(
        stack,
        log_times,
        g,
        weighting=weighting,
        rounding=rounding,
        weight_gradient=weight_gradient,
    )
    return radiance, g


@exported.jit
def _merge(stack, log_times, g, confidence, *, weighting, rounding, weight_gradient, extremes_once):
    """`merge` of a checked stack with g [c, num_levels], as lines [h, w * c]."""
    if confidence is not None:
        confidence = lines(jnp.broadcast_to(confidence[..., None], stack.shape))
    given = alike(stack, log_times, g, confidence)
    mean: Any
    if weight_gradient or extremes_once:
        mean = log_mean.log_mean(
            *given,
            weighting=weighting,
            rounding=rounding,
            weight_gradient=weight_gradient,
            extremes_once=extremes_once,
        )
    else:
        mean = log_mean.with_constant_weights(*given, weighting, rounding)
    log_radiance = mean.value
    if extremes_once:
        shape = stack.shape[1:]
        # Under a condition XLA merges first, once; else it would for every channel of the median.
        log_radiance = jax.lax.cond(
            jnp.any(mean.brightest > NEARLY_WHITE),
            lambda *both: lines(_neutral_where_clipped(*(x.reshape(shape) for x in both))),
            lambda merged, _: merged,
            log_radiance,
            mean.brightest,
        )
    return jnp.exp(log_radiance - jnp.max(g))


def _curve_per_channel(g: ArrayLike, shape: tuple[int, ...]) -> Array:
    """g [c, num_levels], float of at least 32 bits, for a stack [n, h, w, c]."""
    check_table(g)
    g = as_array(g)
    g = jnp.asarray(g, jnp.promote_types(jnp.result_type(g), jnp.float32))
    if g.ndim not in (1, 2) or (g.ndim == 2 and g.shape[0] not in (1, shape[-1])):
        raise InputError(
            f"got g {g.shape} for a stack {shape}: expected [c, num_levels], "
            "[1, num_levels] or [num_levels]"
        )
    return jnp.broadcast_to(g.reshape(-1, g.shape[-1]), (shape[-1], g.shape[-1]))


def _neutral_where_clipped(merged, shortest):
    """`merged` [h, w, c] without colour where all levels of the shortest exposure are white."""
    least = jnp.min(shortest, axis=-1, keepdims=True)
    share = jnp.clip((least - NEARLY_WHITE) / (WHITE - NEARLY_WHITE), 0, 1)
    return merged + share * (_median(merged) - merged)


def _median(values):
    """Median [..., 1] over the channels; of three without a sort, which takes most of a merge."""
    if values.shape[-1] != 3:
        return jnp.median(values, axis=-1, keepdims=True)
    a, b, c = (values[..., i : i + 1] for i in range(3))
    return jnp.maximum(jnp.minimum(a, b), jnp.minimum(jnp.maximum(a, b), c))
