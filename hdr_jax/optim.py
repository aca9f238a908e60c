"""The optimiser: Adam with gradient centralisation for convolution kernels; averages of parameters.

Convolution kernels are recognised by their four axes, [h, w, in, out] as in Flax.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from hdr_jax.errors import InputError, extra
from hdr_jax.levels import widened

with extra("train"):
    import optax


def centralized_adam(
    learning_rate: optax.ScalarOrSchedule,
    *,
    b1: float = 0.5,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> optax.GradientTransformation:
    """Adam on centralised gradients.

    d = gradient + weight_decay * parameter, for every parameter;
    d = d - mean(d over h, w, in), for convolution kernels alone;
    m = b1 m + (1 - b1) d;  v = b2 v + (1 - b2) d^2;
    parameter -= learning_rate * m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps).

    A parameter whose gradient is 0 still moves when there is momentum or weight decay.

    Args:
      learning_rate: >= 0, or an optax schedule step -> learning rate (the first step is 0).
      b1: decay of the first moment, in [0, 1).
      b2: decay of the second moment, in [0, 1).
      eps: added to the root of the second moment.
      weight_decay: factor, >= 0, of the L2 term; 5e-5 in the released program.

    Returns:
      An optax gradient transformation; with a weight decay its `update` needs `params`.

    Raises:
      InputError: when a number is out of its range.

    Source: Kim, Lee, Kang 2020 (b1, b2); Kingma and Ba 2015, Algorithm 1; Yong et al. 2020,
    "Gradient Centralization", Eq. 1.
    Example:
      >>> optimizer = centralized_adam(0.1)
      >>> params = {"bias": jnp.array([1.0])}
      >>> updates, _ = optimizer.update({"bias": jnp.array([3.0])}, optimizer.init(params), params)
      >>> round(float(optax.apply_updates(params, updates)["bias"][0]), 4)
      0.9
    """
    _check_range("b1", b1, below=1)
    _check_range("b2", b2, below=1)
    _check_range("eps", eps)
    _check_range("weight_decay", weight_decay)
    _check_range("learning_rate", learning_rate)
    no_decay = isinstance(weight_decay, (int, float)) and weight_decay == 0
    return optax.chain(
        optax.identity() if no_decay else optax.add_decayed_weights(weight_decay),
        centralize_kernels(),
        optax.scale_by_adam(b1=b1, b2=b2, eps=eps),
        optax.scale_by_learning_rate(learning_rate),
    )


def centralize_kernels() -> optax.GradientTransformation:
    """Subtracts from each output channel of a convolution kernel's gradient its mean.

    d - mean(d over h, w, in) for gradients [h, w, in, out]; all others pass unchanged.
    (`optax.centralize` averages over every axis but the first, and also changes dense kernels.)

    Returns:
      A stateless optax gradient transformation.

    Source: Yong et al. 2020, "Gradient Centralization", Eq. 1.
    Example:
      >>> kernel = jnp.arange(4.0).reshape(1, 1, 2, 2)
      >>> updates, _ = centralize_kernels().update({"kernel": kernel}, optax.EmptyState())
      >>> updates["kernel"].ravel().tolist()
      [-1.0, -1.0, 1.0, 1.0]
    """

    def centralize(gradient: jax.Array) -> jax.Array:
        if gradient.ndim != 4:
            return gradient
        return gradient - jnp.mean(gradient, axis=(0, 1, 2), keepdims=True)

    return optax.stateless(lambda updates, params: jax.tree.map(centralize, updates))


class AverageState(NamedTuple):
    """State of `average_parameters`: how many parameters were averaged, and their average."""

    count: jax.Array
    average: Any


def average_parameters(decay: float) -> optax.GradientTransformation:
    """Keeps a moving average of the parameters; the updates pass unchanged.

    average = d average + (1 - d) parameters, d = min(decay, (1 + t) / (10 + t)) at step t, so that
    the first parameters are soon forgotten; of 32 bits at least. To be the last link of an
    `optax.chain`.

    Args:
      decay: in [0, 1).

    Returns:
      An optax gradient transformation whose state is an `AverageState`; `update` needs `params`.

    Raises:
      InputError: when the decay is out of its range.

    Source: Polyak and Juditsky 1992, exponentially weighted.
    Example:
      >>> averaging = average_parameters(0.99)
      >>> params = jnp.array([1.0])
      >>> _, state = averaging.update(jnp.array([1.0]), averaging.init(params), params)
      >>> round(float(state.average[0]), 3)
      1.9
    """
    _check_range("decay", decay, below=1)

    def init(params):
        # Half precision would round most steps of an average away.
        return AverageState(jnp.zeros((), jnp.int32), jax.tree.map(widened, params))

    def update(updates, state, params=None):
        if params is None:
            raise InputError("average_parameters needs the parameters: pass params to update")
        count = state.count.astype(jnp.float32)
        d = jnp.minimum(decay, (1 + count) / (10 + count))
        moved = optax.apply_updates(params, updates)
        average = jax.tree.map(lambda a, p: d * a + (1 - d) * p, state.average, moved)
        return updates, AverageState(state.count + 1, average)

    return optax.GradientTransformation(init, update)


def with_average(params: Any, state: Any) -> tuple[Any, Any]:
    """Exchanges parameters and their average; a second call brings them back.

    Args:
      params: those that are trained.
      state: of an optimiser that may hold an `AverageState`.

    Returns:
      (the average, the state with the parameters in its place); both unchanged where no average is
      kept.

    Example:
      >>> averaging = average_parameters(0.99)
      >>> state = averaging.init(1.0)
      >>> average, state = with_average(2.0, state)
      >>> float(average), state.average
      (1.0, 2.0)
    """
    found = [params]

    def exchange(part):
        if not isinstance(part, AverageState):
            return part
        found[0] = part.average
        return part._replace(average=params)

    state = jax.tree.map(exchange, state, is_leaf=lambda part: isinstance(part, AverageState))
    return found[0], state


def _check_range(name: str, value: Any, below: float = float("inf")) -> None:
    """0 <= value < below for Python numbers; traced values and schedules pass."""
    if isinstance(value, (int, float)) and not 0 <= value < below:
        raise InputError(f"expected {name} in [0, {below}), got {value}")
