"""The visibility map as a picture: where a difference is seen, over the scene in gray."""

import jax.numpy as jnp
from jax import Array

from hdr_jax.errors import InputError
from hdr_jax.levels import widened

# Colour at probabilities 0, 0.25, 0.5, 0.75, 1: none, blue, green, yellow, red.
STOPS = (0.0, 0.25, 0.5, 0.75, 1.0)
COLOURS = ((0.1, 0.3, 1.0), (0.1, 0.3, 1.0), (0.1, 0.8, 0.3), (1.0, 0.85, 0.0), (0.9, 0.05, 0.0))


def visibility_picture(p_map: Array, luminance: Array) -> Array:
    """False-colour picture of a probability map over a gray version of the scene.

    Args:
      p_map: [h, w], probability of seeing a difference, in [0, 1].
      luminance: [h, w] of the scene, linear, any scale, >= 0; its logarithm between the 1 % and
        99 % values is the gray.

    Returns:
      [h, w, 3] in [0, 1], to be shown as it is: gray where nothing is seen, then blue (0.25),
      green (0.5), yellow (0.75), red (1).

    Raises:
      InputError: when the shapes differ.

    Differentiable in `p_map` between the stops.
    Source: the three-colour visualisation of Mantiuk et al. 2011, in other colours.
    Example:
      >>> visibility_picture(jnp.zeros((2, 2)), jnp.ones((2, 2))).shape
      (2, 2, 3)
    """
    p_map, luminance = widened(p_map), widened(luminance)
    if p_map.ndim != 2 or p_map.shape != luminance.shape:
        raise InputError(
            f"visibility_picture got a map {p_map.shape} and a luminance {luminance.shape}; "
            "expected the same [h, w]"
        )
    logs = jnp.log(jnp.maximum(luminance, 1e-6 * jnp.maximum(luminance.max(), 1e-20)))
    low, high = jnp.percentile(logs, jnp.array([1.0, 99.0], logs.dtype))
    gray = jnp.clip((logs - low) / jnp.maximum(high - low, 1e-6), 0, 1)[..., None]
    stops, colours = jnp.array(STOPS, p_map.dtype), jnp.array(COLOURS, p_map.dtype)
    tint = jnp.stack([jnp.interp(p_map, stops, colours[:, i]) for i in range(3)], -1)
    share = jnp.clip(4 * p_map, 0, 1)[..., None]
    return (1 - share) * gray + share * tint * (0.5 + 0.5 * gray)
