"""Made scenes: geometry against plain loops, light against its laws, and what they promise."""

import numpy as np
import pytest

from hdr_jax import synthetic
from hdr_jax.synthetic import _content as content
from hdr_jax.synthetic import _geometry as geometry
from hdr_jax.synthetic import _render
from hdr_jax.synthetic import _shading as shading
from hdr_jax.synthetic._geometry import Ball, Box


def luminance(radiance):
    return radiance.astype(np.float64) @ [0.2126, 0.7152, 0.0722]


def box_distance_by_planes(origin, direction, box):
    """Nearest of the six faces that the ray meets within the face, one by one in float64."""
    found = []
    for axis in range(3):
        for plane in (box.low[axis], box.high[axis]):
            distance = (plane - origin[axis]) / direction[axis]
            point = origin + distance * direction
            others = [i for i in range(3) if i != axis]
            if distance > 0 and all(box.low[i] <= point[i] <= box.high[i] for i in others):
                found.append(distance)
    return min(found, default=np.inf)


def ball_distance_by_geometry(origin, direction, ball):
    """From the foot of the perpendicular and Pythagoras, in float64."""
    unit = direction / np.linalg.norm(direction)
    along = (ball.centre - origin) @ unit
    gap = np.linalg.norm(origin + along * unit - ball.centre)
    if gap > ball.radius:
        return np.inf
    distance = (along - np.sqrt(ball.radius**2 - gap**2)) / np.linalg.norm(direction)
    return distance if distance > 0 else np.inf


def test_nearest_against_loops():
    rng = np.random.default_rng(0)
    solids = [
        Box(np.array([-1.0, -1.0, 3.0]), np.array([0.5, 1.0, 4.0])),
        Ball(np.array([0.4, 0.2, 2.5]), 0.7),
        Box(np.array([-3.0, -2.0, -5.0]), np.array([3.0, -1.0, 9.0])),
        Ball(np.array([0.0, 0.0, -3.0]), 1.0),
    ]
    direction = rng.normal(0, 1, (3, 500))
    distance, index = geometry.nearest(np.zeros((3, 1)), direction, solids, np.full(500, 50.0))
    expected = [
        [
            (box_distance_by_planes if isinstance(s, Box) else ball_distance_by_geometry)(
                np.zeros(3), ray, s
            )
            for s in solids
        ]
        for ray in direction.T
    ]
    best = np.minimum(np.min(expected, axis=1), 50.0)
    np.testing.assert_allclose(distance, best, rtol=1e-9)
    hit = best < 50
    np.testing.assert_array_equal(index[hit], np.argmin(expected, axis=1)[hit])
    assert (index[~hit] == -1).all() and 50 < hit.sum() < 500 and set(index) == {-1, 0, 1, 2, 3}
    # A point is in shadow exactly if the way to the light meets something before its end.
    shadow = geometry.blocked(np.zeros((3, 500)), direction * 4, solids)
    np.testing.assert_array_equal(shadow, np.min(expected, axis=1) < 4)


def test_normals():
    box, ball = Box(np.zeros(3), np.array([1.0, 2.0, 3.0])), Ball(np.array([5.0, 0, 0]), 2.0)
    position = np.array([[0, 0.5, 1.5], [0.5, 2, 1], [0.5, 1, 3], [5, 2, 0], [9, 9, 9]]).T
    index = np.array([0, 0, 0, 1, -1])
    normal = geometry.normal_at(position, index, [box, ball])
    expected = np.array([[-1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0], [0, 0, 0]]).T
    np.testing.assert_allclose(normal, expected)


def test_texture_repeats_fades_and_has_unit_spread():
    rng = np.random.default_rng(1)
    lattice = rng.standard_normal((geometry.LATTICE, geometry.LATTICE)).astype(np.float32)
    u, v = rng.uniform(0, 64, (2, 20000)).astype(np.float32)
    sharp = geometry.texture(u, v, np.zeros_like(u), lattice)
    # Interpolation takes away part of the lattice's variance.
    assert 0.5 < sharp.std() < 1.0 and abs(sharp.mean()) < 0.1
    coarse = geometry.texture(u, v, np.full_like(u, 0.3), lattice)
    assert coarse.std() < sharp.std()
    np.testing.assert_array_equal(geometry.texture(u, v, np.full_like(u, 5.0), lattice), 0)
    # The first octave alone repeats with the lattice.
    moved = geometry.texture(u + geometry.LATTICE, v, np.zeros_like(u), lattice, octaves=1)
    np.testing.assert_allclose(
        moved, geometry.texture(u, v, np.zeros_like(u), lattice, octaves=1), atol=1e-3
    )


def test_lamp_light_falls_with_the_square_of_the_distance():
    scene = content.room(np.random.default_rng(3))
    lamp = np.zeros(3, np.float32), np.full(3, 2.0, np.float32)
    scene = scene._replace(lamps=[lamp], solids=[], materials=[], window=None)
    scene = scene._replace(sun=(scene.sun[0], np.zeros(3, np.float32)))
    distances = np.array([1.0, 2.0, 4.0])
    position = np.stack([np.full(3, 1e-6), -distances, np.full(3, 1e-6)]).astype(np.float32)
    up = np.tile(np.array([[0.0], [1.0], [0.0]], np.float32), 3)
    # The 0.02 in the denominator keeps the law finite near the lamp.
    expected = 2.0 / (distances**2 + 0.02)
    np.testing.assert_allclose(shading._light(scene, position, up)[0], expected, rtol=1e-5)
    np.testing.assert_array_equal(shading._light(scene, position, -up), 0)


def test_sun_disc_has_the_radiance_that_its_light_asks_for():
    scene = content.street(np.random.default_rng(0))
    irradiance = np.full(3, 10.0, np.float32)
    direction = np.array([0, 0.6, 0.8], np.float32)
    black = np.zeros(3, np.float32)
    scene = scene._replace(sun=(direction, irradiance), sky=(black, black, -9.0, 0.0))
    # Radiance over the disc's solid angle, by a fine grid of angles.
    angles = (np.arange(400) + 0.5) / 400 * 1.5 * shading.SUN_RADIUS
    across = np.array([0, 0.8, -0.6])[:, None]
    rays = np.cos(angles) * direction[:, None] + np.sin(angles) * across + 1e-9
    seen = shading._sky(scene, rays.astype(np.float32), 1e-3)[1]
    total = (seen * 2 * np.pi * np.sin(angles)).sum() * (angles[1] - angles[0])
    # The glow near the disc adds a little.
    assert 1.0 <= total / 10.0 < 1.1


def test_same_scene_every_time_and_another_for_another_id():
    first = synthetic.render_scene(12, 40, 56)
    assert first.dtype == np.float32 and first.shape == (40, 56, 3)
    np.testing.assert_array_equal(first, synthetic.render_scene(12, 40, 56))
    for other in (10, 13, 1_000_012):
        assert np.abs(np.log(synthetic.render_scene(other, 40, 56) / first)).mean() > 0.1


@pytest.mark.parametrize("scene_id", [0, 1, 4, 7, 20, 33])
def test_content_does_not_depend_on_the_resolution(scene_id):
    small = synthetic.render_scene(scene_id, 64, 64)
    large = synthetic.render_scene(scene_id, 128, 128).reshape(64, 2, 64, 2, 3).mean((1, 3))
    stops = np.log2(luminance(large) / luminance(small))
    assert np.median(np.abs(stops)) < 0.1
    # Edges against lamps and windows may differ by stops; another scene is at 0.25 at most.
    assert (np.abs(stops) < 0.5).mean() > 0.9
    # A wider picture holds the same square in its middle.
    wide = synthetic.render_scene(scene_id, 64, 80)
    np.testing.assert_allclose(wide[:, 8:72], small, rtol=1e-3, atol=1e-6)


def test_chunks_do_not_show(monkeypatch):
    whole = synthetic.render_scene(5, 32, 32)
    monkeypatch.setattr(_render, "CHUNK", 100)
    np.testing.assert_allclose(synthetic.render_scene(5, 32, 32), whole, rtol=1e-5)


def test_dynamic_range_and_finite_values():
    total = []
    for scene_id in range(24):
        radiance = synthetic.render_scene(scene_id, 48, 48)
        assert np.isfinite(radiance).all() and radiance.min() > 0
        values = luminance(radiance)
        total.append(np.log2(values.max() / values.min()))
    assert min(total) > 12 and np.median(total) > 16
    assert np.mean(np.array(total) >= 14) >= 0.9


@pytest.mark.parametrize("arguments", [(-1, 8, 8), (0, 0, 8), (0, 8, 0)])
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match="expected scene_id >= 0"):
        synthetic.render_scene(*arguments)
