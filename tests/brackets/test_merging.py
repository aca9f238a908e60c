"""Merging from disk in strips, and deghosting: equal to the whole, and true to the reference."""

import pathlib

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from hdr_jax import brackets, images
from hdr_jax.brackets import _merging, _response, _splitting, _validity
from hdr_jax.color import linear_to_srgb
from hdr_jax.errors import InputError
from hdr_jax.exposure import ev_to_log_times, expose, srgb
from hdr_jax.images import named_response
from hdr_jax.merge import merge

G = named_response("srgb")
EV = np.array([-2.0, 0, 2])
LOG_TIMES = np.asarray(ev_to_log_times(EV))


def moving_scene(shape=(60, 90), spots=((10, 12), (10, 40), (10, 66))):
    """(stack uint8 of a ground with a square that jumps, radiance when exposure 1 was taken)."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    ground = 0.05 + 0.15 * x / shape[1] + 0.02 * np.sin(y / 3)
    scenes = []
    for top, left in spots:
        scene = np.repeat(ground[..., None], 3, axis=2).astype(np.float32)
        scene[top : top + 14, left : left + 14] *= 2.5
        scenes.append(scene)
    stack = [
        np.asarray(expose(jnp.asarray(scene), LOG_TIMES[j : j + 1], srgb(), num_levels=256))[0]
        for j, scene in enumerate(scenes)
    ]
    return np.rint(np.stack(stack) * 255).astype(np.uint8), scenes[1]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("reference", [None, 1])
def test_strips_do_not_show(dtype, reference, monkeypatch):
    stack = moving_scene((61, 90))[0].astype(dtype) * (257 if dtype == np.uint16 else 1)
    g = np.broadcast_to(G, (3, 256))
    trust = None
    if reference is not None:
        trust = brackets.confidence(stack, LOG_TIMES, jnp.asarray(g), reference=1)
    expected = merge(stack, LOG_TIMES, jnp.asarray(g), confidence=trust, extremes_once=True)
    monkeypatch.setattr(_merging, "STRIP_VALUES", 7 * 3 * 90 * 3)
    with brackets.Brackets(stack) as kept:
        radiance = brackets.merge_strips(kept, LOG_TIMES, G, reference=reference)
        np.testing.assert_array_equal(kept.picture(2), stack[2])
        np.testing.assert_array_equal(kept.rows(5, 9), stack[:, 5:9])
        np.testing.assert_array_equal(kept.thinned(1500), stack[:, ::2, ::2])
    np.testing.assert_allclose(radiance, expected, rtol=1e-6)


def test_strips_do_not_show_beside_a_wedge(monkeypatch):
    """It begins where a strip does: the margin of what is no data lies in the one before."""
    stack, _ = moving_scene()
    stack[1, 20:40, :12] = 0
    whole = brackets.merge_strips(brackets.InMemory(stack), LOG_TIMES, G)
    monkeypatch.setattr(_merging, "STRIP_VALUES", 5 * 3 * 90 * 3)
    radiance = brackets.merge_strips(brackets.InMemory(stack), LOG_TIMES, G)
    np.testing.assert_allclose(radiance, whole, rtol=1e-6)


@pytest.mark.parametrize(("stops", "exposures"), [(2, [1]), (7, [0, 1])])
def test_black_is_data_where_a_bright_exposure_is_much_longer(stops, exposures):
    """Seven stops below level 150 is level 7; two stops below it nothing is black."""
    stack = np.stack([np.full((20, 30, 3), level, np.uint8) for level in (7, 150)])
    log_times = np.log([1.0, 2.0**stops])
    radiance = brackets.merge_strips(brackets.InMemory(stack), log_times, G)
    g = np.broadcast_to(G, (3, 256))
    w = np.array([7, 105]) / 127.5
    known = g[0, [7, 150]] - log_times
    expected = np.average(known[exposures], weights=w[exposures]) - g.max()
    np.testing.assert_allclose(np.log(radiance), np.full(radiance.shape, expected), atol=1e-5)


def test_a_pause_begins_where_an_exposure_ends():
    def shot(taken, seconds):
        stops = float(np.log2(seconds))
        return _splitting.Shot(pathlib.Path(f"{taken}.jpg"), taken, seconds, stops, (3, 2))

    shots = [shot(0.0, 20.0), shot(45.0, 5.0), shot(79.0, 1.0), shot(115.0, 0.5)]
    groups = _splitting.grouped(shots)
    assert [[s.taken for s in group] for group in groups] == [[0.0, 45.0, 79.0], [115.0]]


def test_no_pictures_are_refused():
    with pytest.raises(InputError, match="at least one photograph"):
        brackets.Brackets(iter([]))


@pytest.mark.slow
def test_response_of_thinned_brackets_is_increasing(monkeypatch):
    stack = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3)).astype(np.uint8)
    monkeypatch.setattr(_response, "RESPONSE_PIXELS", 1200)
    with brackets.Brackets(stack) as kept:  # noise: a response that needs `monotone`
        g = brackets.response(kept, LOG_TIMES)
    assert g.shape == (3, 256) and np.isfinite(g).all() and (np.diff(g, axis=1) >= 0).all()


def test_deghosting_keeps_the_reference():
    stack, truth = moving_scene()
    g = jnp.broadcast_to(jnp.asarray(G), (3, 256))
    trust = brackets.confidence(stack, LOG_TIMES, g, reference=1)
    ghosted = np.asarray(merge(stack, LOG_TIMES, g))
    clean = np.asarray(merge(stack, LOG_TIMES, g, confidence=trust))
    errors = [np.abs(np.log(np.asarray(radiance) / truth)) for radiance in (ghosted, clean)]
    assert errors[0].max() > 0.3
    assert errors[1].max() < 0.03  # the quantisation of one exposure
    # What did not move is merged from all exposures: equal, where pictures are merged as they are;
    # of rows of pixels two programs, one with a confidence, round differently.
    still = np.s_[30:, :]
    np.testing.assert_array_equal(trust[:, *still], np.ones_like(trust[:, *still]))
    np.testing.assert_allclose(clean[still], ghosted[still], rtol=1e-6)
    whole = jnp.asarray(stack)
    clean, ghosted = (merge(whole, LOG_TIMES, g, confidence=x) for x in (trust, None))
    np.testing.assert_array_equal(clean[still], ghosted[still])


def test_clipped_references_are_completed_by_the_others():
    radiance = np.geomspace(1e-3, 8, 90, dtype=np.float32)
    radiance = np.broadcast_to(radiance[:, None], (60, 90, 3)[:2] + (3,))
    stack = np.asarray(expose(jnp.asarray(radiance), LOG_TIMES, srgb(), num_levels=256))
    g = jnp.broadcast_to(jnp.asarray(G), (3, 256))
    trust = brackets.confidence(stack, LOG_TIMES, g, reference=1)
    np.testing.assert_allclose(trust, 1, atol=1e-3)
    # A dark thing before the sun of the reference is no part of it.
    covered = stack.copy()
    covered[0, 20:40, 76:90] = 0.1
    trust = np.asarray(brackets.confidence(covered, LOG_TIMES, g, reference=1))
    assert (trust[0, 22:38, 79:] < 0.01).all() and (trust[2] > 0.99).all()
    merged = np.asarray(merge(covered, LOG_TIMES, g, confidence=jnp.asarray(trust)))
    assert (merged[22:38, 80:] > 0.9).all()  # at least what the reference records


def test_wrong_shapes_are_refused():
    stack, _ = moving_scene()
    with pytest.raises(ValueError, match="reference 3"):
        brackets.confidence(stack, LOG_TIMES, jnp.asarray(G), reference=3)
    with pytest.raises(ValueError, match="confidence"):
        merge(stack, LOG_TIMES, jnp.asarray(G[0]), confidence=jnp.ones((3, 4, 4)))


def test_pictures_of_other_sizes_are_refused_without_reading_on(tmp_path):
    for name, width in (("a.png", 8), ("b.png", 9)):
        images.write(tmp_path / name, np.zeros((6, width, 3), np.uint8))
    paths = [tmp_path / "a.png", tmp_path / "b.png", tmp_path / "missing.png"]
    with pytest.raises(ValueError, match=r"b\.png is 9 x 6 uint8, but .*a\.png is 8 x 6"):
        brackets.load(paths)


def test_what_is_no_data_counts_nowhere(monkeypatch):
    stack, _ = moving_scene()
    holed, valid = stack.copy(), np.ones(stack.shape[:3], bool)
    holed[1, :, :30], valid[1, :, :30] = 0, False
    g, rest = jnp.broadcast_to(jnp.asarray(G), (3, 256)), [0, 2]
    by_rest = merge(stack[rest], LOG_TIMES[rest], g, extremes_once=True)
    by_all = merge(stack, LOG_TIMES, g, extremes_once=True)
    monkeypatch.setattr(_merging, "STRIP_VALUES", 7 * 3 * 90 * 3)
    with brackets.Brackets(zip(holed, valid, strict=True)) as kept:
        np.testing.assert_array_equal(kept.valid_rows(5, 9), valid[:, 5:9])
        np.testing.assert_array_equal(kept.valid_thinned(1500), valid[:, ::2, ::2])
        radiance = brackets.merge_strips(kept, LOG_TIMES, G)
        recovered = brackets.response(kept, LOG_TIMES, sampling="quantiles")
        aligned, _ = brackets.align(kept, LOG_TIMES, G, 0)
    with aligned:
        assert not aligned.valid(1, 0, 60)[:, :20].any() and aligned.valid(0, 0, 60).all()
    np.testing.assert_allclose(radiance[:, :30], by_rest[:, :30], rtol=1e-6)
    np.testing.assert_allclose(radiance[:, 30:], by_all[:, 30:], rtol=1e-6)
    with brackets.Brackets(stack[:, :, 30:]) as seen:
        expected = brackets.response(seen, LOG_TIMES, sampling="quantiles")
    np.testing.assert_allclose(recovered, expected, atol=1e-4)


@pytest.mark.parametrize("reference", [None, 1])
def test_what_no_exposure_shows_has_no_radiance(reference, monkeypatch):
    stack, _ = moving_scene()
    valid = np.ones(stack.shape[:3], bool)
    valid[:, 20:50, :30] = False
    expected = brackets.merge_strips(brackets.InMemory(stack), LOG_TIMES, G)
    monkeypatch.setattr(_merging, "STRIP_VALUES", 7 * 3 * 90 * 3)
    with (
        brackets.Brackets(zip(stack, valid, strict=True)) as kept,
        pytest.warns(UserWarning, match="900 pixels .16.67%. hold data in no exposure"),
    ):
        radiance = brackets.merge_strips(kept, LOG_TIMES, G, reference=reference)
    assert (radiance[20:50, :30] == 0).all() and (radiance > 0)[valid.all(0)].all()
    if reference is None:
        np.testing.assert_allclose(radiance[:, 30:], expected[:, 30:], rtol=1e-6)


def test_an_empty_alpha_channel_is_named(tmp_path):
    for k in range(2):
        Image.fromarray(np.full((6, 8, 4), (9, 9, 9, 0), np.uint8)).save(tmp_path / f"{k}.png")
    with pytest.raises(ValueError, match="their alpha channel is empty"):
        brackets.load([tmp_path / "0.png", tmp_path / "1.png"])


def test_pictures_that_show_nothing_together_have_no_response():
    stack, _ = moving_scene()
    valid = np.zeros(stack.shape[:3], bool)
    valid[0, :, :40] = valid[1, :, 45:] = valid[2] = True
    with (
        brackets.Brackets(zip(stack, valid, strict=True)) as kept,
        pytest.raises(ValueError, match="only 0.0% of the scene is shown by all exposures"),
    ):
        brackets.response(kept, LOG_TIMES)


def test_black_that_a_shorter_exposure_contradicts_is_no_data():
    levels = np.array([[10, 90, 200], [40, 4, 6], [90, 0, 0]], np.uint8)  # [n, pixels]
    stack = np.repeat(levels[:, None, :, None], 3, 3)
    wide = np.repeat(stack, 9, axis=2)  # wider than the margin
    found = _validity.contradicted(wide, LOG_TIMES)[:, 0, 4::9]
    np.testing.assert_array_equal(found, [[0, 0, 0], [0, 1, 1], [0, 1, 1]])
    # The shortest is black where one two stops longer is bright; night is night in all of them.
    stack = np.repeat(np.array([[0, 0], [150, 30], [255, 90]], np.uint8)[:, None, :, None], 3, 3)
    wide = np.repeat(stack, 9, axis=2)
    found = _validity.contradicted(wide, LOG_TIMES)[:, 0, 4::9]
    np.testing.assert_array_equal(found, [[1, 0], [0, 0], [0, 0]])


def test_noise_of_the_dark_is_no_wedge():
    """Of three channels in two exposures the largest is often twice what one pixel says."""
    rng = np.random.default_rng(0)
    light = 5e-5 * np.exp2(EV)[:, None, None, None]
    noisy = np.clip(light + rng.normal(0, 0.002, (3, 80, 90, 3)), 0, 1)
    levels = 255 * np.asarray(linear_to_srgb(noisy))
    stack = np.rint(levels).astype(np.uint8)
    assert ((stack[:2].max((0, -1)) > 2.0 * stack[2].max(-1) + 7.65).mean()) > 0.02  # such pixels
    assert not _validity.contradicted(stack, LOG_TIMES).any()
    stack[2, :40, :12] = 0  # a wedge in it is found all the same
    stack[:2, :40, :12] = 200
    assert _validity.contradicted(stack, LOG_TIMES)[2, :40, :12].all()


def test_a_black_coat_in_the_reference_is_kept():
    scene = np.full((60, 90, 3), 0.3, np.float32)
    stack = np.asarray(expose(jnp.asarray(scene), LOG_TIMES, srgb(), num_levels=256))
    stack = np.rint(255 * stack).astype(np.uint8)
    stack[1, 10:50, 30:60] = 2  # somebody in black
    stack[1, :8, :40] = 0  # and a wedge
    g = np.broadcast_to(G, (3, 256))
    radiance = brackets.merge_strips(brackets.InMemory(stack), LOG_TIMES, g, reference=1)
    wall = np.median(radiance)
    assert np.median(radiance[14:46, 34:56]) < wall / 50
    np.testing.assert_allclose(radiance[:8, :36], wall, rtol=0.05)


def test_no_strip_ends_within_what_touches_a_side(monkeypatch):
    """Black in the reference whose upper part is cut by the side: one area, in several strips."""
    scene = np.full((60, 90, 3), 0.3, np.float32)
    stack = np.asarray(expose(jnp.asarray(scene), LOG_TIMES, srgb(), num_levels=256))
    stack = np.rint(255 * stack).astype(np.uint8)
    stack[1, 5:20, :50] = stack[1, 5:55, 30:50] = 2
    g = np.broadcast_to(G, (3, 256))
    whole = brackets.merge_strips(brackets.InMemory(stack), LOG_TIMES, g, reference=1)
    np.testing.assert_allclose(whole, np.median(whole), rtol=0.05)
    monkeypatch.setattr(_merging, "STRIP_VALUES", 7 * 3 * 90 * 3)
    strips = brackets.merge_strips(brackets.InMemory(stack), LOG_TIMES, g, reference=1)
    np.testing.assert_allclose(strips, whole, rtol=1e-5)


@pytest.mark.parametrize("levels", [(20, 80, 200), (0, 0, 0), (60, 120, 180)])
def test_surfaces_of_one_colour_are_no_white(levels):
    stack = np.full((3, 40, 40, 3), np.array(levels, np.uint8)[:, None, None, None])
    assert brackets.low_white(brackets.InMemory(stack), LOG_TIMES) is None


def test_what_moves_is_no_white():
    stack, _ = moving_scene()
    assert brackets.low_white(brackets.InMemory(stack // 2), LOG_TIMES) is None
