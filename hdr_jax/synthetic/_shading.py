"""How procedural scenes are lit and seen: `World` in, radiance along rays out.

Radiance is linear and relative: about 1 is a white wall under an open sky. Points, normals and
directions are float32 [3, p].
"""

from typing import NamedTuple

import numpy as np

from hdr_jax.synthetic import _geometry
from hdr_jax.synthetic._geometry import Ball, Box

PLAIN, TILES, STRIPES, FACADE = range(4)
SUN_RADIUS = 0.025
"""Of the sun's disc, rad: larger than the true one, so that small pictures resolve it."""


class Material(NamedTuple):
    """Surface of a solid: what it reflects and what it emits (radiance)."""

    albedo: np.ndarray
    contrast: float = 0.3
    scale: float = 2.0
    pattern: int = PLAIN
    emission: np.ndarray = np.zeros(3, np.float32)
    ambient: float = 1.0
    """Share of the ambient light that reaches it: small for the inside of a cupboard."""


class World(NamedTuple):
    """What is rendered; see `content`."""

    solids: list
    materials: list
    hull: Box
    hull_materials: list
    """Six surfaces: x low, x high, y low, y high, z low, z high."""
    hull_open: tuple
    """Surfaces of the hull through which the sky shows."""
    window: Box | None
    lamps: list
    """Pairs of position [3] and intensity [3] (radiance times area)."""
    sun: tuple
    """Direction to the sun [3] and its irradiance [3]."""
    sky: tuple
    """Radiance at the zenith [3], at the horizon [3], cloud cover, hill height."""
    ambient: np.ndarray
    camera: tuple
    """Yaw (rad), horizon (picture heights above the middle), half field of view (tangent)."""
    lattices: np.ndarray


def radiance_along(world: World, direction: np.ndarray, pixel: float) -> np.ndarray:
    """What every ray sees.

    Args:
      world: what is rendered, seen from the origin.
      direction: [3, p] rays, without zeros.
      pixel: angle between neighbouring pixels, rad; finer texture is faded out.

    Returns:
      [3, p] radiance, > 0.

    Not differentiable.
    Example: `radiance = radiance_along(content.room(rng), direction, 0.01)`
    """
    eye = np.zeros((3, 1), np.float32)
    _, far = _geometry.box_span(eye, 1 / direction, world.hull)
    distance, index = _geometry.nearest(eye, direction, world.solids, far)
    position = direction * distance
    side = _hull_side(world.hull, position)
    open_sky = (index < 0) & np.isin(side, world.hull_open)
    if world.window is not None:
        open_sky |= (index < 0) & _inside(world.window, position)
    radiance = np.empty_like(direction)
    solid = np.flatnonzero(~open_sky)
    radiance[:, open_sky] = _sky(world, direction[:, open_sky], pixel)
    radiance[:, solid] = _surface(
        world,
        position[:, solid],
        np.where(index[solid] < 0, len(world.solids) + side[solid], index[solid]),
        pixel * distance[solid] * _length(direction[:, solid]),
    )
    return radiance


def _hull_side(hull: Box, position: np.ndarray) -> np.ndarray:
    """Which of the hull's six sides is nearest to each point [p]."""
    gaps = np.stack([position - hull.low[:, None], hull.high[:, None] - position], axis=1)
    return np.abs(gaps).reshape(6, -1).argmin(0)


def _length(vector: np.ndarray) -> np.ndarray:
    """Euclidean lengths [p] of vectors [3, p]."""
    return np.sqrt(_geometry.dot(vector, vector))


def _inside(box: Box, position: np.ndarray) -> np.ndarray:
    """Whether points lie in a box [p]."""
    within = (position >= box.low[:, None]) & (position <= box.high[:, None])
    return np.asarray(within.all(0))


def _surface(
    world: World, position: np.ndarray, index: np.ndarray, footprint: np.ndarray
) -> np.ndarray:
    """Reflected and emitted radiance of surface points [3, p]."""
    inward = np.zeros((6, 3), np.float32)
    inward[np.arange(6), np.arange(6) // 2] = [1, -1, 1, -1, 1, -1]
    normal = _geometry.normal_at(position, index, world.solids)
    hull = index >= len(world.solids)
    normal[:, hull] = inward[index[hull] - len(world.solids)].T
    # Off the surface by a little, so that it does not shade itself.
    light = _light(world, position + normal * (1e-3 + footprint * 0.01), normal)
    materials = world.materials + world.hull_materials
    table = {
        name: np.asarray([getattr(m, name) for m in materials], np.float32)[index].T
        for name in Material._fields
    }
    light += world.ambient[:, None] * table["ambient"] * _openness(world, position, normal)
    albedo, glow = _pattern(world, position, normal, index, footprint, table)
    return albedo * light / np.pi + table["emission"] + glow


def _light(world: World, position: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Irradiance from lamps, the window and the sun [3, p]."""
    # What emits casts no shadow: lamps stand inside their own glass.
    casting = [
        solid
        for solid, material in zip(world.solids, world.materials, strict=True)
        if not material.emission.any()
    ]
    light = np.zeros_like(position)
    for lamp, intensity in world.lamps:
        towards = lamp[:, None] - position
        squared = _geometry.dot(towards, towards)
        cosine = _geometry.dot(normal, towards) / np.sqrt(squared)
        strength = np.maximum(cosine, 0) / (squared + 0.02)
        _darken(strength, position, towards, casting)
        light += intensity[:, None] * strength
    direction, irradiance = world.sun
    if irradiance.any():
        sunlit = np.maximum(_geometry.dot(direction, normal), 0)
        if world.window is not None:
            sunlit *= _through_window(world, position, direction)
        towards = np.broadcast_to(direction[:, None] * np.float32(500), position.shape)
        _darken(sunlit, position, towards, casting)
        light += irradiance[:, None] * sunlit
    return light


def _darken(strength: np.ndarray, position: np.ndarray, towards: np.ndarray, solids: list) -> None:
    """Set the light to zero, in place, where a solid keeps it off."""
    lit = np.flatnonzero(strength)
    strength[lit[_geometry.blocked(position[:, lit], towards[:, lit], solids)]] = 0


def _through_window(world: World, position: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Whether the sun reaches points of a room [p]."""
    assert world.window is not None, "a room has a window"
    _, far = _geometry.box_span(position, 1 / direction[:, None], world.hull)
    return _inside(world.window, position + direction[:, None] * far)


def _openness(world: World, position: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Share of ambient light that corners and the ground beneath things leave [p]."""
    share = 0.6 + 0.4 * normal[1]
    for solid in world.solids:
        if isinstance(solid, Ball):
            gap, size = _length(position - solid.centre[:, None]) - solid.radius, solid.radius
        else:
            middle, half = (solid.low + solid.high) / 2, (solid.high - solid.low) / 2
            beyond = np.maximum(np.abs(position - middle[:, None]) - half[:, None], 0)
            gap, size = _length(beyond), half.min()
        # On the solid itself (gap 0) the shade is left to the normal.
        near = np.flatnonzero((gap > 0.02 * size) & (gap < 2.5 * size))
        share[near] *= 1 - 0.7 * np.exp(gap[near] / (-0.5 * size))
    if not world.hull_open:
        low, high = world.hull
        gaps = np.minimum(position - low[:, None], high[:, None] - position)
        # The nearest side is the point's own: the next two make the corner.
        least = np.minimum(np.minimum(gaps[0], gaps[1]), gaps[2])
        most = np.maximum(np.maximum(gaps[0], gaps[1]), gaps[2])
        middle = gaps[0] + gaps[1] + gaps[2] - least - most
        share *= (1 - 0.6 * np.exp(-middle / 0.4)) * (1 - 0.4 * np.exp(-most / 0.4))
    return share


def _pattern(world, position, normal, index, footprint, table) -> tuple[np.ndarray, np.ndarray]:
    """Albedo and light of lit windows, both [3, p]."""
    u, v = _geometry.surface_coordinates(position, normal)
    scale = table["scale"]
    noise = _geometry.texture(
        u * scale + np.float32(7) * index.astype(np.float32),
        v * scale,
        footprint * scale,
        world.lattices[0],
    )
    albedo = table["albedo"] * np.exp(table["contrast"] * noise)
    cell_u, cell_v = np.floor(u * scale), np.floor(v * scale)
    part_u, part_v = u * scale - cell_u, v * scale - cell_v
    cells = world.lattices[1][
        (cell_u + 5 * index).astype(np.int32) % _geometry.LATTICE,
        cell_v.astype(np.int32) % _geometry.LATTICE,
    ]
    tiled = table["pattern"] == TILES
    grout = (part_u < 0.06) | (part_v < 0.06)
    albedo *= np.where(tiled, np.where(grout, 0.4, np.exp(0.25 * cells)), 1.0)
    striped = (table["pattern"] == STRIPES) & (part_u < 0.5)
    albedo *= np.where(striped, 0.35, 1.0)
    upright = np.abs(normal[1]) < 0.5
    glazed = (table["pattern"] == FACADE) & upright & (part_u > 0.35) & (part_v > 0.4)
    albedo = np.where(glazed, 0.06, albedo)
    warm = np.array([[1.0], [0.7], [0.4]], np.float32) * np.exp(cells)
    return np.minimum(albedo, 0.95), np.where(glazed & (cells > 0.9), 1.5 * warm, 0.0)


def _sky(world: World, direction: np.ndarray, pixel: float) -> np.ndarray:
    """Radiance of the open sky, its sun, clouds and hills [3, p]."""
    zenith, horizon, cover, hills = world.sky
    unit = direction / _length(direction)
    height = np.clip(unit[1], 0, 1)
    sky = horizon[:, None] + (zenith - horizon)[:, None] * np.sqrt(height)
    plane = np.maximum(unit[1], 0) + 0.08
    noise = _geometry.texture(
        0.7 * unit[0] / plane, 0.7 * unit[2] / plane, pixel / plane, world.lattices[2], 6
    )
    cloud = np.clip((noise + cover) * 1.2, 0, 1) * np.clip(unit[1] * 8, 0, 1)
    white = (0.6 + 0.5 * noise) * (zenith + horizon).mean()
    sky += cloud * (np.maximum(white, 0.2 * horizon.mean()) - sky)
    to_sun, irradiance = world.sun
    if irradiance.any():
        angle = np.arccos(np.clip(_geometry.dot(to_sun, unit), -1, 1))
        # The disc has the radiance that its irradiance asks for; the glow is scattered light.
        edge = np.clip(0.5 + (SUN_RADIUS - angle) / 0.004, 0, 1)
        disc = irradiance[:, None] / (np.pi * SUN_RADIUS**2) * edge
        glow = irradiance[:, None] * (
            0.06 / (1 + (angle / 0.05) ** 2) ** 1.2 + 0.008 * np.exp(-angle / 0.4)
        )
        sky += (disc + glow) * (1 - 0.95 * cloud)
    azimuth = np.arctan2(unit[0], unit[2])
    for layer, (lift, haze) in enumerate([(1.0, 0.6), (0.5, 0.25)]):
        line = _geometry.texture(
            2 * azimuth + 20, np.full_like(azimuth, 11.0 * layer), pixel, world.lattices[3], 5
        )
        ridge = hills * lift * (1 + 0.7 * line)
        green = 0.12 * np.array([[0.7], [0.9], [0.6]], np.float32) * zenith.mean()
        behind = np.clip(0.5 + (ridge - unit[1]) / pixel, 0, 1)
        sky += behind * (haze * horizon[:, None] + (1 - haze) * green - sky)
    return sky
