"""Where a network's gradient may go: three ways of running the same network.

Each way maps `(params, state, inputs, entries) -> (state, own, linked)`. `own` and `linked` are
both the network's output, equal in value; they differ in what a gradient on them reaches:

    full    own = linked: everything.
    own     own = linked: this network's parameters and, through its state, its own earlier steps;
            never its inputs.
    routed  own as above; linked everything, with every parameter reached once per path.

`routed` is what one forward pass with several losses needs: a network's own loss on `own` trains
that network alone, a joint loss on `linked` trains all of them. In formulas, with sg the
stop-gradient and N the network,

    own  = N(params, own_state, sg(inputs))
    flow = N(sg(params), flow_state, inputs)
    linked = own + flow - sg(flow)

Its state is the pair (own_state, flow_state), equal in value as well. A gradient on `linked`
arrives in full at both: `own` passes it to the parameters and down the chain of own states, which
again leads to parameters only; `flow` passes it to the inputs and down the chain of flow states,
which again leads to inputs only. Parameters and inputs are each reached by one of the two, so every
path from an early parameter to the loss is counted once. Where no gradient arrives on `linked`, as
in a walk that is fed with the truth, the way back through `flow` is left out.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient

from hdr_jax.models import _convolution

WAYS = ("full", "own", "routed")


def run(way: str, network: Callable, params, state, inputs: tuple, entries) -> tuple:
    """Run `network(params, state, inputs, entries) -> (state, output)` in one of the ways above.

    Args:
        way: "full", "own" or "routed".
        network: pure function.
        params, inputs: pytrees of floating arrays.
        state: as `start` makes it.
        entries: integers handed through.

    Returns:
        (state, own, linked).
    """
    if way == "routed":
        return _routed(network, params, state, inputs, entries)
    if way == "own":
        inputs = stop_gradient(inputs)
    state, output = network(params, state, inputs, entries)
    return state, output, output


def start(way: str, state):
    """The state in the form the way carries it: the pair (own, flow) for "routed"."""
    return (state, state) if way == "routed" else state


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _routed(network, params, states, inputs, entries):
    """The formulas of the module's head with a single evaluation of the network."""
    state, output = network(params, states[0], inputs, entries)
    return (state, state), output, output


def _routed_forward(network, params, states, inputs, entries):
    """Evaluate once, at the values both evaluations share."""

    def run(params, state, inputs):
        return network(params, state, inputs, entries)

    # The way back may go through it twice: from the convolutions' values each time, so that nothing
    # else has to be kept in between.
    run = jax.checkpoint(run, prevent_cse=False, policy=_convolution.keep)
    (state, output), pull = jax.vjp(run, params, states[0], inputs)
    return ((state, state), output, output), pull


def _routed_backward(network, pull, gradients):
    """Own gradients to parameters and own state, linked ones also to inputs and flow state."""
    (own_state, flow_state), own, linked = gradients
    params, own_state, own_inputs = pull((own_state, jnp.add(own, linked)))
    flow_state, inputs = jax.lax.cond(
        _nothing((flow_state, linked)),
        lambda: jax.tree.map(jnp.zeros_like, (own_state, own_inputs)),
        lambda: pull((flow_state, linked))[1:],
    )
    return params, (own_state, flow_state), inputs, None


def _nothing(tree) -> jax.Array:
    """Whether all is zero."""
    return ~jnp.stack([jnp.any(x != 0) for x in jax.tree.leaves(tree)]).any()


_routed.defvjp(_routed_forward, _routed_backward)
