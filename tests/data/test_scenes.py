"""Changed scenes: each change against what it says, and that photographs of them can be resumed."""

import numpy as np
import pytest

from hdr_jax import data
from hdr_jax.color import LUMINANCE_WEIGHTS
from hdr_jax.data import _scenes


def scene(seed=0, size=(40, 60)):
    rng = np.random.default_rng(seed)
    return np.exp(rng.normal(0, 2, (*size, 3))).astype(np.float32)


def log_mean(hdr):
    return np.log(hdr.astype(np.float64)).mean()


@pytest.mark.parametrize("size", [(40, 60), (33, 20), (1, 9)])
def test_not_turned_and_not_stretched_is_the_scene(size):
    np.testing.assert_allclose(_scenes.turned(scene(size=size), 0, 1), scene(size=size), rtol=1e-6)


@pytest.mark.parametrize("degrees, stretch", [(8, 1), (-8, 1.08), (0, 0.92), (3, 1.05)])
@pytest.mark.parametrize("size", [(40, 60), (61, 33)])
def test_turning_is_affine_and_shows_nothing_beyond_the_scene(degrees, stretch, size):
    """Of the map of its own coordinates a turned picture is affine as far as its corners."""
    rows, columns = size
    down, right = np.mgrid[:rows, :columns].astype(np.float32)
    turned = _scenes.turned(np.stack([right, down, 0 * down], -1), degrees, stretch)
    x, y = turned[..., 0].astype(float), turned[..., 1].astype(float)
    angle, wider = np.deg2rad(degrees), np.sqrt(stretch)
    middle = np.array([columns - 1, rows - 1]) / 2
    along = np.array([np.cos(angle), np.sin(angle)]) / wider
    across = np.array([-np.sin(angle), np.cos(angle)]) * wider
    offsets = np.stack([right - middle[0], down - middle[1]], -1)
    free = offsets[..., :1] * along + offsets[..., 1:] * across
    # One factor for both directions, the greatest that leaves no corner outside of the scene.
    factor = min(middle / np.abs(free).max((0, 1)))
    # OpenCV interpolates at 32nds of a pixel.
    np.testing.assert_allclose(np.stack([x, y], -1), free * factor + middle, atol=1 / 32 + 1e-4)
    assert factor <= 1


@pytest.mark.parametrize("seed", range(6))
def test_a_mixed_scene_is_of_the_two_and_as_bright(seed):
    one, other = scene(1), 50 * scene(2)
    mixed = _scenes.mixed(one, other, np.random.default_rng(seed))
    factor = np.exp(log_mean(one) - log_mean(other))
    of_other = (mixed != one).any(-1)
    np.testing.assert_allclose(mixed[of_other], factor * other[of_other], rtol=1e-4)
    assert 0.15 < of_other.mean() < 0.75


def test_light_is_smooth_and_of_no_colour():
    rng, logs = np.random.default_rng(0), []
    for _ in range(200):
        light = np.log(_scenes.unevenly_lit(scene(), 0.3, rng) / scene())
        np.testing.assert_allclose(light, light[..., :1] * np.ones(3), atol=1e-5)
        assert max(np.abs(np.diff(light[..., 0], axis=axis)).max() for axis in (0, 1)) < 0.2
        logs.append(light.mean())
    # Twelve draws a picture: their mean differs from picture to picture by some 0.3 / sqrt(12).
    assert 0.06 < np.std(logs) < 0.14


@pytest.mark.parametrize("exponent", [0.9, 1.0, 1.1])
def test_contrast_is_the_exponent_of_luminance(exponent):
    hdr = np.clip(scene(), 1e-2, 1e2)
    changed = _scenes.contrasted(hdr, exponent)
    before, after = (np.log(x.astype(np.float64) @ LUMINANCE_WEIGHTS) for x in (hdr, changed))
    expected = log_mean(hdr) + exponent * (before - log_mean(hdr))
    np.testing.assert_allclose(after, expected, atol=1e-5)
    np.testing.assert_allclose(
        changed / changed.sum(-1, keepdims=True), hdr / hdr.sum(-1, keepdims=True), rtol=1e-5
    )


@pytest.mark.parametrize("other", [None, scene(1), np.zeros((40, 60, 3), np.float32)])
def test_radiance_stays_finite_and_scenes_are_not_written_to(other):
    dark = np.where(scene() < 1, 0, 1e4 * scene()).astype(np.float32)
    kept = dark.tobytes()
    for seed in range(40):
        for hdr in (dark, 0 * dark):
            another = None if other is None else lambda: other
            changed = _scenes.changed(hdr, another, np.random.default_rng(seed))
            assert changed.shape == hdr.shape and changed.dtype == np.float32
            assert np.isfinite(changed).all() and (changed >= 0).all()
    assert dark.tobytes() == kept


def test_photographs_of_changed_scenes_can_be_resumed():
    source = [{"hdr": scene(i), "scene": str(i)} for i in range(3)]
    taker = data.Photographer(changed=1.0)
    options = dict(batch_size=2, size=(24, 32), seed=3, photographer=taker)
    whole = data.photographs(source, **options)
    expected = [next(whole) for _ in range(3)][2]
    resumed = next(data.photographs(source, start_step=2, **options))
    for name, value in expected.items():
        np.testing.assert_array_equal(resumed[name], value)
    plain = next(data.photographs(source, start_step=2, **(options | {"photographer": None})))
    assert (plain["hdr"] != resumed["hdr"]).any()


def test_a_scene_that_is_not_changed_is_photographed_as_ever():
    """Whatever other scene is offered: nothing is drawn for it."""
    taker = data.Photographer()
    alone = taker.take(scene(), (24, 32), np.random.default_rng(0))
    beside = taker.take(scene(), (24, 32), np.random.default_rng(0), pytest.fail)
    np.testing.assert_array_equal(alone["hdr"], beside["hdr"])
    np.testing.assert_array_equal(alone["image"], beside["image"])


def test_a_changed_scene_is_never_black():
    """Light in a corner may be turned out of the picture, or give way to another scene's night."""
    corner, night = (np.zeros((40, 60, 3), np.float32) for _ in range(2))
    corner[0, 0], night[-1, -1] = 5, 5
    taker = data.Photographer(changed=1.0, whole=1.0)
    for seed in range(60):
        taken = taker.take(corner, (40, 60), np.random.default_rng(seed), lambda: night)
        assert taken["hdr"].any()
