"""hdr-jax data check and preview, and the contact sheet."""

import re

import make_dummy_data
import numpy as np
import pytest

from hdr_jax import images
from hdr_jax.cli import main
from hdr_jax.runs import contact_sheet, figures


def test_check_refuses_what_prepare_refuses(tmp_path, capsys):
    make_dummy_data.bracketed_photos(tmp_path)
    arguments = ["data", "check", str(tmp_path), "--option", "ev=3.0", "--as"]
    assert main([*arguments, "bracketed_photos/native"]) == 0
    assert main([*arguments, "bracketed_photos/native_ev1"]) == 2
    assert "lie within 1 EV of the middle; expected two at least" in capsys.readouterr().out


def test_check_says_when_nothing_is_left_to_validate_with(tmp_path, capsys):
    for k in range(3):
        images.write(tmp_path / f"harbour_{k}.hdr", np.full((16, 24, 3), 1.0 + k))
    assert main(["data", "check", str(tmp_path), "--as", "radiance_maps"]) == 0
    assert "none are in val, but training needs" in capsys.readouterr().out
    rows = [f"harbour_{k}.hdr,{k},{'val' if k else 'test'}" for k in range(3)]
    (tmp_path / "manifest.csv").write_text("\n".join(["view,scene,split", *rows]))
    assert main(["data", "check", str(tmp_path), "--as", "radiance_maps"]) == 0
    assert "none are in train, but training needs" in capsys.readouterr().out
    (tmp_path / "manifest.csv").unlink()
    (tmp_path / "odd.jpg").symlink_to("nowhere.jpg")
    for k in range(40):
        images.write(tmp_path / f"IMG_{k:04}.hdr", np.full((16, 24, 3), 1.0 + k))
    assert main(["data", "check", str(tmp_path), "--as", "radiance_maps"]) == 0
    assert "training needs" not in capsys.readouterr().out


def test_check_of_a_good_folder(tmp_path, capsys):
    make_dummy_data.vds(tmp_path, "flat")
    assert main(["data", "check", str(tmp_path), "--as", "vds"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"vds/native/1.0.0 from {tmp_path}: 3 scenes, 0 bad"
    stack = "24 x 16, 7 exposures, EV -3, -2, -1, +0, +1, +2, +3, with a radiance map"
    assert lines[1:] == [
        "train: 2 good scenes",
        f"     2 x {stack}",
        "test: 1 good scenes",
        f"     1 x {stack}",
    ]


def test_check_names_every_bad_scene(tmp_path, capsys):
    make_dummy_data.vds(tmp_path)
    (tmp_path / "train_set/t1/t1_0EV_true.jpg.png").unlink()
    images.write(tmp_path / "test_hdr_set/t3/target_hdr.hdr", np.zeros((16, 24, 3)))
    before = sorted(tmp_path.rglob("*"))
    assert main(["data", "check", str(tmp_path), "--as", "vds"]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("3 scenes, 2 bad") and lines[1] == "train: 1 good scenes"
    assert [line[:12] for line in lines if line.startswith("BAD")] == [
        "BAD scene t3", "BAD scene t1",
    ]  # fmt: skip
    assert sorted(tmp_path.rglob("*")) == before


def test_check_refuses_what_the_middle_shows_nothing_of(tmp_path, capsys):
    light = np.ones((40, 60, 3), np.float32)
    images.write(tmp_path / "sound.hdr", light)
    light[:, 5:55] = 0
    images.write(tmp_path / "frame.hdr", light)
    assert main(["data", "check", str(tmp_path), "--as", "radiance_maps"]) == 0
    assert main(["data", "check", str(tmp_path), "--as", "radiance_maps/256"]) == 2
    assert "BAD scene frame: its middle, of which the 256 x 256 pixels" in capsys.readouterr().out


def test_the_home_folder_is_found_by_its_sign(tmp_path, monkeypatch, capsys):
    """Shells leave it as it is after an equals sign; a folder of that name must not come of it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    make_dummy_data.vds(tmp_path / "files")
    assert main(["data", "check", "~/files", "--as", "vds"]) == 0
    prepare = ["data", "prepare", "vds", "--manual-dir=~/files", "--data-dir=~/data"]
    assert main(prepare) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"files", "data"}
    (tmp_path / "files/train_set/t1/t1_0EV_true.jpg.png").write_bytes(b"other")
    assert main(prepare) == 2
    assert "was made from other files" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "{}", "--as", "vds"], "vds: .* does not hold it"),
        (["check", "{}/none", "--as", "vds"], "none is no folder"),
        (["check", "{}", "--as", "imagenet"], "expected one of bracketed_photos, hdr_eye"),
        (["check", "{}", "--as", "synthetic_stacks"], "there is nothing to check"),
        (["check", "{}", "--as", "vds", "--option", "ev=1"], "vds has no option ev"),
        (["check", "{}", "--as", "vds", "--option", "skip_bad=maybe"], "expected True or False"),
        (
            ["check", "{}", "--as", "vds", "--option", "ev"],
            "no config 'ev'; expected one of native",
        ),
        (["check", "{}", "--as", "bracketed_photos", "--option", "ev=x"], "expected stops above 0"),
        (["check", "{}", "--as", "bracketed_photos", "--option", "ev=0"], "expected stops above 0"),
        (["preview", "synthetic_stacks/64/skip_bad=True"], "has no option skip_bad; expected none"),
        (["preview", "vds", "--manual-dir", "{}", "--data-dir", "{}/d"], "does not hold it"),
        (["preview", "vds", "-o", "{}/sheet.xyz"], "a name ending in .png"),
        (["preview", "vds", "--scenes", "0"], "--scenes 0"),
    ],
)
def test_bad_input_is_explained(tmp_path, capsys, arguments, message):
    (tmp_path / "notes.md").write_text("nothing")
    assert main(["data", *(argument.format(tmp_path) for argument in arguments)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") or "\nerror: " in error
    assert re.search(message, error)


def test_preview(tmp_path, capsys):
    make_dummy_data.vds(tmp_path / "files")
    folders = ["--manual-dir", f"{tmp_path}/files", "--data-dir", f"{tmp_path}/data"]
    sheet = tmp_path / "sheet.png"
    assert main(["data", "preview", "vds", *folders, "-o", str(sheet), "--scenes", "5"]) == 0
    assert "sheet.png: 2 of the 2 scenes of vds/native/1.0.0, train" in capsys.readouterr().out
    picture = images.read_photo(sheet)
    tile = contact_sheet.HEIGHT + contact_sheet.CAPTION, contact_sheet.WIDTH
    assert picture.shape == (2 * (tile[0] + 2 * figures.GAP), 8 * (tile[1] + figures.GAP) + 2, 3)
    assert main(["data", "preview", "vds", *folders, "-o", str(sheet), "--split", "test"]) == 0
    assert "1 of the 1 scenes" in capsys.readouterr().out


def test_contact_sheet_shows_exposures_where_they_belong():
    levels = np.arange(10, 250, 20, dtype=np.uint8)  # 12 exposures, of which 7 are shown
    scenes = [
        {
            "stack": [np.full((54, 80, 3), level, np.uint8) for level in levels[:count]],
            "ev_offset": np.arange(count) / 3,
            "hdr": np.geomspace(0.01, 10, 80)[:, None] * np.ones((54, 1, 3), np.float32),
            "scene": b"one",
        }
        for count in (12, 2)
    ]
    sheet = contact_sheet.draw(scenes)
    height = contact_sheet.HEIGHT + contact_sheet.CAPTION + 2 * figures.GAP
    width = contact_sheet.WIDTH + figures.GAP
    middles = sheet[contact_sheet.HEIGHT // 2 :: height, width // 2 :: width, 0] * 255
    shown = levels[[0, 2, 4, 6, 7, 9, 11]]
    np.testing.assert_allclose(middles[0, :7], shown, atol=0.5)
    # The second row: two exposures, white, and the radiance map in the last column as above.
    np.testing.assert_allclose(middles[1, :7], [10, 30, *[255] * 5], atol=0.5)
    assert middles[0, 7] == middles[1, 7] and 60 < middles[0, 7] < 200
    with pytest.raises(ValueError, match="no scenes"):
        contact_sheet.draw([])
