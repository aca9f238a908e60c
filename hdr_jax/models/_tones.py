"""What a step of the recursion carries and makes: images, or log exposures with what is known kept.

Two formulations share networks, recursion and layer; they differ in this module alone. Notation:
carry [..., h, w, c]; head [b, h, w, 3] what a network's last convolution says; image [..., h, w, 3]
display-encoded in [0, 1]; g log inverse response, see `hdr_jax.models._highlights`.

`ImageTone`, as published: the carry is the image in [-1, 1], a network paints the next one.

`ExposureTone`: the carry is four maps per channel: log exposure x = ln f^-1(Z) in nepers, which is
0 where the exposure begins to clip; the mask of what the given exposure cannot tell, 1 where it is
clipped and -1 where it is crushed; the distance from the rim of its highlights; and, in what a
network made, the head. With d the stops of a step, s the sigmoid,

    x' = x + d ln 2 + |d| ln 2 max(mask, 0) s(head)          down, d < 0
    x' = x + d ln 2 + |d| ln 2 max(-mask, 0) tanh(head)      up,   d > 0

and the refinement's head is added to the global network's. Going down the gain lies between nothing
and the whole step: x never rises above 0, so that every exposure tells its gain. All other pixels
are exactly f(x + d ln 2).
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
from jax import Array, lax

from hdr_jax import crf
from hdr_jax.exposure import LN2, log_inverse_sigmoid
from hdr_jax.levels import RIM_LEVEL
from hdr_jax.models._highlights import clip_mask, linearised

REACH = 64  # pixels: farther from the rim all distances look alike


@dataclasses.dataclass(frozen=True)
class ImageTone:
    """Images in [-1, 1] (Kim, Lee, Kang 2020, as released).

    Attributes:
        carried: channels of a carry.
    """

    carried = 3

    def start(self, image: Array, g: Array | None = None) -> Array:
        """The carry of a known exposure; the response plays no part."""
        return 2 * image - 1

    def picture(self, carry: Array, g: Array | None = None) -> Array:
        """The exposure of a carry."""
        return (carry + 1) / 2

    def see(self, carry: Array) -> Array:
        """What the networks see of a carry."""
        return carry

    def gray(self, carry: Array) -> Array:
        """The same, averaged over the colours."""
        return carry.mean(-1, keepdims=True)

    def move(self, head: Array, source: Array, made: Array | None, entries: tuple) -> Array:
        """The next carry: head of a network, carry it started from, what was made of it so far."""
        return (jnp.tanh(head).astype(source.dtype) + (source if made is None else made)) / 2


@dataclasses.dataclass(frozen=True)
class ExposureTone:
    """Log exposures, see the module's head; `entries[2]` of a step are its stops."""

    carried = 12  # channels

    def start(self, image: Array, g: Array | None = None) -> Array:
        """The carry of a known exposure."""
        mask = clip_mask(image) - clip_mask(1 - image)
        distance = jnp.log1p(rim_distance(image)) / 3
        parts = [linearised(image, g), mask, distance, jnp.zeros_like(image)]
        return jnp.concatenate(parts, -1)

    def picture(self, carry: Array, g: Array | None = None) -> Array:
        """f(x)."""
        g = log_inverse_sigmoid() if g is None else jnp.asarray(g)
        return crf.respond(carry[..., :3], g - g[..., -1:]) / (g.shape[-1] - 1)

    def see(self, carry: Array) -> Array:
        """ln(e^x + 1/512) / 3, the mask and ln(1 + distance) / 3."""
        x = jnp.log(jnp.exp(carry[..., :3]) + 1 / 512) / 3
        return jnp.concatenate([x, carry[..., 3:9]], -1)

    def gray(self, carry: Array) -> Array:
        """The same, averaged over the colours."""
        return jnp.stack([x.mean(-1) for x in jnp.split(self.see(carry), 3, -1)], -1)

    def move(self, head: Array, source: Array, made: Array | None, entries: tuple) -> Array:
        """The next carry, as `ImageTone.move`."""
        x, mask, distance, _ = jnp.split(source, 4, -1)
        head = head.astype(x.dtype) + (0 if made is None else made[..., 9:])
        stops = entries[2]
        gain = jnp.maximum(mask, 0) * jax.nn.sigmoid(head)
        correction = jnp.maximum(-mask, 0) * jnp.tanh(head)
        x = x + LN2 * (stops + jnp.abs(stops) * jnp.where(stops < 0, gain, correction))
        return jnp.concatenate([x, mask, distance, head], -1)


Tone = ImageTone | ExposureTone
TONES: dict[str, Tone] = {"image": ImageTone(), "exposure": ExposureTone()}


def rim_distance(image: Array) -> Array:
    """`hdr_jax.images.rim_distance` within a compiled program, for distances up to REACH.

    Args:
        image: [..., h, w, c] display-encoded, in [0, 1].

    Returns:
        [..., h, w, c] pixels to the nearest pixel of the channel below level 252 of 255, at most
        REACH, 0 at such pixels.

    Not differentiable: constant for a gradient.
    Source: the lower envelope of parabolas along each axis, Felzenszwalb and Huttenlocher 2012.
    Example:
        >>> row = jnp.array([0.0, 1, 1, 1, 0])
        >>> rim_distance(jnp.tile(row, (5, 1))[..., None])[2, :, 0].tolist()
        [0.0, 1.0, 2.0, 1.0, 0.0]
    """
    far = float(REACH**2)
    squared = jnp.where(lax.stop_gradient(image) >= RIM_LEVEL / 255, jnp.float32(far), 0)
    for axis in (image.ndim - 3, image.ndim - 2):
        reach, length = min(REACH, image.shape[axis]), image.shape[axis]
        sides = [(reach, reach) if k == axis else (0, 0) for k in range(image.ndim)]
        padded = jnp.pad(squared, sides, constant_values=far)

        def nearer(k, least, padded=padded, axis=axis, length=length, reach=reach):
            there = lax.dynamic_slice_in_dim(padded, k, length, axis)
            return jnp.minimum(least, there + jnp.square(k - reach).astype(there.dtype))

        squared = lax.fori_loop(0, 2 * reach + 1, nearer, squared)
    # Of a picture without any rim: no further than across it, as the other one.
    return jnp.minimum(jnp.sqrt(squared), math.hypot(*image.shape[-3:-1]))
