"""Radiance maps as other programs write them: the variants of Radiance's format, and OpenEXR."""

import cv2
import numpy as np
import OpenEXR
import picture_files
import pytest

from hdr_jax import images
from hdr_jax.errors import InputError
from hdr_jax.images import _primaries

XYZ_OF_709 = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175]]
    + [[0.0193339, 0.119192, 0.9503041]]
)  # IEC 61966-2-1


@pytest.fixture
def pixels():
    """Mantissas and exponents [9, 300, 4], with runs that are longer than a byte tells."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(2, 256, (9, 300, 4)).astype(np.uint8)
    pixels[..., 3] = rng.integers(120, 140, (9, 300))
    pixels[2], pixels[4, 5:290], pixels[5, 100:104] = pixels[2, :1], pixels[4, 5], pixels[5, 100]
    pixels[0, 3] = 0  # black
    return pixels


def light(pixels):
    """What mantissas and exponents stand for."""
    return pixels[..., :3] * np.exp2(pixels[..., 3:].astype(float) - 136)


def read(path, data):
    """The map of a file with these bytes."""
    path.write_bytes(data)
    return images.read_hdr(path)


@pytest.mark.parametrize("runs", ["none", "old", "new"])
@pytest.mark.parametrize("y", ["-Y", "+Y"])
@pytest.mark.parametrize("x", ["+X", "-X"])
@pytest.mark.parametrize("columns", [False, True])
def test_radiance_orders_and_runs(tmp_path, pixels, runs, y, x, columns):
    axes = f"{x} {y}" if columns else f"{y} {x}"
    data = picture_files.radiance(pixels, axes=axes, runs=runs if not columns else "old")
    np.testing.assert_array_equal(read(tmp_path / "a.hdr", data), light(pixels).astype("f4"))


@pytest.mark.parametrize("width", [1, 7, 8, 200])
@pytest.mark.parametrize("runs", ["none", "old"])
def test_radiance_narrow_pictures(tmp_path, pixels, width, runs):
    data = picture_files.radiance(pixels[:, :width], runs=runs)
    np.testing.assert_array_equal(
        read(tmp_path / "a.hdr", data), light(pixels[:, :width]).astype("f4")
    )


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_radiance_headers(tmp_path, pixels, end):
    plain = light(pixels)
    for lines, factor in [
        ((), 1),
        (("FORMAT=32-bit_rle_rgbe", "SOFTWARE=x", "# EXPOSURE=4"), 1),
        (("EXPOSURE=2.0", "FORMAT=32-bit_rle_rgbe", "EXPOSURE= 4"), 8),
        (("FORMAT=32-bit_rle_rgbe", "\tEXPOSURE=2"), 1),  # of a picture it was made from
        (("FORMAT=32-bit_rle_rgbe", "COLORCORR=1 2 4", "EXPOSURE=2"), np.array([2, 4, 8])),
        (("COLORCORR=1 2 4", "COLORCORR=2 2 2"), np.array([2, 4, 8])),
    ]:
        data = picture_files.radiance(pixels, lines=lines, end=end)
        np.testing.assert_allclose(read(tmp_path / "a.hdr", data), plain / factor, rtol=1e-6)


def test_radiance_in_other_primaries(tmp_path, pixels):
    plain = light(pixels)
    lines = ("FORMAT=32-bit_rle_xyze",)
    found = read(tmp_path / "a.hdr", picture_files.radiance(pixels, lines=lines))
    expected = plain @ np.linalg.inv(XYZ_OF_709).T
    np.testing.assert_allclose(found, expected, atol=2e-3 * np.abs(expected).max())
    adobe = "0.64 0.33 0.21 0.71 0.15 0.06 0.3127 0.329"
    lines = ("FORMAT=32-bit_rle_rgbe", f"PRIMARIES={adobe}")
    found = read(tmp_path / "a.hdr", picture_files.radiance(pixels, lines=lines))
    matrix = [[1.39836, -0.39836, 0], [0, 1, 0], [0, -0.04293, 1.04293]]  # as it is published
    np.testing.assert_allclose(found, plain @ np.transpose(matrix), atol=1e-4 * plain.max())
    gray = pixels.copy()
    gray[..., :3] = gray[..., :1]  # white stays white, as both have D65
    found = read(tmp_path / "a.hdr", picture_files.radiance(gray, lines=lines))
    np.testing.assert_allclose(found, light(gray), rtol=2e-3)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("FORMAT=32-bit_rle_rgbe", "GAMMA=2.2"), "GAMMA=2.2"),
        (("PIXASPECT=0.5",), "PIXASPECT=0.5"),
    ],
)
def test_radiance_headers_that_are_not_applied_warn(tmp_path, pixels, lines, message):
    with pytest.warns(UserWarning, match=rf"a\.hdr has {message}"):
        read(tmp_path / "a.hdr", picture_files.radiance(pixels, lines=lines))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("FORMAT=64-bit",), "has FORMAT=64-bit; expected"),
        (("EXPOSURE=0",), r"makes the exposure"),
        (("EXPOSURE=bright",), "header has EXPOSURE=bright"),
        (("EXPOSURE=1,5",), "header has EXPOSURE=1,5"),
        (("PRIMARIES=1 2 3",), "PRIMARIES"),
        (("PRIMARIES=0 0 0 0 0 0 0 0",), "span no colours"),
    ],
)
def test_radiance_headers_that_make_no_sense_are_refused(tmp_path, pixels, lines, message):
    with pytest.raises(ValueError, match=rf"a\.hdr .*{message}"):
        read(tmp_path / "a.hdr", picture_files.radiance(pixels, lines=lines))


@pytest.mark.parametrize("runs", ["none", "old", "new"])
def test_cut_radiance_pictures_are_refused(tmp_path, pixels, runs):
    data = picture_files.radiance(pixels, runs=runs)
    for kept in [*range(0, len(data), 211), len(data) - 1]:
        with pytest.raises(ValueError, match=r"a\.hdr cannot be read"):
            read(tmp_path / "a.hdr", data[:kept])


def test_radiance_as_opencv_writes_it(tmp_path):
    radiance = np.exp(np.random.default_rng(0).normal(size=(20, 40, 3))).astype(np.float32)
    for flags in ([], [cv2.IMWRITE_HDR_COMPRESSION, cv2.IMWRITE_HDR_COMPRESSION_NONE]):
        cv2.imwrite(str(tmp_path / "a.hdr"), radiance[..., ::-1], flags)
        expected = cv2.imread(str(tmp_path / "a.hdr"), cv2.IMREAD_UNCHANGED)[..., ::-1]
        np.testing.assert_array_equal(images.read_hdr(tmp_path / "a.hdr"), expected)


def write_exr(path, channels, **header):
    """An EXR of one part."""
    base = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with OpenEXR.File({**base, **header}, channels) as file:
        file.write(str(path))


def planes(radiance, names, prefix=""):
    """Channels of an EXR."""
    return {
        prefix + name: np.ascontiguousarray(plane, np.float32)
        for name, plane in zip(names, np.moveaxis(radiance, -1, 0), strict=True)
    }


@pytest.fixture
def radiance():
    """A smooth map [32, 48, 3], > 0."""
    y, x = np.mgrid[:32, :48] / 10
    return np.exp(np.stack([np.sin(x), np.cos(y), np.sin(x + y)], -1)).astype(np.float32)


@pytest.mark.parametrize("space", [*_primaries.SPACES, "XYZ"])
def test_exr_chromaticities(tmp_path, radiance, space):
    chromaticities = {**_primaries.SPACES, "XYZ": _primaries.XYZ}[space]
    matrix = np.linalg.inv(_primaries.to_xyz(chromaticities)) @ XYZ_OF_709
    stored = radiance @ matrix.T
    write_exr(tmp_path / "a.exr", planes(stored, "RGB"), chromaticities=chromaticities)
    found = images.read_hdr(tmp_path / "a.exr")
    np.testing.assert_allclose(found, radiance, atol=2e-3 * radiance.max())


def test_exr_channels_x_y_z(tmp_path, radiance):
    write_exr(tmp_path / "a.exr", planes(radiance @ XYZ_OF_709.T, "XYZ"))
    found = images.read_hdr(tmp_path / "a.exr")
    np.testing.assert_allclose(found, radiance, atol=2e-3 * radiance.max())


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("wide", [False, True])
def test_exr_luminance_and_chroma(tmp_path, radiance, step, wide):
    space = _primaries.SPACES["Rec. 2020"] if wide else _primaries.REC709
    weights = _primaries.to_xyz(space)[1]
    y = radiance @ weights
    chroma = {"RY": radiance[..., 0] / y - 1, "BY": radiance[..., 2] / y - 1}
    channels = {name: (plane[::step, ::step], step) for name, plane in chroma.items()}
    data = picture_files.exr({"Y": (y, 1), **channels}, space if wide else None)
    found = read(tmp_path / "a.exr", data)
    expected = _primaries.in_rec709(radiance, space)
    error = np.abs(found - expected).max(-1) / expected.max(-1)
    # Interpolated chroma: a smooth picture's, but for the rim that has no second sample.
    assert error[:-1, :-1].max() < (1e-4 if step == 1 else 0.02)


def test_exr_windows(tmp_path, radiance):
    def windows(data, display):
        ends = {"dataWindow": data, "displayWindow": display}
        return {
            name: (np.array(window[:2], np.int32), np.array(window[2:], np.int32))
            for name, window in ends.items()
        }

    path = tmp_path / "a.exr"
    # The data lies in the display window, left top right bottom inclusive.
    write_exr(path, planes(radiance, "RGB"), **windows((5, 3, 52, 34), (0, 0, 59, 39)))
    with pytest.warns(UserWarning, match=r"a\.exr has data for a part of its display window"):
        found = images.read_hdr(path)
    assert found.shape == (40, 60, 3)
    np.testing.assert_array_equal(found[3:35, 5:53], radiance)
    assert found.sum() == pytest.approx(radiance.sum(), rel=1e-5)
    # Overscan: more data than is displayed; and an origin that is not 0.
    write_exr(path, planes(radiance, "RGB"), **windows((-4, -2, 43, 29), (0, 0, 39, 19)))
    np.testing.assert_array_equal(images.read_hdr(path), radiance[2:22, 4:44])
    write_exr(path, planes(radiance, "RGB"), **windows((10, 20, 57, 51), (10, 20, 57, 51)))
    np.testing.assert_array_equal(images.read_hdr(path), radiance)
    write_exr(path, planes(radiance, "RGB"), **windows((100, 0, 147, 31), (0, 0, 47, 31)))
    with pytest.raises(ValueError, match=r"a\.exr has its data outside of the display window"):
        images.read_hdr(path)


def test_exr_layers(tmp_path, radiance):
    path, other = tmp_path / "a.exr", radiance[::-1]
    write_exr(path, planes(radiance, "RGB") | planes(other, "RGB", "diffuse."))
    np.testing.assert_array_equal(images.read_hdr(path), radiance)
    np.testing.assert_array_equal(images.read_hdr(path, layer="diffuse"), other)
    blender = planes(other, "RGB", "View.Diffuse.") | planes(radiance, "RGB", "View.Combined.")
    blender |= planes(other, "XYZ", "View.Normal.") | {"View.Depth.Z": other[..., 0]}
    write_exr(path, blender)
    with pytest.warns(UserWarning, match="of which View.Combined is read"):
        np.testing.assert_array_equal(images.read_hdr(path), radiance)
    write_exr(path, planes(radiance, "RGB", "light."))
    np.testing.assert_array_equal(images.read_hdr(path), radiance)
    write_exr(path, planes(radiance, "RGB", "diffuse.") | planes(other, "RGB", "glossy."))
    with pytest.raises(ValueError, match=r"a\.exr has several layers .diffuse, glossy.*layer="):
        images.read_hdr(path)
    with pytest.raises(ValueError, match=r"a\.exr has no layer 'x'; it has diffuse, glossy"):
        images.read_hdr(path, layer="x")
    np.testing.assert_array_equal(images.read_hdr(path, layer="glossy"), other)


def test_exr_parts(tmp_path, radiance):
    parts = [
        OpenEXR.Part({"name": "depth"}, {"Z": np.ascontiguousarray(radiance[..., 0])}),
        OpenEXR.Part({"name": "rgba"}, planes(radiance, "RGB")),
        OpenEXR.Part({"name": "diffuse"}, planes(radiance[::-1], "RGB")),
    ]
    with OpenEXR.File(parts) as file:
        file.write(str(tmp_path / "a.exr"))
    with pytest.warns(UserWarning, match="the layers rgba, diffuse, of which rgba is read"):
        np.testing.assert_array_equal(images.read_hdr(tmp_path / "a.exr"), radiance)
    np.testing.assert_array_equal(
        images.read_hdr(tmp_path / "a.exr", layer="diffuse"), radiance[::-1]
    )


def test_exr_transparency_warns(tmp_path, radiance):
    alpha = {"A": np.full(radiance.shape[:2], 0.5, np.float32)}
    write_exr(tmp_path / "a.exr", planes(radiance, "RGB") | alpha)
    with pytest.warns(UserWarning, match=r"a\.exr has transparent pixels"):
        images.read_hdr(tmp_path / "a.exr")


def test_exr_sizes_beyond_all_bounds_are_refused(tmp_path, radiance):
    write_exr(tmp_path / "a.exr", planes(radiance, "RGB"))
    data = bytearray((tmp_path / "a.exr").read_bytes())
    for name in (b"dataWindow\0box2i\0", b"displayWindow\0box2i\0"):
        end = data.index(name) + len(name) + 4 + 8
        data[end : end + 8] = np.array([40_000, 40_000], "<i4").tobytes()
    with pytest.raises(ValueError, match=r"a\.exr is 40001 x 40001 pixels large"):
        read(tmp_path / "a.exr", bytes(data))


@pytest.mark.parametrize("suffix", ["exr", "hdr"])
def test_primaries_that_are_written_are_read(tmp_path, radiance, suffix):
    path, adobe = tmp_path / f"a.{suffix}", _primaries.SPACES["Adobe RGB (1998)"]
    images.write(path, radiance, "of a test", adobe)
    expected = _primaries.in_rec709(radiance, adobe)
    assert np.abs(expected - radiance).max() > 0.1
    tolerance = 1e-4 if suffix == "exr" else 0.02
    np.testing.assert_allclose(images.read_hdr(path), expected, atol=tolerance * radiance.max())


def test_radiance_is_rounded_not_cut(tmp_path, pixels):
    path, exact = tmp_path / "a.hdr", light(pixels).astype(np.float32)
    images.write(path, exact)
    np.testing.assert_array_equal(images.read_hdr(path), exact)
    drawn = np.exp2(np.random.default_rng(0).uniform(-20, 20, (60, 80, 3))).astype(np.float32)
    drawn[0, 0], drawn[0, 1] = (0.9999, 0.51, 0), 2.0**127 * (1 - 2.0**-20)  # rounded up to 256
    images.write(path, drawn)
    found, peak = images.read_hdr(path), drawn.max(-1, keepdims=True)
    step = np.exp2(np.floor(np.log2(found.max(-1, keepdims=True))) - 7)
    error = (found.astype(np.float64) - drawn) / step
    assert np.abs(np.delete(error.reshape(-1, 3), 1, axis=0)).max() <= 0.5
    assert abs(error[peak == drawn].mean()) < 0.02
    np.testing.assert_allclose(found[0, 1], drawn[0, 1], rtol=1 / 255)  # there is no larger one


@pytest.mark.parametrize("name", ["b.hdr", "b.pic", "b.png", "b"])
def test_the_content_of_a_map_decides_not_its_name(tmp_path, radiance, name):
    images.write(tmp_path / "a.exr", radiance)
    (tmp_path / "a.exr").rename(tmp_path / name)
    np.testing.assert_array_equal(images.read_hdr(tmp_path / name), radiance)
    assert images.is_radiance_map(tmp_path / name)
    images.write(tmp_path / "a.png", np.zeros((4, 4, 3)))
    (tmp_path / "a.png").rename(tmp_path / "a.exr")
    assert not images.is_radiance_map(tmp_path / "a.exr")
    with pytest.raises(InputError, match="a.exr is a PNG file and no radiance map"):
        images.read_hdr(tmp_path / "a.exr")


def test_what_a_format_cannot_hold_is_refused(tmp_path):
    for name, largest in (("a.hdr", 1.69e38), ("a.exr", 3.4e38)):
        images.write(tmp_path / name, np.full((2, 9, 3), largest))
        np.testing.assert_allclose(images.read_hdr(tmp_path / name), largest, rtol=0.01)
        before = (tmp_path / name).read_bytes()
        with pytest.raises(InputError, match="beyond the"):
            images.write(tmp_path / name, np.full((2, 9, 3), 1e39))
        assert (tmp_path / name).read_bytes() == before


def test_information_knows_the_primaries_that_the_reader_converts(tmp_path, pixels):
    adobe = " ".join(map(str, _primaries.SPACES["Adobe RGB (1998)"]))
    for line, name in (("FORMAT=32-bit_rle_xyze", "0.3333"), (f"primaries = {adobe}", "Adobe RGB")):
        (tmp_path / "a.hdr").write_bytes(picture_files.radiance(pixels, lines=(line,)))
        assert name in images.information(tmp_path / "a.hdr").primaries
