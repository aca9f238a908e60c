"""hdr-jax merge on inputs that users have: right by a truth, or refused, or warned of.

One test for each kind, on files made here. `cases.csv` of the reference data has an example of most
kinds; its rows are one parametrised test at the end.
"""

import contextlib
import csv
import functools
import io
import json
import os
import pathlib
import re
import shlex
import shutil
import sys
import unicodedata

import cv2
import numpy as np
import OpenEXR
import picture_files
import pytest
from calling import call
from PIL import Image

from hdr_jax import cli, images
from hdr_jax.cli.merge_exposures import read_log_times
from hdr_jax.cli.report import Report

TIMES = (1 / 250, 1 / 60, 1 / 15)
WORDS = ["--times", "1/250", "1/60", "1/15"]
QUICK = ["--no-preview", "--no-curve", "-o", "out.exr"]
SIZE, PATCH = (64, 96), 8


@pytest.fixture
def scene():
    """Radiance [64, 96, 3] of patches, log-uniform, coloured; 1 clips in a fifteenth second."""
    rng = np.random.default_rng(3)
    shape = (SIZE[0] // PATCH, SIZE[1] // PATCH, 1)
    patches = np.exp2(rng.uniform(-5.5, 3, shape)) * 15 * rng.uniform(0.7, 1.4, (*shape[:2], 3))
    return np.repeat(np.repeat(patches, PATCH, 0), PATCH, 1)


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def srgb(linear):
    """Display-encoded values of linear ones."""
    x = np.clip(linear, 0, 1)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)


def exposures(scene, dtype=np.uint8, times=TIMES):
    """The pictures that an sRGB camera takes."""
    top = np.iinfo(dtype).max
    return [np.rint(srgb(scene * time) * top).astype(dtype) for time in times]


def error_in_stops(radiance, scene, times=TIMES, shown=(1, 1, 1)):
    """RMS of log2(map / scene) where an exposure shows it well, each channel's median removed."""
    values = [srgb(scene * time) * mask for time, mask in zip(times, shown, strict=True)]
    well = np.any([(value > 0.02) & (value < 0.9) for value in values], axis=0)
    q = np.where(well, np.log2(radiance / scene), np.nan)
    return float(np.sqrt(np.nanmean((q - np.nanmedian(q, (0, 1))) ** 2)))


def merge(*arguments, options=QUICK):
    """(exit code, standard output, standard error) of hdr-jax merge."""
    said, warned = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(warned):
        code = call("merge", *arguments, *options)
    return code, said.getvalue(), warned.getvalue()


def merged(*arguments):
    """The map that is merged without a warning."""
    code, _, warned = merge(*arguments)
    assert code == 0 and not warned, warned
    return images.read_hdr("out.exr")


def write_all(pictures, suffix, encode):
    """Files 0, 1, 2 of pictures."""
    paths = [pathlib.Path(f"{k}.{suffix}") for k in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        path.write_bytes(encode(picture))
    return paths


def save_jpegs(pictures, tags, names=None, **options):
    """JPEGs with EXIF data."""
    names = names or [f"{k}.jpg" for k in range(len(pictures))]
    for name, picture, exif in zip(names, pictures, tags, strict=True):
        block = b"Exif\0\0" + picture_files.exif_block(**exif)
        Image.fromarray(picture).save(
            name, exif=block, **{"quality": 97, "subsampling": 0, **options}
        )
    return names


@pytest.mark.parametrize("orientation", [3, 6, 8])
@pytest.mark.parametrize("planar", [1, 2])
def test_deep_tiffs_are_upright_whatever_their_layout(scene, orientation, planar):
    paths = write_all(
        exposures(scene, np.uint16),
        "tif",
        lambda x: picture_files.tiff(x, orientation=orientation, planar=planar, compression=8),
    )
    radiance = merged(*paths, *WORDS)
    assert radiance.shape == scene.shape
    assert error_in_stops(radiance, scene) < 0.05


@pytest.mark.parametrize("hidden", [0, 1, np.nan])
def test_what_no_exposure_shows_decides_nothing(scene, hidden):
    """Neither the stops, nor the tones of the preview, nor the white of a picture for screens."""
    options = ["--no-curve", "--response", "srgb", *WORDS]
    pictures = [srgb(scene * time).astype(np.float32) for time in TIMES]
    known = write_all([picture[16:] for picture in pictures], "tif", picture_files.tiff)
    found = []
    for suffix in ("exr", "jpg"):
        assert merge(*known, options=[*options, "-o", f"known.{suffix}"])[0] == 0
    for picture in pictures:
        picture[:16] = hidden
    alpha = np.ones(SIZE, np.float32)
    alpha[:16] = np.isnan(hidden)
    encode = functools.partial(picture_files.tiff, alpha=alpha)
    paths = write_all(pictures, "tif", encode)
    for suffix in ("exr", "jpg"):
        code, said, warned = merge(*paths, "--json", options=[*options, "-o", f"all.{suffix}"])
        assert code == 0 and "1536 pixels (25.00%) hold data in no exposure" in warned
        found.append(json.loads(said)["results"][0])
    radiance = images.read_hdr("all.exr")
    assert (radiance[:16] == 0).all()
    np.testing.assert_allclose(radiance[16:], images.read_hdr("known.exr"), rtol=1e-5)
    expected = images.information("known.exr").stops
    assert [one["stops"] for one in found] == pytest.approx([expected] * 2, abs=1e-3)
    for name in ("_preview", ""):
        first, second = (images.read_photo(f"{stem}{name}.jpg") for stem in ("all", "known"))
        assert np.abs(first[24:].astype(int) - second[8:]).max() <= 2


def test_white_far_below_the_largest_level_is_told_of():
    """Levels of 14 bits stored in 16 as they are: white counts as data."""
    rng = np.random.default_rng(0)
    light = np.exp(cv2.GaussianBlur(rng.normal(0, 14, (*SIZE, 3)), (0, 0), 6))
    for bits, warns in ((14, True), (16, False)):
        for k, time in enumerate((0.125, 0.5, 2)):
            levels = (2**bits - 1) * np.clip(light * time, 0, 1)
            images.write(f"{k}.tif", np.rint(levels).astype(np.uint16))
        words = ["0.tif", "1.tif", "2.tif", "--times", "1/8", "1/2", "2", "--response", "linear"]
        code, _, warned = merge(*words)
        assert code == 0 and ("level 16383 of 65535" in warned) == warns, warned


def test_white_at_zero(scene):
    gray = np.repeat(scene[..., 1:2], 3, 2)
    paths = write_all(
        exposures(gray, np.uint16),
        "tif",
        lambda x: picture_files.tiff(x[..., :1], photometric=0),
    )
    assert error_in_stops(merged(*paths, *WORDS), gray) < 0.05


def test_float_tiffs(scene):
    pictures = [srgb(scene * time).astype(np.float32) for time in TIMES]
    paths = write_all(pictures, "tif", picture_files.tiff)
    assert error_in_stops(merged(*paths, *WORDS), scene) < 0.05
    paths = write_all([x * 9 for x in pictures], "tif", picture_files.tiff)
    code, _, said = merge(*paths, *WORDS)
    assert code == 2 and "0.tif holds float pixels from" in said and "undamaged" not in said


def holed(pictures, share):
    """Pictures with opacities: the second lacks the left, the third the right."""
    top, width = np.iinfo(pictures[0].dtype).max, int(share * SIZE[1])
    alphas = [np.full(SIZE, top, pictures[0].dtype) for _ in pictures]
    alphas[1][:, :width] = 0
    alphas[2][:, -width:] = 0
    return [(x * (a > 0)[..., None], a) for x, a in zip(pictures, alphas, strict=True)]


@pytest.mark.parametrize("share", [0.1, 0.25])
@pytest.mark.parametrize("options", [[], ["--response", "srgb"], ["--align", "--deghost"]])
def test_transparent_pixels_have_no_weight(scene, share, options):
    paths = [pathlib.Path(f"{k}.png") for k in range(3)]
    for path, (picture, alpha) in zip(paths, holed(exposures(scene), share), strict=True):
        path.write_bytes(picture_files.png(picture, alpha=alpha))
    code, said, _ = merge(*paths, *WORDS, *options)
    assert code == 0 and f"1.png: {int(share * 96) / 96:.1%} transparent" in said
    assert error_in_stops(images.read_hdr("out.exr"), scene) < 0.05


def test_associated_opacity_and_soft_edges(scene):
    paths = [pathlib.Path(f"{k}.tif") for k in range(3)]
    for path, (picture, alpha) in zip(paths, holed(exposures(scene, np.uint16), 0.2), strict=True):
        soft = cv2.blur(alpha, (5, 5))
        path.write_bytes(picture_files.tiff(picture, alpha=soft, associated=True))
    assert error_in_stops(merged(*paths, *WORDS), scene) < 0.05


@pytest.mark.parametrize("turned", [(1,), (2,), (0, 2), (0,)])
def test_black_wedges_do_no_harm(scene, turned):
    """Pictures that were turned and put upright again lack corners, which are black."""
    pictures, shown = exposures(scene), [np.ones((*SIZE, 1))] * 3
    for k, angle in zip(turned, (8, -11), strict=False):
        matrix = cv2.getRotationMatrix2D((SIZE[1] / 2, SIZE[0] / 2), angle, 1)
        wedge = cv2.warpAffine(np.ones(SIZE), matrix, SIZE[::-1])[..., None]
        pictures[k] = np.rint(pictures[k] * wedge).astype(np.uint8)
        shown[k] = wedge == 1
    paths = write_all(pictures, "png", picture_files.png)
    radiance = merged(*paths, *WORDS, "--response", "srgb")
    assert error_in_stops(radiance, scene, shown=shown) < 0.05


@pytest.mark.parametrize(("usual", "other"), [(1, 3), (1, 6), (1, 2), (8, 1), (6, 8)])
def test_one_picture_with_another_orientation_tag(scene, usual, other):
    pictures = [np.ascontiguousarray(picture_files.STORED[usual](x)) for x in exposures(scene)]
    tags = [{"time": (10, round(10 / t)), "orientation": usual} for t in TIMES]
    tags[2]["orientation"] = other
    save_jpegs(pictures, tags)
    code, _, said = merge("0.jpg", "1.jpg", "2.jpg")
    assert code == 0 and f"2.jpg has orientation {other}" in said and f"{usual} is used" in said
    assert error_in_stops(images.read_hdr("out.exr"), scene) < 0.05


def test_one_picture_stored_in_another_way_and_tagged_so(scene):
    pictures = exposures(scene)
    for orientation in (3, 6):
        stored = np.ascontiguousarray(picture_files.STORED[orientation](pictures[1]))
        tags = [{"time": (10, round(10 / t)), "orientation": 1} for t in TIMES]
        tags[1]["orientation"] = orientation
        save_jpegs([pictures[0], stored, pictures[2]], tags)
        assert error_in_stops(merged("0.jpg", "1.jpg", "2.jpg"), scene) < 0.05


def test_orientations_that_nothing_explains_are_refused(scene):
    pictures = exposures(scene)
    pictures[1] = np.random.default_rng(9).integers(0, 256, pictures[1].shape).astype(np.uint8)
    tags = [{"time": (10, round(10 / t)), "orientation": 1} for t in TIMES]
    tags[1]["orientation"] = 3
    save_jpegs(pictures, tags)
    code, _, said = merge("0.jpg", "1.jpg", "2.jpg")
    assert code == 2 and "1.jpg has orientation 3" in said and not list(pathlib.Path().glob("out*"))


def bayer(scene, time):
    """What a linear sensor records of the scene, RGGB, 16 bits."""
    levels = np.rint(np.clip(scene * time, 0, 1) * 65535).astype(np.uint16)
    mosaic = levels[..., 1].copy()
    mosaic[::2, ::2], mosaic[1::2, 1::2] = levels[::2, ::2, 0], levels[1::2, 1::2, 2]
    return mosaic


@pytest.mark.parametrize("suffix", ["dng", "tif"])
def test_raw_files_are_merged_as_linear(scene, suffix, monkeypatch):
    pytest.importorskip("rawpy", reason="raw photographs need rawpy")
    smooth = cv2.GaussianBlur(np.repeat(scene[..., 1:2], 3, 2), (0, 0), 6)
    pathlib.Path("raws").mkdir()
    for k, time in enumerate(TIMES):
        thumbnail = np.full((8, 12, 3), 40 * k + 9)
        exif = picture_files.exif_tags(time=(10, round(10 / time)), iso=100)
        data = picture_files.dng(bayer(smooth, time), thumbnail, exif)
        pathlib.Path(f"raws/{k}.{suffix}").write_bytes(data)
    radiance = merged("raws")
    assert radiance.shape == scene.shape
    inner = np.s_[6:-6, 6:-6]
    linear = np.log2(radiance / smooth)[inner]
    assert np.std(linear[(smooth * TIMES[2])[inner] > 0.02]) < 0.05
    monkeypatch.setitem(sys.modules, "rawpy", None)
    code, _, said = merge("raws")
    assert code == 2 and f"0.{suffix} is a raw file" in said and "--response linear" in said


def test_raw_and_other_files_have_no_common_response(scene):
    pytest.importorskip("rawpy", reason="raw photographs need rawpy")
    for k, time in enumerate(TIMES):
        data = picture_files.dng(bayer(scene, time), np.full((8, 12, 3), 9))
        pathlib.Path(f"{k}.dng").write_bytes(data)
    images.write("2.tif", images.read_photo("2.dng"))
    for names in (("0.dng", "1.dng", "2.tif"), ("2.tif", "1.dng", "0.dng")):
        code, _, said = merge(*names, "--times", "1", "2", "4")
        assert code == 2 and re.search(r"[01].dng is a raw file and 2.tif is not", said)
    assert not list(pathlib.Path().glob("out*"))


@pytest.mark.parametrize(
    ("times", "word"),
    [(("30", "30.05", "30.1"), "nearly equal"), (("1", "1", "1"), "all exposure times are equal")],
)
def test_times_that_tell_nothing(scene, times, word):
    write_all(exposures(scene), "png", picture_files.png)
    code, _, said = merge("0.png", "1.png", "2.png", "--times", *times)
    assert code == 2 and word in said and not pathlib.Path("out.exr").exists()
    code, _, said = merge("0.png", "1.png", "2.png", "--ev", "0,0.03,0.06")
    assert code == 2 and "nearly equal" in said


@pytest.mark.parametrize("bracket", ["iso", "f_number", "both"])
def test_brackets_by_sensitivity_or_aperture(scene, bracket):
    # Time x ISO / f-number^2 relative to ISO 100 and f/8 is 1/250, 1/60, 1/15 in each row.
    rows = {
        "iso": [((1, 250), 100, 8), ((1, 250), 417, 8), ((1, 250), 1667, 8)],
        "f_number": [((1, 250), 100, 8), ((1, 250), 100, 3.919), ((1, 60), 100, 4)],
        "both": [((1, 250), 100, 8), ((1, 125), 417, 11.314), ((1, 60), 200, 5.657)],
    }[bracket]
    rows = [(time, iso, (round(1000 * n), 1000)) for time, iso, n in rows]
    tags = [dict(zip(("time", "iso", "f_number"), row, strict=True)) for row in rows]
    light = np.array([t[0] / t[1] * i / (n[0] / n[1]) ** 2 for t, i, n in rows])
    exposure = light / light[0] / 250
    save_jpegs(exposures(scene, times=exposure), tags)
    code, _, said = merge("0.jpg", "1.jpg", "2.jpg")
    assert code == 0 and "differ in" in said and "--times" in said
    first = 0.004 if bracket != "both" else 0.008  # relative to f/11.314
    assert f"relative to the lowest of them {first} {first * exposure[1] * 250:.4g} " in said
    assert error_in_stops(images.read_hdr("out.exr"), scene, exposure) < 0.06
    wrong = merge("0.jpg", "1.jpg", "2.jpg", *WORDS)
    assert wrong[0] == 0 and "differ in" not in wrong[2]  # given times win


def test_sensitivities_of_some_pictures_are_not_used(scene):
    tags = [{"time": (10, round(10 / t)), "iso": 100 * 2**k} for k, t in enumerate(TIMES)]
    del tags[1]["iso"]
    save_jpegs(exposures(scene), tags)
    code, _, said = merge("0.jpg", "1.jpg", "2.jpg")
    assert code == 0 and "some do not tell theirs" in said and "--times" in said
    assert error_in_stops(images.read_hdr("out.exr"), scene) < 0.05


def test_times_by_shutter_speed_value(scene):
    shutter = [(round(1000 * -np.log2(time)), 1000) for time in TIMES]
    save_jpegs(exposures(scene), [{"time": (0, 0), "shutter": value} for value in shutter])
    assert error_in_stops(merged("0.jpg", "1.jpg", "2.jpg"), scene) < 0.05


@pytest.mark.parametrize("cast", [(1, 1, 1), (1, 0.8, 0.6)])
def test_a_sun_that_clips_everywhere_is_neutral(scene, cast):
    rng = np.random.default_rng(0)
    scene = scene * 0.2
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    sun = (y - 20) ** 2 + (x - 48) ** 2 < 12**2
    scene[sun] = 2000 * np.array(cast)
    pictures = [
        np.rint((picture + rng.normal(0, 0.7, picture.shape)).clip(0, 255)).astype(np.uint8)
        for picture in exposures(scene)
    ]
    tags = [{"time": (10, round(10 / t))} for t in TIMES]
    save_jpegs(pictures, tags, quality=90, subsampling=2)
    inner = (y - 20) ** 2 + (x - 48) ** 2 < 9**2  # without the seam that JPEG makes
    for options in ([], ["--response", "srgb"]):
        radiance = merged("0.jpg", "1.jpg", "2.jpg", *options)
        shown = srgb(scene / 15)
        well = np.where((shown > 0.05) & (shown < 0.9), radiance / scene, np.nan)
        light = radiance / np.nanmedian(well, (0, 1))
        assert np.median(np.log2(light[sun].max(1) / light[sun].min(1))) < 0.1
        # What clips in a 250th second is brighter than that; the end of a curve is known less.
        assert light[inner].min() > (0.85 if options else 0.5) * 250


def test_a_list_that_begins_with_a_minus(scene):
    paths = write_all(exposures(scene), "png", picture_files.png)
    maps = []
    for ev in (["--ev", "-2,0,2"], ["--ev=-2,0,2"], ["--ev", "-2", "0", "2"]):
        assert merge(*paths, *ev)[0] == 0
        maps.append(images.read_hdr("out.exr"))
    np.testing.assert_array_equal(maps[0], maps[1])
    np.testing.assert_array_equal(maps[0], maps[2])


@pytest.mark.parametrize("ev", ["-4/3 0 4/3", "-4/3,0,+4/3", "-4/3, 0, 4/3"])
def test_stops_may_be_fractions(ev):
    words = [ev] if "," in ev else ev.split()
    args = cli.parsed(["merge", "a", "b", "c", "--ev", *words])
    found = read_log_times([pathlib.Path("a")] * 3, args, Report(False, "merge"))
    np.testing.assert_allclose(found / np.log(2), (-4 / 3, 0, 4 / 3), rtol=1e-6)


def test_pictures_after_the_times_get_a_hint(scene):
    paths = write_all(exposures(scene), "png", picture_files.png)
    code, _, said = merge(*WORDS, *paths)
    assert code == 2 and "the pictures go first" in said
    code, _, said = merge(paths[0], *WORDS, *paths[1:])
    assert code == 2 and "the pictures go first" in said


def test_a_folder_merged_twice(scene, monkeypatch):
    """What the first run wrote, hidden files and notes are no photographs."""
    pathlib.Path("shots").mkdir()
    monkeypatch.chdir("shots")
    save_jpegs(exposures(scene), [{"time": (10, round(10 / t))} for t in TIMES])
    pathlib.Path("._0.jpg").write_bytes(b"\0\5\x16\7 of a Mac")
    pathlib.Path("notes.txt").write_text("three shots")
    for options in ([], ["--preview", "look.png"], ["--preview", "look.tif", "-o", "b.hdr"], []):
        code, said, warned = merge(".", options=options)
        assert code == 0 and "3 photographs" in said, warned


def test_photographs_that_others_made_are_not_passed_over(scene):
    images.write("a_preview.png", exposures(scene)[0])
    images.write("result.png", exposures(scene)[0], comment="tone-mapped")
    assert [path.name for path in images.find_photos(".")] == ["a_preview.png"]


def test_raw_files_beside_jpegs_are_left_alone(scene):
    save_jpegs(exposures(scene), [{"time": (10, round(10 / t))} for t in TIMES])
    pathlib.Path("0.nef").write_bytes(b"II*\0")
    assert [path.suffix for path in images.find_photos(".")] == [".jpg"] * 3


def test_a_picture_twice(scene):
    write_all(exposures(scene), "png", picture_files.png)
    rows = "file,exposure_time_s\n0.png,1/250\n1.png,1/60\n./1.png,1/15\n"
    pathlib.Path("exposures.csv").write_text(rows)
    code, _, said = merge(".")
    assert code == 2 and "names 1.png twice" in said and not pathlib.Path("out.exr").exists()
    code, _, said = merge("0.png", "1.png", "./1.png", *WORDS)
    assert code == 2 and "1.png" in said and "twice" in said


@pytest.mark.parametrize("stored", ["NFC", "NFD"])
def test_accents_composed_or_not(scene, stored):
    pathlib.Path("shots").mkdir()
    names = [unicodedata.normalize(stored, f"été{k}.png") for k in range(3)]
    for name, picture in zip(names, exposures(scene), strict=True):
        pathlib.Path("shots", name).write_bytes(picture_files.png(picture))
    other = "NFD" if stored == "NFC" else "NFC"
    asked = [unicodedata.normalize(other, name) for name in names]
    rows = [f"{name},{time}" for name, time in zip(asked, WORDS[1:], strict=True)]
    table = pathlib.Path("shots/exposures.csv")
    table.write_text("\n".join(["file,exposure_time_s", *rows]), encoding="utf-8")
    assert error_in_stops(merged("shots"), scene) < 0.05
    assert error_in_stops(merged(*(f"shots/{name}" for name in names)), scene) < 0.05
    table.unlink()
    assert error_in_stops(merged(*(f"shots/{name}" for name in asked), *WORDS), scene) < 0.05
    assert merge("shots", *WORDS, "--deghost", "--reference", asked[1])[0] == 0


@pytest.mark.parametrize("suffix", ["exr", "hdr"])
def test_the_map_holds_what_is_known_of_it(scene, suffix):
    for k, picture in enumerate(exposures(scene)):
        Image.fromarray(picture).save(f"{k}.png", icc_profile=picture_files.adobe_profile())
    options = ["--no-preview", "--no-curve", "-o", f"out.{suffix}"]
    code, _, warned = merge("0.png", "1.png", "2.png", *WORDS, options=options)
    assert code == 0 and not warned
    if suffix == "exr":
        with OpenEXR.File("out.exr") as file:
            text, primaries = file.header()["comments"], file.header()["chromaticities"]
    else:
        text = pathlib.Path("out.hdr").read_bytes()[:900].decode("latin-1")
        line = next(line for line in text.splitlines() if line.startswith("PRIMARIES="))
        primaries = [float(word) for word in line.removeprefix("PRIMARIES=").split()]
        assert "\nEXPOSURE=1\n" in text
    np.testing.assert_allclose(primaries[2:4], (0.21, 0.71), atol=1e-4)  # green of Adobe RGB
    assert "Adobe RGB" in text and "exposures of 0.004 0.01667 0.06667 s" in text
    assert "not cd/m^2" in text


def cases():
    """Rows of the table of cases; none without the reference data."""
    default = pathlib.Path(__file__).resolve().parents[3] / "shared"
    folder = pathlib.Path(os.environ.get("HDR_JAX_SHARED", default)) / "cases"
    if not (folder / "cases.csv").is_file():
        return []
    with (folder / "cases.csv").open() as file:
        return [row for row in csv.DictReader(file) if not row["case"].startswith(OTHERS)]


OTHERS = ("response_", "linear16_")  # their response is judged by the tests of the recovery
REFUSALS = {"times_nearly_equal": "nearly equal", "table_row_twice": "1.png twice"}


def judged(case: str, limit: str, warned: str) -> None:
    """Asserts that the map is right by the case's truth, or that a warning names what is."""
    truth = np.load(f"cases/{case}/truth.npy").astype(np.float64)
    radiance = images.read_hdr("out.exr")
    assert radiance.shape == truth.shape
    well = np.isfinite(truth)
    q = np.where(well, np.log2(radiance / np.where(well, truth, 1)), np.nan)
    middle = np.nanmedian(q, (0, 1))
    rms = np.sqrt(np.nanmean((q - middle) ** 2))
    named = all(word in warned for word in ("--times", "0.001 0.008 0.1333"))
    assert rms <= float(limit) or (case == "iso_bracket" and named)
    clipped = np.isinf(truth).all(-1)
    if clipped.any():
        sun = radiance[clipped] / 2**middle
        assert np.median(np.log2(sun.max(1) / sun.min(1))) <= 0.1 and sun.min() >= 55


def largest_error(test: str, reference: str) -> float:
    """Of two maps, relative to a pixel's largest channel."""
    first, second = images.read_hdr(test), images.read_hdr(reference)
    return float((np.abs(first - second).max(-1) / second.max(-1)).max())


MAP_LIMITS = {"radiance_xyze": 0.03, "exr_luminance_chroma": 0.01, "exr_xyz": 0.01}


@pytest.mark.parametrize("row", cases(), ids=lambda row: row["case"])
def test_cases(row, shared, tmp_path, monkeypatch):
    shutil.copytree(shared / "cases", "cases")
    case = row["case"]
    for command in row["command"].split(";"):
        words = shlex.split(command)
        if words[0] == "cp":
            shutil.copytree(words[2], words[3])
        elif words[0] == "cd":
            monkeypatch.chdir(words[1])
        elif words[1] == "score":
            assert largest_error(words[2], words[3]) <= MAP_LIMITS.get(case, 0)
        else:
            code, said, warned = merge(*words[2:], options=[])
            if case in REFUSALS:
                assert code == 2 and REFUSALS[case] in warned
                assert not list(pathlib.Path().glob("out*"))
            else:
                assert code == 0, warned
            if case == "folder_merged_twice":
                assert "3 photographs" in said
            elif case == "dng_thumbnail":
                assert images.read_hdr("out.exr").shape == (96, 144, 3)
            elif row["rms_limit"]:
                judged(case, row["rms_limit"], warned)
    if case.startswith("alpha_holes"):
        words = shlex.split(row["command"])[2:]
        assert merge(*words, "--response", "srgb", options=[])[0] == 0
        judged(case, row["rms_limit"], "")


def test_the_cases_are_there(shared):
    """So that an empty table is no pass."""
    assert len(cases()) >= 20
