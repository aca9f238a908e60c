"""Builders of recorded and raw photographs: layouts, damaged scenes, options, alignment."""

import importlib.util
import os
import pathlib
import pickle
import shutil
import warnings
import zlib

import cv2
import make_dummy_data
import numpy as np
import pytest
import tensorflow_datasets as tfds

from hdr_jax import data, images, synthetic
from tfds_builders import exposures, manual, splits
from tfds_builders.hdr_eye import hdr_eye_dataset_builder as hdr_eye
from tfds_builders.vds import vds_dataset_builder as vds


def builder(name, folder):
    """A builder that has prepared nothing."""
    return data.builder_of(name, folder / "data")


def read_all(name, folder, data_dir):
    """Split/scene -> recording of a folder."""
    one = builder(name, data_dir)
    _, scenes = one.find_scenes(folder)
    return {f"{scene.split}/{scene.name}": one.read(scene) for scene in scenes}


@pytest.mark.parametrize("layout", make_dummy_data.VDS_LAYOUTS)
def test_vds_layouts(tmp_path, layout):
    make_dummy_data.vds(tmp_path / "files", layout)
    found = read_all("vds", tmp_path / "files", tmp_path)
    assert list(found) == ["test/t3", "train/t1", "train/t2"]
    for number, name in enumerate(["train/t1", "train/t2", "test/t3"]):
        radiance, made = make_dummy_data.light(number), found[name]
        np.testing.assert_array_equal(made.ev_offset, np.arange(-3, 4))
        for picture, ev in zip(made.stack, made.ev_offset, strict=True):
            np.testing.assert_array_equal(picture, make_dummy_data.photograph(radiance, ev))
        np.testing.assert_allclose(made.radiance, radiance, atol=0.01 * radiance.max(-1).max())
    few = read_all("vds/native_ev1", tmp_path / "files", tmp_path)["test/t3"]
    np.testing.assert_array_equal(few.ev_offset, [-1, 0, 1])


def test_vds_split_table():
    assert len(vds.TEST_SCENES) == vds.NUM_SCENES / 2
    assert set(range(1, vds.NUM_SCENES + 1)) >= vds.TEST_SCENES
    assert sum(vds.TEST_SCENES) == 2362


def test_manual_directory_of_many_datasets(tmp_path):
    for name in ("vds", "hdr_eye", "radiance_maps"):
        getattr(make_dummy_data, name)(tmp_path / "manual" / name)
    for name, count in (("vds", 3), ("hdr_eye", 2), ("radiance_maps", 4)):
        place, scenes = builder(name, tmp_path).find_scenes(tmp_path / "manual")
        assert place == tmp_path / "manual" / name and len(scenes) == count
    # The manual directory itself goes first.
    (tmp_path / "manual/own.hdr").write_bytes(b"")
    place, scenes = builder("radiance_maps", tmp_path).find_scenes(tmp_path / "manual")
    assert place == tmp_path / "manual" and [scene.name for scene in scenes] == ["own"]


def truncate(path):
    path.write_bytes(path.read_bytes()[:300])


def blacken(path):
    images.write(path, np.zeros((*make_dummy_data.SIZE, 3)))


def crop(path):
    images.write(path, images.read_photo(path)[:-2])


DAMAGE = {
    "truncated": ("set/t2/t2_1EV_true.jpg.png", truncate, r"t2_1EV_true.jpg.png cannot be read"),
    "missing exposure": ("set/t2/t2_-2EV_true.jpg.png", lambda p: p.unlink(), r"lacks EV -2; exp"),
    "black map": ("hdr_set/t2/target_hdr.hdr", blacken, r"spans 0.0 to 0.0"),
    "no map": ("hdr_set/t2/target_hdr.hdr", lambda p: p.unlink(), r"has no radiance map; expected"),
    "truncated map": ("hdr_set/t2/target_hdr.hdr", truncate, r"target_hdr.hdr cannot be read"),
    "unequal sizes": ("set/t2/t2_3EV_true.jpg.png", crop, r"is 24 x 14 uint8, but .* 24 x 16"),
    "one exposure twice": (
        "set/t2/t2_1EV_true.jpg.png",
        lambda p: shutil.copy(p, p.with_name("t2_1.0EV_true.jpg.png")),
        r"two files of EV \+1: t2_1.0EV_true.jpg.png and t2_1EV_true.jpg.png",
    ),
    "two maps": (
        "hdr_set/t2/target_hdr.hdr",
        lambda p: shutil.copy(p, p.with_name("other.hdr")),
        r"has two radiance maps: other.hdr and target_hdr.hdr",
    ),
    "no exposures": ("set/t2", shutil.rmtree, r"lacks EV -3, -2, -1, \+0"),
    "small map": (
        "hdr_set/t2/target_hdr.hdr",
        lambda p: images.write(p, images.read_hdr(p)[:8]),
        r"exposures are 24 x 16 pixels, but its radiance map is 24 x 8",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_scene_is_named(tmp_path, name):
    make_dummy_data.vds(tmp_path / "files", "nested")
    path, damage, message = DAMAGE[name]
    damage(tmp_path / "files/train" / path)
    config = tfds.download.DownloadConfig(manual_dir=tmp_path / "files")
    with pytest.raises(ValueError, match=f"scene t2: .*{message}"):
        builder("vds", tmp_path).download_and_prepare(download_config=config)
    assert not list(tmp_path.glob("data/vds/native/1.*"))
    skipping = tfds.builder("vds", data_dir=tmp_path / "data", skip_bad=True)
    with pytest.warns(UserWarning, match=f"skipped 1 .*, kept 2 .*:\n  scene t2: .*{message}"):
        skipping.download_and_prepare(download_config=config)
    assert [scene["scene"] for scene in skipping.as_data_source("train")] == [b"t1"]
    assert [scene["scene"] for scene in skipping.as_data_source("test")] == [b"t3"]


def test_a_split_of_bad_scenes_only(tmp_path):
    make_dummy_data.vds(tmp_path / "files")
    truncate(tmp_path / "files/test_set/t3/t3_0EV_true.jpg.png")
    with pytest.warns(UserWarning, match="skipped 1 bad scenes, kept 2 examples:\n  scene t3"):
        built = data.prepare("vds/skip_bad=True", tmp_path / "data", tmp_path / "files")
    assert list(built.info.splits) == ["train"]
    for name in ("t1", "t2"):
        truncate(tmp_path / f"files/train_set/{name}/{name}_0EV_true.jpg.png")
    with pytest.raises(ValueError, match="all 3 scenes are bad: scene t3"):
        data.prepare("vds/skip_bad=True", tmp_path / "other", tmp_path / "files")


@pytest.mark.parametrize("name", ["bracketed_photos", "hdr_eye", "raise_hdr", "vds"])
def test_wrong_folder_shows_expected_tree(tmp_path, name):
    (tmp_path / "files").mkdir()
    (tmp_path / "files/notes.md").write_text("nothing")
    with pytest.raises(ValueError, match=r"(?s)Expected:.*Found in .*files:\n  notes.md"):
        data.prepare(name, tmp_path / "data", tmp_path / "files")
    assert "manual directory" in builder(name, tmp_path).MANUAL_DOWNLOAD_INSTRUCTIONS


def test_where_no_folder_is_given_it_is_asked_for(tmp_path):
    with pytest.raises(ValueError, match=r"--config.manual_dir=FOLDER.*\nExpected:"):
        data.prepare("radiance_maps", tmp_path / "data")


def test_two_files_of_one_name(tmp_path):
    for name in ("hall.hdr", "hall.exr"):
        images.write(tmp_path / name, make_dummy_data.light(0))
    with pytest.raises(ValueError, match="two scenes called hall: .*hall.exr and .*hall.hdr"):
        builder("radiance_maps", tmp_path / "a").find_scenes(tmp_path)


@pytest.mark.parametrize("root", make_dummy_data.HDR_EYE_ROOTS)
def test_hdr_eye_layouts_and_order(tmp_path, root):
    make_dummy_data.hdr_eye(tmp_path / "files", root)
    found = read_all("hdr_eye", tmp_path / "files", tmp_path)
    assert list(found) == ["test/C01", "test/C02"]
    for number, made in enumerate(found.values()):  # with and without exposure times
        np.testing.assert_allclose(made.ev_offset, make_dummy_data.HDR_EYE_EV)
        for picture, ev in zip(made.stack, make_dummy_data.HDR_EYE_EV, strict=True):
            true = make_dummy_data.photograph(make_dummy_data.light(number), ev)
            assert np.abs(picture.astype(float) - true).mean() < 4  # JPEG; a stop is 15 and more


def test_hdr_eye_picture_of_ev_0_stands_in(tmp_path):
    make_dummy_data.hdr_eye(tmp_path)
    brackets = tmp_path / "images/Bracketed_images"
    whole = read_all("hdr_eye", tmp_path, tmp_path / "a")
    for scene in ("C01", "C02"):
        (brackets / scene / "DSC_0000.JPG").unlink()
    made = read_all("hdr_eye", tmp_path, tmp_path / "a")
    for name, number in (("test/C01", 0), ("test/C02", 1)):
        true = make_dummy_data.photograph(make_dummy_data.light(number), 0)
        np.testing.assert_array_equal(made[name].stack[hdr_eye.MIDDLE], true)
        np.testing.assert_array_equal(made[name].stack[3], whole[name].stack[3])
    (brackets / "C02/DSC_0001.JPG").unlink()
    with pytest.raises(ValueError, match="scene C02: it has 7 exposures .*; expected 9"):
        read_all("hdr_eye", tmp_path, tmp_path / "a")
    shutil.rmtree(brackets / "C02")
    with pytest.raises(ValueError, match="scene C02: it has 0 exposures"):
        read_all("hdr_eye", tmp_path, tmp_path / "a")


def test_hdr_eye_other_exposure_missing(tmp_path):
    make_dummy_data.hdr_eye(tmp_path)
    for number in range(1, 9):
        path = tmp_path / f"images/Bracketed_images/C02/DSC_000{number}.JPG"
        kept = path.read_bytes()
        path.unlink()
        with pytest.raises(ValueError, match="scene C02: an exposure other than EV 0 is missing"):
            read_all("hdr_eye", tmp_path, tmp_path / "a")
        path.write_bytes(kept)


def test_hdr_eye_two_radiance_maps(tmp_path):
    make_dummy_data.hdr_eye(tmp_path)
    images.write(tmp_path / "images/HDR/C01_HDR.exr", np.ones((4, 4, 3), np.float32))
    with pytest.raises(ValueError, match="scene C01: it has two radiance maps"):
        read_all("hdr_eye", tmp_path, tmp_path / "a")


def test_hdr_eye_other_exposure_times(tmp_path):
    make_dummy_data.hdr_eye(tmp_path)
    path = tmp_path / "images/Bracketed_images/C01/DSC_0008.JPG"
    make_dummy_data.write_jpeg(path, images.read_photo(path), 2.0**4.0 / 60)
    with pytest.raises(ValueError, match=r"scene C01: its exposure times are .*\+4.0 EV apart"):
        read_all("hdr_eye", tmp_path, tmp_path / "a")


def test_larger_brackets_are_brought_to_the_size_of_the_map():
    ramp = np.linspace(0, 255, 48, dtype=np.uint8)[None, :, None] * np.ones((32, 1, 3), np.uint8)
    small = exposures.fitted(ramp, (16, 24, 3))
    assert small.shape == (16, 24, 3)
    pairs = ramp.reshape(16, 2, 24, 2, 3).mean((1, 3))
    assert np.abs(small[:, 3:-3] - pairs[:, 3:-3]).max() <= 1
    assert exposures.fitted(ramp, (16, 20, 3)) is ramp  # another aspect: not the same picture


def test_exposures_are_ordered_by_time_or_brightness():
    stack = np.stack([np.full((2, 2, 3), level, np.uint8) for level in (90, 10, 200)])
    assert exposures.order(stack).tolist() == [1, 0, 2]
    assert exposures.order(stack, np.array([3.0, 2.0, 1.0])).tolist() == [2, 1, 0]
    with pytest.raises(ValueError, match="the same mean level"):
        exposures.order(stack[[0, 0]])
    assert exposures.as_bytes(np.array([0, 257, 128 * 257 + 128, 65535], np.uint16)).tolist() == [
        0, 1, 128, 255,
    ]  # fmt: skip


def test_alignment_undoes_shifts():
    height, width, gains = 240, 320, (0.5, 1.0, 1.5)
    noise = np.random.default_rng(0).uniform(0, 1, (height + 20, width + 20, 3))
    scene = cv2.GaussianBlur(noise.astype(np.float32), (0, 0), 3)
    scene = (scene - scene.min()) / np.ptp(scene)

    def part(top, left, rows, columns, gain):
        cut = scene[10 + top : 10 + top + rows, 10 + left : 10 + left + columns]
        return (255 * np.clip(cut * gain, 0, 1)).astype(np.uint8)

    moves = [(5, -3), (0, 0), (-7, 4)]  # of the camera: down, right
    pairs = zip(moves, gains, strict=True)
    made = exposures.aligned(np.stack([part(*move, height, width, gain) for move, gain in pairs]))
    assert made.shape == (3, height - 5 - 7, width - 3 - 4, 3)
    for picture, gain in zip(made, gains, strict=True):
        np.testing.assert_array_equal(picture, part(5, 4, *made.shape[1:3], gain))


def test_brackets_by_exif_table_and_spacing(tmp_path):
    make_dummy_data.bracketed_photos(tmp_path)
    known = read_all("bracketed_photos", tmp_path, tmp_path / "a")
    assert list(known) == ["train/bridge", "val/canal", "test/river"]
    given = read_all("bracketed_photos/ev=0.5", tmp_path, tmp_path / "a")
    for name, made in known.items():
        np.testing.assert_allclose(made.ev_offset, [-2, -1, 0, 1, 2], atol=1e-4)
        assert (np.diff(made.stack.mean((1, 2, 3))) > 0).all()
        np.testing.assert_array_equal(given[name].stack, made.stack)
        np.testing.assert_allclose(given[name].ev_offset, [-1, -0.5, 0, 0.5, 1])


def test_merged_map_is_in_units_of_the_exposure_that_clips_at_ev_0(tmp_path):
    truth = synthetic.render_scene(0, 96, 128)
    truth *= 0.18 / np.median(truth)
    (tmp_path / "hall").mkdir()
    rows = ["file,exposure_time_s"]
    for ev in (2, -1, 0, 1, -2):
        images.write(tmp_path / f"hall/{ev}.png", make_dummy_data.photograph(truth, ev))
        rows.append(f"{ev}.png,{2.0**ev / 50}")
    (tmp_path / "hall/exposures.csv").write_text("\n".join(rows))
    one = builder("bracketed_photos", tmp_path / "a")
    _, (scene,) = one.find_scenes(tmp_path)
    ((_, made),) = one.examples(scene)
    usable = (truth > 0.02) & (truth < 2)
    stops = np.log2(made["hdr"][usable] / truth[usable])
    assert abs(np.median(stops)) < 0.05 and np.percentile(np.abs(stops), 95) < 0.1


@pytest.mark.parametrize(
    ("seconds", "config", "kept"),
    [
        ((1 / 125, 1 / 60, 1 / 30), "native_ev1", 3),
        ((1 / 13, 1 / 6, 1 / 3), "native_ev1", 3),
        ((1 / 500, 1 / 125, 1 / 30), "native_ev2", 3),
        ((1 / 30, 1 / 13, 1 / 60, 1 / 8), "native_ev1", 2),
    ],
)
def test_times_mean_the_stops_that_cameras_call_so(tmp_path, seconds, config, kept):
    """The middle exposure is that of the second half's first; a third of a stop more is too far."""
    (tmp_path / "hall").mkdir()
    rows = ["file,exposure_time_s"]
    for k, time in enumerate(seconds):
        picture = make_dummy_data.photograph(make_dummy_data.light(1), np.log2(time * 30))
        images.write(tmp_path / f"hall/{k}.png", picture)
        rows.append(f"{k}.png,{time}")
    (tmp_path / "hall/exposures.csv").write_text("\n".join(rows))
    one = builder(f"bracketed_photos/{config}", tmp_path / "a")
    _, (scene,) = one.find_scenes(tmp_path)
    assert one.builder_config.kept(one.read(scene).ev_offset).sum() == kept


def test_folders_of_raw_files_alone_are_told(tmp_path):
    make_dummy_data.bracketed_photos(tmp_path)
    (tmp_path / "bridge/originals").mkdir()
    (tmp_path / "bridge/originals/a.NEF").write_bytes(b"II*")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read_all("bracketed_photos", tmp_path, tmp_path / "a")) == 3
    (tmp_path / "raws").mkdir()
    (tmp_path / "raws/a.NEF").write_bytes(b"II*")
    with pytest.warns(UserWarning, match="1 folders hold raw files alone .*raws: develop them"):
        found = read_all("bracketed_photos", tmp_path, tmp_path / "a")
    assert len(found) == 3


def test_vds_of_16_bits_is_rounded_to_8(tmp_path):
    make_dummy_data.vds(tmp_path / "files")
    before = read_all("vds", tmp_path / "files", tmp_path)
    for path in (tmp_path / "files").rglob("*.png"):
        images.write(path, images.read_photo(path).astype(np.uint16) * 257)
    after = read_all("vds", tmp_path / "files", tmp_path)
    for name, made in before.items():
        assert after[name].stack.dtype == np.uint8
        np.testing.assert_array_equal(after[name].stack, made.stack)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: crop(f / "IMG_1.jpg"), "scene canal: .*IMG_1.jpg is 24 x 14"),
        (
            lambda f: (f / "exposures.csv").unlink(),
            "scene canal: .*no exposure time.*--option ev=2",
        ),
        (lambda f: (f / "IMG_2.jpg").unlink(), "scene canal: .*IMG_2.jpg does not exist"),
        (
            lambda f: (f / "exposures.csv").write_text("file,exposure_time_s\nIMG_0.jpg,0.1\n"),
            "scene canal: it has 1 photographs of one exposure time",
        ),
    ],
)
def test_bad_brackets(tmp_path, change, message):
    make_dummy_data.bracketed_photos(tmp_path)
    change(tmp_path / "canal")
    with pytest.raises(ValueError, match=message):
        read_all("bracketed_photos", tmp_path, tmp_path / "a")


def test_brackets_split_by_manifest(tmp_path):
    make_dummy_data.bracketed_photos(tmp_path)
    rows = "view,scene,split\nbridge,a,test\nriver,b,train\n"
    (tmp_path / "manifest.csv").write_text(rows)
    assert list(read_all("bracketed_photos", tmp_path, tmp_path / "a")) == [
        "test/bridge", "train/river",
    ]  # fmt: skip


def test_options_are_remembered_and_checked(tmp_path):
    make_dummy_data.raise_hdr(tmp_path / "files")
    data.prepare("raise_hdr/native_ev1/linear_tiff=True", tmp_path / "data", tmp_path / "files")
    reading = data.builder_of("raise_hdr/native_ev1", tmp_path / "data")
    assert reading.info.metadata["options"] == {"linear_tiff": True}
    with pytest.raises(ValueError, match="was prepared with linear_tiff=True, not False"):
        data.builder_of("raise_hdr/native_ev1/linear_tiff=False", tmp_path / "data")
    with pytest.raises(
        ValueError, match="raise_hdr has no option ev; expected skip_bad, processes, linear"
    ):
        data.builder_of("raise_hdr/native_ev1/ev=1", tmp_path / "data")
    data.prepare("raise_hdr/native_ev1/skip_bad=True", tmp_path / "b", tmp_path / "files")
    data.builder_of("raise_hdr/native_ev1", tmp_path / "b")
    with pytest.raises(ValueError, match="was prepared with skip_bad=True, not False"):
        data.builder_of("raise_hdr/native_ev1/skip_bad=False", tmp_path / "b")
    other = data.builder_of("bracketed_photos/ev=2,skip_bad=True", tmp_path / "data")
    again = pickle.loads(pickle.dumps(other))
    given = {"ev": 2, "align": False, "skip_bad": True, "processes": 1}
    assert again.options == other.options == given


def test_raise_is_linear(tmp_path):
    make_dummy_data.raise_hdr(tmp_path)
    levels = cv2.imread(str(tmp_path / "r000da50ft.TIF"), cv2.IMREAD_UNCHANGED)[..., ::-1] / 65535
    linear = np.where(levels > 0.04045, ((levels + 0.055) / 1.055) ** 2.4, levels / 12.92)
    for name, expected in (("raise_hdr", linear), ("raise_hdr/linear_tiff=True", levels)):
        made = read_all(name, tmp_path, tmp_path / "a")["train/r000da50ft"]
        np.testing.assert_allclose(made.radiance, expected, rtol=1e-5, atol=1e-7)
    images.write(tmp_path / "r000da50ft.TIF", np.full((4, 4, 3), 9, np.uint8))
    with pytest.raises(ValueError, match="scene r000da50ft: .*has 8 bits a channel; expected 16"):
        read_all("raise_hdr", tmp_path, tmp_path / "a")


def test_raw_files_without_rawpy(tmp_path, monkeypatch):
    (tmp_path / "r1.NEF").write_bytes(b"")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"1 of 1 photographs .* need rawpy: pip install rawpy"):
        builder("raise_hdr", tmp_path / "a").find_scenes(tmp_path)


def test_raw_file_goes_before_the_tiff_of_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
    for name in ("r1.TIF", "r1.NEF", "r2.tif"):
        (tmp_path / name).write_bytes(b"")
    _, scenes = builder("raise_hdr", tmp_path / "a").find_scenes(tmp_path)
    assert [scene.source.name for scene in scenes] == ["r1.NEF", "r2.tif"]


def test_raw_photograph(tmp_path):
    pytest.importorskip("rawpy", reason="raw photographs need rawpy")
    tifffile = pytest.importorskip("tifffile", reason="writes the raw photograph")
    # Flat tiles behind a colour filter array, in the least DNG file that converters accept.
    rng = np.random.default_rng(0)
    tiles = rng.uniform(0.05, 0.7, (8, 12, 3))
    light = np.kron(tiles, np.ones((8, 8, 1)))
    colour = np.array([[0, 1], [1, 2]])[np.arange(64)[:, None] % 2, np.arange(96)[None] % 2]
    mosaic = np.take_along_axis(light, colour[..., None], axis=2)[..., 0]
    white = 2**14 - 1
    # Colours of the camera are those of sRGB: the inverse of the matrix from sRGB to XYZ.
    to_camera = np.linalg.inv(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    tags = [
        (33421, "H", 2, (2, 2)),  # CFARepeatPatternDim
        (33422, "B", 4, bytes([0, 1, 1, 2])),  # CFAPattern
        (50706, "B", 4, bytes([1, 4, 0, 0])),  # DNGVersion
        (50708, "s", 0, "hdr_jax test"),  # UniqueCameraModel
        (50717, "I", 1, white),  # WhiteLevel
        (50721, "2i", 9, tuple(np.stack([np.rint(to_camera.ravel() * 10000), np.full(9, 10000)], 1)
                               .astype(int).ravel().tolist())),  # ColorMatrix1
        (50728, "2I", 3, (1, 1) * 3),  # AsShotNeutral
        (50778, "H", 1, 21),  # CalibrationIlluminant1: D65
    ]  # fmt: skip
    path = tmp_path / "r1.NEF"
    tifffile.imwrite(
        path,
        np.rint(mosaic * white).astype(np.uint16),
        photometric=32803,
        extratags=[(*tag, True) for tag in tags],
        metadata=None,
    )
    made = read_all("raise_hdr", tmp_path, tmp_path / "a")["train/r1"].radiance
    # In the middle of a tile the demosaicing has nothing to guess.
    np.testing.assert_allclose(made[4::8, 4::8], tiles, atol=2e-3)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match=r"scene r1: .*r1.NEF cannot be read"):
        read_all("raise_hdr", tmp_path, tmp_path / "a")


def test_fingerprint_sees_every_change(tmp_path):
    make_dummy_data.vds(tmp_path / "files")
    one = builder("vds", tmp_path / "a")
    place, scenes = one.find_scenes(tmp_path / "files")
    first = manual.fingerprint(place, scenes)
    assert manual.fingerprint(place, scenes[::-1]) == first
    assert manual.fingerprint(place, scenes[1:]) != first
    bytes_of = scenes[0].source.read_bytes()
    scenes[0].source.write_bytes(bytes_of[:-1] + bytes([bytes_of[-1] ^ 1]))  # as long as before
    second = manual.fingerprint(place, scenes)
    assert second != first
    truncate(scenes[0].photos[0])
    assert manual.fingerprint(place, scenes) not in (first, second)


def test_a_corrected_exposure_time_is_noticed(tmp_path):
    make_dummy_data.bracketed_photos(tmp_path / "files")
    options = ("bracketed_photos/native_ev1", tmp_path / "data", tmp_path / "files")
    data.prepare(*options)
    table = next((tmp_path / "files").rglob("exposures.csv"))
    text = table.read_text()
    last = max(i for i, letter in enumerate(text) if letter in "12345678")
    table.write_text(text[:last] + str(int(text[last]) + 1) + text[last + 1 :])
    with pytest.raises(ValueError, match="made from other files"):
        data.prepare(*options)


def test_pictures_that_are_not_read_do_not_count(tmp_path):
    make_dummy_data.bracketed_photos(tmp_path / "files")
    scenes = {}
    for name in ("bracketed_photos", "bracketed_photos/ev=1"):
        one = builder(name, tmp_path)
        scenes[name] = one.find_scenes(tmp_path / "files")[1]
    for folder in ("bridge", "canal"):  # without and with a table
        photo = tmp_path / f"files/{folder}/IMG_0.jpg"
        preview = photo.with_name("scene_preview.jpg")
        images.write_ultra_hdr(preview, images.read_photo(photo), make_dummy_data.light(0))
    shutil.copy(photo, photo.with_name("not_in_the_table.jpg"))
    (tmp_path / "files/bridge/NOTES.CSV").write_text("x")
    (tmp_path / "files/notes").mkdir()
    (tmp_path / "files/notes/LOG.CSV").write_text("x")
    for name, before in scenes.items():
        assert builder(name, tmp_path).find_scenes(tmp_path / "files")[1] == before
        assert all(len(builder(name, tmp_path).read(scene).stack) == 5 for scene in before)


def test_a_link_to_its_own_folder_is_passed_over(tmp_path):
    make_dummy_data.radiance_maps(tmp_path / "files")
    one = builder("radiance_maps", tmp_path)
    scenes = one.find_scenes(tmp_path / "files")[1]
    (tmp_path / "files/latest").symlink_to(".")
    assert one.find_scenes(tmp_path / "files")[1] == scenes


def test_names_of_every_kind(tmp_path):
    composed, apart = "caf\xe9", "cafe\u0301"
    assert manual.plain(apart) == composed and splits.by_hash(apart) == splits.by_hash(composed)
    light = make_dummy_data.light(0)
    (tmp_path / "files").mkdir()
    for name in (apart, "lamp"):
        images.write(tmp_path / f"files/{name}.hdr", light)
    rows = f"view,scene,split\n{composed}.hdr,a,val\nlamp.hdr,b,train\n"
    (tmp_path / "files/manifest.csv").write_text(rows, encoding="utf-8")
    assert list(read_all("radiance_maps", tmp_path / "files", tmp_path)) == [
        f"val/{composed}", "train/lamp",
    ]  # fmt: skip
    (tmp_path / "files/manifest.csv").unlink()
    try:
        (tmp_path / "files/lamp.hdr").rename(tmp_path / os.fsdecode(b"files/l\xe4mp.hdr"))
    except OSError:
        pytest.skip("this file system takes no other names than UTF-8")
    made = data.prepare("radiance_maps", tmp_path / "data", tmp_path / "files")
    names = {scene["scene"] for split in made.info.splits for scene in made.as_data_source(split)}
    assert names == {composed.encode(), rb"l\xe4mp"}


def test_dummy_data_is_what_the_script_makes(tmp_path):
    for name in ("vds", "hdr_eye", "raise_hdr", "bracketed_photos", "radiance_maps"):
        getattr(make_dummy_data, name)(tmp_path / name)
        committed = make_dummy_data.BUILDERS / name / "dummy_data"
        names = [
            sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
            for folder in (tmp_path / name, committed)
        ]
        assert names[0] == names[1]
        for path in names[0]:
            if path.suffix in (".csv", ".npy"):  # of pictures, machines differ in the last bit
                made = (tmp_path / name / path).read_bytes()
                assert zlib.crc32(made) == zlib.crc32((committed / path).read_bytes())


def test_prepared_folders_that_are_not_whole_are_told(tmp_path):
    make_dummy_data.raise_hdr(tmp_path / "files")
    prepared = data.prepare("raise_hdr/native_ev1", tmp_path / "data", tmp_path / "files")
    path = pathlib.Path(prepared.data_dir) / "dataset_info.json"
    path.write_text("{")
    with pytest.raises(ValueError, match="dataset_info.json is damaged"):
        data.builder_of("raise_hdr/native_ev1", tmp_path / "data")
    path.unlink()
    with pytest.raises(ValueError, match="is not whole: it has no splits"):
        data.prepare("raise_hdr/native_ev1", tmp_path / "data")


def test_builders_leave_nothing_behind(tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    data.builder_of("raise_hdr", tmp_path / "data")
    assert not list((tmp_path / "temporary").iterdir())


def test_folders_of_vds_tell_the_split_by_their_whole_names(tmp_path):
    place = tmp_path / "test data/VDS"
    for scene in ("t1", "t3"):
        (place / scene).mkdir(parents=True)
        for ev in range(-3, 4):
            images.write(place / scene / f"{scene}_{ev}EV_true.jpg.png", np.zeros((4, 4, 3)))
        images.write(place / scene / "target_hdr.hdr", np.ones((4, 4, 3), np.float32))
    found = builder("vds", tmp_path / "a").find_scenes(tmp_path)[1]
    assert {scene.name: scene.split for scene in found} == {"t1": "train", "t3": "test"}
