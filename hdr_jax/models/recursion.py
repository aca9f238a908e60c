"""The walk away from the reference, one exposure at a time, and the stack put in order.

Notation: n exposures, index 0 the shortest; r the reference's index; step s of n - 1. The first
n - 1 - r steps go up (targets r + 1 .. n - 1), the others down (targets r - 1 .. 0). Images are
[b, h, w, 3] in [-1, 1], edge maps [b, h, w, 1] in [0, 1].
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from hdr_jax.models import routing


class Made(NamedTuple):
    """What a step makes of one exposure; see `hdr_jax.models.routing` for own and linked."""

    image: jax.Array
    tone: jax.Array
    edges: jax.Array
    linked: jax.Array


def walk(
    functions: Mapping[str, Mapping[str, Callable]],
    params: Mapping[str, Any],
    states: Mapping[str, Any],
    given: tuple[jax.Array, jax.Array],
    reference_index: int | jax.Array,
    truth: tuple[jax.Array, jax.Array] | None,
    num_exposures: int,
    *,
    refine: bool,
    way: str,
) -> Made:
    """All steps; the outputs along a leading axis of n - 1, in the order they were made.

    Args:
        functions: {"up": ..., "down": ...}, each with the networks "global", "local" and
            "refinement" as functions of their parameters.
        params: likewise.
        states: the recurrent networks' states before the first step.
        given: the reference exposure and its edge map.
        reference_index: r, may be traced.
        truth: true exposures and edge maps to feed the steps with, or None: each is fed the last.
        num_exposures: n.
        refine, way: as in `ExposureStackModel.__call__`.
    """
    ups = num_exposures - 1 - reference_index
    start = (*given, {name: routing.start(way, state) for name, state in states.items()})
    directions = [partial(_step, functions[d], params[d], refine, way) for d in ("up", "down")]

    # One scan whose body picks the direction. Two masked scans cost twice the steps; one program
    # per reference costs n compilations.
    def body(carry, step):
        going_up = step < ups
        image, edges, state = jax.tree.map(partial(jnp.where, step == ups), start, carry)
        source = jnp.where(going_up, reference_index + step, num_exposures - 1 - step)
        if truth is not None:
            image, edges = (lax.dynamic_index_in_dim(x, source, 1, False) for x in truth)
            state = lax.stop_gradient(state)
        entry = jnp.where(going_up, source, source - 1)
        return lax.cond(going_up, *directions, image, edges, state, entry)

    return lax.scan(body, start, jnp.arange(num_exposures - 1))[1]


def _step(functions, params, refine, way, image, edges, states, entry) -> tuple[tuple, Made]:
    """From one exposure to its neighbour: ((image, edges, states) to go on with, what was made)."""
    run = {
        name: partial(routing.run, way, function, params[name])
        for name, function in functions.items()
    }
    tone_state, own_tone, tone = run["global"](states["global"], (image,), entry)
    edge_state, own_edges, next_edges = run["local"](states["local"], (image, edges), entry)
    own, linked = own_tone, tone
    if refine:
        _, own, linked = run["refinement"](routing.start(way, None), (image, tone, next_edges), entry)
    states = {"global": tone_state, "local": edge_state}
    return (linked, next_edges, states), Made(own, own_tone, own_edges, linked)


def assemble(
    made: Made, given: tuple[jax.Array, jax.Array], reference_index: int | jax.Array
) -> Made:
    """The walk's outputs as stacks [b, n, h, w, c], shortest first, the reference in its place."""
    image, edges = given
    last = len(made.image)
    target = jnp.arange(last + 1)
    # Step s made r + 1 + s going up and n - 2 - s going down; row n - 1 is the reference itself.
    made_by = jnp.where(target > reference_index, target - reference_index - 1, last - 1 - target)
    order = jnp.where(target == reference_index, last, made_by)

    def place(rows, reference):
        return jnp.moveaxis(jnp.concatenate([rows, reference[None]])[order], 0, 1)

    return Made(*map(place, made, (image, image, edges, image)))
