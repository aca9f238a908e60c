"""Convolutions as matrix products where those are the faster way, for CPUs.

XLA's CPU backend runs most convolutions and their gradients towards the input well. The gradient
towards the kernel is itself a convolution, with a window as large as the picture: slow when the
channel counts are no multiple of 8, and inside a scan far slower still. Here it is one matrix
product for all taps, y and x counted from the kernel's middle:

    kernel_gradient[y, x] = inputs_moved_across_by[-x].T @ output_gradient_moved_down_by[y]

And where there are fewer pixels than channels the kernel is the large operand, which XLA packs and,
for the gradient towards the input, turns round. There all three are products with the kernel as it
lies, of the pixels' neighbourhoods side by side. Where the outputs are few channels, as a picture's
three, the product comes first and its results are moved: up to four times as fast.

The convolution with both gradients, ms, two cores of an AMD EPYC with AVX-512, JAX 0.10.2:

    input, output channels      alone: XLA, here    three in a scan: XLA, here
    [3, 112, 112, 20], 20             132,   14                626,   37
    [2, 96, 128, 32], 32               15,   18              1 199,   49
    [2, 48, 64, 128], 128              30,   34              3 484,  109
    [1, 64, 64, 256], 256              80,   92              9 919,  282
    [1, 256, 256, 64], 64             139,  103             17 624,  298
    [1, 8, 8, 2048], 1024             268,   66

All others are `hdr_jax.xla_cpu.convolution`. On GPU and TPU XLA's own way is the fast one, which
`choose` takes there.
"""

import math
from collections.abc import Callable
from functools import reduce

import jax
import jax.numpy as jnp
from jax import lax
from jax.ad_checkpoint import checkpoint_name

from hdr_jax.errors import InputError
from hdr_jax.shards import alike
from hdr_jax.xla_cpu import convolution, in_memory

_LAYOUT = ("NHWC", "HWIO", "NHWC")
_NAME = "convolution"  # of a convolution's value, for `keep`
_is_named = jax.checkpoint_policies.save_only_these_names(_NAME)
_FEW_OUTPUTS = 8  # from here on XLA's way is as fast, or faster
# Bytes of moved maps that may stand beside each other, and pixels of a strip where there are more.
_CACHE = 2**25
_STRIP = 2048
# So few sums keep one core busy, but for parts of the pixels that are a batch of products.
_FEW_SUMS, _PARTS = 2**14, 4


def choose(name: str = "auto") -> Callable:
    """The function that plays `lax.conv_general_dilated` in the networks.

    Args:
        name: "xla", "matmul" (see the module's head), or "auto": "matmul" on CPU, "xla" elsewhere.

    Returns:
        A function for the `conv_general_dilated` field of `flax.linen.Conv`.

    Raises:
        InputError: unknown name.

    Example:
        >>> choose("xla") is lax.conv_general_dilated
        True
    """
    if name == "auto":
        name = "matmul" if jax.default_backend() == "cpu" else "xla"
    if name not in ("xla", "matmul"):
        raise InputError(f"convolution {name!r} is unknown: use 'auto', 'xla' or 'matmul'")
    return matmul_convolution if name == "matmul" else lax.conv_general_dilated


def keep(primitive, *arguments, **options) -> bool:
    """Policy for `jax.checkpoint`: the convolutions' values, which are dear to compute again.

    Args:
        primitive, *arguments, **options: an operation, as `jax.checkpoint` asks about it.

    Returns:
        Whether its value is kept for the way back.
    """
    return primitive is lax.conv_general_dilated_p or _is_named(primitive, *arguments, **options)


def matmul_convolution(inputs, kernel, window_strides, padding, **options) -> jax.Array:
    """`lax.conv_general_dilated` whose kernel gradient is a matrix product.

    Where pixels are fewer than channels, the value and the other gradient are products as well.
    Same value as XLA's convolution, to rounding; only what the networks use is served: NHWC inputs,
    HWIO kernels of odd size, stride 1, no dilation, no groups, zero padding that keeps the size.

    Args:
        inputs: [b, h, w, i].
        kernel: [kh, kw, i, o], kh and kw odd.
        window_strides: (1, 1).
        padding: "SAME", or the pairs that keep the size.
        **options: further arguments of `lax.conv_general_dilated`: dimension_numbers for NHWC and
            HWIO, `precision` if wanted, the others at their defaults.

    Returns:
        [b, h, w, o].

    Raises:
        InputError: an option that is not served.

    Differentiable in `inputs` and `kernel`, in reverse mode only.
    Source: the chain rule.

    Example:
        >>> x, k = jnp.ones((1, 4, 4, 2)), jnp.ones((3, 3, 2, 1))
        >>> layout = ("NHWC", "HWIO", "NHWC")
        >>> matmul_convolution(x, k, (1, 1), "SAME", dimension_numbers=layout)[0, 1, :, 0].tolist()
        [12.0, 18.0, 18.0, 12.0]
    """
    precision = options.pop("precision", None)
    _check_served(kernel, window_strides, padding, options)
    return _convolve(*alike(inputs, kernel), precision)


def _check_served(kernel, strides, padding, options) -> None:
    """Refuse what the gradient below does not cover."""
    same = tuple((size // 2, size // 2) for size in kernel.shape[:2])
    asked = same if padding == "SAME" else tuple(tuple(pair) for pair in padding)
    groups = options.get("feature_group_count", 1)
    dilations = [d for name in ("lhs_dilation", "rhs_dilation") for d in options.get(name) or ()]
    layouts = (options.get("dimension_numbers"), _LAYOUT)
    layout, ours = (lax.conv_dimension_numbers((0,) * 4, kernel.shape, x) for x in layouts)
    odd = all(size % 2 for size in kernel.shape[:2])
    if (
        layout != ours
        or not odd
        or asked != same
        or set(strides) != {1}
        or groups != 1
        or set(dilations) - {1}
    ):
        raise InputError(
            f"convolution with kernel {kernel.shape}, strides {tuple(strides)}, padding {padding}, "
            f"{groups} groups, dilations {dilations} and layout {layout}: the matrix-product "
            "gradient serves NHWC, odd kernels, stride 1, 'SAME' padding; use convolution='xla'"
        )


def _value(inputs, kernel, precision):
    """The convolution in the fastest way for its shape."""
    way = _of_neighbours if _few_pixels(inputs, kernel) else _plain
    return checkpoint_name(way(inputs, kernel, precision), _NAME)


def _plain(inputs, kernel, precision):
    """XLA's, but for few outputs: these are products of the pixels, moved and summed."""
    kh, kw, i, o = kernel.shape
    if kh == kw == 1 or o >= _FEW_OUTPUTS or i < 2 * o:
        padding = ((kh // 2, kh // 2), (kw // 2, kw // 2))
        return convolution(inputs, kernel, padding, precision)
    options = {"precision": precision, "preferred_element_type": _wide(inputs)}
    products = jnp.einsum("bhwi,yxio->bhwyxo", inputs, kernel, **options)
    products = products.reshape(*inputs.shape[:3], kh * kw, o)
    moved = (_moved(products[..., t, :], -y, -x) for t, (y, x) in enumerate(_taps_of(kernel)))
    return reduce(jnp.add, moved).astype(inputs.dtype)


def _of_neighbours(inputs, kernel, precision):
    """One product with all taps."""
    taps = kernel.reshape(-1, kernel.shape[-1])
    options = {"precision": precision, "preferred_element_type": _wide(inputs)}
    return jnp.matmul(_neighbours(inputs, kernel), taps, **options).astype(inputs.dtype)


def _forward(inputs, kernel, precision):
    return _value(inputs, kernel, precision), (inputs, kernel)


def _backward(precision, residuals, gradient):
    inputs, kernel = residuals
    if _few_pixels(inputs, kernel):
        return _gradients_of_few_pixels(inputs, kernel, gradient, precision)
    # Or XLA would compute the norm and swish before it anew in every move of it.
    gradient = in_memory(gradient)
    turned = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
    return _plain(gradient, turned, precision), _kernel_gradient(inputs, kernel, gradient)


def _few_pixels(inputs, kernel) -> bool:
    """Whether the kernel is the large operand: it is then read where it lies, and never turned."""
    return math.prod(inputs.shape[:3]) < max(kernel.shape[2:])


def _neighbours(inputs, kernel):
    """[b, h, w, kh kw i]: beside each pixel the ones that its taps see."""
    return jnp.concatenate([_moved(inputs, -y, -x) for y, x in _taps_of(kernel)], -1)


def _wide(inputs):
    """The type that sums are made in: not half precision."""
    return jnp.promote_types(inputs.dtype, jnp.float32)


def _taps_of(kernel):
    """(y, x) of each tap, counted from the kernel's middle."""
    kh, kw = kernel.shape[:2]
    return [(y - kh // 2, x - kw // 2) for y in range(kh) for x in range(kw)]


def _gradients_of_few_pixels(inputs, kernel, gradient, precision):
    """The chain rule through the product with all taps; a batch of products is XLA's fast one."""
    options = {"precision": precision, "preferred_element_type": _wide(inputs)}
    towards_taps = jnp.einsum("bhwo,yxio->yxbhwi", gradient, kernel, **options)
    towards_taps = towards_taps.reshape(-1, *inputs.shape)
    moved = (_moved(t, y, x) for t, (y, x) in zip(towards_taps, _taps_of(kernel), strict=True))
    neighbours = _neighbours(inputs, kernel)
    towards_kernel = jnp.einsum("bhwi,bhwo->io", neighbours, gradient, **options)
    towards_kernel = towards_kernel.reshape(kernel.shape).astype(kernel.dtype)
    return reduce(jnp.add, moved).astype(inputs.dtype), towards_kernel


def _kernel_gradient(inputs, kernel, gradient):
    """One matrix product for all taps, accumulated in float32 at least.

    A pixel's product with its neighbour at (y, x) is that of the gradient moved down by y with the
    inputs moved across by x: kh + kw maps are written, side by side along the channels, not kh kw.
    """
    kh, kw, i, o = kernel.shape
    moved = inputs.size * kw + gradient.size * kh
    whole = kh == kw == 1 or moved * inputs.dtype.itemsize <= _CACHE
    taps = (_taps if whole else _taps_by_strips)(inputs, gradient, kh, kw)
    return taps.reshape(kw, i, kh, o).transpose(2, 0, 1, 3).astype(kernel.dtype)


def _taps(inputs, gradient, kh, kw):
    """[kw i, kh o] of inputs [b, h, w, i] and gradient [b, h, w, o]."""
    across = [_moved(inputs, 0, kw // 2 - x) for x in range(kw)]
    down = [_moved(gradient, y - kh // 2, 0) for y in range(kh)]
    few = kw * kh * inputs.shape[-1] * gradient.shape[-1] <= _FEW_SUMS
    parts = math.gcd(_PARTS, math.prod(inputs.shape[:3])) if few else 1
    return _products(across, down, parts).sum(0)


def _taps_by_strips(inputs, gradient, kh, kw):
    """The same, some rows after the others, so that what is moved stays in the cache.

    Each strip makes two products: one alone may leave a core idle.
    """
    (_, _, w, i), o = inputs.shape, gradient.shape[-1]
    above, left = kh // 2, kw // 2
    # The pictures on top of each other, zeros between them.
    inputs = jnp.pad(inputs, ((0, 0), (0, above), (left, left), (0, 0))).reshape(-1, w + kw - 1, i)
    gradient = jnp.pad(gradient, ((0, 0), (0, above), (0, 0), (0, 0))).reshape(-1, w, o)
    rows = 2 * max(1, _STRIP // (2 * w))
    strips = -(-len(inputs) // rows)
    behind = strips * rows - len(inputs)
    inputs = jnp.pad(inputs, ((0, behind), (0, 0), (0, 0)))
    gradient = jnp.pad(gradient, ((above, above + behind), (0, 0), (0, 0)))

    def add(taps, first):
        strip, seen = (
            lax.dynamic_slice(x, (first, 0, 0), (n, *x.shape[1:]), allow_negative_indices=False)
            for x, n in ((inputs, rows), (gradient, rows + kh - 1))
        )
        across = [strip[:, x : x + w] for x in range(kw)]
        down = [seen[kh - 1 - y :][:rows] for y in range(kh)]
        return taps + _products(across, down, 2), None

    start = jnp.zeros((2, kw * i, kh * o), _wide(inputs))
    return lax.scan(add, start, jnp.arange(0, strips * rows, rows))[0].sum(0)


def _products(across, down, parts: int):
    """[parts, kw i, kh o]: sums over that many equal parts of the pixels."""
    left, right = (jnp.concatenate(x, -1) for x in (across, down))
    left, right = (x.reshape(parts, -1, x.shape[-1]) for x in (left, right))
    return jnp.einsum("pki,pko->pio", left, right, preferred_element_type=_wide(left))


def _moved(x, down: int, across: int):
    """[b, h, w, c] moved by so many pixels, zeros behind it."""
    edges = ((0, 0, 0), (down, -down, 0), (across, -across, 0), (0, 0, 0))
    return lax.pad(x, jnp.zeros((), x.dtype), edges)


_convolve = jax.custom_vjp(_value, nondiff_argnums=(2,))
_convolve.defvjp(_forward, _backward)
