"""Registration against known warps, and on real hand-held brackets by an independent estimator."""

import cv2
import numpy as np
import pytest

from hdr_jax import brackets, images
from hdr_jax.brackets import _warps
from hdr_jax.exposure import ev_to_log_times, expose, srgb
from hdr_jax.images import named_response

G = named_response("srgb")


def textured(shape=(300, 400), seed=0):
    """Radiance [h, w, 3] with detail at every scale."""
    rng = np.random.default_rng(seed)
    field = sum(
        cv2.resize(rng.normal(size=(shape[0] // k, shape[1] // k)), shape[::-1]) * k**0.5
        for k in (4, 8, 16, 32)
    )
    return np.repeat(np.exp(0.35 * field - 1)[..., None], 3, axis=2).astype(np.float32)


def photograph(radiance, ev, seed):
    """uint8 exposure of a noisy camera."""
    stack = np.asarray(expose(radiance, ev_to_log_times(np.array([float(ev)])), srgb()))[0]
    noise = np.random.default_rng(seed).normal(0, 1, stack.shape)
    return np.clip(np.rint(stack * 255 + noise), 0, 255).astype(np.uint8)


def moved(radiance, warp):
    """What a camera sees whose pixels are where the warp takes those of the first one."""
    size = radiance.shape[1::-1]
    return cv2.warpPerspective(radiance, warp, size, flags=cv2.INTER_CUBIC)


@pytest.mark.parametrize(
    "warp",
    [
        np.array([[1, 0, 13.4], [0, 1, -8.7], [0, 0, 1]]),
        np.array([[0.9998, -0.02, 9.0], [0.02, 0.9998, -5.0], [0, 0, 1]]),
        np.array([[1.01, 0.004, -3.0], [-0.006, 0.995, 4.0], [2e-5, -1e-5, 1]]),
    ],
    ids=["translation", "rotation", "homography"],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_known_warp_is_found(warp, dtype):
    radiance = textured()
    pictures = photograph(radiance, 0, 1), photograph(np.maximum(moved(radiance, warp), 0), 2, 2)
    if dtype == np.uint16:
        pictures = [picture.astype(np.uint16) * 257 for picture in pictures]
    found = brackets.register(*pictures, G)
    assert _warps.displacement(np.linalg.inv(found) @ warp, radiance.shape) < 0.5


def test_what_did_not_move_stays():
    radiance = textured(seed=3)
    for ev in (-4, -2, 3):
        warp = brackets.register(photograph(radiance, 0, 1), photograph(radiance, ev, 2), G)
        assert _warps.displacement(warp, radiance.shape) < 0.3
    black, white = (np.full((60, 80, 3), z, np.uint8) for z in (0, 255))
    for picture in (black, white):
        np.testing.assert_array_equal(brackets.register(black, picture, G), np.eye(3))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("right, down", [(0, 0), (2, 0), (0, -4), (13, -9)])
def test_a_camera_that_moved_is_noticed(right, down, dtype):
    """Between whichever neighbours by time, given in any order."""
    radiance = textured(seed=5)
    warp = np.array([[1, 0, right], [0, 1, down], [0, 0, 1]], float)
    later = np.maximum(moved(radiance, warp), 1e-3)
    evs = (2, -4, 0, -2)
    stack = np.stack(
        [photograph(later if ev > 0 else radiance, ev, seed) for seed, ev in enumerate(evs)]
    )
    if dtype == np.uint16:
        stack = stack.astype(np.uint16) * 257
    elif dtype == np.float32:
        stack = (stack / 255).astype(np.float32)
    found = brackets.movement(brackets.InMemory(stack), ev_to_log_times(np.array(evs)), G)
    if right == down == 0:
        assert found is None
    else:
        assert found is not None and found[:2] == (2, 0)
        assert abs(found[2] - np.hypot(right, down)) < 1.5


@pytest.mark.parametrize("pixels", [9, 30])
def test_the_movement_of_large_pictures_is_in_their_own_pixels(pixels):
    radiance = textured((700, 900), seed=8)
    later = np.roll(radiance, pixels, 1)
    stack = np.stack([photograph(radiance, -2, 0), photograph(later, 0, 1)])
    found = brackets.movement(brackets.InMemory(stack), np.log([1.0, 4.0]), G)
    assert found is not None and abs(found[2] - pixels) <= 2  # in steps of 3


def test_exposures_that_share_nothing_tell_of_no_movement():
    """Eight stops apart: what little a wrong translation makes overlap is alike by chance."""
    for seed in range(12):
        smooth = cv2.GaussianBlur(np.random.default_rng(seed).normal(0, 1, (120, 160)), (0, 0), 12)
        radiance = np.repeat(np.exp(0.8 * smooth / smooth.std())[..., None], 3, 2) / 20
        stack = np.stack([photograph(radiance, ev, seed) for ev in (-4, 4)])
        assert brackets.movement(brackets.InMemory(stack), np.log([1.0, 256.0]), G) is None


def test_what_moves_in_the_scene_is_not_the_camera():
    """A tenth of the picture is somebody who walked on; and plain, black and white pictures."""
    radiance, walked = textured(seed=6), textured(seed=6)
    someone = textured((300, 40), seed=7)
    radiance[:, 100:140] = walked[:, 130:170] = 4 * someone
    stack = np.stack([photograph(radiance, -2, 0), photograph(walked, 1, 1)])
    log_times = ev_to_log_times(np.array([-2.0, 1.0]))
    assert brackets.movement(brackets.InMemory(stack), log_times, G) is None
    for level in (0, 100, 255):
        plain = np.full((2, 60, 80, 3), level, np.uint8)
        assert brackets.movement(brackets.InMemory(plain), log_times, G) is None
    one_pixel = np.full((2, 1, 1, 3), 100, np.uint8)
    assert brackets.movement(brackets.InMemory(one_pixel), log_times, G) is None


def test_real_brackets_that_moved_are_told(shared):
    told = {}
    for folder in sorted(path for path in (shared / "data/stacks").iterdir() if path.is_dir()):
        stack, times = images.read_stack(folder)
        loaded, log_times = brackets.InMemory(stack), np.log(times)
        g = brackets.response(loaded, log_times)
        told[folder.name] = brackets.movement(loaded, log_times, g)
    assert {name for name, found in told.items() if found} == {
        "hdrtoolbox_alignment",
        "stlouis_arch",
    }


def test_aligned_pictures_fill_the_common_area():
    radiance = textured(seed=4)
    warp = np.array([[0.9998, -0.02, 6.0], [0.02, 0.9998, -5.0], [0, 0, 1]])
    other = moved(radiance, warp)
    crop = _warps.common_area([np.eye(3), warp], radiance.shape)
    top, bottom, left, right = crop
    # Every corner of the crop is seen by the other camera, and a larger crop is not.
    corners = np.array([[x, y, 1] for x in (left, right - 1) for y in (top, bottom - 1)])
    seen = (corners @ warp.T)[:, :2]
    assert (seen >= -1e-6).all() and (seen <= np.array(radiance.shape[1::-1]) - 1 + 1e-6).all()
    assert (bottom - top) * (right - left) > 0.85 * radiance[..., 0].size
    back = _warps.aligned(other, warp, crop)
    inside = np.s_[4:-4, 4:-4]
    error = np.log(back) - np.log(radiance[top:bottom, left:right])
    assert np.median(np.abs(error[inside])) < 0.01
    far = np.array([[1, 0, 330.0], [0, 1, 0], [0, 0, 1]])
    with pytest.raises(ValueError, match="cannot be aligned"):
        _warps.common_area([far], radiance.shape)


@pytest.mark.parametrize("size", [(1, 1), (5, 5), (3, 100), (7, 1), (9, 300)])
def test_pictures_too_small_to_be_registered_stay(size):
    noise = np.random.default_rng(0).integers(20, 230, (2, *size, 3)).astype(np.uint8)
    assert np.isfinite(brackets.register(*noise, G)).all()


def test_an_exposure_that_cannot_be_registered_is_told_of():
    scene = textured()
    stack = np.stack([photograph(scene, ev, 0) for ev in (-1, 0, 9)])
    log_times = ev_to_log_times(np.array([-1.0, 0, 9]))
    with pytest.warns(UserWarning, match="nothing shows how exposure 3 of 3 was moved"):
        _, moved = brackets.align(brackets.InMemory(stack), log_times, G, 1)
    assert moved[:2] == [0, 0] and np.isnan(moved[2])


def test_chosen_exposures_are_those():
    stack = np.random.default_rng(0).integers(0, 256, (3, 6, 5, 3)).astype(np.uint8)
    valid = np.ones((6, 5), bool)
    valid[2] = False
    with brackets.Brackets((picture, valid) for picture in stack) as kept:
        chosen = brackets.Chosen(kept, [2, 0])
        np.testing.assert_array_equal(chosen.rows(1, 4), stack[[2, 0], 1:4])
        np.testing.assert_array_equal(chosen.picture(0), stack[2])
        np.testing.assert_array_equal(chosen.thinned(9), stack[[2, 0], ::2, ::2])
        assert (chosen.valid_rows(0, 6) == valid).all()


def test_unequal_sizes_are_refused():
    with pytest.raises(ValueError, match="equal sizes"):
        brackets.register(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5, 3), np.uint8), G)


def tile_shifts(reference, picture, g, side=128):
    """Shifts [k, 2] by phase correlation of ln E in tiles that are well exposed in both."""
    greens = [image[..., 1] for image in (reference, picture)]
    logs = [np.interp(np.clip(green, 15, 240), np.arange(256), g[1]) for green in greens]
    usable = np.all([(green >= 15) & (green <= 240) for green in greens], axis=0)
    window = cv2.createHanningWindow((side, side), cv2.CV_64F)
    shifts = []
    for y in range(0, usable.shape[0] - side, side // 2):
        for x in range(0, usable.shape[1] - side, side // 2):
            tile = np.s_[y : y + side, x : x + side]
            pair = [log[tile] - log[tile].mean() for log in logs]
            if usable[tile].mean() < 0.9 or min(image.std() for image in pair) < 0.1:
                continue
            shift, peak = cv2.phaseCorrelate(*pair, window)
            if peak > 0.1:
                shifts.append(shift)
    return np.array(shifts)


@pytest.mark.slow
def test_real_hand_held_brackets(shared):
    paths = images.find_photos(shared / "data/stacks/hdrtoolbox_alignment")
    log_times = np.log(images.exposure_times(paths))
    order = np.argsort(log_times)
    with brackets.load(paths) as loaded:
        g = brackets.response(loaded, log_times)
        before = [np.median(np.linalg.norm(shifts, axis=1)) for shifts in pairs(loaded, order, g)]
        aligned, pixels = brackets.align(loaded, log_times, g, int(order[1]))
        with aligned:
            after = [np.median(np.linalg.norm(s, axis=1)) for s in pairs(aligned, order, g)]
    assert min(before) > 10 and max(after) < 1, (before, after)
    assert pixels[order[1]] == 0
    print("residual shift, px:", before, "->", after)


def pairs(stack, order, g):
    """Shifts of neighbours in exposure."""
    for first, second in zip(order[1:], order, strict=False):
        yield tile_shifts(stack.picture(first), stack.picture(second), g)
