"""Weight functions w(z): how far a pixel level can be trusted.

Every function takes `levels` (any shape, float or int, in [0, num_levels - 1]) and `num_levels`,
and returns weights of the same shape in [0, 1]. A weight depends on its level alone: it is never
normalised by the pixels at hand, so the same level weighs the same in every picture.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from hdr_jax.errors import InputError

Weighting = Callable[[Array, int], Array]


def hat(levels: Array, num_levels: int = 256) -> Array:
    """Debevec's hat: 1 at mid-grey, falling linearly to 0 at the darkest and the brightest level.

    w(z) = min(z, z_max - z) / (z_max / 2), z_max = num_levels - 1.

    Args:
      levels: pixel levels, any shape, in [0, num_levels - 1]; values outside weigh 0.
      num_levels: number of levels of the camera.

    Returns:
      Weights in [0, 1], float32 (or the float type of `levels`), same shape.

    Differentiable in `levels`.
    Source: Debevec and Malik 1997, Eq. 4 (scaled to a peak of 1).
    Example:
      >>> hat(jnp.array([0.0, 127.5, 255.0])).tolist()
      [0.0, 1.0, 0.0]
    """
    levels = _as_float(levels)
    z_max = num_levels - 1
    return jnp.maximum(jnp.minimum(levels, z_max - levels), 0) / (z_max / 2)


def uniform(levels: Array, num_levels: int = 256) -> Array:
    """Every level counts the same, as Eq. (1) of Kim et al. is printed: w(z) = 1.

    Args:
      levels: pixel levels, any shape.
      num_levels: unused; present so that all weight functions are called alike.

    Returns:
      Ones of the shape of `levels`.

    Source: Kim, Lee, Kang 2020, Eq. 1.
    Example:
      >>> uniform(jnp.array([0, 255])).tolist()
      [1.0, 1.0]
    """
    del num_levels
    return jnp.ones_like(_as_float(levels))


NAMES: dict[str, Weighting] = {"hat": hat, "uniform": uniform}


def get(weighting: str | Weighting) -> Weighting:
    """Returns the weight function of that name; a function is returned as it is.

    Args:
      weighting: "hat", "uniform" or a function `(levels, num_levels) -> weights`.

    Returns:
      The weight function.

    Raises:
      InputError: for an unknown name.
    Example:
      >>> get("hat") is hat
      True
    """
    if callable(weighting):
        return weighting
    if weighting not in NAMES:
        raise InputError(
            f"unknown weighting {weighting!r}: expected one of {sorted(NAMES)} or a function"
        )
    return NAMES[weighting]


def _as_float(levels: Array) -> Array:
    """Integers become float32; floats keep their type."""
    levels = jnp.asarray(levels)
    return levels if jnp.issubdtype(levels.dtype, jnp.floating) else levels.astype(jnp.float32)
