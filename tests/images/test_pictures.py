"""hdr_jax.images and exposure_times: round trips, EXIF, and damaged files."""

import os
import stat

import cv2
import numpy as np
import OpenEXR
import picture_files
import pytest
import tifffile
from PIL import Image, ImageCms

from hdr_jax import color, images
from hdr_jax.images import _samples, _writing


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (12, 20, 3)).astype(np.uint8)


@pytest.fixture
def radiance():
    return np.exp(np.random.default_rng(1).normal(0, 4, (12, 20, 3))).astype(np.float32)


def save_jpeg(path, picture, *, orientation=None, time=None, shutter=None, iso=None):
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    sub = exif.get_ifd(0x8769)
    if time:
        sub[0x829A] = time
    if shutter is not None:
        sub[0x9201] = shutter
    if iso:
        sub[0x8827] = iso
    Image.fromarray(picture).save(path, exif=exif, quality=95, subsampling=0)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_lossless_round_trip(tmp_path, picture, suffix, dtype):
    picture = picture.astype(dtype) * (257 if dtype == np.uint16 else 1)
    images.write(tmp_path / f"a{suffix}", picture)
    back = images.read_photo(tmp_path / f"a{suffix}")
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, picture)
    assert os.listdir(tmp_path) == [f"a{suffix}"]
    assert stat.S_IMODE((tmp_path / f"a{suffix}").stat().st_mode) & 0o444


def test_written_colours_are_rgb(tmp_path):
    red = np.zeros((16, 16, 3), np.float32)
    red[..., 0] = 1.0
    for name in ("a.png", "a.jpg", "a.tif"):
        images.write(tmp_path / name, red)
        with Image.open(tmp_path / name) as file:
            assert file.convert("RGB").getpixel((8, 8))[0] > 250
            assert max(file.convert("RGB").getpixel((8, 8))[1:]) < 5


def test_float_pictures_are_clipped_and_rounded(tmp_path):
    images.write(tmp_path / "a.png", np.array([[-1.0, 0.5, 2.0]]))
    np.testing.assert_array_equal(images.read_photo(tmp_path / "a.png")[0, :, 0], [0, 128, 255])


def test_gray_and_alpha(tmp_path, picture):
    for array, expected in [
        (picture[..., 0], np.repeat(picture[..., :1], 3, 2)),
        (np.dstack([picture, picture[..., :1]]), picture),
    ]:
        Image.fromarray(array).save(tmp_path / "a.png")
        np.testing.assert_array_equal(images.read_photo(tmp_path / "a.png"), expected)
    cv2.imwrite(str(tmp_path / "b.png"), picture[..., 0].astype(np.uint16) * 257)
    deep = images.read_photo(tmp_path / "b.png")
    assert deep.dtype == np.uint16
    np.testing.assert_array_equal(deep, np.repeat(picture[..., :1], 3, 2).astype(np.uint16) * 257)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(tmp_path, orientation):
    # A corner mark that survives JPEG, and Pillow's own transposition as the reference.
    picture = np.zeros((32, 48, 3), np.uint8)
    picture[:16, :16], picture[:16, 32:] = (255, 0, 0), (0, 255, 0)
    save_jpeg(tmp_path / "a.jpg", picture, orientation=orientation)
    turned = images.read_photo(tmp_path / "a.jpg")
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # Image.Transpose members
    expected = Image.fromarray(picture)
    if orientation in undo:
        expected = expected.transpose(Image.Transpose(undo[orientation]))
    assert np.abs(turned.astype(int) - np.asarray(expected)).max() < 40
    # The 16-bit path turns in NumPy: it must agree.
    np.testing.assert_array_equal(_samples.upright(picture, orientation), np.asarray(expected))


@pytest.mark.parametrize("suffix", [".hdr", ".exr"])
def test_radiance_round_trip(tmp_path, radiance, suffix):
    images.write(tmp_path / f"a{suffix}", radiance)
    back = images.read_hdr(tmp_path / f"a{suffix}")
    assert back.dtype == np.float32 and back.shape == radiance.shape
    # RGBE shares an exponent: the error is relative to the pixel's largest channel.
    limit = radiance.max(-1, keepdims=True) / 128 if suffix == ".hdr" else 0
    assert (np.abs(back - radiance) <= limit).all()
    assert os.listdir(tmp_path) == [f"a{suffix}"]


def test_exr_variants(tmp_path, radiance):
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    planes = [np.ascontiguousarray(plane) for plane in np.moveaxis(radiance, -1, 0)]

    def save(**channels):
        with OpenEXR.File(dict(header), channels) as file:
            file.write(str(tmp_path / "a.exr"))

    save(R=np.minimum(planes[0], 6e4).astype(np.float16), G=planes[1], B=planes[2], Z=planes[0])
    back = images.read_hdr(tmp_path / "a.exr")
    np.testing.assert_array_equal(back[..., 1:], radiance[..., 1:])
    np.testing.assert_array_equal(back[..., 0], np.minimum(planes[0], 6e4).astype(np.float16))
    save(Y=planes[0])
    np.testing.assert_array_equal(
        images.read_hdr(tmp_path / "a.exr"), np.repeat(radiance[..., :1], 3, 2)
    )
    save(Z=planes[0])
    with pytest.raises(ValueError, match=r"a\.exr.*channels Z but not Y"):
        images.read_hdr(tmp_path / "a.exr")
    planes[1][3, 4] = np.nan
    save(R=planes[0], G=planes[1], B=planes[2])
    with pytest.raises(ValueError, match=r"a\.exr holds 1 NaN"):
        images.read_hdr(tmp_path / "a.exr")


@pytest.mark.parametrize(
    "name", ["a.jpg", "a.png", "deep.png", "a.tif", "deep.tif", "a.hdr", "a.exr"]
)
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.6])
def test_truncated_files(tmp_path, name, kept):
    noise = np.random.default_rng(2).random((40, 60, 3))
    image = noise if name[-3:] in ("hdr", "exr") else (noise * 255).astype(np.uint8)
    if name.startswith("deep"):
        image = (noise * 65535).astype(np.uint16)
    path = tmp_path / name
    images.write(path, image)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    read = images.read_hdr if name[-3:] in ("hdr", "exr") else images.read_photo
    with pytest.raises(ValueError, match=name):
        read(path)


def test_missing_and_wrong_files(tmp_path):
    for read in (images.read_photo, images.read_hdr, images.read_exposure_time):
        with pytest.raises(ValueError, match="nothing.hdr does not exist"):
            read(tmp_path / "nothing.hdr")
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"a\.png cannot be read"):
        images.read_photo(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a\.png cannot be read .*; expected a radiance map"):
        images.read_hdr(tmp_path / "a.png")
    with pytest.raises(ValueError, match="is a folder; expected a photograph"):
        images.read_photo(tmp_path)


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("a.gif", np.zeros((4, 4, 3))),
        ("none/a.png", np.zeros((4, 4, 3))),
        ("a.png", np.zeros((4, 4, 2))),
        ("a.png", np.zeros((2, 4, 4, 3))),
        ("a.png", np.zeros((4, 4, 3), np.int64)),
        ("a.png", np.full((4, 4, 3), np.nan)),
        ("a.hdr", np.full((4, 4, 3), np.inf)),
        ("a.hdr", np.full((4, 4, 3), -1.0)),
        ("a.exr", np.zeros((4, 4, 3), np.uint8)),
        ("a.jpg", np.zeros((65501, 1))),
        ("a.webp", np.zeros((1, 16384), np.uint8)),
    ],
)
def test_write_refuses(tmp_path, name, image):
    with pytest.raises(ValueError, match="write got"):
        images.write(tmp_path / name, image)
    assert not list(tmp_path.iterdir())


def test_names_as_long_as_systems_allow_are_written(tmp_path, radiance):
    path = tmp_path / f"{'é' * 125}.exr"  # 254 bytes
    images.write(path, radiance)
    np.testing.assert_array_equal(images.read_hdr(path), radiance)


@pytest.mark.parametrize("width", [5, 40])
def test_long_maps_and_comments(tmp_path, width):
    height = 2 * _writing.STRIP_ROWS + 7
    radiance = np.random.default_rng(6).integers(128, 256, (height, width, 3)) / 64  # mantissas
    images.write(tmp_path / "a.hdr", radiance, comment="linear, relative")
    whole = cv2.imencode(".hdr", radiance[..., ::-1].astype(np.float32))[1]
    np.testing.assert_array_equal(  # as the encoder writes it in one go
        images.read_hdr(tmp_path / "a.hdr"), cv2.imdecode(whole, cv2.IMREAD_UNCHANGED)[..., ::-1]
    )
    assert b"\n# linear, relative\n" in (tmp_path / "a.hdr").read_bytes()[:100]
    images.write(tmp_path / "a.exr", radiance, comment="linear, relative")
    with OpenEXR.File(str(tmp_path / "a.exr")) as file:
        assert file.header()["comments"] == "linear, relative"


def test_reduced_keeps_the_mean_and_the_shape():
    image = np.random.default_rng(7).random((90, 120, 3)).astype(np.float32)
    small = images.reduced(image, 40)
    assert small.shape == (30, 40, 3) and images.reduced(image, 120) is image
    np.testing.assert_allclose(small[2, 3], image[6:9, 9:12].mean((0, 1)), rtol=1e-5)


def test_a_failed_write_keeps_the_old_file(tmp_path, picture, monkeypatch):
    images.write(tmp_path / "a.png", picture)
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        images.write(tmp_path / "a.png", 255 - picture)
    assert os.listdir(tmp_path) == ["a.png"]
    np.testing.assert_array_equal(images.read_photo(tmp_path / "a.png"), picture)


def test_stack_times_from_exif_table_and_argument(tmp_path, picture):
    save_jpeg(tmp_path / "b.jpg", picture, time=0.25)
    save_jpeg(tmp_path / "a.jpg", picture // 4, shutter=6.0)  # APEX: 2^-6 s
    stack, times = images.read_stack([tmp_path / "b.jpg", tmp_path / "a.jpg"])
    assert stack.shape == (2, 12, 20, 3) and stack.dtype == np.uint8
    assert times.dtype == np.float64
    np.testing.assert_allclose(times, [0.25, 2.0**-6], rtol=1e-6)
    stack_of_folder, times = images.read_stack(tmp_path)
    np.testing.assert_array_equal(stack_of_folder, stack[::-1])
    (tmp_path / "exposures.csv").write_text("file,exposure_time_s,iso\nb.jpg,2,100\na.jpg,0.5,\n")
    stack_of_table, times = images.read_stack(tmp_path)
    np.testing.assert_array_equal(stack_of_table, stack)
    assert times.tolist() == [2.0, 0.5]
    stack_by_name, times = images.read_stack(tmp_path, [3.0, 4.0])  # of a.jpg, b.jpg
    np.testing.assert_array_equal(stack_by_name, stack[::-1])
    assert times.tolist() == [3.0, 4.0]
    assert images.read_stack([tmp_path / "a.jpg"], [7])[1].tolist() == [7.0]


def test_stack_errors(tmp_path, picture):
    save_jpeg(tmp_path / "a.jpg", picture, time=0.25)
    save_jpeg(tmp_path / "b.jpg", picture)
    with pytest.raises(ValueError, match=r"b\.jpg has no exposure time"):
        images.read_stack(tmp_path)
    with pytest.raises(ValueError, match="got 1 exposure times for 2"):
        images.read_stack(tmp_path, [1.0])
    for bad in (0.0, -1.0, np.nan, "x"):
        with pytest.raises(ValueError, match="positive number"):
            images.read_stack(tmp_path, [1.0, bad])
    save_jpeg(tmp_path / "c.jpg", picture[:8], time=0.5)
    with pytest.raises(ValueError, match=r"c\.jpg is 20 x 8 uint8, but .*a\.jpg is 20 x 12"):
        images.read_stack([tmp_path / "a.jpg", tmp_path / "c.jpg"])
    (tmp_path / "exposures.csv").write_text("name,time\na.jpg,1\n")
    with pytest.raises(ValueError, match="has name, time; expected"):
        images.read_stack(tmp_path)
    (tmp_path / "exposures.csv").write_text("file,exposure_time_s\na.jpg,-1\n")
    with pytest.raises(ValueError, match=r"exposures\.csv gives a\.jpg"):
        images.read_stack(tmp_path)
    with pytest.raises(ValueError, match="no paths"):
        images.read_stack([])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no photographs"):
        images.read_stack(tmp_path / "empty")


def test_changed_sensitivity_warns(tmp_path, picture):
    save_jpeg(tmp_path / "a.jpg", picture, time=0.25, iso=100)
    save_jpeg(tmp_path / "b.jpg", picture, time=0.5, iso=400)
    with pytest.warns(UserWarning, match="differ in sensitivity"):
        images.read_stack(tmp_path)


def test_real_stacks(shared):
    for folder in sorted((shared / "data/stacks").iterdir()):
        if folder.is_dir():
            paths = images.find_photos(folder)
            times = images.exposure_times(paths)
            assert len(paths) >= 3 and all(path.is_file() for path in paths)
            read = [images.read_exposure_time(path) for path in paths]
            for table, exif in zip(times, read, strict=True):
                # The table and the camera agree to the camera's rounding (1/3 stops).
                assert exif is None or abs(np.log2(table / exif)) < 0.1
    stack, times = images.read_stack(shared / "data/stacks/frobisher_001")
    brightness = stack.mean((1, 2, 3))
    assert (np.argsort(times) == np.argsort(brightness)).all()


def test_real_radiance_maps(shared):
    for path in sorted((shared / "data/views").glob("*.hdr"))[::60]:
        radiance = images.read_hdr(path)
        assert radiance.shape[-1] == 3 and radiance.min() >= 0 and radiance.max() > 0


@pytest.mark.parametrize("bits", [8, 16])
def test_an_icc_profile_is_converted_to_srgb_on_request(tmp_path, bits):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 9, 3)).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(
        tmp_path / "a.png", icc_profile=picture_files.adobe_profile(), exif=exif
    )
    if bits == 16:  # OpenCV writes 16 bits; the profile is moved over
        images.write(tmp_path / "b.png", pixels.astype(np.uint16) * 257)
        eight, sixteen = ((tmp_path / f"{name}.png").read_bytes() for name in "ab")
        start = eight.index(b"iCCP") - 4
        stop = start + 12 + int.from_bytes(eight[start : start + 4], "big")
        (tmp_path / "a.png").write_bytes(sixteen[:33] + eight[start:stop] + sixteen[33:])

    linear = (
        np.linalg.inv(picture_files.SRGB_D50)
        @ picture_files.ADOBE_D50
        @ ((pixels / 255) ** picture_files.ADOBE_GAMMA)[..., None]
    )
    expected = 255 * np.asarray(color.linear_to_srgb(np.clip(linear[..., 0], 0, 1)))
    if bits == 8:
        expected = np.rot90(expected, -1)
    converted = images.read_photo(tmp_path / "a.png", to_srgb=True)
    assert converted.dtype == (np.uint16 if bits == 16 else np.uint8)
    within = {8: 1.6, 16: 0.6}[bits]
    np.testing.assert_allclose(converted / (257 if bits == 16 else 1), expected, atol=within)
    raw = images.read_photo(tmp_path / "a.png")
    assert np.abs(raw - expected * (257 if bits == 16 else 1)).max() > 10


def test_pictures_of_a_folder_that_are_left_out_are_named(tmp_path, picture):
    for name in ("a.jpg", "b.JFIF", "c.jpe", "d.jpg~"):
        Image.fromarray(picture).save(tmp_path / name, "JPEG")
    (tmp_path / "e.heic").write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 40)
    (tmp_path / "notes.txt").write_text("BMW, not BM")
    images.write(tmp_path / "map.exr", picture / 255)
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "folder.png").rename(tmp_path / "folder")
    with pytest.warns(UserWarning, match=r"left out: d\.jpg~, e\.heic\. Rename"):
        found = images.find_photos(tmp_path)
    assert [path.name for path in found] == ["a.jpg", "b.JFIF", "c.jpe"]
    images.write(tmp_path / "b.jfif", picture)
    assert images.read_photo(tmp_path / "b.jfif").shape == picture.shape


def test_a_profile_of_srgb_leaves_16_bits_as_they_are(tmp_path):
    levels = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64, 1).repeat(3, 2)
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile, kept in (
        (own, True),
        (picture_files.matrix_profile(picture_files.SRGB_D50, 2.2), False),
    ):
        tifffile.imwrite(tmp_path / "a.tif", levels, photometric="rgb", iccprofile=profile)
        assert images.metadata(tmp_path / "a.tif").space == "sRGB"
        found = images.read_photo(tmp_path / "a.tif", to_srgb=True)
        assert found.dtype == np.uint16
        assert np.array_equal(found, levels) == kept


def test_a_damaged_icc_profile_is_named(tmp_path):
    levels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    Image.fromarray(levels).save(tmp_path / "a.png", icc_profile=b"x" * 99)
    with pytest.warns(UserWarning, match="a.png has an ICC profile that cannot be read"):
        found = images.read_photo(tmp_path / "a.png", to_srgb=True)
    np.testing.assert_array_equal(found, levels)
