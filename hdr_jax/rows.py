"""Pictures of any size as rows of pixels of two lengths, for what is computed pixel by pixel.

XLA compiles a program for every shape, and JAX keeps every program. A function of single pixels
that sees nothing but rows of LONG and SHORT pixels needs two programs, whatever the pictures.
"""

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

LONG, SHORT = 2**17, 2**14
"""Pixels of a row: what the processor's caches hold, and a millisecond's work."""


def by_rows(function: Callable[..., Array], *pictures: np.ndarray) -> Array:
    """A function of single pixels, given the pictures row by row.

    Args:
      function: of arrays [n, 1, length, c], each pixel by itself, to an array [1, length, d] or its
        `hdr_jax.xla_cpu.lines`.
      *pictures: NumPy arrays [n, h, w, c] of the same h and w; the last row is padded with zeros.

    Returns:
      [h, w, d].

    Differentiable in what else the function depends on.
    Example:
      >>> by_rows(lambda x: 2 * x[0], np.ones((1, 3, 5, 1))).shape
      (3, 5, 1)
    """
    height, width = pictures[0].shape[1:3]
    flat = [picture.reshape(len(picture), 1, -1, picture.shape[-1]) for picture in pictures]
    spans = list(_spans(height * width))
    parts = [  # all are under way before the first is waited for
        function(*(_filled(x[:, :, start:stop], length) for x in flat))
        for start, stop, length in spans
    ]
    depth, dtype = parts[0].size // spans[0][2], parts[0].dtype
    if any(isinstance(part, Tracer) for part in parts):
        filled = [
            part.reshape(-1, depth)[: stop - start]
            for part, (start, stop, _) in zip(parts, spans, strict=True)
        ]
        return jnp.concatenate(filled).reshape(height, width, depth)
    # On the host, and not by JAX's functions: they would compile a program for every size.
    whole = _aligned((height * width, depth), dtype)
    for part, (start, stop, _) in zip(parts, spans, strict=True):
        whole[start:stop] = np.asarray(part).reshape(-1, depth)[: stop - start]
    return jax.device_put(whole.reshape(height, width, depth))


def _aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An empty array at an address of which JAX takes it as it is, without a copy."""
    size = dtype.itemsize * int(np.prod(shape))
    buffer = np.empty(size + 64, np.uint8)
    first = -buffer.ctypes.data % 64
    return buffer[first : first + size].view(dtype).reshape(shape)


def _spans(count: int) -> Iterator[tuple[int, int, int]]:
    """(start, stop, length of its row) of the parts of so many pixels."""
    start = 0
    while start < count or not start:
        length = LONG if count - start > LONG // 2 else SHORT
        yield start, min(start + length, count), length
        start += length


def _filled(part: np.ndarray, length: int) -> np.ndarray:
    """A part [n, 1, m, c] as [n, 1, length, c]."""
    lacking = length - part.shape[2]
    return np.pad(part, ((0, 0), (0, 0), (0, lacking), (0, 0))) if lacking else part
