"""What the procedural scenes hold, drawn from a random generator.

The camera stands at the origin and looks along +z; lengths are metres. Every scene draws a fixed
list of random numbers, none of which depends on the resolution.
"""

import numpy as np

from hdr_jax.synthetic._geometry import LATTICE, Ball, Box
from hdr_jax.synthetic._shading import FACADE, PLAIN, STRIPES, TILES, Material, World

Rng = np.random.Generator


def room(rng: Rng) -> World:
    """A room with furniture, lamps, and often a window on a bright day.

    Args:
      rng: where everything is drawn from.

    Returns:
      The scene.

    Not differentiable.
    Example: `scene = room(np.random.default_rng(0))`
    """
    half, depth, eye = rng.uniform(1.8, 4.0), rng.uniform(3.5, 8.0), rng.uniform(1.2, 1.7)
    hull = Box(_vector(-half, -eye, -2.0), _vector(half, rng.uniform(1.0, 1.8), depth))
    by_day = rng.random() < 0.65
    window = _window(rng, hull) if by_day else None
    solids, materials = _furniture(rng, hull)
    lamps = _lamps(rng, hull, solids, materials, brightness=1.0 if by_day else 6.0)
    sun, sky = _daylight(rng, hidden=rng.random() < 0.4, level=rng.uniform(4.0, 12.0))
    if window is not None:
        lamps.append(_window_light(window, sky[0] + sky[1]))
    _cupboard(rng, hull, solids, materials)
    walls = [Material(_colour(rng, 0.35, 0.8), 0.08, 1.5) for _ in range(4)]
    floor = Material(_colour(rng, 0.1, 0.4), 0.25, rng.uniform(1, 4), int(rng.integers(0, 3)))
    ceiling = Material(np.full(3, 0.75, np.float32), 0.03)
    return World(
        solids=solids,
        materials=materials,
        hull=hull,
        hull_materials=[walls[0], walls[1], floor, ceiling, walls[2], walls[3]],
        hull_open=(),
        window=window,
        lamps=lamps,
        sun=sun if by_day else (sun[0], np.zeros(3, np.float32)),
        sky=sky,
        ambient=np.float32(0.15 if by_day else 0.05) * _colour(rng, 0.7, 1.0),
        camera=(rng.uniform(-0.35, 0.35), rng.uniform(-0.08, 0.08), rng.uniform(0.55, 0.8)),
        lattices=_lattices(rng),
    )


def street(rng: Rng) -> World:
    """Open ground with houses, trees and walls, under the sun or at night under lamps.

    Args:
      rng: where everything is drawn from.

    Returns:
      The scene.

    Not differentiable.
    Example: `scene = street(np.random.default_rng(0))`
    """
    by_day = rng.random() < 0.7
    eye = rng.uniform(1.5, 4.0)
    hull = Box(_vector(-400, -eye, -400), _vector(400, 300, 400))
    solids, materials = _houses(rng, eye)
    _trees(rng, eye, solids, materials)
    sun, sky = _daylight(rng, hidden=False, level=1.0)
    lamps = []
    if not by_day:
        lamps = _street_lamps(rng, eye, solids, materials)
        dark = np.float32(10 ** rng.uniform(-3, -2))
        sun, sky = (sun[0], np.zeros(3, np.float32)), (dark * sky[0], dark * sky[1], *sky[2:])
    ground = Material(
        _colour(rng, 0.08, 0.3), 0.4, rng.uniform(0.4, 2.0), int(rng.choice([PLAIN, TILES]))
    )
    return World(
        solids=solids,
        materials=materials,
        hull=hull,
        hull_materials=[ground] * 6,
        hull_open=(0, 1, 3, 4, 5),
        window=None,
        lamps=lamps,
        sun=sun,
        sky=sky,
        ambient=np.pi * 0.7 * (sky[0] + sky[1]) / 2,
        camera=(rng.uniform(-0.3, 0.3), rng.uniform(-0.2, 0.1), rng.uniform(0.5, 0.75)),
        lattices=_lattices(rng),
    )


def _vector(x: float, y: float, z: float) -> np.ndarray:
    return np.array([x, y, z], np.float32)


def _lattices(rng: Rng) -> np.ndarray:
    """Random values behind the textures: surfaces, cells, clouds, hills."""
    return rng.standard_normal((4, LATTICE, LATTICE)).astype(np.float32)


def _colour(rng: Rng, low: float, high: float, saturation: float = 0.5) -> np.ndarray:
    """A colour whose largest channel lies between low and high."""
    gray, tint = rng.uniform(low, high), rng.random(3)
    amount = saturation * rng.random()
    return (gray * (1 - amount + amount * tint / tint.max())).astype(np.float32)


def _daylight(rng: Rng, hidden: bool, level: float) -> tuple[tuple, tuple]:
    """A sun within the view, or high above it, and the sky that goes with it."""
    azimuth = rng.uniform(-0.5, 0.5)
    height = rng.uniform(0.7, 1.2) if hidden else 0.06 + 0.5 * rng.random() ** 1.5
    direction = _vector(
        np.sin(azimuth) * np.cos(height), np.sin(height), np.cos(azimuth) * np.cos(height)
    )
    low = np.exp(-height / 0.15)  # a low sun is weak and red
    colour = np.array([1.0, 0.9 - 0.4 * low, 0.8 - 0.65 * low], np.float32)
    irradiance = level * rng.uniform(8, 20) * (1 - 0.75 * low) * colour
    zenith = (
        level * np.array([0.2, 0.45, 1.0], np.float32) * rng.uniform(0.5, 1.0) * (1 - 0.6 * low)
    )
    horizon = level * np.array([0.9 + 0.3 * low, 0.9 - 0.2 * low, 1.0 - 0.5 * low], np.float32)
    horizon *= 1 - 0.4 * low
    return (direction, irradiance.astype(np.float32)), (
        zenith.astype(np.float32),
        horizon.astype(np.float32),
        rng.uniform(-1.2, 0.5),
        rng.uniform(0.0, 0.12),
    )


def _window(rng: Rng, hull: Box) -> Box:
    """An opening in the far wall, as a thin box around it."""
    width, height = rng.uniform(0.6, 2.0), rng.uniform(0.8, 1.6)
    x = rng.uniform(hull.low[0] + 0.3 + width / 2, hull.high[0] - 0.3 - width / 2)
    y = min(rng.uniform(-0.2, 0.5), hull.high[1] - 0.15 - height / 2)
    z = hull.high[2]
    return Box(
        _vector(x - width / 2, y - height / 2, z - 0.02),
        _vector(x + width / 2, y + height / 2, z + 0.02),
    )


def _window_light(window: Box, sky: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sky seen through a window, as a point light a little inside of it."""
    size = window.high - window.low
    middle = (window.low + window.high) / 2 - _vector(0, 0, 0.25)
    return middle, (sky / 2 * size[0] * size[1]).astype(np.float32)


def _furniture(rng: Rng, hull: Box) -> tuple[list, list]:
    """Boxes and balls on the floor, tables, and bars across the window's light."""
    solids, materials = [], []
    floor = hull.low[1]
    for _ in range(rng.integers(3, 8)):
        size = rng.uniform([0.2, 0.3, 0.2], [0.9, 1.5, 0.9])
        x = rng.uniform(hull.low[0] + size[0], hull.high[0] - size[0])
        z = rng.uniform(1.6, hull.high[2] - size[2])
        if rng.random() < 0.35:
            radius = min(size) / 2
            solids.append(Ball(_vector(x, floor + radius, z), np.float32(radius)))
        else:
            low = _vector(x - size[0] / 2, floor, z - size[2] / 2)
            solids.append(Box(low, (low + size).astype(np.float32)))
        pattern = int(rng.choice([PLAIN, PLAIN, TILES, STRIPES]))
        materials.append(
            Material(
                _colour(rng, 0.05, 0.8, 0.9), rng.uniform(0.05, 0.5), rng.uniform(2, 9), pattern
            )
        )
    return solids, materials


def _lamps(rng: Rng, hull: Box, solids: list, materials: list, brightness: float) -> list:
    """Glowing balls in view; adds them to the solids and returns their lights."""
    lights = []
    for _ in range(rng.integers(1, 4)):
        radius = np.float32(rng.uniform(0.05, 0.14))
        z = rng.uniform(1.8, hull.high[2] - 0.4)
        x = rng.uniform(max(hull.low[0] + 0.3, -0.4 * z), min(hull.high[0] - 0.3, 0.4 * z))
        y = min(rng.uniform(-0.1, 0.35) * z, hull.high[1] - 0.2)
        warm = np.array([1.0, rng.uniform(0.6, 0.95), rng.uniform(0.3, 0.9)], np.float32)
        intensity = warm * np.float32(brightness * rng.uniform(0.5, 3.0))
        centre = _vector(x, y, z)
        solids.append(Ball(centre, radius))
        materials.append(Material(warm * 0, emission=intensity / (np.pi * radius**2)))
        lights.append((centre, intensity))
    return lights


def _cupboard(rng: Rng, hull: Box, solids: list, materials: list) -> None:
    """Something open and dark against a side wall: hardly any light gets in."""
    side = -1 if rng.random() < 0.5 else 1
    wall = hull.high[0] if side > 0 else hull.low[0]
    z, width, top = (
        rng.uniform(2.2, hull.high[2] - 0.8),
        rng.uniform(0.5, 1.2),
        rng.uniform(-0.2, 0.8),
    )
    depth = side * rng.uniform(0.3, 0.6)
    xs = sorted([wall, wall - depth])
    low, high = _vector(xs[0], hull.low[1], z), _vector(xs[1], top, z + width)
    solids.append(Box(low, high))
    materials.append(Material(_colour(rng, 0.1, 0.6), 0.2, 4.0))
    # The opening: a face just before the box's front.
    inner_low, inner_high = low + _vector(0.05, 0.05, -0.01), high - _vector(0.05, 0.05, width)
    solids.append(Box(inner_low, inner_high))
    materials.append(Material(_colour(rng, 0.01, 0.03), 0.3, 6.0, ambient=0.05))


def _houses(rng: Rng, eye: float) -> tuple[list, list]:
    """Blocks with windows along both sides, each with a dark gateway."""
    solids, materials = [], []
    for _ in range(rng.integers(2, 7)):
        z = rng.uniform(10, 70)
        x = rng.choice([-1, 1]) * (rng.uniform(0.15, 0.6) * z + 3)
        size = rng.uniform([5, 4, 5], [14, 22, 14])
        low = _vector(x - size[0] / 2, -eye, z)
        solids.append(Box(low, (low + size).astype(np.float32)))
        materials.append(Material(_colour(rng, 0.15, 0.6), 0.15, rng.uniform(0.3, 0.6), FACADE))
        gate = _vector(x - rng.uniform(0.8, 1.6), -eye, z - 0.05)
        solids.append(Box(gate, gate + _vector(rng.uniform(1.5, 3), rng.uniform(2.2, 3.2), 0.06)))
        materials.append(Material(_colour(rng, 0.01, 0.03), 0.3, 1.0, ambient=0.03))
    return solids, materials


def _trees(rng: Rng, eye: float, solids: list, materials: list) -> None:
    """Crowns of a few balls on a trunk, and low walls and boxes."""
    for _ in range(rng.integers(0, 4)):
        z = rng.uniform(6, 40)
        x, height = rng.uniform(-0.6, 0.6) * z, rng.uniform(1.5, 3.0)
        trunk = _vector(x - 0.12, -eye, z - 0.12)
        solids.append(Box(trunk, trunk + _vector(0.24, height, 0.24)))
        materials.append(Material(_colour(rng, 0.05, 0.15), 0.4, 6.0))
        green = np.array([0.12, 0.18, 0.05], np.float32) * np.float32(rng.uniform(0.4, 1.4))
        for _ in range(3):
            centre = trunk + rng.uniform([-0.7, height, -0.7], [0.9, height + 1.2, 0.9])
            solids.append(Ball(centre.astype(np.float32), np.float32(rng.uniform(0.6, 1.2))))
            materials.append(Material(green, 0.7, 5.0, ambient=0.6))
    for _ in range(rng.integers(1, 5)):
        z = rng.uniform(4, 15)
        low = _vector(rng.uniform(-0.6, 0.5) * z, -eye, z)
        solids.append(Box(low, low + rng.uniform(0.3, [3, 1.6, 1.5]).astype(np.float32)))
        pattern = int(rng.choice([PLAIN, TILES, STRIPES]))
        materials.append(Material(_colour(rng, 0.05, 0.7, 0.9), 0.4, rng.uniform(1, 4), pattern))


def _street_lamps(rng: Rng, eye: float, solids: list, materials: list) -> list:
    """Glowing balls on poles; adds them to the solids and returns their lights."""
    lights = []
    for _ in range(rng.integers(1, 4)):
        z = rng.uniform(5, 18)
        centre = _vector(rng.uniform(-0.4, 0.4) * z, rng.uniform(0.05, 0.35) * z, z)
        radius = np.float32(rng.uniform(0.15, 0.3))
        solids.append(Ball(centre, radius))
        warm = np.array([1.0, rng.uniform(0.5, 0.9), rng.uniform(0.15, 0.8)], np.float32)
        intensity = warm * np.float32(rng.uniform(4, 30))
        materials.append(Material(warm * 0, emission=intensity / (np.pi * radius**2)))
        pole = _vector(centre[0] - 0.05, -eye, z + 0.3)
        solids.append(Box(pole, _vector(centre[0] + 0.05, centre[1], z + 0.4)))
        materials.append(Material(_colour(rng, 0.05, 0.2)))
        lights.append((centre, intensity))
    return lights
