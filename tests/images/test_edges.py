"""hdr_jax.images against scikit-image, and its own contract."""

import numpy as np
import pytest

from hdr_jax import images


@pytest.mark.parametrize("name", ["room2", "church"])
def test_agrees_with_reference_maps(shared, name):
    with np.load(shared / "fixtures/released/canny.npz") as data:
        rgb = data[f"{name}_rgb"]
        used, usual = data[f"{name}_edge"], data[f"{name}_edge_if_rgb_gray"]
    np.testing.assert_array_equal(images.canny(rgb), usual)
    released = images.canny(rgb, channel_weights=images.RELEASED_WEIGHTS)
    np.testing.assert_array_equal(released, used)


@pytest.mark.parametrize("shape", [(64, 64), (40, 97), (7, 9)])
@pytest.mark.parametrize("sigma", [1.0, 2.0])
def test_agrees_with_scikit_image(shape, sigma):
    feature = pytest.importorskip("skimage.feature")
    rng = np.random.default_rng(sum(shape))
    y, x = np.mgrid[: shape[0], : shape[1]] / 20.0
    image = 0.5 + 0.4 * np.sign(np.sin(3 * x + y * y)) * np.cos(2 * y - x)
    image = np.clip(image + rng.normal(0, 0.03, shape), 0, 1).astype(np.float32)
    ours, theirs = images.canny(image, sigma), feature.canny(image, sigma=sigma)
    assert theirs.any() or min(shape) < 10
    assert (ours != theirs).mean() <= 1e-3


def test_agrees_on_real_pictures(shared):
    feature = pytest.importorskip("skimage.feature")
    wrong = total = 0
    for path in sorted((shared / "data/stacks/frobisher_001").glob("*.jpg")):
        picture = images.read_photo(path)
        gray = (picture / 255.0) @ np.array(images.RGB_WEIGHTS)
        theirs = feature.canny(gray, sigma=2.0)
        wrong += int((images.canny(picture) != theirs).sum())
        total += int(theirs.sum())
    assert total > 1000
    # The reference is float64 here, ours float32: a few ties may fall differently.
    assert wrong <= 2e-3 * total


def test_dtypes_agree_and_contract():
    rng = np.random.default_rng(0)
    picture = np.kron(rng.integers(0, 256, (8, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    from_bytes = images.canny(picture)
    assert from_bytes.dtype == np.uint8 and set(np.unique(from_bytes)) == {0, 1}
    np.testing.assert_array_equal(from_bytes, images.canny(picture.astype(np.uint16) * 257))
    np.testing.assert_array_equal(from_bytes, images.canny(picture / 255.0))
    assert not from_bytes[[0, -1]].any() and not from_bytes[:, [0, -1]].any()


@pytest.mark.parametrize("image", [np.zeros((9, 9)), np.ones((9, 9, 3)), np.ones((2, 50))])
def test_flat_or_tiny_pictures_have_no_edges(image):
    assert not images.canny(image).any()


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((3, 9, 9, 3)),
        np.zeros((9, 9, 4)),
        np.zeros((0, 9)),
        np.zeros((9, 9), np.int32),
        np.full((9, 9), np.nan),
    ],
)
def test_bad_images(image):
    with pytest.raises(ValueError, match="expected"):
        images.canny(image)


def test_bad_settings():
    for settings in ({"sigma": 0.0}, {"low": 0.3}, {"low": -1.0}):
        with pytest.raises(ValueError, match="expected"):
            images.canny(np.zeros((9, 9)), **settings)
