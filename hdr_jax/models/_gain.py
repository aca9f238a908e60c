"""The network behind `HighlightModel`: a U of residual blocks, from features to a log gain.

The trunk works on patches of PATCH x PATCH pixels, the head at full size: it spreads the trunk's
channels over the pixels of a patch (sub-pixel convolution) and puts the features beside them, so
that the gain follows the photograph's edges.

Every block normalises what it is given, and so does every way up: the skips add up from level to
level, and without the norms the coarse levels drown the fine ones, until the trunk's last swish is
given numbers far below 0; then it says nothing any more, and learns nothing any more (see "A dead
trunk" in docs/training_log.md).
"""

import math
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from hdr_jax.models import _blocks

PATCH = 2
MAX_GAIN = 8 * float(np.log(2))  # nepers
LEAK = 0.05  # least slope of the limits, for the gradient
BUMP = 0.6  # initial gain per ln(1 + rim distance) / 3: highlights rise towards their middle
SPREAD, HEAD = 12, 16  # channels at full size: from the trunk, and before the last convolution
CHROMA = 0.3  # chroma gains start smaller than the luminance's
RIM = 4  # pixels from the rim of a highlight, from where on the gain is smooth
COLOUR_REACHES = (1, 2, 4, 8)  # pixels, of the binomials that together blur a highlight's chroma
GROUPS = 8  # of channels that are normalised together, at most


def _conv(features: int, size: int, convolution, name: str, zero: bool = False) -> nn.Conv:
    """A convolution that keeps the size; `zero` lets it start at nothing."""
    variance = nn.initializers.variance_scaling(1.0, "fan_in", "truncated_normal")
    return nn.Conv(
        features,
        (size, size),
        padding=size // 2,
        kernel_init=nn.initializers.zeros if zero else variance,
        conv_general_dilated=convolution,
        name=name,
    )


def _activated(x: jax.Array, norm: str) -> jax.Array:
    """The swish of a map whose groups of channels are normalised, under that name."""
    return nn.swish(nn.GroupNorm(math.gcd(GROUPS, x.shape[-1]), name=norm)(x))


class Block(nn.Module):
    """Pre-activation residual block: x + conv(swish(conv(swish(norm(x)))))."""

    convolution: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels = x.shape[-1]
        y = _conv(channels, 3, self.convolution, "conv1")(_activated(x, "norm"))
        return x + _conv(channels, 3, self.convolution, "conv2", zero=True)(nn.swish(y))


class GainNetwork(nn.Module):
    """Features of a photograph -> luminance gain and chroma gains.

    Additive skips join the two sides of the U; the bottom's mean and maximum go through a dense
    layer and back, so that every pixel knows of the whole picture, and two scalars from there are a
    bias and a slope on the distance from the rim.

    Attributes:
        widths: channels of the levels, the finest first; each level halves the map.
        depths: residual blocks of each level, on each side of the U.
        convolution: "auto", "xla" or "matmul", see `hdr_jax.models._convolution`.

    Example:
        >>> network = GainNetwork((8, 8), (1, 1))
        >>> x = jnp.ones((1, 8, 16, 12))
        >>> luminance, chroma = jax.jit(network.init_with_output)(jax.random.key(0), x)[0]
        >>> luminance.shape, chroma.shape
        ((1, 8, 16, 3), (1, 8, 16, 3))
    """

    widths: tuple[int, ...] = (32, 64, 128, 192, 256)
    depths: tuple[int, ...] = (1, 1, 2, 2, 2)
    convolution: Any = None

    @property
    def multiple(self) -> int:
        """Height and width must be multiples of this."""
        return PATCH * 2 ** (len(self.widths) - 1)

    @nn.compact
    def __call__(self, features: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Features -> log gain before the limits of `limited`, chroma beside luminance.

        Args:
            features: [b, h, w, 12] as `highlights.features_of` makes them; h and w multiples of
                `multiple`.

        Returns:
            luminance [b, h, w, 3] (bias, detail and slope times the rim distance) and chroma
            [b, h, w, 3]; the log gain is `limited(luminance + chroma)`.
        """
        conv = partial(_conv, convolution=self.convolution)
        x, skips = conv(self.widths[0], 3, name="stem")(to_patches(features)), []
        for level, width in enumerate(self.widths):
            if level:
                x = conv(width, 1, name=f"down{level}")(_blocks.pool_mean(x))
            x = self._blocks(x, level, "encode")
            skips.append(x)
        y = _activated(x, "global_norm")
        summary = jnp.concatenate([y.mean((1, 2)), y.max((1, 2))], -1)
        summary = nn.swish(nn.Dense(128, name="global1")(summary))
        x = x + _zero_dense(x.shape[-1], "global2")(summary)[:, None, None]
        bias, slope = jnp.split(_zero_dense(2, "global3")(summary)[:, None, None], 2, -1)
        for level in reversed(range(len(self.widths))):
            if level < len(self.widths) - 1:
                x = _activated(x, f"up{level}_norm")
                x = conv(self.widths[level], 1, name=f"up{level}")(x)
                x = skips[level] + _blocks.double_nearest(x)
            x = self._blocks(x, level, "decode")
        x = _activated(x, "spread_norm")
        spread = from_patches(conv(SPREAD * PATCH**2, 1, name="spread")(x))
        head = conv(HEAD, 3, name="head1")(jnp.concatenate([spread, features], -1))
        head = conv(4, 3, name="head2")(nn.swish(head))
        luminance = head[..., :1] + bias + (slope + BUMP) * features[..., 9:]
        return luminance, CHROMA * head[..., 1:]

    def _blocks(self, x: jax.Array, level: int, side: str) -> jax.Array:
        """The residual blocks of one level."""
        for i in range(self.depths[level]):
            x = Block(self.convolution, name=f"{side}{level}_{i}")(x)
        return x


def limited(raw: jax.Array) -> jax.Array:
    """Log gain in [0, MAX_GAIN]: min(softplus(raw), MAX_GAIN), with a leak for the gradient.

    Args:
        raw: [...] nepers, any.

    Returns:
        The same shape.

    Differentiable in `raw`: the slope is never below 0.05, since softplus and the limit are
    absorbing (a network that starts beyond them would stay there).

    Example:
        >>> [round(float(x), 3) for x in limited(jnp.array([-50.0, 50.0]))]
        [0.0, 5.545]
    """
    gain = jnp.minimum(nn.softplus(raw), MAX_GAIN)
    return gain + LEAK * (raw - jax.lax.stop_gradient(raw))


def gain_of(raw: jax.Array, mask: jax.Array, rim_distance: jax.Array | float) -> jax.Array:
    """Log gain of clipped pixels: `limited`, smooth inside of highlights, its chroma more so.

    Smooth is blur(m gain) / blur(m) with the binomial kernel [1 2 1] / 4 down and across, which
    passes nothing of a pattern of two pixels. HDR-VDP-2 as a loss rewards such a pattern in white
    areas, where a person sees stripes (see "Stripes" in docs/training_log.md). Within RIM pixels
    of the rim, where the photograph tells of detail, the gain is less and less smooth.

    Where all channels clip, the photograph tells nothing of colour, and what the network guesses
    differs from place to place (see "Mottled lamps" there). So the chroma, gain minus mean over
    the channels, is blurred the same way among these pixels, by sigma 6.5 pixels: binomials whose
    taps lie 1, 2, 4 and 8 pixels apart, one after the other.

    Args:
        raw: [b, h, w, c] nepers, any: luminance and chroma of `GainNetwork`.
        mask: [b, h, w, c] how much of a pixel's gain counts, in [0, 1].
        rim_distance: [b, h, w, c] pixels, 0 outside of highlights.

    Returns:
        [b, h, w, c] nepers in [0, MAX_GAIN].

    Differentiable in all three.
    Source: normalised convolution, Knutsson and Westin 1993; the taps, Holschneider et al. 1989.

    Example:
        >>> stripes = jnp.broadcast_to(jnp.arange(8.0) % 2, (1, 4, 8))[..., None]
        >>> inside = gain_of(stripes, jnp.ones(stripes.shape), 9.0)[0, 1:-1, 1:-1]
        >>> float(jnp.ptp(inside)) < 1e-6
        True
    """
    gain = limited(raw)
    inside = jnp.clip((rim_distance - 1) / (RIM - 1), 0, 1)
    gain = gain + inside * (_smoothed(gain, mask, (1,)) - gain)
    all_clip = mask.min(-1, keepdims=True)
    mean = gain.mean(-1, keepdims=True)
    even = mean + _smoothed(gain - mean, all_clip, COLOUR_REACHES)
    # Within the limits again, but with the slopes of `limited`: a limit would absorb.
    even += jax.lax.stop_gradient(jnp.clip(even, 0, MAX_GAIN) - even)
    return gain + all_clip * (even - gain)


def _smoothed(x: jax.Array, weight: jax.Array, reaches: tuple[int, ...]) -> jax.Array:
    """blur(weight x) / blur(weight) [b, h, w, c] where the weight is not 0, x elsewhere."""
    known = weight > 0
    # Double where: far from highlights there is nothing to divide by.
    total = jnp.where(known, _blurred(weight, reaches), 1)
    return jnp.where(known, _blurred(weight * x, reaches) / total, x)


def _blurred(x: jax.Array, reaches: tuple[int, ...]) -> jax.Array:
    """[b, h, w, c] by [1 2 1] / 4 down and across, taps as far apart as told; zeros outside."""
    for axis in (1, 2):
        x = jnp.pad(x, [(sum(reaches) * (i == axis),) * 2 for i in range(4)])
        for reach in reaches:
            size = x.shape[axis] - 2 * reach
            before, here, behind = (
                jax.lax.slice_in_dim(x, k, k + size, axis=axis) for k in (0, reach, 2 * reach)
            )
            x = (before + 2 * here + behind) / 4
    return x


def _zero_dense(features: int, name: str) -> nn.Dense:
    """A dense layer that starts at nothing."""
    return nn.Dense(features, kernel_init=nn.initializers.zeros, name=name)


def to_patches(x: jax.Array) -> jax.Array:
    """[b, h, w, c] -> [b, h / PATCH, w / PATCH, PATCH^2 c]."""
    b, h, w, c = x.shape
    x = x.reshape(b, h // PATCH, PATCH, w // PATCH, PATCH, c)
    return x.swapaxes(2, 3).reshape(b, h // PATCH, w // PATCH, PATCH**2 * c)


def from_patches(x: jax.Array) -> jax.Array:
    """The inverse of `to_patches`."""
    b, h, w, c = x.shape
    x = x.reshape(b, h, w, PATCH, PATCH, c // PATCH**2)
    return x.swapaxes(2, 3).reshape(b, h * PATCH, w * PATCH, c // PATCH**2)
