"""What a file says of its levels: profiles of every kind, and the chunks of a PNG."""

import struct

import numpy as np
import picture_files
import pytest
import tifffile
from PIL import Image, ImageCms

from hdr_jax import color, images
from hdr_jax.errors import InputError

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# A ramp through the shadows: half of its light lies below a hundredth of white.
SHADOWS = np.geomspace(1e-4, 1, 400)[None, :, None]


def gray_profile(gamma):
    """A profile of gray: the one of a matrix, its kind and red curve renamed."""
    profile = picture_files.matrix_profile(picture_files.SRGB_D50, gamma)
    return profile.replace(b"mntrRGB ", b"mntrGRAY").replace(b"rTRC", b"kTRC")


def chunked(path, levels, *chunks):
    """A PNG with these chunks (name, data) behind its head."""
    data = picture_files.png(levels)
    own = b"".join(picture_files._chunk(*chunk) for chunk in chunks)
    path.write_bytes(data[:33] + own + data[33:])
    return path


def encoded(light):
    """Levels of light by sRGB's curve, in [0, 1]."""
    return np.asarray(color.linear_to_srgb(np.asarray(light, np.float32)))


@pytest.mark.parametrize("kind", ["integers", "floats", "gray", "gray profile"])
def test_linear_pictures_of_16_bits_keep_their_shadows(tmp_path, kind):
    profile = picture_files.matrix_profile(picture_files.SRGB_D50, 1.0)
    light = np.broadcast_to(SHADOWS, (4, 400, 3))
    levels = np.rint(light * 65535).astype(np.uint16)
    if kind == "floats":
        levels = light.astype(np.float32)
    if kind.startswith("gray"):
        levels = levels[..., 0]
        profile = gray_profile(1.0) if kind == "gray profile" else profile
    photometric = "rgb" if levels.ndim == 3 else "minisblack"
    tifffile.imwrite(tmp_path / "a.tif", levels, photometric=photometric, iccprofile=profile)
    found = images.read_photo(tmp_path / "a.tif", to_srgb=True)
    assert found.dtype == np.uint16
    # What 16 bits of linear light cannot hold is lost in the file; the profile rounds primaries.
    step = encoded(light + 0.6 / 65535) - encoded(light)
    assert (np.abs(found / 65535 - encoded(light)) < step + 2e-4).all()


@pytest.mark.parametrize("exponent", [1.0, 1.8, 2.2])
def test_a_png_tells_of_its_curve(tmp_path, exponent):
    """By the chunk gAMA, unless it says what sRGB's curve says, too."""
    levels = np.rint(65535 * np.broadcast_to(SHADOWS ** (1 / exponent), (4, 400, 3)))
    gamma = (b"gAMA", struct.pack(">I", round(1e5 / exponent)))
    path = chunked(tmp_path / "a.png", levels.astype(np.uint16), gamma)
    stored = images.read_photo(path)
    np.testing.assert_array_equal(stored, levels)
    found = images.read_photo(path, to_srgb=True) / 65535
    if exponent == 2.2:
        np.testing.assert_array_equal(found, stored / 65535)
    else:
        bright = np.broadcast_to(SHADOWS > 0.002, found.shape)
        expected = np.broadcast_to(encoded(SHADOWS), found.shape)
        np.testing.assert_allclose(found[bright], expected[bright], atol=4e-3)
    outranked = chunked(tmp_path / "b.png", levels.astype(np.uint16), gamma, (b"sRGB", b"\0"))
    np.testing.assert_array_equal(images.read_photo(outranked, to_srgb=True), levels)


def test_a_png_tells_of_its_primaries(tmp_path):
    levels = np.random.default_rng(0).integers(0, 256, (8, 9, 3)).astype(np.uint8)
    adobe = (31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)  # white first
    chunks = (b"gAMA", struct.pack(">I", 45455)), (b"cHRM", struct.pack(">8I", *adobe))
    path = chunked(tmp_path / "a.png", levels, *chunks)
    assert images.metadata(path).space == "Adobe RGB (1998)"
    Image.fromarray(levels).save(tmp_path / "b.png", icc_profile=picture_files.adobe_profile())
    expected = images.read_photo(tmp_path / "b.png", to_srgb=True).astype(int)
    assert np.abs(images.read_photo(path, to_srgb=True) - expected).max() <= 2


def test_coded_levels_that_are_not_read(tmp_path):
    levels = np.full((4, 4, 3), 99, np.uint8)
    for code, message in (
        ((1, 1, 0, 0), "narrow range"),
        ((1, 9, 0, 1), "transfer 9"),
        ((1, 16, 0, 1), "PQ"),
    ):
        path = chunked(tmp_path / "a.png", levels, (b"cICP", bytes(code)))
        with pytest.raises(InputError, match=message):
            images.read_photo(path)
    path = chunked(tmp_path / "b.png", levels, (b"cICP", bytes((1, 5, 0, 1))))  # a power of 2.8
    expected = 255 * encoded((99 / 255) ** 2.8)
    np.testing.assert_allclose(images.read_photo(path, to_srgb=True), expected, atol=0.6)


def test_profiles_of_another_kind_than_the_picture(tmp_path):
    rgb = Image.new("RGB", (8, 8), (200, 40, 40))
    rgb.convert("CMYK").save(tmp_path / "cmyk.jpg", icc_profile=SRGB)
    with pytest.raises(InputError, match=r"cmyk\.jpg holds CMYK"):
        images.read_photo(tmp_path / "cmyk.jpg", to_srgb=True)
    rgb.save(tmp_path / "rgb.png", icc_profile=gray_profile(2.2))
    with pytest.warns(UserWarning, match=r"rgb\.png has an ICC profile of GRAY colours"):
        found = images.read_photo(tmp_path / "rgb.png", to_srgb=True)
    assert found[3, 4].tolist() == [200, 40, 40]


def test_large_profiles_and_texts_of_a_png_are_read(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (8, 8), (200, 40, 40)).save(path, icc_profile=SRGB + bytes(1_500_000))
    assert images.read_photo(path)[3, 4].tolist() == [200, 40, 40]


def test_a_jpeg_of_a_rare_kind_is_named_as_such(tmp_path):
    imagecodecs = pytest.importorskip("imagecodecs")
    levels = np.full((16, 16, 3), 999, np.uint16)
    (tmp_path / "a.jpg").write_bytes(imagecodecs.jpeg_encode(levels, bitspersample=12))
    with pytest.raises(InputError, match=r"a\.jpg cannot be read .*a JPEG of a rare kind"):
        images.read_photo(tmp_path / "a.jpg")
