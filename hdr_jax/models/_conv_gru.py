"""Convolutional gated recurrent unit, as a Flax RNN cell."""

from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from hdr_jax.models._blocks import Conv, Convolution


class ConvGRUCell(nn.RNNCellBase):
    """Gated recurrent unit whose gates are 3 x 3 convolutions.

        z = sigmoid(update [x, h]);  r = sigmoid(reset [x, h]);  n = tanh(candidate [x, r h])
        h' = (1 - z) h + z n

    Follows Flax's cell contract, `(carry, x) -> (carry, output)`, so `nn.RNN` runs it over a
    sequence. The output is the new carry. The carry is float32 whatever `dtype` is: it is a running
    mean, and bfloat16 loses small updates.

    Attributes:
        features: channels of the carry.
        dtype: type the convolutions are computed in.
        convolution: see `hdr_jax.models._convolution`.

    Source: Ballas et al. 2016 (arXiv 1511.06432), gates as in Kim, Lee, Kang 2020's program.

    Example:
        >>> cell, x = ConvGRUCell(8), jnp.ones((1, 4, 4, 3))
        >>> carry = cell.initialize_carry(jax.random.key(0), x.shape)
        >>> (carry, output), variables = cell.init_with_output(jax.random.key(1), carry, x)
        >>> output.shape
        (1, 4, 4, 8)
    """

    features: int
    dtype: Any = jnp.float32
    convolution: Convolution | None = None

    # The gates stay three convolutions. Measured on CPU at [1, 8, 8, 1024] and [1, 16, 16, 256]:
    # update and reset stored as one kernel, or one kernel for x and one for h, are within the noise
    # of this; joining the kernels at run time is 1.5 x slower. This keeps one name per gate.
    @nn.compact
    def __call__(self, carry: jax.Array, inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
        chex.assert_equal_shape_prefix([carry, inputs], 3)
        chex.assert_axis_dimension(carry, -1, self.features)

        def gate(name, state):
            conv = Conv(self.features, 3, self.dtype, self.convolution, name=name)
            return conv(jnp.concatenate([inputs, state.astype(inputs.dtype)], -1))

        update = nn.sigmoid(gate("update", carry))
        reset = nn.sigmoid(gate("reset", carry))
        candidate = jnp.tanh(gate("candidate", reset * carry))
        carry = (1 - update) * carry + update * candidate
        return carry, carry.astype(inputs.dtype)

    @nn.nowrap
    def initialize_carry(self, rng: jax.Array, input_shape: tuple[int, ...]) -> jax.Array:
        """Zeros [b, h, w, features] for an input of shape [b, h, w, c]; `rng` is not used."""
        return jnp.zeros((*input_shape[:-1], self.features), jnp.float32)

    @property
    def num_feature_axes(self) -> int:
        """Height, width and channels."""
        return 3
