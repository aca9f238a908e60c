"""A photograph of any size by a HighlightModel at its working size."""

import jax
import jax.numpy as jnp
import numpy as np
import picture_files
import pytest

from hdr_jax import images, weights
from hdr_jax.cli import main
from hdr_jax.errors import InputError
from hdr_jax.exposure import log_inverse_sigmoid
from hdr_jax.merge import synthesize
from hdr_jax.models import HighlightModel
from hdr_jax.reconstruct import _highlights, exposure, highlights, reconstruct

MODEL = HighlightModel((8, 16), (1, 1))


@pytest.fixture(scope="module")
def params():
    x = jnp.ones((1, 64, 64, 3))
    made = jax.jit(MODEL.init)(jax.random.key(0), x, x)["params"]
    leaves, tree = jax.tree.flatten(made)
    rng = np.random.default_rng(1)
    moved = [x + 0.1 * rng.standard_normal(x.shape, np.float32) for x in leaves]
    return jax.tree.unflatten(tree, moved)


def photograph(h, w, dtype=np.uint8):
    y, x = np.mgrid[:h, :w]
    levels = 128 + 90 * np.sin(y / 9)[..., None] + 30 * np.cos(x / 7)[..., None] + [0, 5, -9]
    levels[(y - h / 2) ** 2 + (x - w / 3) ** 2 < (min(h, w) / 4) ** 2] = 255
    levels = np.clip(levels, 0, 255).round()
    return (levels * 257).astype(dtype) if dtype == np.uint16 else levels.astype(dtype)


@pytest.mark.parametrize("size", [(37, 53), (300, 200), (1, 90), (700, 333)])
def test_any_size_keeps_unclipped_pixels(params, size):
    image = photograph(*size)
    log_radiance = highlights(image, MODEL, params, working_side=128)
    assert log_radiance.shape == image.shape and np.isfinite(log_radiance).all()
    known = np.asarray(log_inverse_sigmoid())
    known = (known - known[-1])[image]
    unclipped = image < 0.97 * 255
    np.testing.assert_allclose(log_radiance[unclipped], known[unclipped], atol=1e-6)
    assert (log_radiance >= known - 1e-6).all()


def test_at_its_own_size_it_is_the_model(params):
    image = photograph(64, 128)
    closed = images.closed_highlights(image)
    expected = jax.jit(MODEL.apply)(
        {"params": params},
        jnp.asarray(closed[None] / 255, jnp.float32),
        jnp.asarray(images.rim_distance(closed))[None],
    ).log_radiance[0]
    found = highlights(image, MODEL, params)
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_depths_agree(params):
    image = photograph(96, 64)
    expected = highlights(image, MODEL, params)
    deep = highlights(photograph(96, 64, np.uint16), MODEL, params)
    real = highlights((image / 255).astype(np.float32), MODEL, params)
    np.testing.assert_allclose(deep, expected, atol=1e-4)
    np.testing.assert_allclose(real, expected, atol=1e-4)


def test_a_larger_copy_has_the_same_highlights(params):
    """The gain is brought to full size along the mask; its mean over the highlight stays."""
    small = photograph(96, 128)
    large = np.repeat(np.repeat(small, 4, 0), 4, 1)
    a = highlights(small, MODEL, params, working_side=128)[40:56, 36:50]
    b = highlights(large, MODEL, params, working_side=128)[160:224, 144:200]
    np.testing.assert_allclose(b.mean((0, 1)), a.mean((0, 1)), atol=0.02)


def test_what_the_network_says_outside_does_not_bleed_in():
    """up(m gain) / up(m): a constant gain inside stays that constant up to the rim."""
    share = np.zeros((96, 96), np.float32)
    share[31:64, 24:69] = 1
    seen = share.reshape(24, 4, 24, 4).mean((1, 3)) > 0.5
    gain = np.where(seen, 2.0, 7.0).astype(np.float32)
    full = _highlights._enlarged(gain, share, seen)
    np.testing.assert_allclose(full[share > 0], 2.0, atol=1e-4)


@pytest.mark.parametrize("side", [3, 5, 8])
def test_small_lamps_of_a_large_photograph_shine(params, side):
    """As where what the network sees shows them white, whatever share of a pixel they are."""
    small = np.full((64, 96, 3), 60, np.uint8)
    small[20, 30] = small[40, 60:63] = small[50, 11] = 255
    expected = highlights(small, MODEL, params, working_side=96)
    large = np.full((512, 768, 3), 60, np.uint8)
    for y, x in np.argwhere(small[..., 0] == 255):
        large[8 * y : 8 * y + side, 8 * x : 8 * x + side] = 255
    found = highlights(large, MODEL, params, working_side=96)
    for y, x in ((20, 30), (50, 11)):
        lamp = found[8 * y : 8 * y + side, 8 * x : 8 * x + side]
        np.testing.assert_allclose(lamp, np.broadcast_to(expected[y, x], lamp.shape), rtol=1e-4)
    assert found[large == 255].min() > 0.02


def test_a_black_and_white_photograph_stays_so(params):
    gray = photograph(60, 90)[..., :1].repeat(3, -1)
    found = highlights(gray, MODEL, params)
    assert found.max() > 0.1
    np.testing.assert_array_equal(found, found[..., :1].repeat(3, -1))


def test_a_photograph_without_highlights_is_itself(params):
    image = np.minimum(photograph(64, 64), 200)
    stack = np.stack([exposure(highlights(image, MODEL, params), ev) for ev in (-1, 0)])
    np.testing.assert_allclose(stack[1], image / 255, atol=2e-3)
    assert (stack[0] <= stack[1]).all()


def test_a_known_response_is_used(params):
    image, g = photograph(64, 64), images.named_response("linear")
    found = np.exp(highlights(image, MODEL, params, g=g))
    unclipped = (image < 240) & (image > 0)
    np.testing.assert_allclose(found[unclipped], (image / 255)[unclipped], rtol=1e-4)
    back = exposure(np.log(found), 0.0, g)
    np.testing.assert_allclose(back[unclipped], (image / 255)[unclipped], atol=3e-3)


@pytest.mark.parametrize("value", [0, 255])
def test_black_and_white(params, value):
    found = highlights(np.full((40, 30, 3), value, np.uint8), MODEL, params)
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    "image, options, word",
    [
        (np.zeros((4, 4), np.uint8), {}, "shape"),
        (np.zeros((4, 4, 3), np.int32), {}, "int32"),
        (np.full((4, 4, 3), np.nan, np.float32), {}, r"\[0, 1\]"),
        (np.full((4, 4, 3), 255.0, np.float32), {}, r"\[0, 1\]"),
        (np.zeros((4, 4, 3), np.uint8), {"working_side": 8}, "working_side"),
        (np.zeros((4, 4, 3), np.uint8), {"g": np.zeros((2, 256))}, "g of shape"),
        (np.zeros((4, 4, 3), np.uint8), {"g": np.full(256, -np.inf)}, "ln 0"),
        (np.zeros((4, 4, 3), np.uint8), {"g": -np.arange(256.0)}, "falls from level 0"),
        (np.zeros((4, 4, 3), np.uint8), {"g": np.zeros((1, 256))}, "one value"),
        ([[[0.0] * 3]], {}, "list"),
    ],
)
def test_errors(params, image, options, word):
    with pytest.raises(InputError, match=word):
        highlights(image, MODEL, params, **options)
    if "g" in options:
        with pytest.raises(InputError, match=word):
            exposure(np.zeros((4, 4, 3), np.float32), 1.0, **options)


def test_a_model_needs_its_parameters():
    with pytest.raises(InputError, match="HighlightModel without params"):
        reconstruct(np.zeros((4, 4, 3), np.uint8), MODEL)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_floats_of_any_width_are_one_photograph(dtype):
    image = np.random.default_rng(0).random((70, 600, 3)).astype(np.float16).astype(dtype)
    radiance, stack = reconstruct(image)
    assert radiance.dtype == stack.dtype == np.float32
    np.testing.assert_allclose(radiance, reconstruct(image.astype(np.float32))[0], rtol=1e-5)


def test_the_shipped_model_adds_stops_to_a_clipped_sun():
    image = photograph(96, 128)
    radiance, stack = reconstruct(image)
    assert stack.shape == (7, 96, 128, 3)
    assert radiance[48, 42].min() > 1.2  # the disc's middle lies above clipping
    unclipped = image < 0.97 * 255
    np.testing.assert_allclose(stack[3][unclipped], (image / 255)[unclipped], atol=4e-3)


def lamps():
    """Five lamps of several sizes and colours, with soft rims, before a striped wall."""
    y, x = np.mgrid[:96, :128]
    levels = (70 + x + 20 * np.sin(y / 5))[..., None] * [1.0, 0.9, 0.8]
    for top, left, radius, colour in (
        (40, 30, 22, (600, 600, 600)),
        (24, 84, 10, (400, 380, 300)),
        (70, 72, 9, (420, 180, 90)),
        (72, 112, 11, (360, 330, 150)),
        (84, 20, 4, (500, 520, 560)),
    ):
        distance = np.hypot(y - top, x - left)[..., None] / radius
        levels = levels + np.exp(-(distance**4)) * colour
    return np.clip(levels, 0, 255).round().astype(np.uint8)


def test_what_the_shipped_model_says_of_lamps():
    """New weights say something else: look at it, then pin it here."""
    assert weights.DEFAULT == "highlights-8"
    image = lamps()
    found = highlights(image, *weights.load())
    said = {
        (40, 30): (2.3332, 2.2873, 2.5600),  # the middle of the largest
        (19, 30): (1.2386, 1.1350, 1.3023),  # near its rim
        (40, 51): (1.3732, 1.2381, 1.4136),
        (24, 84): (2.7713, 2.5682, 2.3755),
        (72, 112): (2.7944, 2.4905, 1.8996),
        (84, 20): (3.4347, 3.3050, 3.1692),  # the smallest
        (70, 72): (0.9383, 0.3198, -0.4039),  # two channels clip
        (70, 81): (0.2603, -0.3929, -0.9414),  # one channel clips
        (70, 80): (0.5487, -0.0561, -0.7862),  # and one in part
        (72, 101): (0.6257, 0.2459, -0.5349),
        (60, 4): (-2.3558, -2.4992, -2.6333),  # the wall
    }
    for (y, x), log_radiance in said.items():
        np.testing.assert_allclose(found[y, x], log_radiance, atol=2e-3, err_msg=f"{y}, {x}")
    known = np.asarray(log_inverse_sigmoid())
    unclipped = image < 0.97 * 255
    np.testing.assert_allclose(found[unclipped], (known - known[-1])[image][unclipped], atol=1e-6)


def test_the_command_needs_no_model(tmp_path, monkeypatch, capsys):
    """The map, a picture of it, and exposures whose merge is the map again."""
    monkeypatch.chdir(tmp_path)
    image = photograph(96, 128)
    images.write("sun.png", image)
    assert main(["reconstruct", "sun.png", "--stack", "--ev-range", "-4", "2"]) == 0
    radiance = images.read_hdr("sun.exr")
    np.testing.assert_allclose(radiance, reconstruct(image)[0], rtol=1e-5)
    stack, times = images.read_stack("sun_stack")
    np.testing.assert_allclose(times, 2.0 ** np.arange(-4, 3))
    merged, _ = synthesize(stack, np.log(times))
    ratio = np.log(np.asarray(merged) / radiance)
    assert np.abs(ratio - np.median(ratio)).mean() < 0.03
    for options in (["--ev-range", "1", "3"], ["--response", "none.csv"]):  # before any decoding
        (tmp_path / "cut.png").write_bytes((tmp_path / "sun.png").read_bytes()[:99])
        assert main(["reconstruct", "cut.png", *options]) == 2
        assert options[-1] in capsys.readouterr().err


def test_raw_files_are_linear(tmp_path, monkeypatch, capsys):
    pytest.importorskip("rawpy", reason="raw photographs need rawpy")
    monkeypatch.chdir(tmp_path)
    mosaic = np.tile(np.linspace(300, 50000, 96).astype(np.uint16), (64, 1))
    (tmp_path / "a.dng").write_bytes(picture_files.dng(mosaic, np.full((8, 12, 3), 9)))
    light = images.read_photo("a.dng") / 65535
    for options in ([], ["--response", "linear"]):
        assert main(["reconstruct", "a.dng", *options]) == 0
        assert "assumed: response: linear" in capsys.readouterr().out
        np.testing.assert_allclose(images.read_hdr("a.exr"), light, rtol=2e-3)
    images.write_response("g.csv", images.named_response("srgb"))
    assert main(["reconstruct", "a.dng", "--response", "g.csv"]) == 2
    assert "a.dng, a raw file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option", ["tile 512", "overlap 9", "reference 0", "ev-step 1", "released"]
)
def test_options_of_other_models_are_refused(tmp_path, option, capsys):
    images.write(tmp_path / "a.png", photograph(8, 8))
    name, *value = option.split()
    arguments = [str(tmp_path / "a.png"), "-o", str(tmp_path), f"--{name}", *value]
    assert main(["reconstruct", *arguments]) == 2
    assert f"got --{name} for a model that predicts" in capsys.readouterr().err


def test_weights_beyond_half_precision_are_not_saved(tmp_path):
    with pytest.raises(InputError, match="'head1/bias'.*not finite as float16"):
        weights.save("mine", MODEL, {"head1": {"bias": np.array([7e4])}}, "here", tmp_path)
    assert not list(tmp_path.iterdir())


def test_shipped_weights_are_checked(tmp_path, monkeypatch):
    model, params = weights.load()
    weights.save("copy-1", model, params, "a test", tmp_path)
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    again, params_again = weights.load("copy-1")
    assert again == model
    for a, b in zip(jax.tree.leaves(params), jax.tree.leaves(params_again), strict=True):
        np.testing.assert_array_equal(a, b)
    file = tmp_path / "copy-1.npz"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match="damaged"):
        weights.load("copy-1")
    with pytest.raises(ValueError, match="copy-1"):
        weights.load("nothing")


@pytest.mark.slow
def test_the_trunk_of_the_shipped_weights_tells_places_apart():
    """A dead one hands the same numbers to the head everywhere: docs/training_log.md."""
    model, params = weights.load()
    image = np.random.default_rng(0).random((1, 64, 96, 3), np.float32)
    image[0, 16:40, 30:70] = 1
    _, kept = model.apply(
        {"params": params},
        image,
        images.rim_distance(image[0])[None],
        capture_intermediates=lambda module, _: module.name == "spread",
    )
    (spread,) = kept["intermediates"]["spread"]["__call__"]
    assert np.asarray(spread).std((0, 1, 2)).max() > 0.1
