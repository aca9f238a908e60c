"""The state of training: parameters and optimisers, by network."""

from collections.abc import Mapping
from typing import Any

import flax.struct
import jax.numpy as jnp
from jax import Array

from hdr_jax.training.setup import Setup


class TrainState(flax.struct.PyTreeNode):
    """Everything that a training step changes.

    Attributes:
      step: int32, number of steps done.
      params: {"up": {network: ...}, "down": {...}}.
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
    model = setup.model
    side = model.multiple
    image, edge_map = jnp.zeros((1, side, side, 3)), jnp.zeros((1, side, side, 1))
    params = model.init(key, image, edge_map, reference_index=model.num_exposures // 2)["params"]
    opt_state = {
        name: optimizer.init(by_network(params)[name])
        for name, optimizer in setup.optimizers.items()
    }
    return TrainState(jnp.zeros((), jnp.int32), params, opt_state)


def by_network(params: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """{direction: {network: tree}} -> {network: {direction: tree}}.

    Args:
      params: of `ExposureStackModel`, or gradients.

    Returns:
      The same leaves by network first.

    Example:
      >>> by_network({"up": {"global": 1}, "down": {"global": 2}})
      {'global': {'up': 1, 'down': 2}}
    """
    directions = list(params)
    return {name: {d: params[d][name] for d in directions} for name in params[directions[0]]}


# Swapping the two outer levels undoes itself.
by_direction = by_network
