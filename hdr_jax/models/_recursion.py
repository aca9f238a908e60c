"""The walk away from the reference, one exposure at a time, and the stack put in order.

Notation: n exposures, index 0 the shortest; r the reference's index; step s of n - 1. The first
n - 1 - r steps go up (targets r + 1 .. n - 1), the others down (targets r - 1 .. 0). Images are
[b, h, w, c], as `hdr_jax.models._tones` has them, edge maps [b, h, w, 1] in [0, 1].
"""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from hdr_jax.models import _convolution, _routing
from hdr_jax.shards import alike


class StackOutput(NamedTuple):
    """What the model returns; the reference and its edges stand in their place.

    Attributes:
        stack: [b, n, h, w, 3] refined exposures in [0, 1] units; unclipped for tone "image".
        global_stack: [b, n, h, w, 3] the global networks' exposures, likewise.
        edges: [b, n, h, w, 1] the local networks' edge maps in [0, 1].
        linked_stack: `stack` again, in value. Under `gradients="routed"` its gradient reaches
            everything; else it is `stack`.
    """

    stack: jax.Array
    global_stack: jax.Array
    edges: jax.Array
    linked_stack: jax.Array


class Made(NamedTuple):
    """What a step makes of one exposure; see `hdr_jax.models._routing` for own and linked."""

    image: jax.Array
    tone: jax.Array
    edges: jax.Array
    linked: jax.Array


class Steps(NamedTuple):
    """What is to be done, step by step: arrays along the steps of one walk or of several.

    Attributes:
        source: index of the exposure that the step starts from.
        going_up: whether it makes the next longer exposure, or the next shorter one.
        starts: whether it is the first of its direction: it sees the known exposure, states are
            new.
        forced: whether it sees the known exposure wherever it is; states carry no gradient to it.
    """

    source: jax.Array
    going_up: jax.Array
    starts: jax.Array
    forced: jax.Array


def schedule(num_exposures: int, reference_index: int | jax.Array, forced: bool) -> Steps:
    """The n - 1 steps of a walk.

    Args:
        num_exposures: n.
        reference_index: r, may be traced.
        forced: whether every step is fed with the truth, or with what the step before it made.

    Returns:
        Arrays [n - 1].
    """
    index = jnp.arange(num_exposures - 1)
    ups = num_exposures - 1 - reference_index
    going_up = index < ups
    source = jnp.where(going_up, reference_index + index, num_exposures - 1 - index)
    starts = (index == 0) | (index == ups)
    return Steps(source, going_up, starts, jnp.full_like(starts, forced))


def walk(
    functions: Mapping[str, Callable],
    params: Mapping[str, Any],
    states: Mapping[str, Any],
    known: tuple[jax.Array, jax.Array],
    steps: Steps,
    entries: Callable,
    *,
    refine: bool,
    way: str,
    remat: bool,
    memory: bool,
) -> Made:
    """All steps; the outputs along a leading axis, in the order they were made.

    Args:
        functions: "global", "local" and "refinement" as `(params, state, inputs, entries)`.
        params: {"up": ..., "down": ...}, each with one entry per network.
        states: the recurrent networks' states before the first step.
        known: exposures [b, m, h, w, c] and edge maps [b, m, h, w, 1]: all n, or the reference.
        steps: one schedule, or several one behind the other: one compiled body serves them all.
        entries: (source, going up) -> what tells a step from the others.
        refine, way, remat, memory: as in `ExposureStackModel`.
    """
    single = known[0].shape[1] == 1
    new_states = {name: _routing.start(way, state) for name, state in states.items()}
    # Before the scan, so that devices sum their gradients once, not in every step.
    params, new_states, known, steps = alike(params, new_states, known, steps)

    # One scan whose body picks the parameters of its direction. Measured on CPU against a body that
    # branches (`lax.cond`) at the released widths, 256 x 256: the pick costs 6 % of a forward pass,
    # but a differentiated branch keeps the residuals of both directions, parameters included
    # (12.2 GB; 3.6 GB here) and took 1.3 x the time at half the widths. Two masked scans would take
    # twice the steps, one program per reference n compilations.
    def run(params, carry, going_up, entries):
        chosen = jax.tree.map(partial(jnp.where, going_up), params["up"], params["down"])
        image, edges, states = carry
        return one_step(functions, chosen, refine, way, image, edges, states, entries)

    # Kept for the backward pass: the convolutions' outputs, or nothing; all else is recomputed.
    # In a scan nothing merges a recomputation with its original: the guard against that can go.
    policy = None if remat else _convolution.keep
    run = jax.checkpoint(run, prevent_cse=False, policy=policy)

    def body(carry, step):
        row = 0 if single else step.source
        there = tuple(lax.dynamic_index_in_dim(x, row, 1, False) for x in known)
        *seen, states = carry
        seen = _either(step.starts | step.forced, there, tuple(seen))
        states = _either(step.forced, lax.stop_gradient(states), states)
        states = _either(step.starts, new_states, states) if memory else new_states
        what = entries(step.source, step.going_up)
        return run(params, (*seen, states), step.going_up, what)

    first = tuple(x[:, 0] for x in known)
    return lax.scan(body, (*first, new_states), steps)[1]


def _either(condition: jax.Array, this: Any, that: Any) -> Any:
    """`jnp.where` for trees."""
    return jax.tree.map(partial(jnp.where, condition), this, that)


def norm_entries(
    source: int | jax.Array, going_up: bool | jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Which entries of the conditional norms a step reads, see `hdr_jax.models._networks`.

    Args:
        source: index of the exposure that the step starts from.
        going_up: whether it makes the next longer exposure, or the next shorter one.

    Returns:
        (the step's own entry, that of the local network's head).
    """
    entry = jnp.where(going_up, source, jnp.asarray(source) - 1)
    return entry, jnp.where(going_up, 0, entry)


def exposure_entries(source, going_up, stops, middle: int, last: int) -> tuple:
    """The same for log exposures: the step's distance from EV 0, at most `last`, and its stops.

    Args:
        source, going_up: as `norm_entries`.
        stops: of all exposures.
        middle: index of EV 0.
        last: entry of the conditional norms.

    Returns:
        (entry, entry, stops of the step).
    """
    sign, stops = jnp.where(going_up, 1, -1), jnp.asarray(stops, jnp.float32)
    entry = jnp.clip(sign * (source - middle), 0, last)
    return entry, entry, stops[source + sign] - stops[source]


def one_step(functions, params, refine, way, image, edges, states, entries) -> tuple[tuple, Made]:
    """From one exposure to its neighbour: ((image, edges, states) to go on with, what was made)."""
    run = {
        name: partial(_routing.run, way, function, params[name])
        for name, function in functions.items()
    }
    tone_state, own_tone, tone = run["global"](states["global"], (image,), entries)
    edge_state, own_edges, next_edges = run["local"](states["local"], (image, edges), entries)
    own, linked = own_tone, tone
    if refine:
        inputs = (image, tone, next_edges)
        _, own, linked = run["refinement"](_routing.start(way, None), inputs, entries)
    states = {"global": tone_state, "local": edge_state}
    return (linked, next_edges, states), Made(own, own_tone, own_edges, linked)


def order(num_exposures: int, reference_index: int | jax.Array) -> jax.Array:
    """Which row of the walk holds exposure t; row n - 1 is to be the reference itself."""
    target = jnp.arange(num_exposures)
    going_up = target - reference_index - 1
    going_down = num_exposures - 2 - target
    made_by = jnp.where(target > reference_index, going_up, going_down)
    return jnp.where(target == reference_index, num_exposures - 1, made_by)


def place(rows: jax.Array, reference: jax.Array, order: jax.Array) -> jax.Array:
    """The walk's rows [n - 1, b, h, w, c] and the reference as a stack [b, n, h, w, c]."""
    return jnp.moveaxis(jnp.concatenate([rows, reference[None]])[order], 0, 1)


@lru_cache(maxsize=64)
def function(network: Any) -> Callable:
    """The network as a function of its parameters, traced once wherever it is called."""

    @jax.jit
    def function(params, state, inputs, entries):
        return network.apply({"params": params}, state, inputs, entries)

    return function
