"""The state of training: parameters and optimisers, by network."""

from collections.abc import Mapping
from typing import Any

import flax.struct
import jax.numpy as jnp
from jax import Array

from hdr_jax import optim
from hdr_jax.models import initial_parameters
from hdr_jax.training.setup import HIGHLIGHTS, Setup


class TrainState(flax.struct.PyTreeNode):
    """Everything that a training step changes.

    Attributes:
      step: int32, number of steps done.
      params: {"up": {network: ...}, "down": {...}}; of a `HighlightModel`, those of its network.
      opt_state: {network: optax state} over that network's parameters in both directions.
    """

    step: Array
    params: Any
    opt_state: Any


def create_state(setup: Setup, key: Array) -> TrainState:
    """Initial state: parameters drawn from `key`, optimisers at rest.

    Args:
      setup: of the run.
      key: random key.

    Returns:
      A `TrainState` at step 0.
    """
    return state_of(setup, initial_parameters(setup.model, key))


def state_of(setup: Setup, params: Any) -> TrainState:
    """State at step 0 of given parameters, optimisers at rest.

    Args:
      setup: of the run.
      params: of its model.

    Returns:
      A `TrainState`.
    """
    opt_state = {
        name: optimizer.init(by_network(params)[name])
        for name, optimizer in setup.optimizers.items()
    }
    return TrainState(jnp.zeros((), jnp.int32), params, opt_state)


def averaged(state: TrainState) -> TrainState:
    """The state with parameters and their moving averages exchanged, where those are kept.

    Args:
      state: one that trains; or one that this function returned, which is brought back.

    Returns:
      A state to validate and to store: what reads a checkpoint finds the average.
    """
    params, opt_state = by_network(state.params), dict(state.opt_state)
    for name in opt_state:
        params[name], opt_state[name] = optim.with_average(params[name], opt_state[name])
    return state.replace(params=by_direction(params), opt_state=opt_state)


def by_network(params: Mapping[str, Any]) -> dict[str, Any]:
    """{direction: {network: tree}} -> {network: {direction: tree}}.

    Args:
      params: of either model, or gradients.

    Returns:
      The same leaves by network first; those of a `HighlightModel` as its one network.

    Example:
      >>> by_network({"up": {"global": 1}, "down": {"global": 2}})
      {'global': {'up': 1, 'down': 2}}
    """
    if set(params) != {"up", "down"}:
        return {HIGHLIGHTS: params}
    return {name: {d: params[d][name] for d in params} for name in params["up"]}


def by_direction(networks: Mapping[str, Any]) -> Any:
    """The inverse of `by_network`.

    Args:
      networks: {network: tree}.

    Returns:
      Parameters as the model takes them.

    Example:
      >>> by_direction({"global": {"up": 1, "down": 2}})
      {'up': {'global': 1}, 'down': {'global': 2}}
    """
    if set(networks) == {HIGHLIGHTS}:
        return networks[HIGHLIGHTS]
    return {d: {name: networks[name][d] for name in networks} for d in ("up", "down")}
