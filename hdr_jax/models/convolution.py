"""Convolutions whose kernel gradient is a matrix product, for CPUs.

XLA's CPU backend runs the forward convolution and the gradient towards the input well, but not the
gradient towards the kernel, itself a convolution with a window as large as the picture: slow when
the channel counts are no multiple of 8, and inside a scan far slower still. `matmul_gradient`
computes it as one matrix product for all taps, y and x counted from the kernel's middle:

    kernel_gradient[y, x] = inputs_moved_across_by[-x].T @ output_gradient_moved_down_by[y]

Both gradients, ms, two cores of an Intel Xeon with AVX-512, JAX 0.10.2:

    input, output channels      alone: XLA, here    three in a scan: XLA, here
    [3, 112, 112, 20], 20             116,    8               1 311,   37
    [2, 96, 128, 32], 32               15,   10               2 562,   32
    [2, 48, 64, 128], 128              36,   17              12 051,   81
    [1, 64, 64, 256], 256             101,   46              30 944,  173

On GPU and TPU XLA's own gradient is the fast one. `choose` is the one place where this is decided.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from hdr_jax.errors import InputError

_LAYOUT = ("NHWC", "HWIO", "NHWC")


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
    return matmul_gradient if name == "matmul" else lax.conv_general_dilated


def matmul_gradient(inputs, kernel, window_strides, padding, **options) -> jax.Array:
    """`lax.conv_general_dilated` with the kernel gradient written as a matrix product.

    Same value as XLA's convolution; only what the networks use is served: NHWC inputs, HWIO kernels
    of odd size, stride 1, no dilation, no groups, zero padding that keeps the size.

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
        >>> matmul_gradient(x, k, (1, 1), "SAME", dimension_numbers=layout)[0, 1, :, 0].tolist()
        [12.0, 18.0, 18.0, 12.0]
    """
    precision = options.pop("precision", None)
    _check_served(kernel, window_strides, padding, options)
    return _convolve(inputs, kernel, precision)


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


def _plain(inputs, kernel, precision):
    """The convolution itself."""
    padding = tuple((size // 2, size // 2) for size in kernel.shape[:2])
    return lax.conv_general_dilated(
        inputs, kernel, (1, 1), padding, dimension_numbers=_LAYOUT, precision=precision
    )


def _forward(inputs, kernel, precision):
    return _plain(inputs, kernel, precision), (inputs, kernel)


def _backward(precision, residuals, gradient):
    inputs, kernel = residuals
    turned = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
    return _plain(gradient, turned, precision), _kernel_gradient(inputs, kernel, gradient)


def _kernel_gradient(inputs, kernel, gradient):
    """One matrix product for all taps, accumulated in float32 whatever the inputs' type.

    A pixel's product with its neighbour at (y, x) is that of the gradient moved down by y with the
    inputs moved across by x: kh + kw maps are written, side by side along the channels, not kh kw.
    """
    kh, kw, i, o = kernel.shape
    across = jnp.concatenate([_moved(inputs, 2, kw // 2 - x) for x in range(kw)], -1)
    down = jnp.concatenate([_moved(gradient, 1, y - kh // 2) for y in range(kh)], -1)
    left, right = across.reshape(-1, kw * i), down.reshape(-1, kh * o)
    taps = jnp.matmul(left.T, right, preferred_element_type=jnp.float32)
    return taps.reshape(kw, i, kh, o).transpose(2, 0, 1, 3).astype(kernel.dtype)


def _moved(x, axis: int, by: int):
    """[b, h, w, c] moved by so many pixels along an axis, zeros behind it."""
    edges = [(by, -by, 0) if k == axis else (0, 0, 0) for k in range(4)]
    return lax.pad(x, jnp.zeros((), x.dtype), edges)


_convolve = jax.custom_vjp(_plain, nondiff_argnums=(2,))
_convolve.defvjp(_forward, _backward)
