"""What the commands write lies where it was said, and never over what was there before."""

import json
import os
import pathlib
import signal
import subprocess
import sys

import cv2
import numpy as np
import OpenEXR
import picture_files
import pytest
from PIL import Image

from hdr_jax import brackets, cli, images, tonemap
from hdr_jax.exposure import expose, srgb
from hdr_jax.reconstruct import reconstruct

TIMES = (1 / 8, 0.5, 2.0)


@pytest.fixture
def light():
    """Radiance [40, 48, 3] over ten stops."""
    ramp = np.geomspace(2**-7, 2**3, 48)[None, :, None] * np.array([1, 0.7, 0.4])
    return np.repeat(ramp, 40, axis=0).astype(np.float32)


@pytest.fixture
def here(tmp_path, light, monkeypatch):
    """The working directory, with a photograph, the exposures 0.jpg to 2.jpg and two maps."""
    monkeypatch.chdir(tmp_path)
    for k, picture in enumerate(np.asarray(expose(light, np.log(TIMES), srgb()))):
        exif = Image.Exif()
        exif[33434] = TIMES[k]
        levels = np.rint(255 * picture).astype(np.uint8)
        Image.fromarray(levels).save(f"{k}.jpg", quality=100, subsampling=0, exif=exif)
    images.write("holiday.png", np.linspace(0, 1, 48 * 40 * 3).reshape(40, 48, 3))
    images.write("test.exr", light)
    images.write("reference.exr", light * 1.1)
    return tmp_path


def contents() -> dict[str, bytes]:
    """All files below the working directory."""
    found = pathlib.Path(".").rglob("*")
    return {str(path): path.read_bytes() for path in found if path.is_file()}


def test_reconstruct_keeps_a_photograph_that_is_a_png(here):
    before = contents()
    for _ in range(2):
        assert cli.main(["reconstruct", "holiday.png"]) == 0
    after = contents()
    assert set(after) - set(before) == {"holiday.exr", "holiday_preview.jpg"}
    assert {name: after[name] for name in before} == before
    assert images.read_photo("holiday_preview.jpg").shape == (40, 48, 3)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["reconstruct", "holiday.png", "holiday_preview.jpg"], "over an input"),
        (["reconstruct", "holiday.png", "-o", "result.png"], "expected a folder, or a map"),
        (["reconstruct", "holiday.png", "-o", "notes"], "is a file"),
        (["score", "test.exr", "reference.exr", "--map", "reference.exr"], "visibility map"),
        (["score", "test.exr", "reference.exr", "--map", "nowhere/x.png"], "does not exist"),
        (["merge", "0.jpg", "1.jpg", "--no-curve", "--curve", "g.csv"], "expected one of them"),
        (["merge", "0.jpg", "1.jpg", "--ev", "0", "nan"], "--ev got 0 nan"),
        (["merge", "0.jpg", "far/0.jpg", "--align", "--reference", "x/0.jpg"], "several pictures"),
        (["merge", "table"], "in another folder"),
        (["merge", "0.jpg", "1.jpg", "--crf-only", "--peak", "3"], "--peak is of a map"),
        (["merge", "0.jpg", "1.jpg", "--crf-only", "--deghost"], "--deghost is of a map"),
        (["merge", "0.jpg", "1.jpg", "--crf-only", "-o", "a.csv", "--curve", "b.csv"], "both name"),
        (["merge", "0.jpg", "1.jpg", "--smoothness", "0"], "--smoothness got 0; expected"),
        (["merge", "0.jpg", "1.jpg", "--times", "1e-9", "1e9"], "60 stops apart"),
        (["merge", "--split", "*", "-o", "no.such"], "expected a folder"),
        (["score", "test.exr", "reference.exr", "--map", "x.png", "--no-map"], "expected one of"),
        (["reconstruct", "0.jpg", "0_stack/a.png", "--stack"], "the folder of 0_stack/a.png"),
        (["merge", "0.jpg", "1.jpg", "--crf-only", "-o", "exposures.csv"], "over an input"),
        (["merge", "listed", "-o", "listed/left.jpg"], "left.jpg exists and is no result"),
        (["merge", "0.jpg", "1.jpg", "-o", "holiday.exr"], "holiday_preview.jpg exists and is no"),
        (["merge", "0.jpg", "1.jpg", "--crf-only", "-o", "holiday.csv"], "holiday.png exists and"),
        (["merge", "2.jpg", "1.jpg", "--crf-only"], "2_merged_response.csv exists and is no"),
        (["merge", "listed", "--format", "jpg"], "listed.jpg exists and is no result"),
        (["reconstruct", "holiday.png"], "holiday_preview.jpg exists and is no result"),
        (["plot", "test.exr"], "test_stops.png exists and is no result"),
        (["score", "test.exr", "reference.exr"], "test_visibility.png exists and is no result"),
        (["merge", "0.jpg", "1.jpg", "-o", "kept.exr"], "kept.exr is write-protected"),
        (["reconstruct", "kept.jpg"], "kept.exr is write-protected"),
        (["reconstruct", "0.jpg", "-o", "2.jpg"], "2.jpg exists and is no result"),
        (["reconstruct", "0.jpg", "--ev-range", "-7", "3"], "without --stack"),
        (["reconstruct", "0.jpg", "--step", "5"], "without --checkpoint"),
        (["reconstruct", "foreign.jpg"], "foreign.exr exists and is no result"),
        (["merge", "0.jpg", "1.jpg", "-o", "2.jpg"], "2.jpg exists and is no result"),
        (["merge", "0.jpg", "1.jpg", "--preview", "2.jpg"], "2.jpg exists and is no result"),
        (["score", "test.exr", "reference.exr", "--map", "holiday.png"], "holiday.png exists and"),
        (
            ["score", "test.exr", "reference.exr", "--no-map", "--peak", "9"],
            "of --protocol display",
        ),
        (["plot", "test.exr", "-o", "holiday.png"], "holiday.png exists and is no result"),
        (["view", "foreign.exr"], "foreign.html exists and is no result"),
        (["view", "test.exr", "--protocol", "display"], "without --visibility"),
        (["view", "far"], "far is a folder"),
    ],
)
def test_refused_before_anything_is_written(here, arguments, message, capsys):
    for name in ("holiday_preview.jpg", "test_stops.png", "test_visibility.png", "listed.jpg"):
        images.write(name, np.zeros((8, 8, 3)))
    pathlib.Path("notes").touch()
    pathlib.Path("kept.exr").touch(0o444)
    pathlib.Path("foreign.exr").write_text("of another program")
    pathlib.Path("foreign.html").write_text("of another program")
    pathlib.Path("foreign.jpg").write_bytes(pathlib.Path("1.jpg").read_bytes())
    pathlib.Path("2_merged_response.csv").write_text("wavelength,response\n")
    pathlib.Path("listed").mkdir()
    for name in ("0.jpg", "1.jpg", "left.jpg"):
        pathlib.Path("listed", name).write_bytes(pathlib.Path("1.jpg").read_bytes())
    pathlib.Path("listed/exposures.csv").write_text("file,exposure_time_s\n0.jpg,1\n1.jpg,2\n")
    for folder in ("far", "table", "0_stack"):
        pathlib.Path(folder).mkdir()
        pathlib.Path(folder, "0.jpg").write_bytes(pathlib.Path("1.jpg").read_bytes())
    images.write("0_stack/a.png", np.zeros((8, 8, 3)))
    pathlib.Path("table/exposures.csv").write_text("file,exposure_time_s\n../0.jpg,1\n")
    if "*" in arguments:
        k = arguments.index("*")
        arguments = [*arguments[:k], "0.jpg", "1.jpg", "2.jpg", *arguments[k + 1 :]]
    before = contents()
    assert cli.main(arguments) == 2
    assert message in capsys.readouterr().err
    assert contents() == before


def test_results_replace_results(here):
    """The same commands twice, whose outputs nobody named."""
    pictures = ["0.jpg", "1.jpg", "2.jpg"]
    for _ in range(2):
        assert cli.main(["merge", *pictures, "--response", "srgb"]) == 0
        assert cli.main(["merge", *pictures, "--response", "srgb", "--format", "jpg"]) == 0
        assert cli.main(["plot", "test.exr"]) == 0
        assert cli.main(["plot", "0_merged_response.csv"]) == 0
        assert cli.main(["view", "test.exr"]) == 0


def test_results_among_photographs_are_passed_over(here, capsys):
    """As `*.jpg` names them, the second time."""
    options = ["--response", "srgb", "-o", "a.exr"]
    assert cli.main(["merge", "0.jpg", "1.jpg", "2.jpg", *options]) == 0
    first = images.read_hdr("a.exr")
    capsys.readouterr()
    assert cli.main(["merge", "0.jpg", "1.jpg", "2.jpg", "a_preview.jpg", *options[:2]]) == 0
    assert "left out, as this program wrote them: a_preview.jpg" in capsys.readouterr().err
    np.testing.assert_array_equal(images.read_hdr("0_merged.exr"), first)


def test_one_picture_is_no_bracket(here, capsys):
    options = ["--times", "0.25", "1", "4", "--crf-only", "-o", "g.csv"]
    for name in ("copy", "again"):
        pathlib.Path(f"{name}.jpg").write_bytes(pathlib.Path("1.jpg").read_bytes())
    assert cli.main(["merge", "1.jpg", "copy.jpg", "2.jpg", *options]) == 2
    assert "1.jpg and copy.jpg are the same picture, although" in capsys.readouterr().err
    options[1:4] = ["0.5", "0.5", "2"]
    assert cli.main(["merge", "1.jpg", "copy.jpg", "2.jpg", *options]) == 0
    assert "1.jpg and copy.jpg are the same picture, and count twice" in capsys.readouterr().err


def test_what_a_table_leaves_out_is_said(here, capsys):
    pathlib.Path("shots").mkdir()
    for k in range(3):
        pathlib.Path("0.jpg").with_name(f"{k}.jpg").rename(f"shots/{k}.jpg")
    pathlib.Path("shots/exposures.csv").write_text("file,exposure_time_s\n0.jpg,1\n1.jpg,4\n")
    assert cli.main(["merge", "shots", "--response", "srgb", "-o", "a.exr"]) == 0
    assert "exposures.csv does not name 2.jpg, left out" in capsys.readouterr().err


def test_json_has_numbers_only(here, capsys):
    images.write("wide.exr", np.array([[[1e-38] * 3, [1e38] * 3]], np.float32))
    assert cli.main(["info", "wide.exr", "--json"]) == 0

    def refuse(name):
        raise AssertionError(name)

    found = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert found["results"][0]["stops"] == pytest.approx(76 * np.log2(10), rel=1e-3)


def test_the_reference_may_be_named_by_its_folder(here, light):
    """Of two exposures of one name, the one that is asked for decides what the scene was."""
    pathlib.Path("far").mkdir()
    moved = np.where(np.arange(40)[:, None, None] < 12, 0.25 * light, light)
    picture = np.asarray(expose(moved, np.log(TIMES[:2]), srgb()))[1]
    images.write("far/0.jpg", picture)
    options = ["--deghost", "--response", "srgb", "--no-curve", "--no-preview"]
    options += ["--times", "0.125", "0.5", "2", "-o", "out.exr"]
    found = {}
    for reference in ("0.jpg", "far/0.jpg"):
        arguments = ["merge", "0.jpg", "far/0.jpg", "2.jpg", "--reference", reference]
        assert cli.main([*arguments, *options]) == 0
        found[reference] = np.median(images.read_hdr("out.exr")[:8, 20:30] / light[:8, 20:30])
    assert found["0.jpg"] > 0.8 and found["far/0.jpg"] < 0.4


def test_a_folder_with_a_dot_takes_several_brackets(here):
    pathlib.Path("trip.2024").mkdir()
    assert cli.main(["merge", "--split", "0.jpg", "1.jpg", "2.jpg", "-o", "trip.2024"]) == 0
    assert pathlib.Path("trip.2024/0_merged.exr").is_file()


def test_a_damaged_bracket_does_not_stop_the_others(here, monkeypatch, capsys):
    for k in range(3):
        pathlib.Path(f"a{k}.jpg").write_bytes(pathlib.Path(f"{k}.jpg").read_bytes())
    pathlib.Path("a2.jpg").write_bytes(pathlib.Path("2.jpg").read_bytes()[:-900])
    groups = [[pathlib.Path(f"{name}{k}.jpg") for k in range(3)] for name in ("a", "")]
    monkeypatch.setattr(brackets, "split", lambda paths: groups)
    assert cli.main(["merge", "--split", *map(str, groups[0] + groups[1])]) == 2
    assert "1 of 2 brackets not merged: a2.jpg cannot be read" in capsys.readouterr().err
    assert pathlib.Path("0_merged.exr").is_file() and not list(here.glob("a0_*"))


def test_the_preview_shows_the_colours_of_the_map(here, light):
    """Photographs in Adobe RGB: their map is in its primaries, a preview in sRGB."""
    for k in range(3):
        with Image.open(f"{k}.jpg") as picture:
            profile = picture_files.adobe_profile()
            picture.save(f"{k}.png", exif=picture.getexif(), icc_profile=profile)
    arguments = ["merge", "0.png", "1.png", "2.png", "--response", "srgb", "--no-curve"]
    assert cli.main([*arguments, "-o", "a.exr"]) == 0
    seen = np.asarray(tonemap.reinhard(np.maximum(images.read_hdr("a.exr"), 0)))
    preview = images.read_photo("a_preview.jpg") / 255
    assert np.abs(preview - seen).mean() < 0.01


def test_gray_of_a_space_with_another_white_stays_gray(here):
    """Photographs in ProPhoto, whose white is D50: in every file and by every reader."""
    for k in range(3):
        with Image.open(f"{k}.jpg") as picture:
            gray, profile = picture.convert("L").convert("RGB"), picture_files.prophoto_profile()
            gray.save(f"{k}.png", exif=picture.getexif(), icc_profile=profile)
    arguments = ["merge", "0.png", "1.png", "2.png", "--response", "srgb", "--no-curve"]
    assert cli.main([*arguments, "-o", "a.exr"]) == 0
    assert cli.main([*arguments, "-o", "a.jpg"]) == 0
    with OpenEXR.File("a.exr", header_only=True) as file:
        white = file.parts[0].header["chromaticities"][6:]
    np.testing.assert_allclose(white, (0.3127, 0.329), atol=1e-6)
    assert images.information("a.exr").primaries == "ProPhoto RGB, adapted to D65"
    seen = [images.read_hdr("a.exr"), images.read_hdr("a.jpg") + 1 / 64]
    seen += [images.read_photo(name) + 1.0 for name in ("a_preview.jpg", "a.jpg")]
    for picture, tolerance in zip(seen, (1e-4, 0.02, 0.02, 0.02), strict=True):
        assert np.median(np.ptp(picture, axis=-1) / picture.mean(-1)) < tolerance


def test_the_visibility_map_is_no_photograph(here):
    assert cli.main(["score", "test.exr", "reference.exr"]) == 0
    assert "test_visibility.png" not in [path.name for path in images.find_photos(".")]


@pytest.mark.skipif(os.name != "posix", reason="names that are bytes")
def test_names_that_are_no_text_are_refused_in_one_line(here, capfdbinary):
    name = os.fsdecode(b"gr\xfc\xdfe.jpg")
    pathlib.Path(name).write_bytes(pathlib.Path("1.jpg").read_bytes())
    before = set(contents())
    assert cli.program(["reconstruct", name]) == 2
    assert b"is not UTF-8" in capfdbinary.readouterr().err
    assert set(contents()) == before
    assert cli.program(["reconstruct", name, "-o", "out.jpg"]) == 0


def test_full_disks_are_told_of(here, light, small_disk, monkeypatch):
    noise = np.random.default_rng(0).random((300, 400, 3)).astype(np.float32)
    with pytest.raises(OSError, match="map.exr cannot be written"):
        images.write(small_disk / "map.exr", noise)
    assert not list(small_disk.iterdir())
    monkeypatch.setattr("tempfile.tempdir", str(small_disk))
    with pytest.raises(OSError, match="set TMPDIR"):
        brackets.Brackets([noise, noise])


def test_links_stay_links_and_what_is_no_file_is_refused(here, light):
    pathlib.Path("storage").mkdir()
    pathlib.Path("link.exr").symlink_to("storage/map.exr")
    images.write("link.exr", light)
    images.write("link.exr", 2 * light)
    assert pathlib.Path("link.exr").is_symlink()
    np.testing.assert_array_equal(images.read_hdr("storage/map.exr"), 2 * light)
    assert [path.name for path in pathlib.Path("storage").iterdir()] == ["map.exr"]


def test_links_that_lead_nowhere_are_refused_before_the_work(here, capsys):
    pathlib.Path("ring.exr").symlink_to("ring.exr")
    pathlib.Path("lost.exr").symlink_to("nowhere/map.exr")
    for name in ("ring.exr", "lost.exr"):
        assert cli.main(["merge", "0.jpg", "1.jpg", "-o", name, "--no-preview", "--no-curve"]) == 2
        assert name in capsys.readouterr().err
        assert pathlib.Path(name).is_symlink()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_is_no_output(here, capsys):
    os.mkfifo("pipe.html")
    assert cli.main(["view", "test.exr", "-o", "pipe.html"]) == 2
    assert "no ordinary file" in capsys.readouterr().err


def test_avif_has_no_more_light_than_pq_holds(here, capsys):
    arguments = ["merge", "0.jpg", "1.jpg", "2.jpg", "--response", "srgb", "--no-curve", "--peak"]
    assert cli.main([*arguments, "8", "-o", "a.avif"]) == 2
    assert "at most 5.6" in capsys.readouterr().err
    assert cli.main([*arguments, "8", "-o", "a.jpg"]) == 0


def test_dark_levels_of_linear_16_bits_keep_their_light(here):
    levels = np.array([2, 4, 8, 64, 1024, 16384])
    for k in range(2):  # exposures 4 times apart
        image = np.tile((levels // 4 ** (1 - k)).astype(np.uint16)[:, None, None], (1, 9, 3))
        images.write(f"deep{k}.png", np.repeat(image, 9, axis=0))
    arguments = ["merge", "deep0.png", "deep1.png", "--ev", "-2", "0", "--response", "linear"]
    assert cli.main([*arguments, "-o", "deep.exr"]) == 0
    found = images.read_hdr("deep.exr")[4::9, 4] * 65535
    np.testing.assert_allclose(found, np.tile(levels[:, None], 3), rtol=0.01)
    assert len(pathlib.Path("deep_response.csv").read_text().splitlines()) == 4097


def test_ev_0_of_a_stack_is_the_photograph(here):
    image = np.tile(np.linspace(230, 255, 64).round().astype(np.uint8)[None, :, None], (64, 1, 3))
    images.write("ramp.png", image)
    assert cli.main(["reconstruct", "ramp.png", "--stack"]) == 0
    stack, _ = images.read_stack("ramp_stack")
    np.testing.assert_array_equal(stack[3], image)
    _, made = reconstruct(image)
    np.testing.assert_allclose(made[3] * 255, image, atol=1e-4)


INTERRUPTED = """
import pathlib, signal, time
from hdr_jax import cli, files
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup, under which tests may run, ignores it
def work(arguments, alone):
    with files.replacing("half.exr") as temporary:
        temporary.write_text("half")
        print("ready", flush=True)
        time.sleep(60)
cli.main = work
raise SystemExit(cli.program([]))
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_leave_no_temporary_file(here, number):
    before = contents()
    environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(cli.__file__).parents[2])}
    call = [sys.executable, "-c", INTERRUPTED]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout.readline() == "ready\n"
        assert set(contents()) > set(before)
        process.send_signal(number)
        assert process.wait(20) == 128 + number
    assert contents() == before


def test_folders_that_cannot_be_written_are_told_of_before_any_work(here, small_disk, capsys):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    arguments = ["merge", "0.jpg", "1.jpg", "2.jpg", "-o", str(small_disk / "a.exr")]
    assert cli.main(arguments) == 2
    found = capsys.readouterr()
    assert "nothing can be written into the folder of" in found.err and not found.out


def test_the_response_is_recovered_once_more_from_what_was_aligned(here):
    """Pixels of hand-held pictures can be followed only then."""
    rng = np.random.default_rng(0)
    coarse = [cv2.resize(rng.normal(size=(240 // k, 320 // k)), (320, 240)) for k in (4, 16, 48)]
    light = np.exp(0.8 * sum(coarse) - 1.5)[..., None] * np.array([1, 0.8, 0.6])
    exposures = np.asarray(expose(light.astype(np.float32), np.log(TIMES), srgb()))
    for k, move in enumerate(((0, 0), (9, -14), (-12, 8))):
        picture = np.roll(exposures[k], move, (0, 1))[20:-20, 20:-20]
        images.write(f"hand{k}.png", np.rint(255 * picture).astype(np.uint8))
    names = [f"hand{k}.png" for k in range(3)]
    times = ["--times", *map(str, TIMES)]
    truth = images.named_response("srgb")
    error = {}
    for option in ([], ["--align"]):
        assert cli.main(["merge", *names, *times, *option, "--crf-only", "-o", "g.csv"]) == 0
        off = (images.read_response("g.csv") - truth)[:, 20:236]
        off -= off.mean(axis=1, keepdims=True)
        error[bool(option)] = np.sqrt(np.mean(off**2))
    assert error[True] < 0.05 and error[True] < 0.6 * error[False]


def test_the_exposures_of_a_photograph_replace_only_such(here, capsys):
    """Nothing of a folder that is somebody's bracket, not even of the name of an exposure."""
    pathlib.Path("holiday_stack").mkdir()
    table = pathlib.Path("holiday_stack/exposures.csv")
    for setup, message in [
        (lambda: table.write_text("file,exposure_time_s\nmine.jpg,1\n"), "holds mine.jpg"),
        (lambda: table.unlink(), None),
        (lambda: pathlib.Path("holiday_stack/b.tif").touch(), "holds b.tif"),
        (lambda: pathlib.Path("holiday_stack/b.tif").unlink(), None),
        (lambda: table.chmod(0o444), "exposures.csv is write-protected"),
    ]:
        setup()
        before = contents()
        code = cli.main(["reconstruct", "holiday.png", "--stack", "--ev-range", "-1", "0"])
        if message is None:
            images.write("holiday_stack/x_preview.jpg", np.zeros((4, 4, 3)), comment="a result")
            pathlib.Path("holiday_stack/._exposure_0_ev-1.png").touch()
            assert code == 0 and len(images.read_exposures("holiday_stack")) == 2
        else:
            assert code == 2 and message in capsys.readouterr().err and contents() == before


def test_a_file_in_the_place_of_a_stack_is_told_before_anything_is_made(here, capsys):
    pathlib.Path("holiday_stack").touch()
    before = contents()
    assert cli.main(["reconstruct", "holiday.png", "--stack"]) == 2
    assert "holiday_stack is a file" in capsys.readouterr().err and contents() == before


def test_what_cannot_say_who_wrote_it_is_no_visibility_map(here, capsys):
    assert cli.main(["score", "test.exr", "reference.exr", "--map", "v.bmp"]) == 2
    assert "for the visibility map; expected" in capsys.readouterr().err
