"""Levels: pixels as floats in [0, 1], piecewise-linear tables over the levels, and their inverse.

`table` [num_levels] holds the value at every integer level 0, 1, ..., num_levels - 1. `evaluate`
reads it at real-valued levels, `entries` at integer ones, `invert` finds the level at which an
increasing table takes a value. All work element by element on arrays of any shape; every channel
may have its own table.
The documented public names are `hdr_jax.crf.lookup` and `hdr_jax.crf.respond`.
"""

from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from hdr_jax.checks import as_array
from hdr_jax.errors import InputError
from hdr_jax.shards import alike

# Of white: from here on, and more and more up to white, a pixel of a photograph counts as clipped.
CLIP_FROM = 0.97
# Of 255: from here on a pixel lies inside a highlight; JPEG disturbs white.
RIM_LEVEL = 252

Pixels = TypeVar("Pixels", np.ndarray, Array)


def widened(x: ArrayLike) -> Array:
    """Floats of at least 32 bits: half precision neither counts nor sums the pixels of a picture.

    Args:
      x: numbers of any shape.

    Returns:
      The same shape; float32, or float64 where x is.

    Example:
      >>> widened(jnp.ones(2, jnp.bfloat16)).dtype
      dtype('float32')
    """
    x = as_array(x)
    return jnp.asarray(x, jnp.promote_types(jnp.result_type(x), jnp.float32))


def as_unit_float(image: Pixels) -> Pixels:
    """Pixel values as floats in [0, 1]: integers are divided by the maximum of their type.

    Args:
      image: any shape; uint8 (/ 255), uint16 (/ 65535) or float, which is returned as it is.

    Returns:
      Float array of the same shape; of NumPy for an array of NumPy, which stays on the host.

    Raises:
      InputError: for other types, whose range cannot be known.

    Example:
      >>> import numpy as np
      >>> as_unit_float(np.array([0, 255], np.uint8)).tolist()
      [0.0, 1.0]
    """
    numpy: Any = np if isinstance(image, np.ndarray) else jnp
    image = numpy.asarray(image)
    if jnp.issubdtype(image.dtype, jnp.floating):
        return image
    if image.dtype not in (jnp.uint8, jnp.uint16):
        raise InputError(
            f"got pixels of type {image.dtype}: expected uint8, uint16 or floats in [0, 1]; divide "
            "others by their white level"
        )
    return image.astype(np.float32) / numpy.float32(jnp.iinfo(image.dtype).max)


def white_level(pixels: np.ndarray) -> int:
    """The value of white in pictures of that type.

    Args:
      pixels: of any shape; uint8, uint16 or float in [0, 1].

    Returns:
      The largest value of the type, 1 of floats.

    Example:
      >>> white_level(np.zeros(3, np.uint8)), white_level(np.zeros(3, np.float32))
      (255, 1)
    """
    return int(np.iinfo(pixels.dtype).max) if pixels.dtype.kind == "u" else 1


def default_num_levels(image: ArrayLike) -> int:
    """How many levels the response of pixels of that type has where nobody says.

    Args:
      image: array of any shape.

    Returns:
      4096 for uint16: linear 16-bit pictures tell more than 256 levels apart; else 256.

    Example:
      >>> import numpy as np
      >>> default_num_levels(np.zeros(3, np.uint16)), default_num_levels(np.zeros(3, np.uint8))
      (4096, 256)
    """
    return 4096 if getattr(image, "dtype", None) == jnp.uint16 else 256


def clamp(values: Array, low: Array | float, high: Array | float) -> Array:
    """Values brought into [low, high], with the full slope at both ends.

    `jnp.clip` halves the slope at a tie. Black and white are exactly such ties, and a camera that
    just does not clip yet still responds.

    Args:
      values: any shape, float.
      low: lower end, a number or of the shape of `values`.
      high: upper end, likewise.

    Returns:
      The shape of `values`.

    Differentiable in all arguments: slope 1 on the closed interval, 0 outside.
    Example:
      >>> jax.vmap(jax.grad(lambda x: clamp(x, 0, 1)))(jnp.array([-0.1, 0.0, 1.0, 1.1])).tolist()
      [0.0, 1.0, 1.0, 0.0]
    """
    return jnp.where(values < low, low, jnp.where(values > high, high, values))


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def evaluate(levels: Array, table: Array, rounding: bool = False) -> Array:
    """Value of `table` at `levels` (clamped to the table); see `hdr_jax.crf.lookup`.

    Args:
      levels: any shape, float, in levels; values outside [0, num_levels - 1] take the end values.
      table: [num_levels], or [c, num_levels] for levels [..., c] or lines of pixels [..., w * c].
      rounding: read the table at the nearest integer level instead of interpolating.

    Returns:
      Values, shape of `levels`.
    """
    return _evaluate_fwd(levels, table, rounding)[0]


def entries(table: Array, k: Array) -> Array:
    """Entries of a table at integer levels.

    Args:
      table: [num_levels], or [c, num_levels] for levels [..., c] or lines of pixels [..., w * c].
      k: integers of any shape in [0, num_levels - 1].

    Returns:
      Values, shape of `k`.

    Example:
      >>> table = jnp.array([[0.0, 1.0], [0.0, 4.0]])
      >>> entries(table, jnp.array([[1, 1], [0, 1]])).tolist()
      [[1.0, 4.0], [0.0, 4.0]]
    """
    # One flat table: gathering row by row, XLA would transpose the pixels to and fro.
    return jnp.asarray(table).reshape(-1).at[_place(table, k)].get(mode="promise_in_bounds")


def _place(table: Array, k: Array) -> Array:
    """Where the entries of `entries` are in the flat table."""
    k = k.astype(jnp.int32)
    if table.ndim == 1:
        return k
    rows = jnp.arange(table.shape[0], dtype=jnp.int32) * table.shape[1]
    return k + jnp.tile(rows, k.shape[-1] // len(rows)).reshape((1,) * (k.ndim - 1) + (-1,))


def left_segment(levels: Array, num_levels: int) -> tuple[Array, Array]:
    """The segment to the left of each level: index k of its lower end, and the fraction along it.

    An integer level z > 0 belongs to [z - 1, z] with fraction 1, so the slope there is the
    backward difference of Eq. (3); the interpolated value is the table's either way.

    Args:
      levels: any shape, float, in [0, num_levels - 1].
      num_levels: length of the table.

    Returns:
      (k int32 in [0, num_levels - 2], fraction in [0, 1]), both of the shape of `levels`.
    """
    k = jnp.clip(jnp.ceil(levels).astype(jnp.int32) - 1, 0, num_levels - 2)
    return k, levels - k


# Let z be a level, k and f its left segment, v = (1 - f) table[k] + f table[k + 1]. Then
#   dv/dz = table[k + 1] - table[k],   dv/dtable[k] = 1 - f,   dv/dtable[k + 1] = f,
# except that Eq. (3) of Kim et al. puts dv/dz = table[0] at z = 0. Outside the table v is constant.
# Segments are found anew on the way back: a stack's would take several times its memory.
def _evaluate_fwd(levels, table, rounding):
    k, fraction = _segment(levels, table, rounding)
    value = (1 - fraction) * entries(table, k) + fraction * entries(table, k + 1)
    return value, (levels, table)


def _evaluate_bwd(rounding, residuals, cotangent):
    levels, table = residuals
    k, fraction = _segment(levels, table, rounding)
    slopes = jnp.concatenate([table[..., :1], jnp.diff(table)], axis=-1)  # of what ends there
    slope = entries(slopes, jnp.where((k == 0) & (fraction == 0), 0, k + 1))
    inside = (levels >= 0) & (levels <= table.shape[-1] - 1)
    levels_bar = jnp.where(inside, slope, 0) * cotangent
    # Of levels and a table of two types the cotangent has the wider one.
    place, table_bar = _place(table, k), jnp.zeros(table.size, levels_bar.dtype)
    table_bar = table_bar.at[place].add((1 - fraction) * cotangent)
    table_bar = table_bar.at[place + 1].add(fraction * cotangent)
    return levels_bar.astype(levels.dtype), table_bar.reshape(table.shape).astype(table.dtype)


evaluate.defvjp(_evaluate_fwd, _evaluate_bwd)


def _segment(levels, table, rounding):
    """`left_segment` of levels brought into the table."""
    num_levels = table.shape[-1]
    z = jnp.clip(levels, 0, num_levels - 1)
    return left_segment(jnp.round(z) if rounding else z, num_levels)


def invert(values: Array, table: Array) -> Array:
    """Level at which an increasing `table` takes each value; see `hdr_jax.crf.respond`.

    Args:
      values: any shape, float.
      table: [num_levels], or [c, num_levels] for values [..., c]; non-decreasing.

    Returns:
      Levels, float, shape of `values`, in [0, num_levels - 1].

    Differentiable in both arguments: the slope at a table's value is that of the segment to its
    left, as in `evaluate`, at the first one that to its right; outside the table it is 0.
    """
    if table.ndim == 2:
        # Channel by channel, in two thirds of the time; and of the gradient towards the tables of
        # all at once, at values that are constants, XLA's constant folding makes nonsense.
        return jnp.stack([invert(values[..., i], row) for i, row in enumerate(table)], axis=-1)
    num_levels = table.shape[0]
    k = jnp.clip(jnp.searchsorted(table, values) - 1, 0, num_levels - 2)
    low, high = table[k], table[k + 1]
    # Double where: a flat segment has no inverse slope, and 0/0 would poison its gradient. So would
    # ln 0, were it divided before it is brought into the segment.
    rise = jnp.where(high > low, high - low, 1)
    within = (high > low) & ~(values > high)
    return k + jnp.where(within, (clamp(values, low, high) - low) / rise, values > low)


def paired(values: ArrayLike, table: ArrayLike) -> tuple[Array, Array]:
    """Values and a table as `evaluate` and `invert` take them, checked against each other.

    Args:
      values: numbers of any shape; [..., c] for a table of c rows.
      table: [num_levels] or [1, num_levels], the same for all values, or [c, num_levels].

    Returns:
      (values, table [num_levels] or [c, num_levels]), floats of one type of at least 32 bits:
      neither loses digits to the other.

    Raises:
      InputError: when the rows of the table are not the channels of the values.

    Example:
      >>> values, table = paired(jnp.zeros(5, jnp.bfloat16), jnp.zeros((1, 256), int))
      >>> values.dtype, table.dtype, table.shape
      (dtype('float32'), dtype('float32'), (256,))
    """
    values, table = jnp.asarray(values), jnp.asarray(table)
    dtype = jnp.promote_types(jnp.result_type(values, table), jnp.float32)
    values, table = values.astype(dtype), table.astype(dtype)
    if table.ndim == 2 and table.shape[0] == 1:
        table = table[0]
    if table.ndim != 1 and (table.ndim != 2 or values.shape[-1:] != table.shape[:1]):
        raise InputError(
            f"got values {values.shape} and g {table.shape}: expected g [num_levels] or "
            "[1, num_levels], or [c, num_levels] with values [..., c]"
        )
    return alike(values, table)
