"""One training step and one evaluation step as pure functions of a state and a batch.

Notation as in `hdr_jax.training._objective`. `phase` 1 trains the global and local networks, phase
2 the refinement networks too; it is static, so that there are two compiled steps in all.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import jax_utils
from jax import Array

from hdr_jax.exposure import ev_to_log_times
from hdr_jax.levels import as_unit_float
from hdr_jax.merge import synthesize
from hdr_jax.models import HighlightModel
from hdr_jax.training._highlights import highlight_stack, highlight_terms
from hdr_jax.training._objective import loss_terms
from hdr_jax.training._state import TrainState, by_direction, by_network
from hdr_jax.training.setup import HIGHLIGHTS, NETWORKS, Setup

DEVICES = "devices"  # the axis of pmap


def draw_references(setup: Setup, step: int) -> tuple[int, int]:
    """Reference exposures of parts A and B at a step; the same for the whole batch on all devices.

    Args:
      setup: its seed, number of exposures and `max_reference_offset`.
      step: number of the step, from 0.

    Returns:
      (any index of the stack, an index within `max_reference_offset` of EV 0).
    """
    if isinstance(setup.model, HighlightModel):
        return 0, 0  # a photograph is its own reference
    rng, n = np.random.default_rng((setup.seed, step)), setup.model.num_exposures
    offset = setup.max_reference_offset
    return int(rng.integers(n)), int(setup.model.middle + rng.integers(-offset, offset + 1))


def replicated(state: TrainState) -> TrainState:
    """The state on all devices, for `pmap`.

    Placed as the results of a step are: else the first call of a step would be compiled in vain.

    Args:
      state: one of `create_state`.

    Returns:
      The same with a leading axis of devices.
    """
    place = jax.pmap(lambda state: state, axis_name=DEVICES, donate_argnums=0)
    return place(jax_utils.replicate(state))


def one_replica(tree: Any) -> Any:
    """What one device of this host holds of a replicated tree. Nothing is copied.

    To be dropped before the next step: a donated array that somebody else holds is copied.

    Args:
      tree: of arrays with a leading axis of devices, as `replicated` and `train_step` make them.

    Returns:
      The same with a leading axis of one.

    Example:
      >>> state = jax.pmap(lambda x: x)(jnp.ones((jax.local_device_count(), 3)))
      >>> one_replica({"kernel": state})["kernel"].shape
      (1, 3)
    """
    return jax.tree.map(lambda x: x.addressable_data(0), tree)


def train_step(
    setup: Setup,
    phase: int,
    state: TrainState,
    batch: Mapping[str, Array],
    references: tuple[Array, Array],
    vgg_params: Any = None,
) -> tuple[TrainState, dict[str, Array]]:
    """One optimiser step on this device's part of the batch; to be run under `pmap`.

    Args:
      setup: static.
      phase: 1 or 2, static.
      state: replicated.
      batch: this device's scenes, arrays as in `hdr_jax.data`.
      references: indices, scalars from `draw_references`.
      vgg_params: see `loss_terms`.

    Returns:
      (next state, {"loss": total, every term}), scalars that are equal on all devices.
    """

    highlights = isinstance(setup.model, HighlightModel)

    def total(params, batch):
        if highlights:
            terms = highlight_terms(setup, params, batch, phase)
        else:
            terms = loss_terms(setup, params, batch, references, phase, vgg_params)
        return sum(terms.values()), terms

    slope = functools.partial(jax.value_and_grad(total, has_aux=True), state.params)
    (loss, terms), gradients = mean_over_parts(slope, batch, setup.micro_batches)
    loss, terms, gradients = jax.lax.pmean((loss, terms, gradients), DEVICES)
    params: dict[str, Any] = by_network(state.params)
    opt_state = dict(state.opt_state)
    gradients = by_network(gradients)
    learning = NETWORKS if phase == 2 else NETWORKS[:2]
    for name in (HIGHLIGHTS,) if highlights else learning:
        updates, opt_state[name] = setup.optimizers[name].update(
            gradients[name], opt_state[name], params[name]
        )
        params[name] = optax.apply_updates(params[name], updates)
    state = TrainState(state.step + 1, by_direction(params), opt_state)
    return state, {"loss": loss, **terms}


def mean_over_parts(
    function: Callable[[Mapping[str, Array]], Any], batch: Mapping[str, Array], parts: int
) -> Any:
    """The mean of a function over equal parts of a batch, computed one after the other.

    For means over scenes, and their gradients, it is that of the whole batch in a fraction of the
    memory: gradient accumulation.

    Args:
      function: batch -> tree of arrays.
      batch: arrays [b, ...].
      parts: a divisor of b, static; 1 calls the function as it is.

    Returns:
      A tree as the function's.

    Example:
      >>> total = mean_over_parts(lambda batch: batch["x"].mean(), {"x": jnp.arange(4.0)}, 2)
      >>> float(total)
      1.5
    """
    if parts == 1:
        return function(batch)
    split = {name: x.reshape(parts, -1, *x.shape[1:]) for name, x in batch.items()}
    zeros = jax.tree.map(
        lambda x: jnp.zeros(x.shape, x.dtype),
        jax.eval_shape(function, {name: x[0] for name, x in split.items()}),
    )

    def add(summed, part):
        return jax.tree.map(jnp.add, summed, function(part)), None

    summed, _ = jax.lax.scan(add, zeros, split)
    return jax.tree.map(lambda x: x / parts, summed)


def eval_step(
    setup: Setup,
    params: Any,
    batch: Mapping[str, Array],
    *,
    refine: bool = True,
) -> dict[str, Array]:
    """Generates the stack from the middle exposure and merges it, and the true one alike.

    Args:
      setup: static.
      params: of the model.
      batch: arrays of `hdr_jax.data.evaluation_batches`.
      refine: False in phase 1, when the refinement networks have learnt nothing; static.

    Returns:
      `stack` [b, n, h, w, 3] in [0, 1]; `radiance`, `true_radiance` [b, h, w, 3] and `g`, `true_g`
      [b, 3, num_levels] of the generated and of the true stack.
    """
    true = as_unit_float(batch["stack"])
    if isinstance(setup.model, HighlightModel):
        stack = highlight_stack(setup, params, batch)
    else:
        stack = _walked_stack(setup, params, true, batch["edges"], refine)
    log_times = ev_to_log_times(batch["ev_offset"])
    layer = jax.vmap(lambda stack, times: synthesize(stack, times, **setup.objective.layer))
    radiance, g = layer(stack, log_times)
    true_radiance, true_g = layer(true, log_times)
    return {
        "stack": stack,
        "radiance": radiance,
        "g": g,
        "true_radiance": true_radiance,
        "true_g": true_g,
    }


def _walked_stack(setup, params, true, edges, refine) -> Array:
    """The stack [b, n, h, w, 3] that the recursion makes from the middle exposure."""
    middle = setup.model.middle
    output: Any = setup.model.apply(
        {"params": params},
        true[:, middle],
        edges[:, middle].astype(jnp.float32),
        reference_index=middle,
        refine=refine,
    )
    return jnp.clip(output.stack, 0, 1)
