"""Procedural radiance maps: rooms and streets with lamps, windows and a sun.

Honest high dynamic range without a download: light falls off with distance, surfaces shade one
another, emitters have the radiance that their light asks for, and only the forward camera clips.
Radiance is linear and relative: about 1 is a white wall under an open sky. Nothing depends on the
resolution but the detail: scene `i` at 64 x 64 is scene `i` at 512 x 512, seen by fewer pixels.
"""

import numpy as np

from hdr_jax.errors import InputError
from hdr_jax.synthetic import _content, _shading

SUPERSAMPLING = 2
CHUNK = 16384


def render_scene(scene_id: int, height: int, width: int) -> np.ndarray:
    """Radiance map of one procedural scene.

    Args:
      scene_id: which scene, >= 0. Odd ones are rooms, even ones streets and fields.
      height, width: pixels, > 0. The shorter side's field of view is the scene's own; a longer side
        sees more of the same scene.

    Returns:
      float32 [height, width, 3], linear RGB, relative, > 0. The same for the same arguments.

    Raises:
      InputError: for a negative scene_id or a size below 1.

    Not differentiable.
    Example:
      >>> radiance = render_scene(7, 48, 64)
      >>> radiance.shape, bool(radiance.max() / radiance.min() > 2**12)
      ((48, 64, 3), True)
    """
    if scene_id < 0 or height < 1 or width < 1:
        raise InputError(
            f"render_scene got scene_id={scene_id}, height={height}, width={width}; expected "
            "scene_id >= 0 and sizes >= 1."
        )
    rng = np.random.default_rng(np.random.SeedSequence([0x5CE7E5, int(scene_id)]))
    world = _content.room(rng) if scene_id % 2 else _content.street(rng)
    rows, columns = height * SUPERSAMPLING, width * SUPERSAMPLING
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        direction, pixel = _rays(world, rows, columns)
        # In pieces that stay in the processor's cache.
        pieces = np.array_split(direction, -(-direction.shape[1] // CHUNK), axis=1)
        radiance = [_shading.radiance_along(world, piece, pixel) for piece in pieces]
    radiance = np.concatenate(radiance, axis=1)
    radiance = radiance.reshape(3, height, SUPERSAMPLING, width, SUPERSAMPLING).mean((2, 4))
    return np.ascontiguousarray(np.moveaxis(radiance, 0, -1), dtype=np.float32)


def _rays(world: _shading.World, rows: int, columns: int) -> tuple[np.ndarray, float]:
    """Directions [3, p] through every sample, and the angle of one picture pixel."""
    yaw, horizon, tangent = world.camera
    short = min(rows, columns)
    x = (np.arange(columns) + 0.5 - columns / 2) / short * 2 * tangent
    y = ((rows / 2 - np.arange(rows) - 0.5) / short - horizon) * 2 * tangent
    x, y = np.meshgrid(x, y)
    # A tiny slant keeps rays off the axes, where a slab's crossing is 0 / 0.
    direction = np.stack(
        [
            np.cos(yaw) * x + np.sin(yaw) + 1e-5,
            y + 1e-5,
            np.cos(yaw) - np.sin(yaw) * x + 1e-5,
        ]
    ).reshape(3, -1)
    return direction.astype(np.float32), 2 * tangent * SUPERSAMPLING / short
