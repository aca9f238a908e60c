"""One photograph in terms of exposure: what is known is kept, what is clipped is predicted.

All but the clipped pixels of a photograph are known exactly, up to the camera's response:

    ln E = g(255 Z) + m(Z) gain,    gain in [0, 8 ln 2]

with g the log inverse response, 0 at white, m the soft mask of clipped pixels and the gain, in
nepers, what the network says about them. Any exposure of the scene follows by the response,
Z_j = f(E 2^EV_j): a stack of any range from one pass.

The user's camera is unknown: by default g is the canonical one, the sigmoid of mean parameters
(`hdr_jax.exposure.log_inverse_sigmoid`). A known curve may be passed in its place.

Notation: image [b, h, w, 3] display-encoded in [0, 1]; rim distance in pixels, see
`hdr_jax.images.rim_distance`; log radiance in nepers, 0 where the photograph clips.
"""

from collections.abc import Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from hdr_jax import crf
from hdr_jax.errors import InputError
from hdr_jax.exposure import ev_to_log_times, log_inverse_sigmoid
from hdr_jax.levels import CLIP_FROM, as_unit_float, clamp, widened
from hdr_jax.models import _convolution
from hdr_jax.models._gain import GainNetwork, gain_of


class HighlightOutput(NamedTuple):
    """What `HighlightModel` returns, each [b, h, w, 3], nepers.

    Attributes:
        log_radiance: ln E, relative, 0 where the photograph clips.
        gain: of every pixel, in [0, 8 ln 2], before the mask.
        luminance, chroma: the gain before `hdr_jax.models.gain_of` is their sum.
    """

    log_radiance: jax.Array
    gain: jax.Array
    luminance: jax.Array
    chroma: jax.Array


class HighlightModel(nn.Module):
    """Predicts the radiance of a photograph's clipped pixels.

    Attributes:
        widths, depths: of `GainNetwork`, by level.
        convolution: "auto", "xla" or "matmul", see `hdr_jax.models._convolution`.

    Source: the exposure formulation of Kim, Lee, Kang 2020's task in a single pass; clipped pixels
    alone, with a soft mask, as Eilertsen et al. 2017 (HDRCNN).

    Example:
        >>> model, image = HighlightModel((8, 8), (1, 1)), jnp.ones((1, 8, 16, 3))
        >>> start = jax.jit(model.init_with_output)
        >>> output, variables = start(jax.random.key(0), image, 2 * image)
        >>> output.log_radiance.shape
        (1, 8, 16, 3)
    """

    widths: tuple[int, ...] = (32, 64, 128, 192, 256)
    depths: tuple[int, ...] = (1, 1, 2, 2, 2)
    convolution: str = "auto"

    @property
    def multiple(self) -> int:
        """Height and width must be multiples of this."""
        return GainNetwork(tuple(self.widths)).multiple

    @nn.compact
    def __call__(
        self, image: jax.Array, rim_distance: jax.Array, g: jax.Array | None = None
    ) -> HighlightOutput:
        """Linearise, and add the gain where the photograph clips.

        Args:
            image: [b, h, w, 3] float in [0, 1], uint8 or uint16; h and w multiples of `multiple`.
            rim_distance: [b, h, w, 3] pixels, 0 outside of highlights.
            g: log inverse response [num_levels] or [3, num_levels]; the canonical one by default.

        Returns:
            `HighlightOutput`.

        Raises:
            InputError: for sizes that do not fit, and other types of pixels.
        """
        m = self.multiple
        if image.ndim != 4 or image.shape[-1] != 3 or rim_distance.shape != image.shape:
            raise InputError(
                f"image {image.shape} and rim_distance {rim_distance.shape}: expected both "
                "[b, h, w, 3]"
            )
        if image.shape[1] % m or image.shape[2] % m or not image.size:
            raise InputError(
                f"image of {image.shape[1]} x {image.shape[2]}: height and width must be multiples "
                f"of {m}; pad the image, or use fewer levels"
            )
        image = as_unit_float(image)
        known = linearised(image, g)
        network = GainNetwork(
            tuple(self.widths), tuple(self.depths), _convolution.choose(self.convolution)
        )
        nn.share_scope(self, network)
        luminance, chroma = network(features_of(image, jnp.exp(known), rim_distance))
        mask = clip_mask(image)
        gain = gain_of(luminance + chroma, mask, rim_distance)
        return HighlightOutput(known + mask * gain, gain, luminance, chroma)


def clip_mask(image: jax.Array) -> jax.Array:
    """How much of a pixel's gain counts: clip((Z - 0.97) / 0.03, 0, 1), per channel.

    Args:
        image: [...] display-encoded, float in [0, 1], uint8 or uint16.

    Returns:
        The same shape, floats of at least 32 bits, 1 at white, 0 below 0.97.

    Differentiable in `image`.

    Example:
        >>> clip_mask(jnp.array([0.5, 0.985, 1.0])).round(2).tolist()
        [0.0, 0.5, 1.0]
    """
    image = widened(as_unit_float(image))
    low = jnp.asarray(CLIP_FROM, image.dtype)
    return clamp((image - low) / (1 - low), 0, 1)


def features_of(image: jax.Array, linear: jax.Array, rim_distance: jax.Array) -> jax.Array:
    """What the network sees of a photograph, channels side by side.

    Z - 1/2; ln(f^-1(Z) + 1/512) / 3; clip((Z - 0.9) / 0.1, 0, 1); ln(1 + rim distance) / 3.

    Args:
        image: [b, h, w, 3] display-encoded, in [0, 1].
        linear: [b, h, w, 3] the same linearised, f^-1(Z), 1 at white.
        rim_distance: [b, h, w, 3] pixels from the rim of the highlight, 0 outside.

    Returns:
        [b, h, w, 12].

    Differentiable in all three.

    Example:
        >>> x = jnp.ones((1, 4, 4, 3))
        >>> features_of(x, x, x).shape
        (1, 4, 4, 12)
    """
    bright = jnp.clip((image - 0.9) / 0.1, 0, 1)
    parts = [image - 0.5, jnp.log(linear + 1 / 512) / 3, bright, jnp.log1p(rim_distance) / 3]
    return jnp.concatenate(parts, -1)


def linearised(image: jax.Array, g: jax.Array | None = None) -> jax.Array:
    """Log radiance of a photograph as its levels say it: g(255 Z) - g(255).

    Args:
        image: [..., 3] float in [0, 1], uint8 or uint16.
        g: [num_levels] or [3, num_levels] log inverse response; the canonical one by default.

    Returns:
        [..., 3] nepers, <= 0, 0 at white.

    Differentiable in both.

    Example:
        >>> linearised(jnp.ones((1, 1, 1, 3))).max().item()
        0.0
    """
    image = widened(as_unit_float(image))
    g = _curve(g, image)
    return crf.lookup(image * (g.shape[-1] - 1), g)


def exposures(
    log_radiance: jax.Array, ev_offsets: Sequence[float] | jax.Array, g: jax.Array | None = None
) -> jax.Array:
    """The stack of a log radiance map: Z_j = f(E 2^EV_j).

    Args:
        log_radiance: [h, w, 3] nepers, 0 where EV 0 clips.
        ev_offsets: [n] stops.
        g: as for `linearised`.

    Returns:
        [n, h, w, 3] in [0, 1].

    Differentiable in `log_radiance` and `g`.

    Example:
        >>> exposures(jnp.zeros((1, 1, 3)), (-1, 0, 2)).round(2)[:, 0, 0, 0].tolist()
        [0.75, 1.0, 1.0]
    """
    g = _curve(g, log_radiance)
    log_times = ev_to_log_times(jnp.asarray(ev_offsets, jnp.float32))
    levels = crf.respond(log_radiance[None] + log_times[:, None, None, None], g)
    return levels / (g.shape[-1] - 1)


def _curve(g: jax.Array | None, image: jax.Array) -> jax.Array:
    """The response that was given, or the canonical one: 0 at white, of the image's type."""
    g = log_inverse_sigmoid() if g is None else jnp.asarray(g)
    return (g - g[..., -1:]).astype(jnp.promote_types(jnp.result_type(image), jnp.float32))
