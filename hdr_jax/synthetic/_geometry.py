"""A small ray caster in NumPy: boxes, spheres and one-over-f textures for procedural scenes.

Notation: rays and points are float32 [3, p], axis 0 being x (right), y (up), z (away from the
camera); distances along a ray [p]; axis-aligned boxes by their low and high corner [3]. Everything
is deterministic and works on all p rays at once.
"""

from typing import NamedTuple

import numpy as np

LATTICE = 64
"""Side of a texture's periodic lattice of random values."""


class Box(NamedTuple):
    """An axis-aligned box."""

    low: np.ndarray
    high: np.ndarray


class Ball(NamedTuple):
    """A sphere."""

    centre: np.ndarray
    radius: float | np.floating


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Scalar products of vectors [3, p] (or [3, 1], or [3]): [p]. Quicker than a sum over axis 0.

    Args:
      a, b: vectors along axis 0.

    Returns:
      [p].

    Not differentiable.
    Example:
      >>> dot(np.ones((3, 2)), np.ones((3, 1))).tolist()
      [3.0, 3.0]
    """
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def box_span(origin: np.ndarray, inverse: np.ndarray, box: Box) -> tuple[np.ndarray, np.ndarray]:
    """Distances at which rays enter and leave a box: max and min over axes of the slab crossings.

    Args:
      origin: [3, 1] or [3, p].
      inverse: [3, p], one over the direction.
      box: the box.

    Returns:
      near, far [p]; the ray misses where near > far.

    Not differentiable.
    Example:
      >>> box = Box(np.array([-1.0, -1.0, 2.0]), np.array([1.0, 1.0, 3.0]))
      >>> near, far = box_span(np.zeros((3, 1)), 1 / np.array([[0.1], [0.1], [1.0]]), box)
      >>> near.tolist(), far.tolist()
      ([2.0], [3.0])
    """
    first = (box.low[:, None] - origin) * inverse
    second = (box.high[:, None] - origin) * inverse
    near = np.minimum(first, second)
    far = np.maximum(first, second)
    return (
        np.maximum(np.maximum(near[0], near[1]), near[2]),
        np.minimum(np.minimum(far[0], far[1]), far[2]),
    )


def ball_distance(origin: np.ndarray, direction: np.ndarray, ball: Ball) -> np.ndarray:
    """Distance at which rays meet a sphere from outside; infinite where they miss.

    Args:
      origin: [3, 1] or [3, p].
      direction: [3, p], any length; distances are in its units.
      ball: the sphere.

    Returns:
      [p], infinite for a miss or a sphere behind the origin.

    Not differentiable.
    Example: `distance = ball_distance(origin, direction, ball)`
    """
    offset = origin - ball.centre[:, None]
    a, b = dot(direction, direction), dot(direction, offset)
    c = dot(offset, offset) - ball.radius**2
    root = b * b - a * c
    distance = (-b - np.sqrt(np.maximum(root, 0))) / a
    return np.where((root > 0) & (distance > 0), distance, np.inf)


def nearest(
    origin: np.ndarray, direction: np.ndarray, solids: list, distance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """First solid along every ray.

    Args:
      origin: [3, 1].
      direction: [3, p].
      solids: boxes and balls.
      distance: [p], where the rays end at the latest.

    Returns:
      distance [p] and the index of the solid [p], -1 where none is nearer than `distance`.

    Not differentiable.
    Example: `distance, index = nearest(origin, direction, solids, far)`
    """
    index = np.full(distance.shape, -1, np.int16)
    inverse = 1 / direction
    for number, solid in enumerate(solids):
        if isinstance(solid, Ball):
            met = ball_distance(origin, direction, solid)
        else:
            near, far = box_span(origin, inverse, solid)
            met = np.where((near <= far) & (near > 0), near, np.inf)
        closer = met < distance
        distance = np.where(closer, met, distance)
        index[closer] = number
    return distance, index


def blocked(position: np.ndarray, towards: np.ndarray, solids: list) -> np.ndarray:
    """Whether something lies between points and a light.

    Args:
      position: [3, p].
      towards: [3, p], from the point to the light (its length is the way).
      solids: boxes and balls that cast shadows.

    Returns:
      bool [p].

    Not differentiable.
    Example: `shadow = blocked(position, light - position, solids)`
    """
    shadow = np.zeros(position.shape[1], bool)
    inverse = 1 / towards
    for solid in solids:
        if isinstance(solid, Ball):
            shadow |= ball_distance(position, towards, solid) < 1
        else:
            near, far = box_span(position, inverse, solid)
            shadow |= (near <= far) & (near < 1) & (far > 1e-3)
    return shadow


def normal_at(position: np.ndarray, index: np.ndarray, solids: list) -> np.ndarray:
    """Outward unit normals where rays meet solids.

    Args:
      position: [3, p].
      index: [p], the solid of each point; points of -1 get zeros.
      solids: boxes and balls.

    Returns:
      float32 [3, p].

    Not differentiable.
    Example: `normal = normal_at(position, index, solids)`
    """
    normal = np.zeros_like(position)
    for number, solid in enumerate(solids):
        here = np.flatnonzero(index == number)
        if not here.size:
            continue
        if isinstance(solid, Ball):
            normal[:, here] = (position[:, here] - solid.centre[:, None]) / solid.radius
        else:
            middle, half = (solid.low + solid.high) / 2, (solid.high - solid.low) / 2
            reach = (position[:, here] - middle[:, None]) / half[:, None]
            axis = np.abs(reach).argmax(0)
            normal[axis, here] = np.sign(reach[axis, np.arange(here.size)])
    return normal


def surface_coordinates(position: np.ndarray, normal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two coordinates along a surface: the point without the normal's largest axis.

    Args:
      position: [3, p].
      normal: [3, p].

    Returns:
      u, v [p]; v is the height on upright surfaces.

    Not differentiable.
    Example: `u, v = surface_coordinates(position, normal)`
    """
    axis = np.abs(normal).argmax(0)
    u = np.where(axis == 0, position[2], position[0])
    v = np.where(axis == 1, position[2], position[1])
    return u, v


def texture(
    u: np.ndarray,
    v: np.ndarray,
    footprint: np.ndarray | float,
    lattice: np.ndarray,
    octaves: int = 8,
) -> np.ndarray:
    """One-over-f noise: octave k has frequency 2^k and amplitude 0.75^k.

    Octaves finer than the pixel are faded out, so that a scene is the same at every resolution.

    Args:
      u, v: [p], surface coordinates; the coarsest octave has one lattice cell per unit.
      footprint: [p], size of a pixel in those coordinates.
      lattice: float32 [LATTICE, LATTICE], random values of mean 0.
      octaves: how many.

    Returns:
      float32 [p], mean about 0, standard deviation about that of the lattice.

    Not differentiable.
    Example: `value = texture(u, v, footprint, lattice)`
    """
    total = np.zeros(u.shape, np.float32)
    weights = 0.75 ** np.arange(octaves, dtype=np.float32)
    for octave in range(octaves):
        frequency = 2.0**octave
        fade = np.clip(1.5 - 2.0 * frequency * footprint, 0.0, 1.0)
        if not fade.any():
            break
        # Turned by about 37 degrees from octave to octave, to hide the lattice's axes.
        cos, sin = np.cos(0.65 * octave) * frequency, np.sin(0.65 * octave) * frequency
        x, y = cos * u - sin * v + 17.3 * octave, sin * u + cos * v + 5.7 * octave
        total += weights[octave] * fade * _sample(lattice, x, y)
    return total / np.float32(np.sqrt((weights**2).sum()))


def _sample(lattice: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Smoothly interpolated values of a periodic lattice."""
    column, row = np.floor(x), np.floor(y)
    x, y = x - column, y - row
    # Smoothstep within a cell: linear interpolation with no creases at the cell borders.
    x, y = x * x * (3 - 2 * x), y * y * (3 - 2 * y)
    column, row = column.astype(np.int32), row.astype(np.int32)
    last = LATTICE - 1  # a power of two less one: the remainder by its bits
    right, below = (column + 1) & last, ((row + 1) & last) * LATTICE
    column, row = column & last, (row & last) * LATTICE
    flat = lattice.ravel()
    a, b = flat.take(row + column), flat.take(below + column)
    top = a + (flat.take(row + right) - a) * x
    bottom = b + (flat.take(below + right) - b) * x
    return top + (bottom - top) * y
