"""Samples that the response is solved from, and how far they tie the levels together."""

import functools
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from hdr_jax import exported
from hdr_jax import sampling as samplings
from hdr_jax.crf._agreement import agreement, share_in_register
from hdr_jax.crf._pixels import draw, windows
from hdr_jax.errors import one_of
from hdr_jax.levels import as_unit_float, clamp, widened
from hdr_jax.weighting import extremes_counted_once

# Pixels are followed where at least this share of neighbouring exposures is in register, and ln E
# has at most this standard deviation from exposure to exposure.
IN_REGISTER, UNSTEADY = 0.5, 0.03
# The response is a guess where a smaller share of the levels is tied to others.
TIED = 0.6
# Longer curves are recovered from quantiles, which lie at every level there is: samples of smooth
# places leave gaps in the dark (maps of 10 and 12 stops from 16 bits: 0.33 and 0.76 stops RMS off;
# by quantiles 0.02).
FOLLOWED_LEVELS = 256
# Levels are counted for that in so many bins, evenly in the root of the level, and not in the ends
# of the scale, which hold all that is darker or brighter.
BINS, DARKEST, BRIGHTEST = 32, 0.02, 0.98


def take(
    stack: Array,
    log_times: Array,
    sampling: str | Callable[..., Array],
    num_samples: int,
    num_levels: int,
    valid: Array | None = None,
) -> tuple[Array, Array]:
    """Samples by name or function of `hdr_jax.sampling`, or by "auto", see `hdr_jax.crf.recover`.

    Integers become floats in the programs, which look at few of them.

    Returns:
      (levels [c, p, n] float in [0, num_levels - 1], confidence [c, p, n] in [0, 1]).
    """
    if isinstance(sampling, str):
        one_of("sampling", sampling, ("auto", *samplings.NAMES))
    if sampling == "auto" and num_levels > FOLLOWED_LEVELS:
        sampling = "quantiles"
    if sampling != "auto":
        levels = widened(_sampled(stack, num_samples, num_levels, valid, samplings.get(sampling)))
        return levels, jnp.ones(levels.shape, levels.dtype)
    levels, drawn, whole = _drawn(stack, log_times, valid, num_samples=num_samples)
    # Windows that are white in part are judged like all others, as they tell how rough the pictures
    # are, but the response does not learn from them.
    fit = _agreements(levels, log_times, drawn)
    return _chosen(stack, log_times, valid, levels, whole, fit, num_levels=num_levels)


@functools.partial(jax.jit, static_argnums=(1, 2, 4))
def _sampled(stack, num_samples, num_levels, valid, sampler):
    """Levels [c, p, n] by a function of `hdr_jax.sampling`."""
    stack = as_unit_float(stack)
    return sampler(stack, num_samples, num_levels=num_levels, **_given(valid))


# Three programs and not one: what depends on the pictures' size is compiled for every size, the
# robust fit, the largest of them, once for a number of samples and exposures.
@exported.quick_jit
def _drawn(stack, log_times, valid, *, num_samples):
    """Samples that follow pixels, see `draw`: levels, what is drawn, and what of it is not cut."""
    parts = windows(clamp(as_unit_float(stack), 0, 1))
    levels, drawn, cut = draw(parts, log_times, num_samples, **_given(valid))
    return levels, drawn, drawn & ~cut


@exported.quick_jit
def _agreements(levels, log_times, usable):
    """`agreement` channel by channel."""
    return jax.vmap(agreement, (0, None, 0))(levels, log_times, usable)


@exported.quick_jit
def _chosen(stack, log_times, valid, levels, usable, fit, *, num_levels):
    """The drawn samples, or quantiles where the pictures cannot be followed; see `take`."""
    stack = as_unit_float(stack)
    agrees, deviation, coarse = fit
    followed = (share_in_register(stack, log_times, coarse) >= IN_REGISTER) & (
        jnp.max(deviation) <= UNSTEADY
    )

    def by_quantiles():
        num_samples = levels.shape[1]
        taken = samplings.quantiles(stack, num_samples, num_levels=num_levels, **_given(valid))
        return taken / (num_levels - 1)

    # Under vmap a condition of its own for each stack would count the levels of all of them.
    others = jax.lax.cond(_any_in_batch(~followed), by_quantiles, lambda: jnp.zeros_like(levels))
    confidence = jnp.where(followed, usable & agrees, True).astype(levels.dtype)
    levels = jnp.where(followed, levels, others)
    exposures_first = jax.lax.stop_gradient(jnp.moveaxis(levels, 2, 0))
    once = jnp.moveaxis(extremes_counted_once(exposures_first, log_times), 0, 2)
    return levels * (num_levels - 1), confidence * once


@jax.custom_batching.custom_vmap
def _any_in_batch(condition: Array) -> Array:
    """A bool, the same for a whole batch under `vmap`: whether it holds for any member."""
    return condition


@_any_in_batch.def_vmap
def _any_of_members(size, batched, conditions):
    """Once more, for a batch around this one."""
    del size, batched
    return _any_in_batch(jnp.any(conditions)), False


def _given(valid: Array | None) -> dict[str, Any]:
    """The mask as a sampler takes it: not at all where there is none."""
    return {} if valid is None else {"valid": valid}


def tied_share(levels: Array, confidence: Array, num_levels: int) -> Array:
    """Share of the levels of samples [c, p, n] that stand in one with others; the least channel.

    -1 where a channel has none that can be used: between black and white, and believed.
    """
    levels = jax.lax.stop_gradient(levels)
    value = levels / (num_levels - 1)
    # More levels reach further down.
    darkest = DARKEST * min(1, 256 / num_levels)
    usable = (value >= darkest) & (value <= BRIGHTEST) & (confidence > 0)
    tied = usable & (jnp.sum(usable, axis=2, keepdims=True) >= 2)
    bins = jnp.minimum(jnp.sqrt(value) * BINS, BINS - 1).astype(jnp.int32)

    def count(bins, chosen):
        return jnp.sum(jnp.zeros(BINS, bool).at[bins.ravel()].max(chosen.ravel()))

    counts = jax.vmap(count)(bins, tied), jax.vmap(count)(bins, usable)
    return jnp.min(jnp.where(counts[1] > 0, counts[0] / jnp.maximum(counts[1], 1), -1))


def warn_of_gaps(tied: Array, log_times: Array) -> None:
    """Warns where too few levels are tied together; traced values go unseen."""
    if isinstance(tied, Tracer) or isinstance(log_times, Tracer) or float(tied) >= TIED:
        return
    if float(tied) < 0:
        warnings.warn(
            "in some channel no sample can be used, of levels between black and white that agree: "
            "nothing tells its response, which is a guess. Give the camera's response.",
            stacklevel=3,
        )
        return
    gap = np.max(np.diff(np.sort(np.asarray(log_times)))) / np.log(2)
    warnings.warn(
        f"only {100 * float(tied):.0f} % of the levels are seen together with others: neighbouring "
        f"exposures, up to {gap:.1f} stops apart, overlap too little to know the response in "
        "between. Take pictures at most 5 stops apart, or give the camera's response.",
        stacklevel=3,
    )
