"""JPEGs with a gain map, and AVIF: written here and read by others, and the other way round."""

import io
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys

import imagecodecs
import numpy as np
import picture_files
import pytest
from PIL import Image

from hdr_jax import images
from hdr_jax.errors import InputError
from hdr_jax.images import _gain_map, _gain_map_xmp, _jpeg, _screens, _ultra_hdr
from hdr_jax.images._gain_map import GainMap
from hdr_jax.images._primaries import SPACES, converted, linear

SIDES = (48, 80)


def light():
    """Radiance [48, 80, 3]: coloured greys, a white square and a highlight 4 x as bright."""
    y, x = np.mgrid[: SIDES[0], : SIDES[1]] / np.array(SIDES)[:, None, None]
    radiance = 0.18 * np.stack([1 + x, np.ones_like(x), 1 + y], -1)
    radiance[4:20, 4:30] = 1
    radiance[24:44, 40:70] = 4
    return radiance.astype(np.float32)


def shown(radiance):
    """An ordinary picture of a radiance map, uint8."""
    v = np.clip(radiance / (1 + radiance / 2), 0, 1)
    return np.rint(255 * np.where(v < 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055)).astype(
        np.uint8
    )


def phone_jpeg(radiance=None, gamut=0):
    """A JPEG with a gain map as libultrahdr writes it."""
    radiance = light() if radiance is None else radiance
    half = np.concatenate([radiance, np.ones_like(radiance[..., :1])], -1).astype(np.float16)
    return imagecodecs.ultrahdr_encode(half, 95, gamut=gamut)


def by_libultrahdr(path):
    """All of the gain map applied, by libultrahdr."""
    return imagecodecs.ultrahdr_decode(path.read_bytes())[..., :3].astype(np.float32)


def stops_apart(first, second):
    """Distance in stops, with the offset that the format adds to dark values."""
    return np.abs(np.log2((first + 1 / 64) / (second + 1 / 64)))


@pytest.fixture
def written(tmp_path):
    """A JPEG with a gain map as this package writes it."""
    path = tmp_path / "own.jpg"
    images.write_ultra_hdr(path, shown(light()), light(), comment="a test")
    return path


def test_a_phones_highlights_are_right_to_2_percent(tmp_path):
    path = tmp_path / "phone.jpg"
    path.write_bytes(phone_jpeg())
    radiance = images.read_hdr(path)
    assert radiance.dtype == np.float32 and radiance.shape == (*SIDES, 3)
    ratio = radiance[28:40, 44:66].mean((0, 1)) / radiance[8:16, 8:26].mean((0, 1))
    np.testing.assert_allclose(ratio, 4, rtol=0.02)
    assert stops_apart(radiance, by_libultrahdr(path)).max() < 0.03
    assert images.is_radiance_map(path)


def test_primaries_of_the_ordinary_picture(tmp_path):
    """Display P3 and Rec. 2020 are told by the ICC profile alone."""
    for gamut, name in ((1, "Display P3"), (2, "Rec. 2020")):
        path = tmp_path / "wide.jpg"
        path.write_bytes(phone_jpeg(converted(light(), SPACES["sRGB"], SPACES[name]), gamut))
        assert np.median(stops_apart(images.read_hdr(path), light())) < 0.02, name


def test_round_trip_and_libultrahdr_agree(written):
    read = images.read_hdr(written)
    found = _ultra_hdr.find(written.read_bytes())
    step = (found.gain_map.high[0] - found.gain_map.low[0]) / 255
    error = stops_apart(read, light())
    # Half a step by rounding; JPEG (quality 95) quantises the gains once more.
    assert np.median(error) < step and np.quantile(error, 0.99) < 5 * step
    assert stops_apart(by_libultrahdr(written), read).max() < 0.03
    assert found.gain_map.headroom == pytest.approx(2, abs=1e-4)


def test_light_above_the_peak_is_clipped(tmp_path):
    path = tmp_path / "a.jpg"
    images.write_ultra_hdr(path, shown(light()), light(), peak=1)
    read = images.read_hdr(path)
    np.testing.assert_allclose(read[30:40, 46:64], 2, rtol=0.03)
    np.testing.assert_allclose(read[8:16, 8:26], 1, rtol=0.03)


def test_it_stays_an_ordinary_picture_for_merging(written, tmp_path):
    photo = images.read_photo(written)
    assert photo.dtype == np.uint8
    assert np.abs(photo.astype(int) - shown(light())).mean() < 2
    (tmp_path / "phone.jpg").write_bytes(phone_jpeg())
    # A result is no photograph of a bracket; a phone's picture is.
    assert [path.name for path in images.find_photos(tmp_path)] == ["phone.jpg"]


def p3_profile():
    """The profile of Display P3 that libultrahdr writes."""
    with Image.open(io.BytesIO(phone_jpeg(gamut=1))) as picture:
        return picture.info["icc_profile"]


def photograph(path, orientation=1, **options):
    """A JPEG photograph with clipped pixels, EXIF, a comment and XMP."""
    exif = Image.Exif()
    exif[0x0112], exif[0x829A] = orientation, 0.5
    packet = _gain_map_xmp._packet('<rdf:Description xmlns:a="b" a:kept="yes"/>')
    Image.fromarray(shown(light())).save(path, exif=exif, quality=80, xmp=packet, **options)


@pytest.mark.parametrize("orientation", [1, 3, 5, 6, 8])
@pytest.mark.parametrize("kind", ["plain", "progressive", "P3"])
def test_the_photograph_stays_itself(tmp_path, orientation, kind):
    options = {"progressive": {"progressive": True}, "P3": {"icc_profile": p3_profile()}}
    photo, path = tmp_path / "photo.jpg", tmp_path / "photo_hdr.jpg"
    photograph(photo, orientation, **options.get(kind, {}))
    upright = images.read_photo(photo)
    stops = np.where(upright == 255, 1.5, 0).astype(np.float32)
    assert images.write_brightened(path, photo, stops) is True
    np.testing.assert_array_equal(images.read_photo(path), upright)
    old = next(_jpeg.pictures(photo.read_bytes()))
    assert path.read_bytes().count(old.data[old.data.index(b"\xff\xdb") :]) == 1
    before, after = images.metadata(photo), images.metadata(path)
    assert after == before._replace(software="hdr_jax")
    with Image.open(path) as picture:
        assert b'a:kept="yes"' in picture.info["xmp"]
        listed = picture._getmp()[0xB002]  # Multi-Picture Format, as Pillow reads it
        place = picture.info["mpoffset"] + listed[1]["DataOffset"]
    assert [entry["Size"] for entry in listed] == [place, len(path.read_bytes()) - place]
    assert path.read_bytes()[place:].startswith(b"\xff\xd8\xff")
    space = SPACES["Display P3" if kind == "P3" else "sRGB"]
    expected = converted(linear(upright, "sRGB") * 2**stops, space, SPACES["sRGB"])
    error = stops_apart(images.read_hdr(path), expected)
    assert np.median(error) < 1e-4 and np.quantile(error, 0.95) < 0.05


def test_a_photograph_of_another_curve_is_converted(tmp_path):
    """Screens and readers of gain maps take the curve of sRGB for granted."""
    profile = picture_files.matrix_profile(picture_files.SRGB_D50, 1.8)
    photograph(tmp_path / "photo.jpg", icc_profile=profile)
    stops = np.zeros((*SIDES, 3), np.float32)
    assert images.write_brightened(tmp_path / "a.jpg", tmp_path / "photo.jpg", stops) is False
    expected = (images.read_photo(tmp_path / "photo.jpg") / 255) ** 1.8
    error = np.abs(images.read_hdr(tmp_path / "a.jpg") - expected)
    assert np.quantile(error, 0.95) < 0.02  # compressed once more
    # What an editor made of such a picture itself is read with a warning.
    with_profile = (tmp_path / "a.jpg").read_bytes()
    segment = b"ICC_PROFILE\0\1\1" + profile
    segment = b"\xff\xe2" + struct.pack(">H", len(segment) + 2) + segment
    (tmp_path / "b.jpg").write_bytes(with_profile[:2] + segment + with_profile[2:])
    with pytest.warns(UserWarning, match="another curve than sRGB's"):
        images.read_hdr(tmp_path / "b.jpg")


def test_an_orientation_in_xmp_alone_is_not_lost(tmp_path):
    levels = shown(light())
    told = '<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
    packet = _gain_map_xmp._packet(told)
    Image.fromarray(levels).save(tmp_path / "photo.jpg", quality=95, xmp=packet)
    upright = images.read_photo(tmp_path / "photo.jpg")
    assert upright.shape == (SIDES[1], SIDES[0], 3)
    stops = np.zeros(upright.shape, np.float32)
    assert images.write_brightened(tmp_path / "a.jpg", tmp_path / "photo.jpg", stops) is False
    assert images.read_photo(tmp_path / "a.jpg").shape == upright.shape


def test_a_gray_ordinary_picture_is_read(tmp_path, written):
    found = _ultra_hdr.find(written.read_bytes())
    gray = io.BytesIO()
    Image.fromarray(shown(light())[..., 1]).save(gray, "JPEG", quality=95)
    picture = next(_jpeg.pictures(gray.getvalue()))
    path = tmp_path / "gray.jpg"
    path.write_bytes(_screens._container(picture, found.gains.data, found.gain_map, "gray"))
    assert images.read_hdr(path).shape == (*SIDES, 3)


def test_no_gain_leaves_the_light_as_it_is(tmp_path):
    photograph(tmp_path / "photo.jpg")
    images.write_brightened(
        tmp_path / "a.jpg", tmp_path / "photo.jpg", np.zeros((*SIDES, 3), np.float32)
    )
    expected = linear(images.read_photo(tmp_path / "photo.jpg"), "sRGB")
    np.testing.assert_allclose(images.read_hdr(tmp_path / "a.jpg"), expected, atol=1e-5)


def test_a_phones_gain_map_is_replaced(tmp_path):
    phone, path = tmp_path / "phone.jpg", tmp_path / "new.jpg"
    phone.write_bytes(phone_jpeg())
    stops = np.full((*SIDES, 3), 1, np.float32)
    assert images.write_brightened(path, phone, stops)
    base, *others = _jpeg.pictures(path.read_bytes())
    assert len(others) == 1 and len(base.payloads(_jpeg.APP2, _jpeg.MULTI_PICTURE)) == 1
    ratio = by_libultrahdr(path) / linear(images.read_photo(phone), "sRGB")
    np.testing.assert_allclose(ratio[8:16, 8:26], 2, rtol=0.02)


def test_xmp_that_leaves_no_room_is_replaced(tmp_path):
    packet = _gain_map_xmp._packet(f'<rdf:Description xmlns:a="b" a:long="{"x" * 64000}"/>')
    Image.fromarray(shown(light())).save(tmp_path / "photo.jpg", xmp=packet)
    stops = np.ones((*SIDES, 3), np.float32)
    assert images.write_brightened(tmp_path / "a.jpg", tmp_path / "photo.jpg", stops)
    with Image.open(tmp_path / "a.jpg") as picture:
        assert len(picture.info["xmp"]) < 2000 and b"GainMap" in picture.info["xmp"]


def test_photographs_of_other_kinds_are_compressed_anew(tmp_path):
    levels = shown(light())
    images.write(tmp_path / "deep.png", levels.astype(np.uint16) * 257)
    Image.fromarray(levels[..., 0]).save(tmp_path / "gray.jpg")
    stops = np.full((*SIDES, 3), 0.5, np.float32)
    for name in ("deep.png", "gray.jpg"):
        assert images.write_brightened(tmp_path / "a.jpg", tmp_path / name, stops) is False
        base = images.read_photo(tmp_path / "a.jpg").astype(int)
        assert np.abs(base - images.read_photo(tmp_path / name) // (257 if "deep" in name else 1)
                      ).mean() < 1.5  # fmt: skip
        assert images.is_radiance_map(tmp_path / "a.jpg")


def with_metadata(written, segments):
    """The same file with other metadata of its gain map."""
    base, gains = _jpeg.pictures(written.read_bytes())
    kept = _jpeg.with_segments(gains, segments, lambda marker, _: marker in (0xE1, 0xE2))
    written.write_bytes(base.data + kept)
    return images.read_hdr(written)


SEQUENCES = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description
 xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" hdrgm:HDRCapacityMax="3"
 hdrgm:OffsetSDR="0.02" hdrgm:OffsetHDR="0.01"><hdrgm:GainMapMax><rdf:Seq><rdf:li>1</rdf:li>
 <rdf:li>2</rdf:li><rdf:li>3</rdf:li></rdf:Seq></hdrgm:GainMapMax><hdrgm:Gamma><rdf:Seq>
 <rdf:li>1</rdf:li><rdf:li>1.5</rdf:li><rdf:li>0.5</rdf:li></rdf:Seq></hdrgm:Gamma>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


def test_three_channels_by_xmp_and_by_iso(written):
    """Unequal numbers for the channels, against the formula written out."""
    base, gains = (picture.data for picture in _jpeg.pictures(written.read_bytes()))
    values = np.asarray(Image.open(io.BytesIO(gains), formats=["JPEG"])) / 255
    sdr = linear(np.asarray(Image.open(io.BytesIO(base))), "sRGB").astype(float)
    stops = np.array([1, 2, 3]) * values ** (1 / np.array([1, 1.5, 0.5]))
    expected = (sdr + 0.02) * 2**stops - 0.01
    xmp = with_metadata(written, [(_jpeg.APP1, _jpeg.XMP + SEQUENCES.encode())])
    np.testing.assert_allclose(xmp, expected.clip(0), rtol=1e-4, atol=1e-6)
    numbers = [(0, 1)] * 1 + [(3, 1)]
    for high, gamma in zip((1, 2, 3), ((1, 1), (3, 2), (1, 2)), strict=True):
        numbers += [(0, 1), (high, 1), gamma, (1, 50), (1, 100)]
    blob = struct.pack(">HHB", 0, 0, 0xC0) + b"".join(struct.pack(">II", *x) for x in numbers)
    iso = with_metadata(written, [(_jpeg.APP2, _gain_map.ISO + blob)])
    np.testing.assert_allclose(iso, xmp, rtol=1e-5, atol=1e-6)


def test_xmp_alone_says_the_same(written):
    gain_map = _ultra_hdr.find(written.read_bytes()).gain_map
    before = images.read_hdr(written)
    after = with_metadata(written, [(_jpeg.APP1, _jpeg.XMP + _gain_map_xmp.to_xmp(gain_map))])
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5)


def test_smaller_gain_maps_of_one_channel(written):
    """As phones store them: half the size, gray."""
    base, gains = _jpeg.pictures(written.read_bytes())
    before = images.read_hdr(written)
    small = Image.open(io.BytesIO(gains.data), formats=["JPEG"]).convert("L").resize((40, 24))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=95)
    (picture,) = _jpeg.pictures(buffer.getvalue())
    blob = gains.payloads(_jpeg.APP2, _gain_map.ISO)[0]
    kept = _jpeg.with_segments(picture, [(_jpeg.APP2, _gain_map.ISO + blob)], lambda *_: False)
    written.write_bytes(base.data + kept)
    after = images.read_hdr(written)
    np.testing.assert_allclose(after[30:38, 46:64], before[30:38, 46:64], rtol=0.05)
    # libultrahdr puts the map's pixels at corners of the picture's, half of one aside.
    apart = stops_apart(after, by_libultrahdr(written))
    assert (
        np.median(apart) < 0.01 and max(apart[29:39, 45:65].max(), apart[8:16, 8:26].max()) < 0.03
    )


def test_what_lies_between_and_behind_is_passed_over(written):
    """Motion photographs end in a video, in which anything may stand."""
    base, gains = (picture.data for picture in _jpeg.pictures(written.read_bytes()))
    before = images.read_hdr(written)
    noise = b"\xff\xd8\xff\x12" + bytes(range(256))
    written.write_bytes(base + noise + gains + noise)
    np.testing.assert_array_equal(images.read_hdr(written), before)


BAD = {
    "newer": ("version 1", struct.pack(">HHB", 1, 1, 0) + bytes(56)),
    "cut": ("cannot be read", struct.pack(">HHB", 0, 0, 0) + bytes(5)),
    "zero": ("divide by zero", struct.pack(">HHB", 0, 0, 0) + bytes(56)),
    "huge": ("make no sense", _gain_map.to_iso(_gain_map.plain(0, 90, 90))),
    "backward": ("leads to the ordinary one", b"\0\0\0\0\x04" + _gain_map.to_iso(
        _gain_map.plain(0, 1, 1))[5:]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_metadata_that_make_no_sense(written, case):
    message, blob = BAD[case]
    with pytest.raises(InputError, match=message):
        with_metadata(written, [(_jpeg.APP2, _gain_map.ISO + blob)])
    if message != "leads to the ordinary one" and "version" not in message:
        assert images.is_radiance_map(written)


@pytest.mark.parametrize("text", ["<", "<!DOCTYPE a [<!ENTITY b 'c'>]>", '<a hdrgm="1"', "\xff"])
def test_damaged_xmp(written, text):
    packet = SEQUENCES.replace("<x:xmpmeta", text + "<x:xmpmeta", 1).encode()
    with pytest.raises(InputError, match="cannot be read"):
        with_metadata(written, [(_jpeg.APP1, _jpeg.XMP + packet)])
    assert images.is_radiance_map(written)


def test_what_has_no_gain_map_is_refused(tmp_path):
    photograph(tmp_path / "photo.jpg")
    assert not images.is_radiance_map(tmp_path / "photo.jpg")
    with pytest.raises(InputError, match="a JPEG without a gain map"):
        images.read_hdr(tmp_path / "photo.jpg")
    images.write(tmp_path / "photo.png", shown(light()))
    with pytest.raises(InputError, match="or a JPEG with a gain map"):
        images.read_hdr(tmp_path / "photo.png")


@pytest.mark.parametrize("which", [0, 1])
def test_sizes_beyond_all_bounds_are_refused_before_memory_is_asked_for(written, which):
    parts = [bytearray(picture.data) for picture in _jpeg.pictures(written.read_bytes())]
    frame = parts[which].index(b"\xff\xc0")
    parts[which][frame + 5 : frame + 9] = struct.pack(">HH", 65500, 65500)
    written.write_bytes(b"".join(parts))
    with pytest.raises(InputError, match="too large|pixels large"):
        images.read_hdr(written)


def damaged(data, rng):
    """The same bytes, cut or with a few of them changed."""
    if rng.random() < 0.3:
        return data[: rng.randrange(len(data))]
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 6)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def read_damaged(path, data, seeds):
    """How many damaged files were refused; anything else than one clear error is raised."""
    refused = 0
    for seed in seeds:
        path.write_bytes(damaged(data, random.Random(seed)))
        try:
            radiance = images.read_hdr(path)
            assert np.isfinite(radiance).all()
        except InputError as error:
            assert str(path) in str(error)
            refused += 1
    return refused


@pytest.mark.filterwarnings("ignore")
def test_damaged_files(written, tmp_path):
    for data in (written.read_bytes(), phone_jpeg()):
        assert 30 < read_damaged(tmp_path / "damaged.jpg", data, range(120)) < 120


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_many_damaged_files(written, tmp_path):
    for data in (written.read_bytes(), phone_jpeg()):
        assert read_damaged(tmp_path / "damaged.jpg", data, range(1000, 5000)) > 1000


@pytest.mark.parametrize("cut", [1, 2, 60, 900])
def test_gain_maps_cut_short_are_refused(written, cut):
    written.write_bytes(written.read_bytes()[:-cut])
    with pytest.raises(InputError, match="cannot be read"):
        images.read_hdr(written)


@pytest.mark.parametrize(
    ("name", "picture", "radiance", "peak", "message"),
    [
        ("a.png", (4, 4, 3), (4, 4, 3), 4, "ending in .jpg"),
        ("none/a.jpg", (4, 4, 3), (4, 4, 3), 4, "a folder that exists"),
        ("a.jpg", (4, 5, 3), (4, 4, 3), 4, "got a picture of uint8"),
        ("a.jpg", (4, 4, 1), (4, 4, 1), 4, "expected floats"),
        ("a.jpg", (4, 4, 3), (4, 4, 3), 0, "peak of 0 stops"),
        ("a.jpg", (4, 4, 3), (4, 4, 3), 13, "peak of 13 stops"),
    ],
)
def test_write_refuses(tmp_path, name, picture, radiance, peak, message):
    with pytest.raises(InputError, match=message):
        images.write_ultra_hdr(
            tmp_path / name, np.zeros(picture, np.uint8), np.ones(radiance, np.float32), peak=peak
        )
    assert not list(tmp_path.iterdir())


def test_avif_is_pq_of_rec_2020(tmp_path):
    """Decoded by libavif, and its PQ undone by the formula of ST 2084's EOTF."""
    path = tmp_path / "a.avif"
    images.write_avif(path, light(), peak=4)
    data = path.read_bytes()
    colours = data[data.index(b"colrnclx") + 8 :][:6]
    assert struct.unpack(">HHH", colours) == (9, 16, 9)  # primaries, transfer, matrix
    value = (imagecodecs.avif_decode(data) / 1023) ** (32 / 2523)
    ratio = np.maximum(value - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * value)
    nits = 1e4 * ratio ** (16384 / 2610)
    seen = converted((nits / 203).astype(np.float32), SPACES["Rec. 2020"], SPACES["sRGB"])
    error = stops_apart(seen, light())
    assert np.median(error) < 0.01 and np.quantile(error, 0.98) < 0.1


def test_gain_maps_of_the_other_primaries(written):
    """Not `in_base_primaries`: gains apply in the primaries of the map's own profile."""
    base, gains = _jpeg.pictures(written.read_bytes())
    gain_map = GainMap((0,) * 3, (2,) * 3, (1,) * 3, (0,) * 3, (0,) * 3, 2.0)
    blob = bytearray(_gain_map.to_iso(gain_map))
    blob[4] = 0
    profile = b"ICC_PROFILE\0\x01\x01" + p3_profile()
    after = with_metadata(
        written, [(_jpeg.APP2, _gain_map.ISO + bytes(blob)), (_jpeg.APP2, profile)]
    )
    sdr = converted(
        linear(_ultra_hdr.decoded(base.data), "sRGB"),
        SPACES["sRGB"], SPACES["Display P3"],
    )  # fmt: skip
    expected = sdr * 2 ** (2 * _ultra_hdr.decoded(gains.data).astype(np.float32) / 255)
    expected = converted(expected, SPACES["Display P3"], SPACES["sRGB"])
    np.testing.assert_allclose(after, expected, rtol=1e-3, atol=1e-3)


READER = """
import fs from 'fs'; import {readJpegGainMap} from 'hdrify';
import {extractGainmapFromJPEG} from '@monogrid/gainmap-js';
const bytes = fs.readFileSync(process.argv[2]);
const image = readJpegGainMap(bytes);
const {metadata} = await extractGainmapFromJPEG(new Uint8Array(bytes));
console.log(JSON.stringify({width: image.width, height: image.height, metadata,
  data: Array.from(image.data)}));
"""


@pytest.mark.slow
def test_other_programs_read_it(written, tmp_path):
    """hdrify decodes it, gainmap-js finds the gain map and its metadata."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("needs Node and npm")
    folder = tmp_path / "node"
    folder.mkdir()
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "read.js").write_text(READER)
    packages = ["hdrify@1.2.1", "@monogrid/gainmap-js@3.7.3"]
    command = ["npm", "install", "--no-audit", "--no-fund", *packages]
    try:
        installed = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not answer")
    if installed.returncode:
        pytest.skip(f"npm cannot install the readers: {installed.stderr[-200:]}")
    photograph(tmp_path / "photo.jpg")
    stops = np.where(images.read_photo(tmp_path / "photo.jpg") > 250, 1.5, 0).astype(np.float32)
    images.write_brightened(tmp_path / "photo_hdr.jpg", tmp_path / "photo.jpg", stops)
    for path in (written, tmp_path / "photo_hdr.jpg"):
        command = ["node", "read.js", str(path)]
        said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        found = json.loads(said.stdout)
        assert (found["height"], found["width"]) == SIDES
        seen = np.array(found["data"]).reshape(*SIDES, 4)[..., :3]
        error = stops_apart(seen, images.read_hdr(path))
        # It decodes JPEG by another library, which rounds and scales chroma differently.
        assert np.median(error) < 0.02 and np.quantile(error, 0.95) < 0.1
        gain_map = _ultra_hdr.find(path.read_bytes()).gain_map
        assert found["metadata"]["gainMapMax"] == pytest.approx(gain_map.high, abs=1e-5)
        assert found["metadata"]["hdrCapacityMax"] == pytest.approx(gain_map.headroom, abs=1e-5)


@pytest.mark.slow
def test_a_large_picture_needs_little_memory(tmp_path):
    """24 megapixels, written and read: below 2 GB."""
    code = (
        "import numpy as np; from memory import peak_kib; from hdr_jax import images;"
        "r = np.geomspace(0.01, 9, 6000, dtype=np.float32)[None, :, None] * np.ones((4000, 1, 3),"
        " np.float32); p = np.full(r.shape, 90, np.uint8);"
        f"images.write_ultra_hdr({str(tmp_path / 'a.jpg')!r}, p, r);"
        f"s = images.read_hdr({str(tmp_path / 'a.jpg')!r}); assert s.shape == r.shape;"
        "print(peak_kib())"
    )
    root = pathlib.Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", code]
    variables = {**os.environ, "PYTHONPATH": str(root / "tests")}
    said = subprocess.run(
        command, cwd=root, env=variables, capture_output=True, text=True, check=True
    )
    assert int(said.stdout) < 2e6
