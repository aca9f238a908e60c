"""Pictures for HDR screens, several brackets at once, hdr-jax info, and what scripts get."""

import json

import numpy as np
import pytest
from calling import call
from PIL import Image

from hdr_jax import images, weights
from hdr_jax.exposure import expose, srgb
from hdr_jax.reconstruct import brightening, highlights

TIMES = (1 / 8, 0.5, 2.0)


def scene(seed=0):
    """Radiance [40, 64, 3] over ten stops."""
    rng = np.random.default_rng(seed)
    ramp = np.geomspace(2**-7, 2**3, 64)[None, :, None] * [1, 0.9, 0.8] * np.ones((40, 1, 1))
    return (ramp * rng.uniform(0.95, 1.05, ramp.shape)).astype(np.float32)


def shoot(path, radiance, seconds, taken, **tags):
    """One sRGB photograph with EXIF."""
    stack = np.asarray(expose(radiance, np.log([seconds]), srgb()))
    exif = Image.Exif()
    exif[0x829A], exif[0x9003] = seconds, f"2026:11:28 {taken}"
    for tag, value in tags.items():
        exif[int(tag[1:], 16)] = value
    picture = Image.fromarray(np.rint(stack[0] * 255).astype(np.uint8))
    picture.save(path, exif=exif, quality=95, subsampling=0)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory: two brackets, and a picture alone, one after the other."""
    monkeypatch.chdir(tmp_path)
    for bracket in range(2):
        for k, seconds in enumerate(TIMES):
            name = f"IMG_{9998 + 3 * bracket + k:05d}.jpg"
            shoot(name, scene(), seconds, f"10:00:{10 * bracket + 3 * k:02d}")
    shoot("IMG_00000.jpg", scene(), 0.5, "10:05:00")
    return tmp_path


def test_merge_for_screens(folder, capsys):
    pictures = sorted(folder.glob("*.jpg"))[1:4]
    common = [*pictures, "--response", "srgb", "--no-curve"]
    assert call("merge", *common, "-o", "a.exr", "--no-preview") == 0
    assert call("merge", *common, "-o", "a.jpg", "--peak", "5", "--json") == 0
    captured = capsys.readouterr()
    said = json.loads(captured.out[captured.out.index("{") :])
    result = said["results"][0]
    assert result["outputs"] == {"map": "a.jpg"} and result["peak_stops"] == 5
    assert result["exposure_times_s"] == list(TIMES) and result["clipped_share"] == 0
    assert "exposure times: EXIF" in said["assumed"]
    exact, shown = images.read_hdr("a.exr"), images.read_hdr("a.jpg")
    error = np.abs(np.log2((shown + 1 / 64) / (exact / result["white"] + 1 / 64)))
    assert np.median(error) < 0.02 and np.quantile(error, 0.99) < 0.1
    geometric_mean = np.exp(np.log(shown @ [0.2126, 0.7152, 0.0722]).mean())
    assert geometric_mean == pytest.approx(0.18, rel=0.05)
    assert call("merge", *common, "-o", "a.avif") == 0
    assert Image.open("a.avif").size == (64, 40)
    assert "screens: white is" in capsys.readouterr().out
    assert [path.name for path in images.find_photos(folder)] == [
        path.name for path in sorted(folder.glob("IMG*"))
    ]


def test_maps_in_wide_primaries_are_converted(folder):
    from hdr_jax.cli import screens
    from hdr_jax.images._primaries import SPACES, converted

    wide = converted(scene(), SPACES["sRGB"], SPACES["Adobe RGB (1998)"])
    white, _ = screens.write(folder / "w.jpg", wide, SPACES["Adobe RGB (1998)"], 6, "")
    error = np.abs(np.log2((images.read_hdr("w.jpg") + 0.02) / (scene() / white + 0.02)))
    assert np.median(error) < 0.02


@pytest.mark.slow
def test_reconstruct_keeps_the_photograph(folder, capsys):
    photo = "IMG_10000.jpg"
    assert call("reconstruct", photo, "-o", "out", "--format", "jpg") == 0
    assert call("reconstruct", photo, "-o", "same.jpg", "--json") == 0
    captured = capsys.readouterr().out
    said = json.loads(captured[captured.index("{") :])["results"][0]
    assert said["photograph_kept"] is True and said["brightening_stops"] > 0.2
    assert "the photograph, up to" in captured
    levels = images.read_photo(photo)
    for path in ("out/IMG_10000_hdr.jpg", "same.jpg"):
        np.testing.assert_array_equal(images.read_photo(path), levels)
    stops = brightening(levels, highlights(levels, *weights.load()))
    assert (stops[levels < 0.97 * 255] == 0).all() and (stops >= 0).all()
    expected = (((levels / 255 + 0.055) / 1.055) ** 2.4) * 2**stops
    light = levels > 20
    error = np.abs(np.log2(images.read_hdr("same.jpg") / expected))[light]
    assert np.median(error) < 1e-3 and np.quantile(error, 0.95) < 0.06


def test_split(folder, capsys):
    pictures = sorted(folder.glob("*.jpg"))
    options = ["--response", "srgb", "--no-preview", "--no-curve"]
    assert call("merge", *pictures, "--split", "-o", "maps", *options) == 0
    captured = capsys.readouterr()
    assert "left out, as they stand alone: IMG_00000.jpg" in captured.err
    assert "7 photographs are 2 brackets" in captured.out
    names = sorted(path.name for path in (folder / "maps").iterdir())
    assert names == ["IMG_09998_merged.exr", "IMG_10001_merged.exr"]
    assert "look like several" not in captured.err
    assert call("merge", *pictures[1:4], "-o", "one.exr", *options) == 0
    assert "look like several" not in capsys.readouterr().err
    assert call("merge", *pictures, "-o", "all.exr", *options) == 0
    assert "look like several brackets" in capsys.readouterr().err
    np.testing.assert_array_equal(
        images.read_hdr("maps/IMG_09998_merged.exr"), images.read_hdr("one.exr")
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--split", "--times", "1", "2"], "--split and --times"),
        (["--split", "-o", "x.exr"], "expected a folder for all the maps"),
        (["--peak", "3"], "--peak is for"),
        (["-o", "x.jpg", "--peak", "20"], "got --peak 20"),
        (["-o", "x.jpg", "--format", "exr"], "--format exr and -o x.jpg"),
        (["-o", "IMG_10000.jpg"], "over an input"),
    ],
)
def test_merge_refuses(folder, arguments, message, capsys):
    before = sorted(folder.iterdir())
    assert call("merge", *sorted(folder.glob("*.jpg")), *arguments) == 2
    assert message in capsys.readouterr().err and sorted(folder.iterdir()) == before


def test_split_refuses_what_it_cannot_tell_apart(folder, capsys):
    Image.new("RGB", (8, 8)).save("untimed.jpg")
    assert call("merge", "IMG_10000.jpg", "untimed.jpg", "--split") == 2
    assert "untimed.jpg has no exposure time" in capsys.readouterr().err
    assert call("merge", "IMG_10000.jpg", "IMG_00000.jpg", "--split") == 2
    assert "none of the 2 photographs forms a bracket" in capsys.readouterr().err


def test_reconstruct_refuses(folder, capsys):
    for arguments, message in (
        (["IMG_10000.jpg", "-o", "IMG_10000.jpg"], "over an input"),
        (["IMG_10000.jpg", "IMG_09998.jpg", "-o", "x.jpg"], "with 2 photographs"),
        (["IMG_10000.jpg", "-o", "x.exr", "--format", "jpg"], "and --format"),
        (["IMG_10000.jpg", "--peak", "3"], "--peak is for"),
    ):
        assert call("reconstruct", *arguments) == 2
        assert message in capsys.readouterr().err


def test_info(folder, capsys):
    shoot("turned.jpg", scene(), 1 / 125, "11:12:13", x0112=6, x829D=2.8, x8827=400)
    images.write("map.hdr", scene() / 8, "hdr_jax merge: linear RGB; exposures of 1 s", None)
    images.write_ultra_hdr(
        "screen.jpg", np.full((40, 64, 3), 255, np.uint8), np.full((40, 64, 3), 4.0), comment="why"
    )
    files = ["turned.jpg", "map.hdr", "screen.jpg"]
    assert call("info", *files) == 0
    text = capsys.readouterr().out
    assert "1/125 s, f/2.8, ISO 400" in text and "2026-11-28 11:12:13" in text
    assert "6 (EXIF), turned when read" in text and "40 x 64" in text
    assert call("info", *files, "--json") == 0
    turned, radiance, screen = json.loads(capsys.readouterr().out)["results"]
    assert (turned["size"], turned["iso"], turned["gain_map"]) == ([40, 64], 400, None)
    assert turned["exposure_time_s"] == pytest.approx(1 / 125)
    assert radiance["unit"] == "linear RGB" and radiance["format"] == "Radiance"
    stored = images.read_hdr("map.hdr")
    assert radiance["stops"] == pytest.approx(np.log2(stored.max() / stored.min()))
    assert screen["gain_map"]["headroom_stops"] == pytest.approx(2)
    assert screen["comment"] == "why"
    (folder / "cut.jpg").write_bytes((folder / "screen.jpg").read_bytes()[:-50])
    assert call("info", "cut.jpg") == 2 and call("info", "nothing.jpg") == 2
    capsys.readouterr()
    assert call("info", "cut.jpg", "map.hdr", "nothing.jpg", "--json") == 2
    found = capsys.readouterr()
    assert [one["path"] for one in json.loads(found.out)["results"]] == ["map.hdr"]
    assert "cut.jpg cannot be read" in found.err and "nothing.jpg does not exist" in found.err
