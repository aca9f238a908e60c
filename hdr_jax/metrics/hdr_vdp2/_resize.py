"""Stage 7: bicubic resizing with the conventions of MATLAB's `imresize`.

Keys' kernel with a = -0.5, pixel centres at half integers, the kernel stretched when shrinking,
weights normalised to 1, indices outside mirrored with the edge sample repeated. One matrix per
axis.
"""

from functools import lru_cache

import jax.numpy as jnp
import numpy as np
from jax import Array, lax


def _keys(x: np.ndarray) -> np.ndarray:
    """Keys' cubic kernel, a = -0.5."""
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


@lru_cache(maxsize=128)
def weights(size: int, new_size: int) -> np.ndarray:
    """Matrix [new_size, size] that resamples one axis; the identity for equal sizes."""
    scale = new_size / size
    stretch = min(scale, 1.0)
    width = 4.0 / stretch
    centre = (np.arange(new_size) + 0.5) / scale - 0.5
    first = np.floor(centre - width / 2).astype(int)
    index = first[:, None] + np.arange(int(np.ceil(width)) + 2)
    weight = _keys(stretch * (centre[:, None] - index))
    weight /= weight.sum(1, keepdims=True)
    index = np.mod(index, 2 * size)
    index = np.where(index < size, index, 2 * size - 1 - index)
    matrix = np.zeros((new_size, size))
    np.add.at(matrix, (np.arange(new_size)[:, None], index), weight)
    return matrix


def resize(planes: Array, shape: tuple[int, ...]) -> Array:
    """Resample planes to another size.

    Args:
      planes: [..., h, w].
      shape: (new h, new w).

    Returns:
      [..., new h, new w]; may overshoot the range of the input a little.

    Differentiable in `planes`; linear.
    Source: Keys 1981; conventions of MATLAB's imresize.
    Example:
      >>> resize(jnp.ones((3, 8, 8)), (4, 5)).shape
      (3, 4, 5)
    """
    h, w = planes.shape[-2:]
    if (h, w) == tuple(shape):
        return planes
    highest = lax.Precision.HIGHEST
    rows = jnp.asarray(weights(h, shape[0]), planes.dtype)
    columns = jnp.asarray(weights(w, shape[1]).T, planes.dtype)
    planes = jnp.matmul(planes, columns, precision=highest)
    return jnp.matmul(rows, planes, precision=highest)
