"""Photographs of any size: agreement with the model, tiles, and the command."""

import contextlib
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hdr_jax import brackets, crf, images, reconstruct
from hdr_jax.brackets import _merging
from hdr_jax.cli import main
from hdr_jax.exposure import ev_to_log_times
from hdr_jax.merge import merge
from hdr_jax.models import ExposureStackModel
from hdr_jax.progress import silent
from hdr_jax.reconstruct import _tiled
from hdr_jax.runs import checkpoints

pytestmark = pytest.mark.usefixtures("compiled_quickly")

FIELDS = dict(
    num_exposures=3,
    global_width=4, global_levels=2,
    local_width=4, local_levels=1,
    refinement_width=4, refinement_levels=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def model():
    """A small model of random weights, its norms' affine maps drawn too."""
    model = ExposureStackModel(**FIELDS)
    inputs = jnp.ones((1, 8, 8, 3)), jnp.ones((1, 8, 8, 1))
    params = jax.jit(model.init)(jax.random.key(0), *inputs, reference_index=1)["params"]
    return model, jax.tree.map(lambda x: 1.5 * x, params)


def photograph(h, w, seed=0):
    """Smooth noise over the whole range, float in [0, 1]."""
    import cv2

    noise = np.random.default_rng(seed).random((h + 16, w + 16, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)[8:-8, 8:-8].reshape(h, w, 3)
    return (smooth - smooth.min()) / np.ptp(smooth)


@pytest.mark.parametrize(
    ("size", "reference"),
    [
        *(pytest.param(*case, marks=pytest.mark.slow) for case in (((21, 18), 0), ((24, 20), 2))),
        ((7, 1), 1),
    ],
)
def test_equals_the_model_on_the_padded_photograph(model, size, reference):
    net, params = model
    image = photograph(*size)
    radiance, stack = reconstruct.reconstruct(image, net, params, reference_index=reference)
    assert radiance.shape == (*size, 3) and stack.shape == (3, *size, 3)

    mode = "reflect" if min(size) > 1 else "edge"
    sides = [(32, 32 + -length % 4) for length in size]
    padded = np.pad(image, (*sides, (0, 0)), mode)
    edge_map = images.canny(padded)[None, ..., None].astype(np.float32)
    output = net.apply({"params": params}, padded[None], edge_map, reference_index=reference)
    expected = np.clip(output.stack[0, :, 32 : 32 + size[0], 32 : 32 + size[1]], 0, 1)
    np.testing.assert_allclose(stack, expected, atol=2e-6)
    np.testing.assert_array_equal(stack[reference], image)
    log_times = ev_to_log_times(jnp.arange(3) - 1)
    g = crf.monotone(crf.recover(stack, log_times))
    merged = merge(stack, log_times, g, extremes_once=True)
    np.testing.assert_allclose(radiance, merged, rtol=1e-6)


@pytest.mark.slow
def test_refinement_that_has_not_learned_is_left_out(model):
    net, params = model
    other = jax.tree_util.tree_map_with_path(
        lambda path, x: x + 0.1 if "refinement" in jax.tree_util.keystr(path) else x, params
    )
    image = photograph(12, 9)
    stacks = [
        reconstruct.reconstruct(image, net, p, refine=refine)[1]
        for p, refine in ((params, False), (other, False), (params, True))
    ]
    np.testing.assert_array_equal(stacks[0], stacks[1])
    assert np.abs(stacks[0] - stacks[2]).max() > 1e-3


def test_tiles_agree_with_the_whole_picture_under_the_same_statistics(model):
    """The networks see 22 pixels far at these levels; the first 32 of a tile weigh nothing."""
    net, params = model
    carry = _tiled._start(net, images.RGB_WEIGHTS, photograph(160, 224)[None])
    whole, statistics = _tiled._step(net, True, params["up"], carry, (1, 0), None)

    def network(carry, statistics):
        return _tiled._step(net, True, params["up"], carry, (1, 0), statistics)

    tiles = _tiled._tiles((160, 224), 144, 128)
    assert len(tiles) == 2 * 6
    tiled = _tiled._walk_tiles(network, carry, statistics, tiles, 128, lambda: None)
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(tiled), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_all_tiles_have_the_statistics_of_the_whole_picture():
    """Of a night beside a day: each would be taken for grey by itself."""
    net = ExposureStackModel(**FIELDS)

    def centred(params, carry, entries, statistics):
        """A step that takes half of the mean away, in place of networks with instance norms."""
        image, edge_map, states = carry
        mean = np.mean(image, axis=(1, 2), keepdims=True) if statistics is None else statistics
        return (image - mean / 2, edge_map, states), mean

    picture = 0.1 + 0.1 * photograph(64, 192)
    picture[:, 96:] += 0.6
    carry_of = partial(_tiled._start, net, images.RGB_WEIGHTS)
    (stack,) = _tiled._generate(
        picture[None], net, {"up": {}, "down": {}}, 0, (64, 16), carry_of, centred, silent
    )
    moved = stack - picture
    for k, share in ((1, 0.5), (2, 0.75)):
        expected = np.broadcast_to(share * (0.5 - picture.mean((0, 1))), picture.shape)
        np.testing.assert_allclose(moved[k], expected, atol=0.01)
        assert np.ptp(moved[k], axis=(0, 1)).max() < 1e-6


@pytest.mark.parametrize(("size", "tile", "overlap"), [((56, 104), 32, 8), ((60, 36), 32, 0)])
def test_the_weights_of_overlapping_tiles_are_a_partition(size, tile, overlap):
    total = np.zeros(size)
    for window in _tiled._tiles(size, tile, overlap):
        total[window] += _tiled._ramp(window, size, overlap)
    assert total.min() > 0
    if overlap:  # a size that needs no tile moved inwards
        np.testing.assert_allclose(total, 1, atol=1e-6)


@pytest.mark.slow
def test_a_large_photograph_is_near_to_the_same_done_whole(model):
    net, params = model
    image = photograph(90, 130)
    whole = reconstruct.reconstruct(image, net, params)[1]
    calls = []

    @contextlib.contextmanager
    def count(_, total):
        yield lambda: calls.append((len(calls) + 1, total))

    tiled = reconstruct.reconstruct(image, net, params, tile=64, overlap=32, progress=count)[1]
    assert calls[-1] == (2 * 24, 2 * 24)
    # Not equal: the statistics are those of the reduced picture.
    contrast = np.abs(whole - whole.mean((1, 2, 3), keepdims=True)).mean()
    assert 0 < np.abs(tiled - whole).mean() < 0.3 * contrast


@pytest.mark.slow
def test_a_batch_gives_what_each_photograph_gives(model):
    net, params = model
    pictures = [photograph(16, 20, seed) for seed in (1, 2)]
    together = list(reconstruct.reconstruct_batch(pictures, net, params, tile=16, overlap=4))
    for picture, (radiance, stack) in zip(pictures, together, strict=True):
        _, alone = reconstruct.reconstruct(picture, net, params, tile=16, overlap=4)
        np.testing.assert_allclose(stack, alone, atol=2e-6)
        merged = _tiled._merge(stack, ev_to_log_times(jnp.arange(3) - 1), {})
        np.testing.assert_array_equal(radiance, merged)


def test_strips_and_every_kth_pixel_do_not_change_the_merged_map(model, monkeypatch):
    stack = np.stack([photograph(30, 20) ** power for power in (4, 2, 1)])
    log_times = np.log([0.25, 0.5, 1])
    whole = _tiled._merge(stack, log_times, {})
    monkeypatch.setattr(_merging, "STRIP_VALUES", 3 * 7 * 20 * 3)
    np.testing.assert_allclose(_tiled._merge(stack, log_times, {}), whole, rtol=1e-6)


@pytest.mark.parametrize("value", [0, 255])
def test_black_and_white_photographs_give_finite_maps(model, value):
    radiance, stack = reconstruct.reconstruct(np.full((8, 8, 3), value, np.uint8), *model)
    assert np.isfinite(radiance).all() and np.isfinite(stack).all() and (radiance > 0).all()


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (np.zeros((8, 8), np.uint8), {}, r"expected \[h, w, 3\]"),
        (np.full((8, 8, 3), np.nan, np.float32), {}, "not finite"),
        (np.zeros((8, 8, 3), np.uint8), {"reference_index": 3}, "expected 0 to 2"),
        (np.zeros((8, 8, 3), np.uint8), {"ev_step": 0.0}, "above 0"),
        (np.zeros((8, 8, 3), np.uint8), {"tile": 32, "overlap": 32}, "overlap"),
    ],
)
def test_bad_input_is_explained(model, image, options, message):
    with pytest.raises(ValueError, match=message):
        reconstruct.reconstruct(image, *model, **options)


@pytest.fixture(scope="module")
def checkpoint(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "checkpoint"
    checkpoints.save_model(folder, *model)
    return folder


def test_command_writes_map_preview_and_stack(checkpoint, tmp_path, model):
    picture = np.rint(255 * photograph(19, 22)).astype(np.uint8)
    images.write(tmp_path / "one.png", picture)
    images.write(tmp_path / "two.png", picture[::-1])
    photos = [str(tmp_path / f"{name}.png") for name in ("one", "two")]
    arguments = ["--checkpoint", str(checkpoint), "-o", str(tmp_path / "out"), "--stack"]
    assert main(["reconstruct", *photos, *arguments]) == 0
    radiance, stack = reconstruct.reconstruct(picture, *model)
    np.testing.assert_allclose(images.read_hdr(tmp_path / "out/one.exr"), radiance, rtol=2e-3)
    written, times = images.read_stack(tmp_path / "out/two_stack")
    np.testing.assert_allclose(times, [0.5, 1, 2])
    np.testing.assert_array_equal(written[1], picture[::-1])
    assert images.read_photo(tmp_path / "out/one_preview.jpg").shape == (19, 22, 3)


def exposing(params):
    """Parameters of networks that brighten on the way up and darken on the way down."""
    params = jax.tree.map(jnp.zeros_like, params)
    for direction, sign in (("up", 1), ("down", -1)):
        for network in ("global", "refinement"):
            bias = params[direction][network]["head"]["bias"]
            params[direction][network]["head"]["bias"] = jnp.full_like(bias, 0.7 * sign)
    return params


@pytest.mark.slow
def test_merging_the_written_stack_gives_the_written_map(model, tmp_path, monkeypatch):
    """But for the 8 bits of the written exposures."""
    monkeypatch.chdir(tmp_path)
    images.write("one.png", np.rint(255 * photograph(40, 44)).astype(np.uint8))
    checkpoints.save_model("model", model[0], exposing(model[1]))
    arguments = ["--checkpoint", "model", "-o", "out", "--stack"]
    assert main(["reconstruct", "one.png", *arguments]) == 0
    # As hdr-jax merge does it; the command itself refuses the stack of untrained networks.
    stack, times = images.read_stack("out/one_stack")
    exposures, log_times = brackets.InMemory(stack), np.log(times)
    g = brackets.response(exposures, log_times)
    merged = brackets.merge_strips(exposures, log_times, g)
    ratio = np.log(merged / images.read_hdr("out/one.exr"))
    assert np.abs(ratio - np.median(ratio)).mean() < 0.02


@pytest.mark.slow
def test_command_takes_imported_weights(shared, tmp_path):
    """The narrow checkpoints, as PyTorch wrote them, and the edges of the released program."""
    folder = tmp_path / "released"
    folder.mkdir()
    for path in (shared / "fixtures/released").glob("narrow-*.ckpt"):
        (folder / path.name).write_bytes(path.read_bytes())
    imported = str(tmp_path / "imported")
    assert main(["import", str(folder), "--step", "narrow", "-o", imported]) == 0
    images.write(tmp_path / "a.png", np.rint(255 * photograph(40, 33)).astype(np.uint8))
    arguments = ["--checkpoint", imported, "-o", str(tmp_path / "out")]
    assert main(["reconstruct", str(tmp_path / "a.png"), *arguments]) == 0
    radiance = images.read_hdr(tmp_path / "out/a.exr")
    net, params, _ = checkpoints.load_model(imported)
    photo = images.read_photo(tmp_path / "a.png")
    weights = images.RELEASED_WEIGHTS
    expected, _ = reconstruct.reconstruct(photo, net, params, channel_weights=weights)
    np.testing.assert_allclose(radiance, expected, rtol=2e-3)


def test_command_explains_what_is_missing(checkpoint, tmp_path, capsys):
    images.write(tmp_path / "a.png", np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "cut.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    photo, out = str(tmp_path / "a.png"), str(tmp_path / "out")
    for arguments, message in (
        ([photo, "--checkpoint", str(tmp_path / "nowhere")], "nowhere"),
        ([photo, str(tmp_path / "cut.png"), "--checkpoint", str(checkpoint)], "cut.png"),
        ([photo, photo, "--checkpoint", str(checkpoint)], "named a"),
        ([photo, "--checkpoint", str(checkpoint), "--reference", "9"], "expected 0 to 2"),
        ([photo, "--checkpoint", str(checkpoint), "--response", "srgb"], "got --response for"),
        ([photo, "--checkpoint", str(checkpoint), "--ev-range", "-1", "1"], "got --ev-range for"),
    ):
        assert main(["reconstruct", *arguments, "-o", out]) == 2
        assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("out/*"))
