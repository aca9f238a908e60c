"""Photographs by strangers' cameras: what is drawn, and that a run can be resumed."""

import cv2
import numpy as np
import pytest

from hdr_jax import data, images
from hdr_jax.errors import InputError
from hdr_jax.synthetic import Camera


def scene(seed=0, size=(40, 60)):
    rng = np.random.default_rng(seed)
    return np.exp(rng.normal(0, 2, (*size, 3))).astype(np.float32)


def source(count=3):
    return [{"hdr": scene(i), "scene": str(i)} for i in range(count)]


def test_a_resumed_run_sees_the_same_photographs():
    options = dict(batch_size=2, size=(24, 32), seed=3)
    whole = data.photographs(source(), **options)
    expected = [next(whole) for _ in range(4)]
    resumed = data.photographs(source(), start_step=2, **options)
    for later in expected[2:]:
        batch = next(resumed)
        for name, value in later.items():
            np.testing.assert_array_equal(batch[name], value)


@pytest.mark.parametrize("size", [8, (8, 8, 3), (0, 8), (8.0, 8)])
def test_sizes_are_two_whole_numbers(size):
    with pytest.raises(InputError, match="height, width"):
        data.photographs(source(), batch_size=1, size=size, seed=0)


@pytest.mark.parametrize("shape", [(9, 9), (9, 9, 1), (9, 9, 4)])
def test_maps_of_other_shapes_are_named(shape):
    maps = [{"hdr": np.ones(shape, np.float32), "scene": "gray"}]
    with pytest.raises(InputError, match="scene gray: got a radiance map"):
        next(data.photographs(maps, batch_size=1, size=(8, 8), seed=0))


def test_a_quality_is_whole():
    with pytest.raises(InputError, match="quality"):
        data.Photographer(quality=(75.5, 98))


def test_the_aspect_is_judged_where_it_is_read():
    """By `training.Setup`, which makes a size of it; a photographer is given that."""
    assert data.Photographer.from_fields({"aspect": 1000.0}) == data.Photographer(aspect=1000.0)


def test_a_part_that_is_black_is_not_photographed():
    night = np.zeros((32, 64, 3), np.float32)
    night[30, 1:3] = 5
    options = dict(batch_size=20, size=(8, 8), seed=0)
    maps = data.RadianceMaps([{"hdr": night, "scene": "night"}])
    assert next(data.photographs(maps, **options))["hdr"].any((1, 2, 3)).all()
    maps = data.RadianceMaps([{"hdr": 0 * night, "scene": b"cellar"}])
    with pytest.raises(InputError, match="scene cellar: meter got radiance from 0.0 to 0.0"):
        next(data.photographs(maps, **options))


def test_shards_share_a_batch():
    options = dict(batch_size=4, size=(16, 16), seed=1)
    whole = next(data.photographs(source(), **options))["image"]
    parts = [next(data.photographs(source(), shard=(i, 2), **options))["image"] for i in (0, 1)]
    np.testing.assert_array_equal(parts[0], whole[::2])
    np.testing.assert_array_equal(parts[1], whole[1::2])


def test_a_photograph_is_the_cameras_picture_of_its_truth():
    taker = data.Photographer(canonical=1.0)
    taken = taker.take(scene(), (24, 32), np.random.default_rng(0))
    (expected,) = Camera().photograph(taken["hdr"], np.zeros(1), np.random.default_rng(1))
    np.testing.assert_array_equal(taken["image"], images.closed_highlights(expected))
    clipped = (taken["hdr"] >= 1).any(-1).mean()
    assert 0.003 <= clipped <= 0.6
    np.testing.assert_array_equal(taken["rim_distance"], images.rim_distance(taken["image"]))


def test_clean_photographs_are_by_random_sigmoids_without_noise():
    taker = data.Photographer(canonical=0.0, clean=1.0)
    curves = set()
    for seed in range(4):
        taken = taker.take(scene(), (24, 32), np.random.default_rng(seed))
        order = np.argsort(taken["hdr"], axis=None)
        levels = taken["image"].ravel()[order][taken["hdr"].ravel()[order] < 0.8]
        assert (np.diff(levels.astype(int)) >= 0).all()  # the level tells the light: no noise
        curves.add(
            int(
                np.interp(0.3, np.sort(taken["hdr"], axis=None), np.sort(taken["image"], axis=None))
            )
        )
    assert len(curves) > 1


def truths(count=40, **fields):
    """What `count` photographs of one scene show, drawn alike but for these fields."""
    plain = {"ev": (0.0, 0.0), "white_balance": 0.0, "hue": 0.0}
    whole = {"clipped": (0.0, 1.0), "canonical": 1.0, "clean": 0.0, "whole": 1.0, "aspect": 1.5}
    taker = data.Photographer(**{**plain, **whole, **fields})
    hdr = scene()
    taken = [taker.take(hdr, (40, 60), np.random.default_rng(k)) for k in range(count)]
    return np.stack([one["hdr"] for one in taken]).astype(np.float64)


def test_the_meter_errs_by_stops():
    stops = np.log2(truths(ev=(-1.0, 2.0)) / truths())
    np.testing.assert_allclose(stops, stops[:, :1, :1, :1] + 0 * stops, atol=1e-5)
    drawn = stops[:, 0, 0, 0]
    assert -1 <= drawn.min() < -0.7 and 1.7 < drawn.max() <= 2


def test_the_white_balance_is_a_gain_of_each_channel():
    gains = np.log(truths(white_balance=0.3) / truths())
    np.testing.assert_allclose(gains, gains[:, :1, :1] + 0 * gains, atol=1e-5)
    drawn = gains[:, 0, 0]
    assert 0.25 < drawn.std() < 0.35 and abs(drawn.mean()) < 0.05
    assert np.abs(np.corrcoef(drawn.T) - np.eye(3)).max() < 0.4  # each by itself


def test_the_hue_mixes_a_channel_with_the_mean():
    plain, tinted = truths(), truths(hue=0.2)
    grey = plain.mean(-1, keepdims=True) - plain
    lit = tinted > 0  # less than no light is none
    mix = ((tinted - plain) * grey * lit).sum((1, 2, 3)) / (grey**2 * lit).sum((1, 2, 3))
    expected = np.maximum(plain + mix[:, None, None, None] * grey, 0)
    np.testing.assert_allclose(tinted, expected, rtol=1e-5, atol=1e-5)
    assert -0.2 <= mix.min() < -0.15 and 0.15 < mix.max() <= 0.2


def test_a_drawn_camera_knows_its_response():
    for seed in range(12):
        camera = Camera.draw(np.random.default_rng(seed))
        quiet = Camera(camera.kind, camera.n, camera.s, camera.exponent)
        light = np.exp(quiet.log_inverse_response()[1:]).reshape(-1, 1, 1) * np.ones((1, 1, 3))
        levels = quiet.photograph(light, np.zeros(1), np.random.default_rng(0))[0, :, 0, 0]
        np.testing.assert_allclose(levels, np.arange(1, 256), atol=1)


def test_evaluation_photographs_depend_on_the_seed_alone():
    hdr = scene()
    first, second = (data.evaluation_photograph(hdr, seed=5)[0]["image"] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (data.evaluation_photograph(hdr, seed=6)[0]["image"] != first).any()


def test_jpeg_is_what_a_decoder_reads(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (32, 48, 3)).astype(np.uint8)
    image = cv2.GaussianBlur(noise, (0, 0), 2)
    path = tmp_path / "a.jpg"
    sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
    cv2.imwrite(str(path), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80, *sampling])
    expected = cv2.imread(str(path))[..., ::-1]
    np.testing.assert_array_equal(data.as_jpeg(image, 80, False), expected)


def test_maps_are_decoded_once_while_memory_lasts():
    class Counting(list):
        reads = 0

        def __getitem__(self, i):
            Counting.reads += 1
            return super().__getitem__(i)

    maps = data.RadianceMaps(Counting(source(2)), limit=scene().nbytes)
    for _ in range(3):
        for i in range(2):
            np.testing.assert_array_equal(maps[i]["hdr"], scene(i))
    assert Counting.reads == 1 + 3  # one fits, the other is read every time


def test_jpegs_are_of_bytes():
    with pytest.raises(InputError, match="an image of float64; expected uint8"):
        data.as_jpeg(np.ones((8, 8, 3)), 90, False)


def test_an_unknown_field_is_named():
    with pytest.raises(InputError, match="jpg"):
        data.Photographer.from_fields({"jpg": 1})


@pytest.mark.parametrize("size", [(9, 9), (9, 14)])
def test_rim_distance_against_a_loop(size):
    image = (np.random.default_rng(1).random((*size, 3)) < 0.9) * np.uint8(255)
    expected = np.zeros(image.shape)
    for c in range(3):
        dark = np.argwhere(image[..., c] < 251)
        for y, x in np.argwhere(image[..., c] >= 251):
            expected[y, x, c] = np.sqrt(((dark - (y, x)) ** 2).sum(1).min())
    np.testing.assert_allclose(images.rim_distance(image), expected, atol=1e-5)
    white = images.rim_distance(np.full((*size, 1), 255, np.uint8))
    assert np.isfinite(white).all() and (white > 0).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(9, 14, 3), (7, 3, 1)])
def test_closed_highlights_against_a_loop(shape, dtype):
    rng = np.random.default_rng(2)
    white = 1.0 if dtype == np.float32 else float(np.iinfo(dtype).max)
    image = np.where(rng.random(shape) < 0.7, 1.0, rng.uniform(0.9, 1.0, shape)) * white
    image = image.astype(dtype)

    def around(picture, best, outside):
        padded = np.pad(picture, ((2, 2), (2, 2), (0, 0)), constant_values=outside)
        parts = [padded[y : y + shape[0], x : x + shape[1]] for y in range(5) for x in range(5)]
        return best(parts, axis=0)

    z = image / white
    closing = around(around(z, np.max, -np.inf), np.min, np.inf)
    expected = np.where((closing >= 252 / 255) & (z >= 0.97), closing, z)
    closed = images.closed_highlights(image)
    assert closed.dtype == dtype and closed.shape == shape
    assert (closed != image).any()
    np.testing.assert_allclose(closed / white, expected, atol=1e-6)


def test_a_speck_in_a_highlight_is_closed_and_a_branch_is_kept():
    image = np.full((16, 16, 3), 255, np.uint8)
    image[8, 8] = 248  # as JPEG leaves them
    image[:, 4] = 90
    expected = image.copy()
    expected[8, 8] = 255
    np.testing.assert_array_equal(images.closed_highlights(image), expected)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("crop", (0.6, 1.3)),
        ("quality", (98, 75)),
        ("jpeg", 1.5),
        ("ev", 1.0),
        ("jpeg", None),
        ("changed", 1.5),
        ("hue", float("nan")),
    ],
)
def test_what_cannot_be_drawn_is_refused(field, value):
    with pytest.raises(InputError, match=f"{field} = .* of photographs; expected"):
        data.Photographer.from_fields({field: value})
