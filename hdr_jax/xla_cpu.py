"""What XLA's CPU backend does slowly, and ways around it; on other devices they change nothing.

It makes one loop of all the operations that it can fuse, over the last axis of what they write.
Along an axis of three channels it uses no vector instructions: see `lines`. What several entries
read it computes anew for each of them: see `in_memory`, a condition, since an optimisation barrier
is gone before XLA fuses. A convolution goes to one of two libraries by its shape: see
`convolution`. Values stay what they are, to rounding.
"""

import functools
import math

import jax
from jax import Array, lax
from jax.custom_derivatives import SymbolicZero

_LAYOUT = ("NHWC", "HWIO", "NHWC")
# Multiplications and pixels from which on YNNPACK keeps all cores busy.
_LARGE, _MANY_PIXELS = 2**30, 2**12
_NARROW = 16  # channels up to which XLA does not ask YNNPACK


def lines(picture: Array) -> Array:
    """A picture [..., w, c] as lines [..., w * c]: what a compiled program returns in its place.

    A merge of seven exposures takes a quarter of the time.

    Args:
      picture: [..., w, c].

    Returns:
      [..., w * c]; whoever called the program gives it its shape again, outside of `jax.jit`.

    Differentiable.
    Example:
      >>> import jax.numpy as jnp
      >>> lines(jnp.zeros((2, 5, 3))).shape
      (2, 15)
    """
    return picture.reshape(*picture.shape[:-2], -1)


def in_memory(x: Array) -> Array:
    """x, computed once and written, whoever reads it.

    Under a condition that always holds, but for a NaN in the first entry, which then is everywhere.
    Of integers XLA knows that it holds, and takes it out.

    Args:
      x: any shape, float, not empty.

    Returns:
      x, the same shape.

    Differentiable. Under `vmap` the condition is a choice, and what x comes from is fused again.
    Example:
      >>> float(in_memory(jax.numpy.ones(3)).sum())
      3.0
    """
    if jax.default_backend() != "cpu":
        return x
    first = x[(0,) * x.ndim]
    return lax.cond(first == first, lambda x: x, lambda x: x * first, x)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def convolution(
    inputs: Array,
    kernel: Array,
    padding: tuple[tuple[int, int], tuple[int, int]],
    precision: lax.Precision | None = None,
) -> Array:
    """`lax.conv_general_dilated` by the faster of the two libraries that XLA has.

    XLA gives it to YNNPACK, which uses one core unless the convolution is large, and is slow where
    channels become fewer. An output larger than the input goes to Eigen: for this a few rows or
    columns are added, and cut off. Two cores of an AMD EPYC, JAX 0.10.2, ms:

        input, kernel, output channels               YNNPACK   Eigen
        [2, 96, 128, 32], 3 x 3, 32                      4.4     2.9
        [2, 24, 32, 128], 3 x 3, 128                     4.6     2.5
        [1, 1032, 129, 32], 9 x 2, 8                   195      22
        [1, 256, 256, 128], 3 x 3, 64                   48      61

    Args:
      inputs: [b, h, w, i] float.
      kernel: [kh, kw, i, o].
      padding: zeros before and behind the rows and the columns.
      precision: of the products.

    Returns:
      [b, h', w', o].

    Differentiable in `inputs` and `kernel`.
    Example:
      >>> import jax.numpy as jnp
      >>> x, k = jnp.ones((1, 4, 4, 32)), jnp.ones((3, 3, 32, 8))
      >>> convolution(x, k, ((0, 0), (0, 0)))[0, 0, 0, 0].item()
      288.0
    """
    (_, h, w, i), (kh, kw, _, o) = inputs.shape, kernel.shape
    (above, below), (left, right) = padding
    height, width = h + above + below - kh + 1, w + left + right - kw + 1
    pixels = len(inputs) * height * width
    large = pixels >= _MANY_PIXELS and pixels * math.prod(kernel.shape) >= _LARGE
    to_ynnpack = jax.default_backend() == "cpu" and max(i, o) > _NARROW
    if not to_ynnpack or o % 8 or large:
        return _convolution(inputs, kernel, padding, precision)
    rows, columns = max(0, h + 1 - height), max(0, w + 1 - width)
    if rows * width <= columns * height:
        below += rows
    else:
        right += columns
    padded = ((above, below), (left, right))
    return _convolution(inputs, kernel, padded, precision)[:, :height, :width]


@functools.partial(convolution.defjvp, symbolic_zeros=True)
def _convolution_jvp(padding, precision, primals, tangents):
    """By XLA's own choice: on the way back its outputs are the larger ones."""
    (inputs, kernel), (of_inputs, of_kernel) = primals, tangents
    options, parts = (padding, precision), []
    if not isinstance(of_inputs, SymbolicZero):
        parts.append(_convolution(of_inputs, kernel, *options))
    if not isinstance(of_kernel, SymbolicZero):
        parts.append(_convolution(inputs, of_kernel, *options))
    return convolution(inputs, kernel, *options), sum(parts)


def _convolution(inputs, kernel, padding, precision):
    return lax.conv_general_dilated(
        inputs, kernel, (1, 1), padding, dimension_numbers=_LAYOUT, precision=precision
    )
