"""VGG-19 features against windows in NumPy, RGB patches, and the reading of weights."""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hdr_jax import losses
from hdr_jax.convert import _vgg_weights
from hdr_jax.losses import contextual_bilateral

pytestmark = pytest.mark.usefixtures("compiled_quickly")

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
# torchvision's configuration "E", to relu4_4: convolution widths and "M" for max pooling.
CONFIGURATION = [64, 64, "M", 128, 128, "M", *[256] * 4, "M", *[512] * 4]


@pytest.fixture(scope="module")
def state():
    """Random weights under torchvision's names, numbered as `nn.Sequential` numbers its layers."""
    rng, index, depth, arrays = np.random.default_rng(0), 0, 3, {}
    for entry in CONFIGURATION:
        if entry == "M":
            index += 1
            continue
        weight = rng.standard_normal((entry, depth, 3, 3), np.float32) * (2 / 9 / depth) ** 0.5
        arrays[f"features.{index}.weight"] = weight
        arrays[f"features.{index}.bias"] = 0.1 * rng.standard_normal(entry, np.float32)
        index, depth = index + 2, entry  # the convolution and its rectifier
    return arrays


def _reference(image, state):
    """Rectified maps before each pooling, [c, h, w] in float64, from windows and one einsum."""
    x, index, maps = np.moveaxis((image - MEAN) / DEVIATION, -1, 0), 0, []
    for entry in CONFIGURATION:
        if entry == "M":
            maps.append(x)
            rows, columns = x.shape[1] // 2, x.shape[2] // 2
            x = x[:, : 2 * rows, : 2 * columns].reshape(-1, rows, 2, columns, 2).max((2, 4))
            index += 1
            continue
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
        kernel = state[f"features.{index}.weight"].astype(float)
        x = np.tensordot(kernel, windows, ((1, 2, 3), (0, 3, 4)))
        x = np.maximum(x + state[f"features.{index}.bias"][:, None, None], 0)
        index += 2
    return [*maps, x]


def test_features_equal_the_reference(state):
    image = np.random.default_rng(1).uniform(-0.1, 1.1, (2, 27, 16, 3))
    maps = losses.features(jnp.asarray(image, jnp.float32), losses.vgg19_params(state))
    assert set(maps) == {"relu3_4", "relu4_4"}
    assert maps["relu3_4"].shape == (2, 6, 4, 256)
    assert maps["relu4_4"].shape == (2, 3, 2, 512)
    for index in range(2):
        _, _, *expected = _reference(image[index], state)
        for name, reference in zip(("relu3_4", "relu4_4"), expected, strict=True):
            value = np.moveaxis(np.asarray(maps[name][index]), -1, 0)
            np.testing.assert_allclose(value, reference, atol=1e-5 * reference.max())


def test_one_image_and_a_batch_agree(state):
    params = losses.vgg19_params(state)
    images = jnp.asarray(np.random.default_rng(1).random((2, 16, 16, 3)), jnp.float32)
    features = jax.jit(losses.features)
    batch, one = (features(x, params)["relu4_4"] for x in (images, images[1]))
    np.testing.assert_allclose(batch[1], one, atol=1e-5 * np.max(batch))


@pytest.mark.slow
def test_loss_on_features_is_zero_and_flat_for_equal_images(state):
    params = losses.vgg19_params(state)

    @jax.jit
    @jax.value_and_grad
    def loss(image, target):
        return contextual_bilateral(*(losses.features(x, params) for x in (image, target)))

    for level in (0.0, 0.5, 1.0, 2.0):
        target = jnp.full((16, 16, 3), level)
        value, gradient = loss(target, target)
        assert abs(float(value)) < 1e-6
        np.testing.assert_allclose(gradient, 0, atol=1e-5)
    assert float(loss(target.at[:, :8].set(0.2), target)[0]) > 0.01


def test_module_and_converted_parameters_have_one_structure(state):
    image = jnp.zeros((8, 8, 3))
    initial = jax.eval_shape(losses.VGG19().init, jax.random.key(0), image)
    shapes = jax.tree.map(jnp.shape, losses.vgg19_params(state))
    assert shapes == jax.tree.map(jnp.shape, initial)


def test_faulty_states_are_refused_with_all_faults(state):
    faulty = {**state, "features.5.bias": np.zeros(7), "classifier.0.bias": np.zeros(4096)}
    del faulty["features.25.weight"]
    with pytest.raises(ValueError, match=r"features.5.bias is \(7,\) .*missing features.25.weight"):
        losses.vgg19_params(faulty)


@pytest.mark.parametrize("shape", [(16, 16), (16, 16, 1), (7, 16, 3)])
def test_unfit_images_are_refused(state, shape):
    with pytest.raises(ValueError, match="sides of 8 pixels"):
        losses.features(jnp.zeros(shape), losses.vgg19_params(state))


# ---------------------------------------------------------------- RGB patches


@pytest.mark.parametrize("shape", [(16, 24, 3), (2, 9, 20, 3), (3, 5, 1)])
def test_patches_hold_the_pixels_of_their_place(shape):
    image = np.random.default_rng(0).random(shape).astype(np.float32)
    patches = np.asarray(losses.rgb_patches(jnp.asarray(image)))
    *leading, height, width, channels = shape
    rows, columns = -(-height // 8), -(-width // 8)
    assert patches.shape == (*leading, rows, columns, 64 * channels)
    for row, column in np.ndindex(rows * 8, columns * 8):
        place = (row % 8 * 8 + column % 8) * channels
        value = patches[..., row // 8, column // 8, place : place + channels]
        expected = image[..., min(row, height - 1), min(column, width - 1), :]
        np.testing.assert_array_equal(value, expected)


def test_every_pixel_reaches_the_patches():
    gradient = jax.grad(lambda x: jnp.sum(losses.rgb_patches(x)))(jnp.zeros((9, 10, 3)))
    assert float(jnp.min(gradient)) == 1
    assert float(jnp.sum(gradient)) == 16 * 16 * 3


def test_patches_are_the_features_without_weights():
    image = jnp.asarray(np.random.default_rng(0).random((16, 16, 3)), jnp.float32)
    maps = losses.features(image)
    assert set(maps) == {"rgb_patches"}
    np.testing.assert_array_equal(maps["rgb_patches"], losses.rgb_patches(image))


@pytest.mark.parametrize(("shape", "size"), [((16, 16), 8), ((16, 16, 3), 0), ((0, 16, 3), 8)])
def test_unfit_patches_are_refused(shape, size):
    with pytest.raises(ValueError, match="got size 0|with pixels, got"):
        losses.rgb_patches(jnp.zeros(shape), size)


# ---------------------------------------------------------------- files


def _same(params, state):
    return jax.tree.all(jax.tree.map(np.array_equal, params, losses.vgg19_params(state)))


def test_reads_npz_and_reports_the_checksum(state, tmp_path):
    path, lines = tmp_path / "vgg19.npz", []
    np.savez(path, **state, extra=np.zeros(3))
    assert _same(_vgg_weights.load_vgg19(path, report=lines.append), state)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(lines) == 1
    assert digest in lines[0]
    assert str(path) in lines[0]


def test_reads_pth_through_the_restricted_reader(state, tmp_path, monkeypatch):
    path = tmp_path / "vgg19.pth"
    path.write_bytes(b"weights")
    seen = []
    monkeypatch.setattr(_vgg_weights, "load_state_dict", lambda path: seen.append(path) or state)
    assert _same(_vgg_weights.load_vgg19(path, report=None), state)
    assert seen == [path]


def test_other_checkpoints_are_refused(shared, tmp_path):
    path = tmp_path / "vgg19.pth"
    path.write_bytes((shared / "fixtures/released/narrow-su.ckpt").read_bytes())
    with pytest.raises(ValueError, match="not the weights of VGG-19: missing features.0.weight"):
        _vgg_weights.load_vgg19(path, report=None)


def test_the_checksum_in_the_name_is_checked(state, tmp_path):
    path = tmp_path / "vgg19-dcbb9e9d.pth"
    path.write_bytes(b"half a download")
    with pytest.raises(ValueError, match="SHA-256 begins with .* says dcbb9e9d; get it again"):
        _vgg_weights.load_vgg19(path)


def test_a_missing_file_says_where_to_get_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="download.pytorch.org/models/vgg19-dcbb9e9d.pth"):
        _vgg_weights.load_vgg19(tmp_path / "vgg19.pth")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"plain text"])
def test_damaged_npz_files_are_refused(tmp_path, content):
    path = tmp_path / "vgg19.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="no readable .npz"):
        _vgg_weights.load_vgg19(path, report=None)


def test_pickled_npz_entries_are_refused(tmp_path):
    path = tmp_path / "vgg19.npz"
    np.savez(path, **{"features.0.weight": np.array([{}], dtype=object)})
    with pytest.raises(ValueError, match="no readable .npz"):
        _vgg_weights.load_vgg19(path, report=None)


def test_other_kinds_of_file_are_refused(tmp_path):
    path = tmp_path / "vgg19.h5"
    path.write_bytes(b"x")
    with pytest.raises(ValueError, match=".pth or .npz"):
        _vgg_weights.load_vgg19(path)
