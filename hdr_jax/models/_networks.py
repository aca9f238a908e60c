"""The three networks of one direction: global, local and refinement U-Nets.

Contract of all three: `network(state, inputs, entries) -> (state, output)`. `inputs` is a tuple of
[b, h, w, c] arrays, images and edge maps in [0, 1], h and w multiples of 2^levels. An image here is
the carry of `hdr_jax.models._tones`: in [-1, 1] as published, or a log exposure and its masks.
`state` is the ConvGRU's carry ([b, h / 2^levels, w / 2^levels, width 2^levels], zeros at first;
None for the refinement network, which has none). `entries` is a pair: the entry the conditional
norms use, and the one the local network's last norm uses (the released program always has 0 there
going up, the step's own entry going down); for log exposures the step's stops come third.

Going down, widths double and maps halve; skips are taken behind the pooling, so that the deepest
one is the bottleneck's own input. Swish everywhere but at the heads; norms sit between convolution
and swish.

Source: Kim, Lee, Kang 2020, Sec. 3 and appendix; layer by layer as in the released program.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from hdr_jax.models import _blocks
from hdr_jax.models._conv_gru import ConvGRUCell
from hdr_jax.models._tones import ImageTone, Tone

State = jax.Array | None


class UNet(nn.Module):
    """What the three networks share: fields, layers and the two halves of the U.

    Attributes:
        width: channels behind the stem.
        levels: how many times the map is halved and the width doubled.
        entries: entries of the conditional norms.
        dtype: type computed in; parameters stay float32.
        convolution: see `hdr_jax.models._convolution`.
        tone: what an image is, see `hdr_jax.models._tones`.
    """

    width: int = 16
    levels: int = 4
    entries: int = 6
    dtype: Any = jnp.float32
    convolution: _blocks.Convolution | None = None
    tone: Tone = ImageTone()

    channels: ClassVar[tuple[int, ...]]  # of the inputs, where images have 3

    @property
    def carried(self) -> tuple[int, ...]:
        """Channels of the inputs, images being what the tone carries."""
        return tuple(self.tone.carried if c == 3 else c for c in self.channels)

    def conv(self, features: int, name: str, size: int = 3) -> _blocks.Conv:
        """A convolution of this network's type."""
        return _blocks.Conv(features, size, self.dtype, self.convolution, name=name)

    def stem(self, *inputs: jax.Array) -> jax.Array:
        """The first convolution, on all inputs side by side."""
        joined = jnp.concatenate([x.astype(self.dtype) for x in inputs], -1)
        return nn.swish(self.conv(self.width, "stem")(joined))

    def encode(self, x: jax.Array, entry, pool: Callable, conditional: bool) -> list[jax.Array]:
        """The way down: the map behind every pooling, shallowest first."""
        skips = []
        for level in range(self.levels):
            features, name = self.width * 2 ** (level + 1), f"down{level}"
            x = nn.swish(self.conv(features, f"{name}_conv1")(x))
            x = self.conv(features, f"{name}_conv2")(x)
            if conditional:
                x = _blocks.InstanceNorm(self.entries, name=f"{name}_norm")(x, entry)
            skips.append(x := pool(nn.swish(x)))
        return skips

    def decode(self, x, skips, entry, double: Callable, size: int, conditional: bool) -> jax.Array:
        """The way up: per level skip, twice the size, convolution, convolution, norm."""
        entries = self.entries if conditional else None
        for level in reversed(range(self.levels)):
            features, name = self.width * 2**level, f"up{level}"
            x = jnp.concatenate([x, skips[level]], -1)
            conv = self.conv(features, f"{name}_conv1", size)
            # A 1 x 1 convolution commutes with the upsampling (whose weights sum to one): a quarter
            # of the work on the small map.
            x = nn.swish(double(conv(x)) if size == 1 else conv(double(x)))
            x = self.conv(features, f"{name}_conv2")(x)
            x = nn.swish(_blocks.InstanceNorm(entries, name=f"{name}_norm")(x, entry))
        return x

    def remember(self, state: Any, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The recurrent bottleneck: ConvGRU and two convolutions."""
        features = x.shape[-1]
        cell = ConvGRUCell(features, self.dtype, self.convolution, name="gru")
        state, x = cell(state, x)
        for name in ("bottleneck_conv1", "bottleneck_conv2"):
            x = nn.swish(self.conv(features, name)(x))
        return state, x

    def initial_state(self, batch: int, height: int, width: int) -> State:
        """The carry before the first step: zeros."""
        factor = 2**self.levels
        features = self.width * factor
        return jnp.zeros((batch, height // factor, width // factor, features), jnp.float32)

    def check(self, inputs: tuple) -> None:
        """The contract: pictures [b, h, w, c] of one size, c as `carried` says."""
        chex.assert_rank(inputs, 4)
        chex.assert_equal_shape_prefix(inputs, 3)
        for x, channels in zip(inputs, self.carried, strict=True):
            chex.assert_axis_dimension(x, -1, channels)

    def parameter_shapes(self) -> dict:
        """The parameter tree with shapes in place of arrays."""
        size = 2**self.levels
        inputs = tuple(jnp.zeros((1, size, size, c)) for c in self.carried)
        state = self.initial_state(1, size, size)
        arguments = state, inputs, (0, 0, 1.0)
        return jax.eval_shape(lambda: self.init(jax.random.key(0), *arguments))["params"]


class GlobalNetwork(UNet):
    """Image -> next exposure: tone and colour."""

    channels = (3,)

    @nn.compact
    def __call__(self, state: Any, inputs: tuple, entries: tuple) -> tuple[Any, jax.Array]:
        self.check(inputs)
        (image,) = inputs
        stem = self.stem(self.tone.see(image))
        skips = self.encode(stem, entries[0], _blocks.pool_mean, conditional=False)
        state, x = self.remember(state, skips[-1])
        x = self.decode(x, skips, entries[0], _blocks.double_bilinear, 1, conditional=True)
        head = self.conv(3, "head")(jnp.concatenate([x, stem], -1))
        return state, self.tone.move(head, image, None, entries)


class LocalNetwork(UNet):
    """Image and its edges (1) -> edges of the next exposure, in [0, 1]."""

    channels = (3, 1)

    @nn.compact
    def __call__(self, state: Any, inputs: tuple, entries: tuple) -> tuple[Any, jax.Array]:
        self.check(inputs)
        image, edge_map = inputs
        gray = self.tone.gray(image)
        stem = self.stem(gray, edge_map)
        skips = self.encode(stem, entries[0], _blocks.pool_max, conditional=True)
        state, x = self.remember(state, skips[-1])
        x = self.decode(x, skips, entries[0], _blocks.double_nearest, 1, conditional=True)
        x = self.conv(2, "merge")(jnp.concatenate([x, stem], -1))
        x = nn.swish(_blocks.InstanceNorm(self.entries, name="merge_norm")(x, entries[1]))
        given = [y.astype(self.dtype) for y in (gray, edge_map)]
        x = self.conv(1, "head")(jnp.concatenate([x, *given], -1))
        return state, nn.sigmoid(x).astype(image.dtype)


class RefinementNetwork(UNet):
    """Image, global output, local output (1) -> next exposure."""

    channels = (3, 3, 1)

    @nn.compact
    def __call__(self, state: Any, inputs: tuple, entries: tuple) -> tuple[Any, jax.Array]:
        self.check(inputs)
        image, tone, edges = inputs
        stem = self.stem(self.tone.see(image), self.tone.see(tone), edges)
        skips = self.encode(stem, entries[0], _blocks.pool_mean, conditional=False)
        x = nn.swish(self.conv(skips[-1].shape[-1], "bottleneck")(skips[-1]))
        x = self.decode(x, skips, entries[0], _blocks.double_bilinear, 3, conditional=False)
        head = self.conv(3, "head")(jnp.concatenate([x, stem], -1))
        return state, self.tone.move(head, image, tone, entries)

    def initial_state(self, batch: int, height: int, width: int) -> State:
        """Nothing: the network has no memory."""
        return None
