"""The optimiser: Adam with gradient centralisation for convolution kernels.

Convolution kernels are recognised by their four axes, [h, w, in, out] as in Flax.
"""

from typing import Any

import jax
import jax.numpy as jnp

from hdr_jax.errors import InputError, extra

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


def _check_range(name: str, value: Any, below: float = float("inf")) -> None:
    """0 <= value < below for Python numbers; traced values and schedules pass."""
    if isinstance(value, (int, float)) and not 0 <= value < below:
        raise InputError(f"expected {name} in [0, {below}), got {value}")
