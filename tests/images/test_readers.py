"""One reader for each format: what it gives depends on the picture, not on how a file stores it."""

import datetime
import itertools
import struct
import subprocess
import sys

import cv2
import numpy as np
import picture_files
import pytest
import tifffile
from PIL import Image

from hdr_jax import images
from hdr_jax.errors import InputError
from hdr_jax.images import _metadata

SIZE = (13, 22)
MOSTLY_OPAQUE = (0.2, 0.2, 0.6)
# How a TIFF may store its samples, apart from what is in the parameters of the test.
STORAGE = (
    {},
    {"order": ">"},
    {"compression": 5},
    {"compression": 8, "predictor": 2},
    {"compression": 32773, "order": ">"},
    {"compression": 8, "tile": 16},
    {"big": True},
)


def picture_and_alpha(dtype, channels, opacity):
    """A picture that opacity of 0, a fifth and all leaves whole, and that opacity (or None)."""
    rng = np.random.default_rng(0)
    if dtype.kind == "f":
        picture = rng.integers(0, 257, (*SIZE, channels)) / 256
        alpha = rng.choice([0, 0.25, 1], SIZE, p=MOSTLY_OPAQUE)
    else:
        top = np.iinfo(dtype).max
        picture = 5 * rng.integers(0, top // 5 + 1, (*SIZE, channels))
        alpha = rng.choice([0, top // 5, top], SIZE, p=MOSTLY_OPAQUE)
    if opacity == "associated":
        picture = picture * (alpha > 0)[..., None]
    return picture.astype(dtype), None if opacity is None else alpha.astype(dtype)


def read_one(path, data):
    """The one photograph of a stack, as `equal_photos` reads it, after it was written."""
    path.write_bytes(data)
    return next(images.equal_photos([path]))


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4", "f2"])
@pytest.mark.parametrize("planar", [1, 2])
@pytest.mark.parametrize("photometric", [2, 1, 0])
@pytest.mark.parametrize("opacity", [None, "straight", "associated"])
def test_tiff(tmp_path, dtype, planar, photometric, opacity):
    dtype = np.dtype(dtype)
    picture, alpha = picture_and_alpha(dtype, 3 if photometric == 2 else 1, opacity)
    expected = np.broadcast_to(picture, (*SIZE, 3)).astype("f4" if dtype.kind == "f" else dtype)
    visible = np.ones(SIZE, bool) if alpha is None else alpha > 0
    for orientation, storage in zip(range(1, 9), itertools.cycle(STORAGE), strict=False):
        storage = dict(storage)
        if dtype.kind == "f" and "predictor" in storage:
            storage["predictor"] = 3
        data = picture_files.tiff(
            picture,
            alpha=alpha,
            associated=opacity == "associated",
            photometric=photometric,
            orientation=orientation,
            planar=planar,
            **storage,
        )
        colours, valid = read_one(tmp_path / "a.tif", data)
        assert colours.dtype == expected.dtype and colours.shape == expected.shape
        # 1 - x of a half float is no half float.
        tolerance = 5e-4 if dtype == "f2" and (photometric == 0 or alpha is not None) else 0
        error = np.abs(colours[visible].astype(float) - expected[visible])
        assert error.max() <= tolerance, (orientation, storage)
        if alpha is not None:
            np.testing.assert_array_equal(valid, alpha == alpha.max())


def test_tiff_reads_are_the_same_twice(tmp_path):
    picture, alpha = picture_and_alpha(np.dtype("u2"), 3, "straight")
    (tmp_path / "a.tif").write_bytes(picture_files.tiff(picture, alpha=alpha, planar=2))
    first = next(images.equal_photos([tmp_path / "a.tif"]))
    again = next(images.equal_photos([tmp_path / "a.tif"]))
    np.testing.assert_array_equal(first.colours, again.colours)
    np.testing.assert_array_equal(first.valid, again.valid)


@pytest.mark.parametrize(("bits", "top"), [(1, 255), (2, 255), (4, 255), (10, 65535), (12, 65535)])
def test_tiff_of_other_depths_is_scaled(tmp_path, bits, top):
    samples = np.random.default_rng(0).integers(0, 2**bits, (*SIZE, 3))
    samples = samples.astype(np.uint8 if bits < 8 else np.uint16)
    data = picture_files.tiff(samples, samples=samples, bits=bits)
    colours = read_one(tmp_path / "a.tif", data).colours
    assert colours.dtype == (np.uint8 if bits < 8 else np.uint16)
    np.testing.assert_array_equal(colours, np.rint(samples * (top / (2**bits - 1))))


def test_tiff_of_32_bits_becomes_floats(tmp_path):
    samples = np.random.default_rng(0).integers(0, 2**32, (*SIZE, 3)).astype(np.uint32)
    colours = read_one(tmp_path / "a.tif", picture_files.tiff(samples)).colours
    assert colours.dtype == np.float32
    np.testing.assert_allclose(colours, samples / (2**32 - 1), rtol=1e-6)


def test_tiff_palettes(tmp_path):
    rng = np.random.default_rng(0)
    index = rng.integers(0, 256, (*SIZE, 1)).astype(np.uint8)
    for step, dtype in ((257, np.uint8), (256, np.uint8), (3, np.uint16), (1, np.uint8)):
        palette = (rng.integers(0, 256, (3, 256)) * step).astype(np.uint16)
        tifffile.imwrite(tmp_path / "a.tif", index[..., 0], photometric="palette", colormap=palette)
        colours = images.read_photo(tmp_path / "a.tif")
        assert colours.dtype == dtype
        np.testing.assert_array_equal(
            colours, palette.T[index[..., 0]] // (1 if step == 3 else step)
        )


@pytest.mark.parametrize(
    "write",
    [
        lambda path, x: tifffile.imwrite(path, x, compression="zstd", photometric="rgb"),
        lambda path, x: tifffile.imwrite(path, x, compression="lzma", photometric="rgb"),
        lambda path, x: tifffile.imwrite(path, x, compression="lzw", predictor=True),
        lambda path, x: tifffile.imwrite(path, x, tile=(16, 32), photometric="rgb"),
        lambda path, x: tifffile.imwrite(path, x, compression="jpeg2000", photometric="rgb"),
        lambda path, x: cv2.imwrite(str(path), x[..., ::-1]),
    ],
    ids=["zstd", "lzma", "lzw", "tiles", "jpeg2000", "opencv"],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_as_libraries_write_it(tmp_path, write, dtype):
    picture, _ = picture_and_alpha(np.dtype(dtype), 3, None)
    write(tmp_path / "a.tif", picture)
    np.testing.assert_array_equal(images.read_photo(tmp_path / "a.tif"), picture)


def test_tiff_with_jpeg_inside(tmp_path):
    ramp = np.linspace(20, 220, 64).astype(np.uint8)
    picture = np.stack([np.tile(ramp, (48, 1)), np.tile(ramp[::-1], (48, 1))] * 2, -1)[..., :3]
    Image.fromarray(picture).save(tmp_path / "a.tif", compression="jpeg", quality=95)
    assert np.abs(images.read_photo(tmp_path / "a.tif").astype(int) - picture).max() < 8


def test_tiff_opacity_without_a_tag(tmp_path):
    """OpenCV writes four samples and does not say what the last one is."""
    picture, alpha = picture_and_alpha(np.dtype("u2"), 3, "straight")
    cv2.imwrite(str(tmp_path / "a.tif"), np.dstack([picture[..., ::-1], alpha]))
    colours, valid = next(images.equal_photos([tmp_path / "a.tif"]))
    np.testing.assert_array_equal(colours, picture)
    np.testing.assert_array_equal(valid, alpha == 65535)


def test_tiff_pages(tmp_path):
    rng = np.random.default_rng(0)
    small, large, other = (rng.integers(0, 256, (n, 2 * n, 3)).astype(np.uint8) for n in (4, 9, 9))
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:  # a thumbnail first
        file.write(small, subfiletype=1, photometric="rgb")
        file.write(large, photometric="rgb")
    np.testing.assert_array_equal(images.read_photo(path), large)
    with tifffile.TiffWriter(path) as file:  # one that does not say so
        file.write(small, photometric="rgb", subifds=1)
        file.write(large, photometric="rgb")
    np.testing.assert_array_equal(images.read_photo(path), large)
    with tifffile.TiffWriter(path) as file:
        file.write(large, photometric="rgb")
        file.write(other, photometric="rgb")
    with pytest.warns(UserWarning, match=r"a\.tif holds 2 pictures, of which the first"):
        np.testing.assert_array_equal(images.read_photo(path), large)
    mask = rng.integers(0, 2, large.shape[:2]).astype(bool)
    with tifffile.TiffWriter(path) as file:  # a transparency mask
        file.write(large, photometric="rgb")
        file.write(mask, photometric="mask", subfiletype=4)
    colours, valid = next(images.equal_photos([path]))
    np.testing.assert_array_equal(colours, large)
    np.testing.assert_array_equal(valid, mask)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"photometric": 5}, "CMYK"),
        ({"photometric": 8}, r"L\*a\*b\*"),
        ({"photometric": 32844}, "photometric interpretation 32844"),
        ({"photometric": 6}, "YCbCr"),
        ({"dtype": np.int16}, "int16 samples"),
        ({"dtype": np.float32, "scale": 30}, r"floats? .*from .* to .*expected values in \[0, 1\]"),
    ],
)
def test_tiff_of_other_kinds_is_refused_and_not_called_damaged(tmp_path, options, message):
    samples = np.random.default_rng(0).integers(0, 2, (*SIZE, 3))
    samples = (samples * options.get("scale", 1)).astype(options.get("dtype", np.uint8))
    if options.get("photometric") == 5:
        samples = np.concatenate([samples, samples[..., :1]], axis=-1)
    data = picture_files.tiff(samples, samples=samples, photometric=options.get("photometric", 2))
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(ValueError, match=rf"a\.tif holds .*{message}") as caught:
        images.read_photo(tmp_path / "a.tif")
    assert "undamaged" not in str(caught.value)


def test_floats_beyond_one_by_a_hair_are_clipped_and_nan_is_no_data(tmp_path):
    picture = np.full((*SIZE, 3), 0.5, np.float32)
    picture[0, 0], picture[1, 1], picture[2, 2] = 1.005, -0.005, np.nan
    colours, valid = read_one(tmp_path / "a.tif", picture_files.tiff(picture))
    assert colours[0, 0, 0] == 1 and colours[1, 1, 0] == 0 and np.isfinite(colours).all()
    assert not valid[2, 2] and valid.sum() == valid.size - 1


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("opacity", [None, "straight"])
@pytest.mark.parametrize("interlaced", [False, True])
def test_png(tmp_path, channels, dtype, opacity, interlaced):
    picture, alpha = picture_and_alpha(np.dtype(dtype), channels, opacity)
    for orientation in range(1, 9):
        data = picture_files.png(
            picture, alpha=alpha, orientation=orientation, interlaced=interlaced
        )
        colours, valid = read_one(tmp_path / "a.png", data)
        assert colours.dtype == dtype
        np.testing.assert_array_equal(colours, np.broadcast_to(picture, (*SIZE, 3)))
        if alpha is not None:
            np.testing.assert_array_equal(valid, alpha == alpha.max())


def test_png_palettes_few_bits_and_transparent_colours(tmp_path):
    rng = np.random.default_rng(0)
    palette, path = rng.integers(0, 256, (16, 3)), tmp_path / "a.png"
    index = rng.integers(0, 16, (*SIZE, 1)).astype(np.uint8)
    for bits in (4, 8):
        data = picture_files.png(index, palette=palette, bits=bits, transparent=b"\xff\0\xff")
        colours, valid = read_one(path, data)
        np.testing.assert_array_equal(colours, palette[index[..., 0]])
        np.testing.assert_array_equal(valid, index[..., 0] != 1)
    for bits in (1, 2, 4):
        gray = index % 2**bits
        colours = read_one(path, picture_files.png(gray, bits=bits)).colours
        np.testing.assert_array_equal(colours[..., :1], gray * (255 // (2**bits - 1)))
    deep, _ = picture_and_alpha(np.dtype("u2"), 3, None)
    key = deep[3, 4].astype(">u2").tobytes()
    colours, valid = read_one(path, picture_files.png(deep, transparent=key))
    np.testing.assert_array_equal(colours, deep)
    np.testing.assert_array_equal(valid, (deep != deep[3, 4]).any(-1))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_webp_and_bmp(tmp_path, orientation):
    picture, alpha = picture_and_alpha(np.dtype("u1"), 3, "straight")
    stored = picture_files.stored(picture, alpha, 2, False, orientation)
    exif = b"Exif\0\0" + picture_files.exif_block(orientation=orientation)
    Image.fromarray(stored).save(tmp_path / "a.webp", lossless=True, exact=True, exif=exif)
    colours, valid = next(images.equal_photos([tmp_path / "a.webp"]))
    np.testing.assert_array_equal(colours, picture)
    np.testing.assert_array_equal(valid, alpha == 255)
    Image.fromarray(picture).save(tmp_path / "a.bmp")
    np.testing.assert_array_equal(images.read_photo(tmp_path / "a.bmp"), picture)


def test_soft_edges_do_not_count_but_translucent_pictures_do(tmp_path):
    picture = np.full((4, 8, 3), 100, np.uint8)
    alpha = np.full((4, 8), 255, np.uint8)
    alpha[:, 0], alpha[:, 1] = 0, 120
    valid = read_one(tmp_path / "a.png", picture_files.png(picture, alpha=alpha)).valid
    np.testing.assert_array_equal(valid, alpha == 255)
    alpha = np.tile(np.linspace(1, 255, 8).astype(np.uint8), (4, 1))
    alpha[0] = 0
    valid = read_one(tmp_path / "a.png", picture_files.png(picture, alpha=alpha)).valid
    np.testing.assert_array_equal(valid, alpha > 0)
    alpha = np.full((4, 8), 255, np.uint8)
    alpha[:, 0], alpha[:, 1], alpha[:, 2] = 220, 235, 180
    valid = read_one(tmp_path / "a.png", picture_files.png(picture, alpha=alpha)).valid
    np.testing.assert_array_equal(valid, alpha >= 235)  # from nine tenths on
    opaque = read_one(tmp_path / "a.png", picture_files.png(picture, alpha=alpha | 255))
    assert opaque.valid is None


def test_transparent_pixels_are_told_of_where_a_result_cannot_hold_them(tmp_path):
    picture, alpha = picture_and_alpha(np.dtype("u1"), 3, "straight")
    (tmp_path / "a.png").write_bytes(picture_files.png(picture, alpha=alpha))
    for read in (images.read_photo, lambda path: images.read_stack([path], [1.0])):
        with pytest.warns(UserWarning, match=r"a\.png has \d+ pixels that are transparent"):
            read(tmp_path / "a.png")


def test_the_name_of_a_file_does_not_decide(tmp_path):
    picture, _ = picture_and_alpha(np.dtype("u2"), 3, None)
    (tmp_path / "a.jpg").write_bytes(picture_files.png(picture))
    (tmp_path / "b.png").write_bytes(picture_files.tiff(picture))
    for name in ("a.jpg", "b.png"):
        np.testing.assert_array_equal(images.read_photo(tmp_path / name), picture)
    images.write(tmp_path / "c.exr", picture / 65535)
    (tmp_path / "c.exr").rename(tmp_path / "c.tif")
    with pytest.raises(ValueError, match=r"c\.tif is a radiance map \(OpenEXR\)"):
        images.read_photo(tmp_path / "c.tif")


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"GIF89a", "GIF"),
        (b"8BPS\0\1", "Photoshop"),
        (b"\0\0\0\x18ftypheic", "HEIF"),
        (b"\0\0\0\x20ftypavif", "AVIF"),
        (b"\xff\x0a", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    ],
)
def test_other_formats_are_named(tmp_path, head, name):
    (tmp_path / "a.jpg").write_bytes(head + bytes(100))
    with pytest.raises(ValueError, match=rf"a\.jpg is a {name} file; expected .* Convert it first"):
        images.read_photo(tmp_path / "a.jpg")


def test_cmyk_is_refused_without_a_profile(tmp_path):
    Image.new("CMYK", (8, 8), (10, 20, 30, 40)).save(tmp_path / "a.jpg")
    for to_srgb in (False, True):
        with pytest.raises(ValueError, match=r"a\.jpg holds CMYK"):
            images.read_photo(tmp_path / "a.jpg", to_srgb=to_srgb)


def promising(kind, side):
    """A short file of a format whose header promises `side` x `side` pixels."""
    pixel = np.zeros((1, 1, 3), np.uint8)
    size = struct.pack("<I", side)
    if kind == "png":
        head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        chunks = ((b"IHDR", head), (b"IDAT", b""), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(picture_files._chunk(*chunk) for chunk in chunks)
    if kind == "tif":
        data = bytearray(picture_files.tiff(pixel))
        for tag in (256, 257):
            place = data.index(struct.pack("<HHI", tag, 4, 1)) + 8
            data[place : place + 4] = size
        return bytes(data)
    if kind == "bmp":
        return b"BM" + struct.pack("<IIIIIIHH", 99, 0, 54, 40, side, side, 1, 24) + bytes(40)
    return picture_files.radiance(np.zeros((1, 1, 4), np.uint8)).replace(
        b"-Y 1 +X 1", b"-Y %d +X %d" % (side, side)
    )


@pytest.mark.parametrize("kind", ["png", "tif", "bmp", "hdr"])
def test_sizes_beyond_all_bounds_are_refused_before_memory_is_asked_for(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    path.write_bytes(promising(kind, 40_000))
    read = images.read_hdr if kind == "hdr" else images.read_photo
    with pytest.raises(ValueError, match=rf"a\.{kind} is .*(megapixels|too large)") as caught:
        read(path)
    assert "undamaged" not in str(caught.value)


@pytest.mark.parametrize(
    "storage",
    [{}, {"planar": 2}, {"compression": 5}, {"compression": 8}, {"compression": 32773}]
    + [{"tile": 16}],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_cut_tiffs_are_refused(tmp_path, storage, dtype):
    picture, _ = picture_and_alpha(np.dtype(dtype), 3, None)
    data = picture_files.tiff(picture, **storage)
    path = tmp_path / "a.tif"
    for kept in [*range(0, len(data), 97), len(data) - 1]:
        path.write_bytes(data[:kept])
        with pytest.raises(ValueError, match=r"a\.tif cannot be read"):
            images.read_photo(path)
    path.write_bytes(data)
    np.testing.assert_array_equal(images.read_photo(path), picture)


def test_tiffs_without_all_strips_are_refused(tmp_path):
    """tifffile fills what is not there with zeros."""
    picture, _ = picture_and_alpha(np.dtype("u1"), 3, None)
    data = picture_files.tiff(picture, rows=13)
    count = data.index(struct.pack("<HHI", 279, 4, 1)) + 8
    (tmp_path / "a.tif").write_bytes(data[:count] + bytes(4) + data[count + 4 :])
    with pytest.raises(ValueError, match=r"a\.tif cannot be read .strips or tiles are missing"):
        images.read_photo(tmp_path / "a.tif")


EXIF = {
    "time": dict(time=(1, 60), iso=200, f_number=(56, 10)),
    "powers of 2": dict(time=(0, 0), shutter=(6, 1), aperture=(3, 1)),
}


@pytest.mark.parametrize("suffix", ["tif", "png", "jpg", "webp"])
def test_metadata_is_the_same_in_every_format(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    picture = np.full((8, 8, 3), 99, np.uint8)
    for name, tags in EXIF.items():
        block = picture_files.exif_block(orientation=6, **tags)
        if suffix == "tif":
            path.write_bytes(
                picture_files.tiff(
                    picture, orientation=6, tags=picture_files.exif_tags(**tags), planar=2
                )
            )
        elif suffix == "png":
            path.write_bytes(picture_files.png(picture, orientation=6, exif=block))
        else:
            Image.fromarray(picture).save(path, exif=b"Exif\0\0" + block)
        metadata = _metadata.read(path)
        assert metadata.orientation == 6
        if name == "time":
            found = (metadata.exposure_time, metadata.sensitivity, metadata.f_number)
            np.testing.assert_allclose(found, (1 / 60, 200, 5.6))
        else:
            assert metadata.exposure_time == 2.0**-6
            np.testing.assert_allclose(metadata.f_number, 8**0.5)  # APEX: log2 of its square


@pytest.mark.parametrize("suffix", ["tif", "jpg", "dng"])
def test_size_and_moment(tmp_path, suffix):
    """The camera's clock is read as if it stood at UTC; the fraction of a second is its own tag."""
    path = tmp_path / f"a.{suffix}"
    texts = {0x9003: b"2026:11:28 10:20:30\0", 0x9291: b"25\0"}
    tags = {tag: (picture_files.ASCII, text) for tag, text in texts.items()}
    picture = np.full((8, 12, 3), 99, np.uint8)
    expected = datetime.datetime(2026, 11, 28, 10, 20, 30, tzinfo=datetime.UTC).timestamp()
    if suffix == "tif":
        path.write_bytes(picture_files.tiff(picture, tags=tags))
    elif suffix == "dng":
        pytest.importorskip("rawpy", reason="raw photographs need rawpy")
        path.write_bytes(picture_files.dng(np.full((64, 96), 9, np.uint16), picture, tags))
    else:
        exif = Image.Exif()
        exif.get_ifd(0x8769).update({tag: text[:-1].decode() for tag, text in texts.items()})
        Image.fromarray(picture).save(path, exif=exif)
    found = images.metadata(path)
    assert found.taken == expected + (0 if suffix == "dng" else 0.25)  # LibRaw keeps no fraction
    assert found.size == ((96, 64) if suffix == "dng" else (12, 8))
    assert images.metadata(write_plain(tmp_path)).taken is None


def write_plain(folder):
    """A picture that tells nothing."""
    images.write(folder / "plain.png", np.zeros((4, 4, 3), np.uint8))
    return folder / "plain.png"


def test_primaries_of_photographs(tmp_path):
    picture = Image.fromarray(np.full((8, 8, 3), 99, np.uint8))
    picture.save(tmp_path / "a.jpg", icc_profile=picture_files.adobe_profile())
    picture.save(tmp_path / "b.png")
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = 1
    picture.save(tmp_path / "c.jpg", exif=exif)
    assert images.primaries([tmp_path / "a.jpg"])[0] == "Adobe RGB (1998)"
    assert images.primaries([tmp_path / "b.png"])[1][:2] == (0.64, 0.33)
    assert images.primaries([tmp_path / "c.jpg"])[0] == "sRGB"
    with pytest.warns(UserWarning, match="not known for sure"):
        assert images.primaries([tmp_path / "a.jpg", tmp_path / "c.jpg"])[1] is None


@pytest.mark.parametrize("gray", [False, True])
def test_a_space_that_exif_alone_tells_is_converted_as_by_a_profile(tmp_path, gray):
    """Adobe RGB, which cameras mark by the interoperability index R03."""
    levels = np.random.default_rng(0).integers(0, 256, (24, 32, 3)).astype(np.uint8)
    picture = Image.fromarray(levels[..., 0] if gray else levels)
    picture.convert("RGB").save(tmp_path / "told.png", icc_profile=picture_files.adobe_profile())
    picture.save(tmp_path / "marked.png", exif=picture_files.adobe_exif())
    assert images.metadata(tmp_path / "marked.png").space == "Adobe RGB (1998)"
    expected = images.read_photo(tmp_path / "told.png", to_srgb=True).astype(int)
    found = images.read_photo(tmp_path / "marked.png", to_srgb=True).astype(int)
    assert np.abs(found - expected).max() <= 2
    stored = images.read_photo(tmp_path / "marked.png").astype(int)
    assert (stored == (levels[..., :1] if gray else levels)).all()
    assert np.abs(found - stored).max() > (1 if gray else 20)


def with_coded_space(path, primaries, transfer):
    """A PNG whose chunk cICP tells its space."""
    data = picture_files.png(np.full((4, 4, 3), 99, np.uint8))
    coded = picture_files._chunk(b"cICP", bytes([primaries, transfer, 0, 1]))
    path.write_bytes(data[:33] + coded + data[33:])
    return path


def test_coded_spaces_of_pngs(tmp_path):
    assert images.metadata(with_coded_space(tmp_path / "a.png", 12, 13)).space == "Display P3"
    assert images.metadata(with_coded_space(tmp_path / "a.png", 2, 2)).space is None
    for transfer, name in ((8, "linear"), (16, "PQ"), (18, "HLG")):
        path = with_coded_space(tmp_path / "b.png", 9, transfer)
        with pytest.raises(InputError, match=f"holds {name} levels"):
            images.read_photo(path)
        assert images.information(path).primaries == "Rec. 2020"


def test_importing_the_readers_loads_no_decoder():
    heavy = {"imagecodecs", "tifffile", "rawpy", "matplotlib", "tensorflow"}
    code = f"import sys, hdr_jax.images; print(sorted({heavy} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def mosaic(scale=1.0):
    """A sensor's picture [96, 144], RGGB, of a ramp, and a thumbnail that does not show it."""
    ramp = np.linspace(500, 40_000, 144)[None] * scale * np.ones((96, 1))
    return ramp.clip(0, 65535).astype(np.uint16), np.full((32, 48, 3), 9, np.uint8)


@pytest.mark.parametrize("name", ["a.dng", "a.tif"])
def test_raw_files_are_developed_linearly(tmp_path, name):
    pytest.importorskip("rawpy", reason="raw photographs need rawpy")
    for file, scale in ((name, 1.0), (f"b{name[1:]}", 0.25)):
        (tmp_path / file).write_bytes(picture_files.dng(*mosaic(scale)))
    one, quarter = (photo.colours for photo in images.equal_photos(sorted(tmp_path.iterdir())))
    assert one.shape == (96, 144, 3) and one.dtype == np.uint16
    assert images.is_raw(tmp_path / name)
    ratio = one[8:-8, 8:-8].astype(float) / quarter[8:-8, 8:-8]
    np.testing.assert_allclose(ratio, 4, rtol=0.02)  # nothing automatic
    line = one[48, 8:-8, 1] / np.linspace(500, 40_000, 144)[8:-8]
    np.testing.assert_allclose(line / line.mean(), 1, rtol=0.02)
    shown = images.read_photo(tmp_path / name, to_srgb=True)
    assert shown[48].mean() > one[48].mean()  # encoded for a display


def test_raw_files_of_all_orientations_are_turned(tmp_path):
    pytest.importorskip("rawpy", reason="raw photographs need rawpy")
    data = picture_files.dng(*mosaic())
    upright = struct.pack("<HHII", 274, 3, 1, 1)
    assert data.count(upright) == 1
    path = tmp_path / "a.dng"
    path.write_bytes(data)
    stored = images.read_photo(path)
    for orientation in range(1, 9):
        path.write_bytes(data.replace(upright, struct.pack("<HHII", 274, 3, 1, orientation)))
        assert images.metadata(path).orientation == orientation
        found = images.read_photo(path)
        back = picture_files.stored(found, None, 2, False, orientation)
        np.testing.assert_array_equal(back, stored)


@pytest.mark.parametrize("name", ["a.dng", "a.tif"])
def test_raw_files_without_rawpy_are_refused_with_a_way_out(tmp_path, name, monkeypatch):
    monkeypatch.setitem(sys.modules, "rawpy", None)
    (tmp_path / name).write_bytes(picture_files.dng(*mosaic()))
    with pytest.raises(ValueError, match=rf"{name} is a raw file.*16-bit TIFF.*--response linear"):
        images.read_photo(tmp_path / name)
