"""What the three networks are made of: convolution, instance norms, resampling, the two levels.

Notation: feature maps are [b, h, w, c]; `entry` is the index of the conditional norm's entry, one
per step between neighbouring exposures. Parameters are float32; `dtype` is the type computed in.
"""

import math
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.errors import ScopeParamShapeError
from flax.traverse_util import flatten_dict, unflatten_dict
from jax import lax

Convolution = Callable[..., jax.Array]


def kernel_init(key: jax.Array, shape: tuple, dtype=jnp.float32) -> jax.Array:
    """PyTorch's default for a convolution: uniform within +-1 / sqrt(fan in).

    This is Kaiming's bound with slope sqrt(5); the released program leaves its layers at it.
    """
    return _uniform(key, shape, dtype, math.prod(shape[:-1]))


def bias_init(fan_in: int) -> Callable:
    """The same bound for the bias of a convolution with that fan in."""
    return lambda key, shape, dtype=jnp.float32: _uniform(key, shape, dtype, fan_in)


def _uniform(key, shape, dtype, fan_in):
    bound = fan_in**-0.5
    return jax.random.uniform(key, shape, dtype, -bound, bound)


def initial_values(key: jax.Array, shapes: dict) -> dict:
    """Initial parameters of the given shapes, by the rules of this module, in a single draw.

    A model has some 270 arrays, and XLA takes half a second to compile each generator on CPU.

    Args:
        key: random key.
        shapes: parameter tree with shapes in place of arrays.

    Returns:
        Kernels and their biases uniform as `kernel_init` says, norm scales 1, norm biases 0.
    """
    flat: dict[Any, Any] = flatten_dict(shapes)
    drawn = {path: leaf.shape for path, leaf in flat.items() if (*path[:-1], "kernel") in flat}
    sizes = [math.prod(shape) for shape in drawn.values()]
    draw = jax.random.uniform(key, (sum(sizes),), jnp.float32, -1, 1)
    parts = dict(zip(drawn, jnp.split(draw, list(accumulate(sizes))[:-1]), strict=True))

    def value(path, leaf):
        if path in parts:
            fan_in = math.prod(flat[*path[:-1], "kernel"].shape[:-1])
            return parts[path].reshape(leaf.shape) * fan_in**-0.5
        return jnp.full(leaf.shape, path[-1] == "scale", jnp.float32)

    return unflatten_dict({path: value(path, leaf) for path, leaf in flat.items()})


def parameter(module: nn.Module, name: str, init: Callable, shape: tuple[int, ...]) -> Any:
    """A module's parameter of that shape, made by `init(key, shape)` where there is none.

    `module.param` traces the initialiser at every reading to learn the shape, which takes a good
    part of the time in which a training step is traced. A wrong shape is Flax's error here too.
    """
    if not module.has_variable("params", name):
        return module.param(name, init, shape)
    value = module.get_variable("params", name)
    if jnp.shape(value) != shape:
        path = "/" + "/".join(module.path)
        raise ScopeParamShapeError(name, path, jnp.shape(value), shape)
    return value


class Conv(nn.Module):
    """A 3 x 3 (or `size` x `size`) convolution with zero padding that keeps the size.

    Attributes:
        features: output channels.
        size: odd kernel size.
        dtype: type computed in; parameters stay float32.
        convolution: what plays `lax.conv_general_dilated`, see `hdr_jax.models._convolution`.
    """

    features: int
    size: int = 3
    dtype: Any = jnp.float32
    convolution: Convolution | None = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (self.size, self.size, x.shape[-1], self.features)
        kernel = parameter(self, "kernel", kernel_init, shape)
        bias = parameter(self, "bias", bias_init(math.prod(shape[:-1])), shape[-1:])
        x, kernel, bias = (value.astype(self.dtype) for value in (x, kernel, bias))
        convolve = self.convolution or lax.conv_general_dilated
        y = convolve(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return y + bias.reshape(1, 1, 1, -1)


class InstanceNorm(nn.Module):
    """Instance normalisation with an affine map, chosen among `entries` when that is given.

        y = (x - mean) / sqrt(var + 1e-5) * scale[entry] + bias[entry]

    Mean and (biased) variance are those of one channel of one picture, taken in float32. The
    collection "statistics" holds them when it is mutable; when it is given, they are read from it,
    so that the tiles of a picture can be normalised alike.

    Attributes:
        entries: number of affine maps, or None for a single one (`entry` is then ignored).
    """

    entries: int | None = None

    @nn.compact
    def __call__(self, x: jax.Array, entry: jax.Array | int = 0) -> jax.Array:
        channels = x.shape[-1]
        shape = (channels,) if self.entries is None else (self.entries, channels)
        scale = parameter(self, "scale", nn.initializers.ones, shape)
        bias = parameter(self, "bias", nn.initializers.zeros, shape)
        if self.entries is not None:
            scale, bias = scale[entry], bias[entry]
        exact = x.astype(jnp.float32)
        if self.has_variable("statistics", "mean"):
            mean, var = (self.get_variable("statistics", name) for name in ("mean", "var"))
        else:
            mean = exact.mean((1, 2), keepdims=True)
            var = jnp.square(exact - mean).mean((1, 2), keepdims=True)
            if self.is_mutable_collection("statistics") and not self.is_initializing():
                self.put_variable("statistics", "mean", mean)
                self.put_variable("statistics", "var", var)
        gain = jax.lax.rsqrt(var + 1e-5) * scale.reshape(1, 1, 1, channels)
        return ((exact - mean) * gain + bias.reshape(1, 1, 1, channels)).astype(x.dtype)


def pool_mean(x: jax.Array) -> jax.Array:
    """Mean of 2 x 2 blocks."""
    b, h, w, c = x.shape
    return x.reshape(b, h // 2, 2, w // 2, 2, c).mean((2, 4))


def pool_max(x: jax.Array) -> jax.Array:
    """Maximum of 2 x 2 blocks; the gradient goes to the first of equals.

    Not `x.max()`: its gradient looks for the entries equal to the maximum, and divides by their
    number. XLA may compute `x` twice, once per side of that comparison, with different roundings:
    then none is equal, and the gradient is 0 / 0 (seen in the local network's).
    """
    b, h, w, c = x.shape
    for axis, shape in ((2, (b, h // 2, 2, w, c)), (3, (b, h // 2, w // 2, 2, c))):
        first, second = (jax.lax.index_in_dim(x.reshape(shape), i, axis, False) for i in (0, 1))
        x = jnp.where(first < second, second, first)
    return x


def double_nearest(x: jax.Array) -> jax.Array:
    """Twice the size by repetition."""
    return x.repeat(2, axis=1).repeat(2, axis=2)


def double_bilinear(x: jax.Array) -> jax.Array:
    """Twice the size, bilinear with half-pixel centres (edges repeated)."""
    return _double_axis(_double_axis(x, 1), 2)


def _double_axis(x: jax.Array, axis: int) -> jax.Array:
    """Output 2 i lies a quarter pixel before input i, output 2 i + 1 a quarter behind it."""
    size = x.shape[axis]
    first = jax.lax.slice_in_dim(x, 0, 1, axis=axis)
    last = jax.lax.slice_in_dim(x, size - 1, size, axis=axis)
    before = jnp.concatenate([first, jax.lax.slice_in_dim(x, 0, size - 1, axis=axis)], axis)
    behind = jnp.concatenate([jax.lax.slice_in_dim(x, 1, size, axis=axis), last], axis)
    pair = jnp.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * behind], axis + 1)
    return pair.reshape(x.shape[:axis] + (2 * size,) + x.shape[axis + 1 :])
