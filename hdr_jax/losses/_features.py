"""Features that the contextual bilateral loss compares: VGG-19 maps, or plain RGB patches.

Both take images in [0, 1], display-encoded RGB. Weights come as a dict of NumPy arrays under
torchvision's names (`features.N.weight` [out, in, 3, 3], `features.N.bias` [out]);
`hdr_jax.convert` reads them from a file.
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax import Array

from hdr_jax.checks import as_array, check_count
from hdr_jax.errors import InputError

# Convolutions as torchvision numbers them in `features`, up to relu4_4, with their output widths.
# A step of three in the numbering is a 2 x 2 max pooling between them.
CONVOLUTIONS = {
    0: 64,
    2: 64,
    5: 128,
    7: 128,
    10: 256,
    12: 256,
    14: 256,
    16: 256,
    19: 512,
    21: 512,
    23: 512,
    25: 512,
}
# The convolutions whose rectified output is compared (Eq. 7).
OUTPUTS = {16: "relu3_4", 25: "relu4_4"}

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


class VGG19(nn.Module):
    """VGG-19 up to relu4_4: images [..., h, w, 3] in [0, 1] to a dict of feature maps.

    x = (image - mean) / deviation per channel (ImageNet); then 3 x 3 convolutions with zero
    padding, each followed by a rectifier, and 2 x 2 max pooling between the blocks.

    Returns of `apply`: {"relu3_4": [..., h // 4, w // 4, 256], "relu4_4": [..., h // 8, w // 8,
    512]}, >= 0. Sides need at least 8 pixels; what does not fill a pooling window is dropped.

    Differentiable in the image, which may leave [0, 1].
    Source: Simonyan and Zisserman 2015, configuration E; layout and normalisation of torchvision.
    Example:
      >>> import jax
      >>> image = jnp.zeros((16, 16, 3))
      >>> shapes = jax.eval_shape(VGG19().init_with_output, jax.random.key(0), image)[0]
      >>> shapes["relu3_4"].shape, shapes["relu4_4"].shape
      ((4, 4, 256), (2, 2, 512))
    """

    @nn.compact
    def __call__(self, image: Array) -> dict[str, Array]:
        if image.ndim < 3 or image.shape[-1] != 3 or min(image.shape[-3:-1]) < 8:
            raise InputError(
                f"expected images [..., h, w, 3] with sides of 8 pixels or more, got {image.shape}"
            )
        # One axis per axis of the image: no silent rank promotion.
        mean, deviation = (
            jnp.array(values, image.dtype).reshape((1,) * (image.ndim - 1) + (3,))
            for values in (IMAGENET_MEAN, IMAGENET_DEVIATION)
        )
        x = (image - mean) / deviation
        outputs, previous = {}, 0
        for index, width in CONVOLUTIONS.items():
            if index - previous == 3:
                x = nn.max_pool(x, (2, 2), strides=(2, 2))
            x = nn.relu(nn.Conv(width, (3, 3), padding=1, name=f"features_{index}")(x))
            if index in OUTPUTS:
                outputs[OUTPUTS[index]] = x
            previous = index
        return outputs


def vgg19_names() -> list[str]:
    """Torchvision's names of the arrays `vgg19_params` needs.

    Returns:
      ["features.0.weight", "features.0.bias", ...], two for each convolution up to relu4_4.

    Example:
      >>> vgg19_names()[:2], len(vgg19_names())
      (['features.0.weight', 'features.0.bias'], 24)
    """
    return [f"features.{index}.{kind}" for index in CONVOLUTIONS for kind in ("weight", "bias")]


def vgg19_params(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Parameters of `VGG19` from arrays under torchvision's names.

    Args:
      state: `features.N.weight` [out, in, 3, 3] and `features.N.bias` [out] for the convolutions
        up to relu4_4 (N = 0 .. 25); further entries, such as the classifier's, are left aside.

    Returns:
      {"params": {"features_N": {"kernel": [3, 3, in, out], "bias": [out]}}}, float32.

    Raises:
      InputError: when entries are missing or have another shape; the message lists them all.

    Example:
      >>> vgg19_params({"features.0.weight": np.zeros((64, 3, 3, 3))})  # doctest: +ELLIPSIS
      Traceback (most recent call last):
      ...
      hdr_jax.errors.InputError: not the weights of VGG-19: missing features.0.bias, missing...
    """
    widths = list(CONVOLUTIONS.values())
    shapes = [
        shape
        for width, depth in zip(widths, [3, *widths[:-1]], strict=True)
        for shape in ((width, depth, 3, 3), (width,))
    ]
    faults = []
    for name, shape in zip(vgg19_names(), shapes, strict=True):
        if name not in state:
            faults.append(f"missing {name}")
        elif np.shape(state[name]) != shape:
            faults.append(f"{name} is {np.shape(state[name])} instead of {shape}")
    if faults:
        raise InputError("not the weights of VGG-19: " + ", ".join(faults))
    params = {}
    for index in CONVOLUTIONS:
        weight = np.asarray(state[f"features.{index}.weight"], np.float32)
        bias = np.asarray(state[f"features.{index}.bias"], np.float32)
        params[f"features_{index}"] = {
            "kernel": jnp.asarray(weight.transpose(2, 3, 1, 0)),
            "bias": jnp.asarray(bias),
        }
    return {"params": params}


def features(image: Array, vgg_params: Mapping[str, Any] | None = None) -> dict[str, Array]:
    """The feature maps Eq. (7) compares, by name: VGG-19's, or RGB patches without its weights.

    Args:
      image: [..., h, w, 3] in [0, 1], sides of 8 pixels or more.
      vgg_params: from `vgg19_params` or `hdr_jax.convert.load_vgg19`; None for patches.

    Returns:
      {"relu3_4": ..., "relu4_4": ...} as `VGG19`, or {"rgb_patches": [..., h / 8, w / 8, 192]}.

    Differentiable in `image`.
    Example:
      >>> {name: value.shape for name, value in features(jnp.zeros((16, 16, 3))).items()}
      {'rgb_patches': (2, 2, 192)}
    """
    if vgg_params is None:
        return {"rgb_patches": rgb_patches(image)}
    maps: Any = VGG19().apply(vgg_params, image)
    return maps


def rgb_patches(image: Array, size: int = 8) -> Array:
    """Cuts an image into patches side by side and lays out each as one feature.

    Args:
      image: [..., h, w, c], any range; sides that are no multiple of `size` are continued by their
        last row and column, so that every pixel counts.
      size: side of a patch in pixels, >= 1.

    Returns:
      [..., ceil(h / size), ceil(w / size), size * size * c].

    Raises:
      InputError: for fewer than three axes, an image without pixels, or a size below 1.

    Differentiable in `image`.
    Source: Zhang, Chen, Ng, Koltun, "Zoom to Learn", 2019.
    Example:
      >>> rgb_patches(jnp.zeros((20, 16, 3))).shape
      (3, 2, 192)
    """
    check_count("size", size, 1)
    image = as_array(image)
    if image.ndim < 3 or 0 in image.shape:
        raise InputError(f"expected an image [..., h, w, c] with pixels, got {image.shape}")
    *leading, height, width, channels = image.shape
    pad = [(0, 0)] * len(leading) + [(0, -height % size), (0, -width % size), (0, 0)]
    image = jnp.pad(image, pad, mode="edge")
    rows, columns = image.shape[-3] // size, image.shape[-2] // size
    blocks = image.reshape(*leading, rows, size, columns, size, channels)
    patches = jnp.moveaxis(blocks, -4, -3)
    return patches.reshape(*leading, rows, columns, size * size * channels)
