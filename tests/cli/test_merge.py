"""hdr-jax merge and hdr-jax plot: what they write, what they say, and what they refuse."""

import cv2
import numpy as np
import OpenEXR
import pytest
from calling import call
from PIL import Image

from hdr_jax import images
from hdr_jax.exposure import expose, srgb

TIMES = {"a.jpg": 1 / 8, "b.png": 0.5, "c.tif": 2.0}


@pytest.fixture
def radiance():
    """Radiance [40, 48, 3] over ten stops, 1 where a second clips."""
    rng = np.random.default_rng(0)
    ramp = np.geomspace(2**-7, 2**3, 48)[None, :, None] * np.ones((40, 1, 3))
    return (ramp * rng.uniform(0.9, 1.1, ramp.shape)).astype(np.float32)


@pytest.fixture
def folder(tmp_path, radiance, monkeypatch):
    """A folder `scene` of three sRGB photographs with EXIF times; the working directory."""
    (tmp_path / "scene").mkdir()
    for name, seconds in TIMES.items():
        stack = np.asarray(expose(radiance, np.log([seconds]), srgb()))
        exif = Image.Exif()
        exif[33434] = seconds
        picture = Image.fromarray(np.rint(stack[0] * 255).astype(np.uint8))
        options = {"quality": 100, "subsampling": 0} if name.endswith("jpg") else {}
        picture.save(tmp_path / "scene" / name, exif=exif, **options)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def error_of(merged, truth, crop=np.s_[:, 4:-4]):
    """Largest distance in stops, apart from the ends of the range."""
    return float(np.abs(np.log2(merged / truth))[crop].max())


def test_a_folder_merges_without_options(folder, radiance, capsys):
    assert call("merge", "scene") == 0
    names = {path.name for path in folder.iterdir()}
    expected = ("scene.exr", "scene_preview.jpg", "scene_response.csv", "scene_response.png")
    assert names == {"scene", *expected}
    merged = images.read_hdr("scene.exr")
    ratio = np.log2(merged / radiance)
    assert np.ptp(np.median(ratio, axis=(0, 2))) < 0.5  # the recovered response, ten stops
    said = capsys.readouterr().out
    assert "3 photographs, 48 x 40, 8 bits, over 4.0 stops" in said
    assert "1.0 is the radiance that gives the largest exposure the camera records in 1 s" in said
    with OpenEXR.File("scene.exr") as file:
        assert "largest exposure the camera records in 1 s" in file.header()["comments"]
    assert images.read_response("scene_response.csv").shape == (3, 256)


def test_units_known_response_and_16_bits(folder, radiance):
    for name, seconds in TIMES.items():
        stack = np.asarray(expose(radiance, np.log([seconds]), lambda x: x))
        images.write(f"scene/{name[0]}.png", np.rint(stack[0] * 65535).astype(np.uint16))
    call_one = ["merge", "scene/a.png", "scene/b.png", "scene/c.png", "--response", "linear"]
    assert call(*call_one, "--times", "1/8", "0.5", "2", "-o", "x.exr", "--no-preview") == 0
    assert error_of(images.read_hdr("x.exr"), radiance) < 0.02
    # The same by stops relative to the second picture: 1 is then what clips at EV 0.
    assert call(*call_one, "--ev", "-2", "0", "+2", "-o", "y.hdr", "--no-curve") == 0
    assert error_of(images.read_hdr("y.hdr"), radiance / 2) < 0.04
    header = (folder / "y.hdr").read_bytes()[:400]
    assert header.startswith(b"#?RADIANCE\n") and b"records at EV 0" in header


def test_srgb_and_a_saved_response_agree(folder, radiance):
    assert call("merge", "scene", "--response", "srgb", "-o", "a.exr", "--curve", "g.npy") == 0
    assert call("merge", "scene", "--response", "g.npy", "-o", "b.exr", "--no-curve") == 0
    first, second = images.read_hdr("a.exr"), images.read_hdr("b.exr")
    np.testing.assert_array_equal(first, second)
    assert error_of(first, radiance) < 0.3


def test_crf_only(folder):
    for method in ("debevec", "mitsunaga-nayar"):
        assert call("merge", "scene", "--crf-only", "--method", method, "-o", f"{method}.csv") == 0
        g = images.read_response(f"{method}.csv")
        truth = images.named_response("srgb")
        difference = (g - truth)[:, 20:235]
        assert np.abs(difference - difference.mean(1, keepdims=True)).max() < 0.1
    assert not list(folder.glob("*.exr"))


def test_a_bracket_taken_by_hand_is_told(folder, capsys):
    """Unless it is registered, or there is no map to merge."""
    rng = np.random.default_rng(1)
    scene = np.exp(cv2.GaussianBlur(rng.normal(0, 12, (120, 160, 3)), (0, 0), 3)) / 4
    for name, (seconds, place) in {"a": (0.25, 0), "b": (1.0, 0), "c": (4.0, 6)}.items():
        stack = np.asarray(expose(np.roll(scene, place, 1), np.log([seconds]), srgb()))
        Image.fromarray(np.rint(stack[0] * 255).astype(np.uint8)).save(f"{name}.png")
    bracket = ["merge", "a.png", "b.png", "c.png", "--times", "1/4", "1", "4", "-o", "m.exr"]
    assert call(*bracket) == 0
    told = "the camera seems to have moved by 6 pixels between b.png and c.png: --align"
    assert told in capsys.readouterr().err
    for options in (["--align"], ["--crf-only", "-o", "curve.csv"]):
        assert call(*bracket, *options) == 0
        assert "seems to have moved" not in capsys.readouterr().err


def test_deghost_and_align_run_together(folder, capsys):
    assert call("merge", "scene", "--align", "--deghost", "--reference", "c.tif") == 0
    assert "aligned to c.tif: moved" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scene/a.jpg"], "got one picture"),
        (["scene", "--times", "1", "2"], "got 2 exposure times for 3"),
        (["scene", "--times", "1", "1", "1"], "all exposure times are equal"),
        (["scene", "--times", "1", "x", "3"], "positive number of seconds"),
        (["scene", "--ev", "1", "nan", "3"], "expected stops such as"),
        (["scene", "--ev", "1", "b.png", "3"], "the pictures before --ev"),
        (["scene", "--ev", "1", "2", "3", "--times", "1", "2", "3"], "expected one of them"),
        (["nowhere"], "does not exist"),
        (["scene", "-o", "x.png"], r"expected .exr or .hdr"),
        (["scene", "-o", "none/x.exr"], "folder of none/x.exr does not exist"),
        (["scene", "--preview", "scene/b.png"], "over an input"),
        (["scene", "--align", "--reference", "z.jpg"], "none of the pictures"),
        (["scene", "--reference", "a.jpg"], "without --align or --deghost"),
        (["scene", "--crf-only", "--no-curve"], "nothing with --crf-only"),
        (["scene", "--crf-only", "--preview", "x.jpg"], "--crf-only writes none"),
        (["scene", "--smoothness", "9", "--response", "srgb"], "nothing with --response"),
        (["scene", "--method", "debevec", "--response", "srgb"], "nothing with --response"),
        (["scene", "--times", "1e38", "1e39", "1e40"], "from 1e+38 to 1e+40 s"),
        (["scene", "--split", "-o", "maps", "--peak", "3"], "--peak"),
        (["scene", "--response", "falling.csv"], "does not increase"),
        (["scene", "--response", "nan.npy"], "no finite numbers"),
        (["scene", "--response", "agfa"], "does not exist"),
        (["scene", "--smoothness", "-1"], "smoothness"),
        (["scene/a.jpg", "small.png"], "small.png is 20 x 20"),
        (["scene/a.jpg", "cut.jpg"], "cut.jpg cannot be read"),
        (["scene/a.jpg", "untimed.png"], "--times or --ev"),
        (["scene/a.jpg", "float.tif"], "float32 pixels"),
    ],
)
def test_bad_input_is_refused_and_nothing_written(folder, arguments, message, capsys, monkeypatch):
    (folder / "falling.csv").write_text("level,g\n0,0\n1,2\n2,1\n")
    np.save("nan.npy", np.full((3, 256), np.nan, np.float32))
    exif = Image.Exif()
    exif[33434] = 3.0
    Image.new("RGB", (20, 20)).save("small.png", exif=exif)
    Image.new("F", (48, 40)).save("float.tif", exif=exif)
    Image.new("RGB", (48, 40)).save("untimed.png")
    data = (folder / "scene/b.png").read_bytes()
    Image.open("scene/b.png").save("cut.jpg", exif=exif)
    (folder / "cut.jpg").write_bytes((folder / "cut.jpg").read_bytes()[:-200])
    (folder / "scene.exr").write_text("hdr_jax: old")
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert call("merge", *arguments) == 2
    assert message in capsys.readouterr().err
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert (folder / "scene/b.png").read_bytes() == data


def test_suspicious_order_warns(folder, capsys):
    # The opposite order has no response at all, which is said as well.
    assert call("merge", "scene", "--times", "2", "0.5", "1/8", "--crf-only", "-o", "g.csv") == 2
    said = capsys.readouterr().err
    assert "warning: b.png is darker than c.tif although" in said
    assert "error: no response can be recovered" in said and not (folder / "g.csv").exists()


def test_plot(folder, capsys):
    images.write_response("a_response.csv", images.named_response("srgb"))
    images.write_response("b.npy", np.repeat(images.named_response("linear"), 3, 0))
    assert call("plot", "a_response.csv", "b.npy", "-o", "curves.png") == 0
    assert images.read_photo("curves.png").std() > 5
    ramp = np.repeat(np.geomspace(0.01, 100, 64, dtype=np.float32)[None, :, None], 3, 2)
    images.write("map.hdr", np.repeat(ramp, 30, 0))
    assert call("plot", "map.hdr") == 0
    assert "luminance in stops; 0 is the median, 1.004" in capsys.readouterr().out  # of RGBE
    colours = images.read_photo("map_stops.png")
    row = colours[colours.shape[0] // 2].astype(int)
    assert len({tuple(pixel) for pixel in row}) > 30
    for arguments in (["a_response.csv", "map.hdr"], ["map.hdr", "-o", "x.jpg"], ["none.csv"]):
        assert call("plot", *arguments) == 2
    images.write("black.exr", np.zeros((4, 4, 3), np.float32))
    assert call("plot", "black.exr") == 2
    assert "no positive luminance" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["merge", "plot"])
def test_help_has_examples(command, capsys):
    assert call(command, "--help") == 0
    assert f"examples:\n  hdr-jax {command} " in capsys.readouterr().out


@pytest.mark.parametrize("suffix", ["csv", "npy"])
@pytest.mark.parametrize("channels", [1, 3])
def test_responses_come_back(tmp_path, suffix, channels):
    g = np.sort(np.random.default_rng(0).normal(size=(channels, 256)), axis=1).astype(np.float32)
    images.write_response(tmp_path / f"g.{suffix}", g)
    np.testing.assert_allclose(images.read_response(tmp_path / f"g.{suffix}"), g, rtol=1e-6)
    assert [path.name for path in tmp_path.iterdir()] == [f"g.{suffix}"]


@pytest.mark.parametrize(
    "text",
    [
        *("", "level,g\n", "0,1\n1,2\n", "level,g\n1,1\n2,2\n", "level,g\n0,1\n1\n"),
        *("level,a\nb,c", "level,g_red,g_green\n0,1,1\n1,2,2\n"),
        "level,g\n0,1,1\n1,2,2\n",
    ],
)
def test_damaged_tables_are_refused(tmp_path, text):
    (tmp_path / "g.csv").write_text(text)
    with pytest.raises(ValueError, match=r"g\.csv"):
        images.read_response(tmp_path / "g.csv")


def test_columns_of_a_table_are_taken_by_name(tmp_path):
    g = np.sort(np.random.default_rng(0).normal(size=(3, 256)), axis=1).astype(np.float32)
    rows = [f"{z},{b},{y},{r}" for z, (r, y, b) in enumerate(g.T)]
    (tmp_path / "g.csv").write_text("\n".join(["Level,g_blue,g_green,g_red", *rows]))
    np.testing.assert_allclose(images.read_response(tmp_path / "g.csv"), g, rtol=1e-6)


def test_columns_of_other_names_are_taken_as_they_stand(tmp_path):
    g = np.linspace(-4, 0, 256) * np.array([[1.0], [0.9], [0.8]])
    rows = "".join(f"{z},{a},{b},{c}\n" for z, (a, b, c) in enumerate(g.T))
    (tmp_path / "g.csv").write_text("level,bright,gain,rate\n" + rows)
    with pytest.warns(UserWarning, match="columns bright, gain, rate, which are taken for red"):
        np.testing.assert_allclose(images.read_response(tmp_path / "g.csv"), g, rtol=1e-6)
    (tmp_path / "g.csv").write_text(
        "level,ln_exposure\n" + "".join(f"{z},{z}\n" for z in range(256))
    )
    assert images.read_response(tmp_path / "g.csv").shape == (1, 256)


def test_a_table_that_may_be_cut_is_told(tmp_path):
    images.write_response(tmp_path / "g.csv", np.linspace(-4, 0, 256)[None])
    lines = (tmp_path / "g.csv").read_text().splitlines(keepends=True)
    (tmp_path / "cut.csv").write_text("".join(lines[:129]))
    with pytest.warns(UserWarning, match=r"cut.csv holds a curve of 128 levels.*Is it whole"):
        assert images.read_response(tmp_path / "cut.csv").shape == (1, 128)


def test_decimal_commas_in_a_table_of_times_are_refused(folder):
    (folder / "scene/exposures.csv").write_text("file,exposure_time_s\na.jpg,8,5\nb.png,1,25\n")
    with pytest.raises(ValueError, match=r"exposures.csv has lines with more fields"):
        images.read_exposures("scene")
    (folder / "scene/exposures.csv").write_text("file,exposure_time_s\na.jpg,8.5,\nb.png,1, \n")
    assert images.read_exposures("scene") == {"a.jpg": 8.5, "b.png": 1.0}


def test_times_of_a_folder_go_by_name_and_not_by_its_table(folder, radiance, capsys):
    rows = "".join(f"{name},1\n" for name in reversed(TIMES))
    (folder / "scene/exposures.csv").write_text("file,exposure_time_s\n" + rows)
    seconds = [str(value) for value in TIMES.values()]
    assert call("merge", "scene", "--times", *seconds, "--response", "srgb") == 0
    assert (
        "in order of the pictures' names, not those of scene/exposures.csv"
        in capsys.readouterr().out
    )
    assert error_of(images.read_hdr("scene.exr"), radiance) < 0.1
