"""Stage 1: what the pixel values mean; from stored values to light in cd/m^2 per channel."""

import jax.numpy as jnp
import numpy as np
from jax import Array

from hdr_jax import color

CHANNELS = {
    "luminance": 1,
    "luma-display": 1,
    "rgb-bt.709": 3,
    "sRGB-display": 3,
    "XYZ": 3,
}
XYZ_TO_RGB = np.array(
    [
        [3.240708, -1.537259, -0.498570],
        [-0.969257, 1.875995, 0.041555],
        [0.055636, -0.203996, 1.057069],
    ]
)
NAN_LUMINANCE = 1e-5


def to_light(image: Array, color_encoding: str) -> Array:
    """Light per channel of an image in one of the encodings of the metric.

    "luminance" and "rgb-bt.709" are taken as they are; "sRGB-display" is 99 x + 1 of linear x,
    "luma-display" 99 v^2.2 + 1, "XYZ" goes to BT.709 primaries. Out-of-gamut and negative values
    are left alone, NaN becomes 1e-5.

    Args:
      image: [..., h, w, c], one channel for "luminance" and "luma-display", else three.
      color_encoding: a key of `CHANNELS`.

    Returns:
      [..., h, w, c], cd/m^2.

    Differentiable in `image`.
    Source: Mantiuk et al. 2011, release 2.2.
    """
    missing = jnp.isnan(image)
    if color_encoding == "XYZ":
        missing = jnp.broadcast_to(missing.any(-1, keepdims=True), image.shape)
    # Replaced before and after: the gradient of a NaN would be NaN, selected or not.
    image = jnp.where(missing, 0.5, image)
    if color_encoding == "sRGB-display":
        image = 99 * color.srgb_to_linear(image) + 1
    elif color_encoding == "luma-display":
        # Code values below 0 are taken as 0: their power is not a real number.
        image = 99 * jnp.maximum(image, 0) ** 2.2 + 1
    elif color_encoding == "XYZ":
        image = jnp.stack(
            [sum(float(m) * image[..., i] for i, m in enumerate(row)) for row in XYZ_TO_RGB], -1
        )
    return jnp.where(missing, NAN_LUMINANCE, image)


def difference_mask(test: Array, reference: Array) -> Array:
    """1 where any channel differs by more than 0.1 %: |test - reference| / |reference| > 0.001.

    The original divides by the reference itself, and so takes any two values for equal where it is
    negative: colours out of gamut.

    Args:
      test: [h, w, c], cd/m^2.
      reference: the same shape. Where it is 0, any other value counts as different.

    Returns:
      [h, w] of 0 and 1, dtype of `test`.

    Not differentiable: it is a step.
    """
    safe = jnp.where(reference == 0, 1, jnp.abs(reference))
    relative = jnp.abs(test - reference) / safe
    different = jnp.where(reference == 0, test != 0, relative > 0.001)
    return different.any(-1).astype(test.dtype)
