"""Correlation of planes with small constant kernels, laid out so that XLA runs it fast.

A convolution with one input and one output channel is the worst case of every convolution library:
the matrix product inside has one column. Here blocks of neighbouring pixels become channels, and
the kernel a banded matrix between blocks, which costs more multiplications and runs 10 to 20 times
faster on a CPU, forward and backward. Planes are [n, channels, h, w].
"""

from functools import lru_cache

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from hdr_jax.xla_cpu import convolution


def correlate(
    planes: Array, kernel: np.ndarray, *, stride: int = 1, block: tuple[int, int] = (4, 8)
) -> Array:
    """Valid correlation y[n, o, i, j] = sum_cuv kernel[o, c, u, v] x[n, c, s i + u, s j + v].

    Args:
      planes: [n, c, h, w] float, at least as large as the kernel.
      kernel: [o, c, kh, kw], NumPy constants.
      stride: step s in rows and columns.
      block: rows and columns of outputs that are computed as channels; speed only.

    Returns:
      [n, o, (h - kh) // s + 1, (w - kw) // s + 1], dtype of `planes`.

    Differentiable in `planes`.
    Example:
      >>> correlate(jnp.ones((1, 1, 5, 4)), np.ones((1, 1, 3, 3)))[0, 0].tolist()
      [[9.0, 9.0], [9.0, 9.0], [9.0, 9.0]]
    """
    n, c, h, w = planes.shape
    o, _, kh, kw = kernel.shape
    out = (h - kh) // stride + 1, (w - kw) // stride + 1
    matrix = _block_kernel(kernel.astype(np.float64).tobytes(), kernel.shape, stride, block)
    down, right = stride * block[0], stride * block[1]
    (blocks_down, blocks_right) = (-(-size // each) for size, each in zip(out, block, strict=True))
    rows, columns = blocks_down + matrix.shape[0] - 1, blocks_right + matrix.shape[1] - 1
    x = planes[..., : rows * down, : columns * right]
    padding = ((0, 0), (0, 0), (0, rows * down - x.shape[2]), (0, columns * right - x.shape[3]))
    x = jnp.pad(x, padding).reshape(n, c, rows, down, columns, right)
    x = x.transpose(0, 2, 4, 1, 3, 5).reshape(n, rows, columns, c * down * right)
    matrix = jnp.asarray(matrix, planes.dtype)
    y = convolution(x, matrix, ((0, 0), (0, 0)), lax.Precision.HIGHEST)
    y = y.reshape(n, blocks_down, blocks_right, o, *block).transpose(0, 3, 1, 4, 2, 5)
    return y.reshape(n, o, blocks_down * block[0], -1)[..., : out[0], : out[1]]


@lru_cache(maxsize=64)
def _block_kernel(
    data: bytes, shape: tuple[int, ...], stride: int, block: tuple[int, int]
) -> np.ndarray:
    """Kernel [o, c, kh, kw] between blocks: [down, right, c * inputs, o * outputs of a block]."""
    kernel = np.frombuffer(data).reshape(shape).transpose(1, 2, 3, 0)
    c, kh, kw, o = kernel.shape
    steps = [stride * size for size in block]
    counts = [
        -(-(taps + stride * (size - 1)) // step)
        for taps, size, step in zip((kh, kw), block, steps, strict=True)
    ]
    banded = np.zeros((c, counts[0] * steps[0], counts[1] * steps[1], o, *block))
    for i, j in np.ndindex(*block):
        y, x = stride * i, stride * j
        banded[:, y : y + kh, x : x + kw, :, i, j] = kernel
    banded = banded.reshape(c, counts[0], steps[0], counts[1], steps[1], o, *block)
    banded = banded.transpose(1, 3, 0, 2, 4, 5, 6, 7)
    return banded.reshape(*counts, c * steps[0] * steps[1], o * block[0] * block[1])


def separable(planes: Array, taps: np.ndarray) -> Array:
    """Valid correlation with the outer product of `taps` with itself, one axis at a time.

    Args:
      planes: [n, h, w] float, at least len(taps) in both axes.
      taps: [k], NumPy constants.

    Returns:
      [n, h - k + 1, w - k + 1], dtype of `planes`.

    Differentiable in `planes`.
    Example:
      >>> separable(jnp.ones((1, 3, 4)), np.ones(3) / 3).shape
      (1, 1, 2)
    """
    row = np.asarray(taps, np.float64).reshape(1, 1, 1, -1)
    y = correlate(planes[:, None], row, block=(1, 16)).swapaxes(-1, -2)
    return correlate(y, row, block=(1, 16)).swapaxes(-1, -2)[:, 0]
