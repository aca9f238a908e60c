"""tfds_builders without TensorFlow: prepare, read, splits, panoramas, and what goes wrong."""

import csv
import errno
import pathlib
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tensorflow_datasets as tfds

import tfds_builders
from hdr_jax import color, data, images
from hdr_jax.errors import InputError
from tfds_builders import common, panorama, sizes, splits
from tfds_builders.radiance_maps import radiance_maps_dataset_builder as radiance_maps
from tfds_builders.synthetic_stacks import synthetic_stacks_dataset_builder as synthetic_stacks

ROOT = pathlib.Path(__file__).resolve().parents[2]
DUMMY = ROOT / "tfds_builders/radiance_maps/dummy_data"


@pytest.fixture
def few_scenes(monkeypatch):
    """synthetic_stacks with four scenes."""
    monkeypatch.setattr(synthetic_stacks, "NUM_SCENES", {"train": 2, "val": 1, "test": 1})


def check_examples(source, size=None):
    """The contract of every builder's examples."""
    for scene in source:
        stack = np.stack(scene["stack"])
        assert stack.dtype == np.uint8 and stack.ndim == 4 and len(stack) == len(scene["ev_offset"])
        assert scene["ev_offset"].dtype == np.float32 and (np.diff(scene["ev_offset"]) > 0).all()
        assert scene["hdr"].dtype == np.float32 and scene["hdr"].shape == stack.shape[1:]
        assert np.isfinite(scene["hdr"]).all() and scene["hdr"].min() >= 0
        assert isinstance(scene["scene"], bytes) and scene["scene"]
        assert size is None or stack.shape[1:] == (size, size, 3)
        # A longer exposure is nowhere darker but for noise.
        assert (np.diff(stack.mean((1, 2, 3))) >= -0.5).all()


def test_all_builders_are_known_by_name():
    for name, builder in tfds_builders.BUILDERS.items():
        assert tfds.builder_cls(name) is builder


@pytest.mark.parametrize("name", sorted(tfds_builders.BUILDERS))
def test_folder_form(name):
    folder = ROOT / "tfds_builders" / name
    for part in ("__init__.py", "README.md", "CITATIONS.bib", "TAGS.txt", "dummy_data"):
        assert (folder / part).exists(), part
    assert (folder / f"{name}_dataset_builder_test.py").exists()
    builder = tfds_builders.BUILDERS[name]
    metadata = builder.get_metadata()
    assert metadata.description and "@" in metadata.citation
    assert set(metadata.tags) <= set(tfds.core.dataset_metadata.valid_tags())
    assert str(builder.VERSION) in builder.RELEASE_NOTES
    files = [path for path in (folder / "dummy_data").rglob("*") if path.is_file()]
    assert files and max(path.stat().st_size for path in files) < 20_000


def test_a_full_disk_is_told_as_that(small_disk, few_scenes):
    with pytest.raises(OSError, match="No space left on device: .*synthetic_stacks") as caught:
        data.prepare("synthetic_stacks/256", small_disk)
    assert caught.value.errno == errno.ENOSPC


def test_synthetic_stacks(tmp_path, few_scenes):
    source = data.load_source("synthetic_stacks/64", "train", tmp_path)
    assert len(source) == 2
    check_examples(source, 64)
    names = [scene["scene"] for scene in source]
    assert names == [b"synthetic_0000000", b"synthetic_0000001"]
    other = data.load_source("synthetic_stacks/64", "val", tmp_path)
    assert [scene["scene"] for scene in other] == [b"synthetic_1000000"]
    # Made again elsewhere: the same, bit for bit.
    again = data.load_source("synthetic_stacks/64", "train", tmp_path / "other")
    for one, two in zip(source, again, strict=True):
        np.testing.assert_array_equal(np.stack(one["stack"]), np.stack(two["stack"]))
        np.testing.assert_array_equal(one["hdr"], two["hdr"])


def test_exposures_are_those_of_the_radiance_map(tmp_path, few_scenes):
    scene = data.load_source("synthetic_stacks/64", "train", tmp_path)[0]
    exposure = scene["hdr"] * 2.0 ** scene["ev_offset"][:, None, None, None]
    levels = np.stack(scene["stack"])
    # Far above clipping white, far below the noise black, and the same level for the same exposure
    # whatever the EV: one response for all.
    assert (levels[exposure > 1.2] >= 250).all()
    assert levels[exposure < 1e-6].max(initial=0) <= 40
    medians = []
    for low in (0.03, 0.1, 0.3):
        here = (exposure > low) & (exposure < 1.05 * low)
        per_exposure = [np.median(levels[j][here[j]]) for j in range(7) if here[j].sum() > 5]
        assert len(per_exposure) >= 2 and np.ptp(per_exposure) <= 8
        medians.append(np.median(per_exposure))
    assert medians == sorted(medians) and medians[-1] - medians[0] > 40


def test_radiance_maps(tmp_path):
    source = data.load_source("radiance_maps/native", "train", tmp_path, DUMMY)
    names = [scene["scene"].decode() for scene in source]
    assert names == [f"attic_2k_view{k}" for k in range(6)] + ["garden"]
    check_examples(source)
    garden = source[6]
    truth = images.read_hdr(DUMMY / "garden.hdr")
    assert garden["hdr"].shape == truth.shape
    ratio = garden["hdr"] / truth
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-4)
    # Metered: the log average is 0.18, within half a stop.
    average = np.exp(np.log(garden["hdr"] @ np.array(color.LUMINANCE_WEIGHTS)).mean())
    assert abs(np.log2(average / 0.18)) <= 0.51
    for split, count in {"train": 7, "val": 1, "test": 1}.items():
        square = data.load_source("radiance_maps/256", split, tmp_path, DUMMY)
        assert len(square) == count
        check_examples(square, 256)


def test_manual_directory_may_hold_a_folder_of_that_name(tmp_path):
    folder = tmp_path / "manual" / "radiance_maps"
    folder.mkdir(parents=True)
    (folder / "garden.hdr").write_bytes((DUMMY / "garden.hdr").read_bytes())
    source = data.load_source("radiance_maps/native", "train", tmp_path / "data", folder.parent)
    assert [scene["scene"] for scene in source] == [b"garden"]


def test_radiance_maps_takes_jpegs_with_a_gain_map(tmp_path):
    folder = copy_views(tmp_path / "own", "garden.hdr")
    light = np.full((32, 48, 3), 0.2, np.float32)
    light[8:24, 8:24] = 4
    picture = np.where(light > 1, 255, 124).astype(np.uint8)
    images.write_ultra_hdr(folder / "phone.jpg", picture, light)
    images.write(folder / "plain.jpg", picture)
    builder = data.builder_of("radiance_maps", tmp_path / "data")
    _, scenes = builder.find_scenes(folder)
    assert [scene.name for scene in scenes] == ["garden", "phone"]
    read = builder.read(scenes[1]).radiance
    np.testing.assert_allclose(read[12:20, 12:20], 4, rtol=0.02)
    np.testing.assert_allclose(read[:6], 0.2, rtol=0.05)


def test_views_that_are_black_are_left_out(tmp_path):
    half = np.zeros((16, 32, 3), np.float32)
    half[:, 12:20] = 1  # straight on
    images.write(tmp_path / "half.exr", half)
    one = data.builder_of("radiance_maps", tmp_path / "data")
    _, (scene,) = one.find_scenes(tmp_path)
    names = [name for name, _ in one.examples(scene)]
    assert names[0] == "half_view0" and "half_view3" not in names


def test_other_files_are_not_taken_for_those_prepared(tmp_path):
    one = copy_views(tmp_path / "one", "garden.hdr", "attic.hdr")
    for folder in (one, None, one):
        assert len(data.load_source("radiance_maps", "train", tmp_path / "data", folder)) == 2
    with pytest.warns(UserWarning, match="gone is not there.*as it was prepared"):
        data.load_source("radiance_maps", "train", tmp_path / "data", tmp_path / "gone")
    two = copy_views(tmp_path / "two", "garden.hdr", "lamp.hdr")
    with pytest.raises(ValueError, match="made from other files than .* 2 scenes in .*two"):
        data.load_source("radiance_maps", "train", tmp_path / "data", two)
    assert len(data.load_source("radiance_maps", "train", tmp_path / "more", two)) == 2


def test_a_version_is_read_by_its_builder(tmp_path, monkeypatch):
    one = copy_views(tmp_path / "one", "garden.hdr", "attic.hdr")
    with monkeypatch.context() as context:
        context.setattr(radiance_maps.Builder, "VERSION", tfds.core.Version("1.0.0"))
        data.prepare("radiance_maps:1.0.0", tmp_path / "data", one)
    assert len(data.load_source("radiance_maps:1.0.0", "train", tmp_path / "data", one)) == 2
    two = copy_views(tmp_path / "two", "garden.hdr", "lamp.hdr")
    with pytest.raises(InputError, match="made from other files"):
        data.load_source("radiance_maps:1.0.0", "train", tmp_path / "data", two)
    with pytest.raises(InputError, match="version 2.0.0 alone can be prepared"):
        data.prepare("radiance_maps:1.0.0", tmp_path / "other", one)
    with pytest.raises(InputError, match="9.9.9"):
        data.builder_of("radiance_maps:9.9.9", tmp_path / "data")


def copy_views(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes((DUMMY / "garden.hdr").read_bytes())
    return folder


def test_manifest_decides_the_split(tmp_path):
    folder = copy_views(tmp_path / "views", "a.hdr", "b.hdr", "c.hdr")
    rows = "view,scene,split\na.hdr,one,val\nb.hdr,one,val\n"
    for place in (folder, tmp_path):
        (place / "manifest.csv").write_text(rows)
        with pytest.warns(UserWarning, match=r"leaves out 1 of the 3 files .* such as c\.hdr"):
            split_of = radiance_maps.assign_splits(folder, sorted(folder.glob("*.hdr")))
        assert {path.name: split for path, split in split_of.items()} == {
            "a.hdr": "val",
            "b.hdr": "val",
        }
        (place / "manifest.csv").unlink()


def test_a_table_of_another_kind_beside_the_folder_is_not_meant(tmp_path):
    folder = copy_views(tmp_path / "views", "a.hdr", "b.hdr")
    expected = radiance_maps.assign_splits(folder, sorted(folder.glob("*.hdr")))
    for content in (b"file,x\n1,2\n", b"\xff\xfe\0\1"):
        (tmp_path / "manifest.csv").write_bytes(content)
        assert radiance_maps.assign_splits(folder, sorted(folder.glob("*.hdr"))) == expected


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("view,split\na.hdr,val\n", "has view, split; expected the columns"),
        ("", "has no rows"),
        ("view,scene,split\na.hdr,one,dev\n", "into 'dev'; expected train, val, test"),
        ("view,scene,split\na.hdr,one,val\nb.hdr,one,train\n", "scene one into val and train"),
        ("view,scene,split\nx.hdr,one,val\n", "names none of the 2 views"),
        ("view,scene,split\na.hdr,one,val\na.hdr,two,train\n", "names a.hdr twice"),
    ],
)
def test_bad_manifest(tmp_path, rows, message):
    folder = copy_views(tmp_path / "views", "a.hdr", "b.hdr")
    (folder / "manifest.csv").write_text(rows)
    with pytest.raises(ValueError, match=message):
        radiance_maps.assign_splits(folder, sorted(folder.glob("*.hdr")))


def test_manifest_of_folders(tmp_path):
    copy_views(tmp_path / "garden", "a.hdr")
    files = sorted(copy_views(tmp_path / "kitchen", "a.hdr", "b.hdr").glob("*.hdr"))
    files.append(tmp_path / "garden/a.hdr")
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("view,scene,split\nkitchen/a.hdr,1,val\nb.hdr,2,test\ngarden/a.hdr,3,val")
    split_of = radiance_maps.assign_splits(tmp_path, files)
    assert split_of == dict(zip(files, ["val", "test", "val"], strict=True))
    manifest.write_text("view,scene,split\na.hdr,one,val\n")
    with pytest.raises(ValueError, match="names a.hdr, which is kitchen/a.hdr or garden/a.hdr"):
        radiance_maps.assign_splits(tmp_path, files)


def test_views_of_a_scene_share_a_split(tmp_path):
    ends = "_02_4k", "-12", " 0", ".0", "_v0", "_view0", " (3)", "(3)", "_02 v1"
    for end in ends:
        assert radiance_maps.scene_of(f"harbour{end}") == "harbour"
        assert radiance_maps.scene_of(f"coast_1/harbour{end}") == "coast_1/harbour"
    for name in ("room2_01", "review_1", "SDIM0123_1"):
        assert radiance_maps.scene_of(name) == name.rpartition("_")[0]
    for name in ("20260101_123456", "2023-05-02 12.30.11", "2023_05_02_001"):
        assert radiance_maps.scene_of(name) == name
    assert radiance_maps.scene_of("12_0") == "12"
    assert radiance_maps.scene_of("harbour_4K") == "harbour"
    assert radiance_maps.scene_of("harbour/4K") == radiance_maps.scene_of("harbour/1k") == "harbour"
    assert radiance_maps.scene_of("hall") == "hall"
    assert radiance_maps.scene_of("scene01") == "scene01"
    assert radiance_maps.scene_of("scene01_4k") == "scene01"
    assert radiance_maps.scene_of("_12") == "_12"
    assert radiance_maps.scene_of("HARBOUR_02_4k") == "HARBOUR"
    for name in (
        "IMG_0001",
        "dsc_0001",
        "_MG_0001",
        "IMG-12",
        "PXL_20260101_120000123",
        "GX010123",
    ):
        assert radiance_maps.scene_of(name) == name
    names = [f"scene{chr(97 + i)}_{k}.hdr" for i in range(26) for k in range(2)]
    split_of = radiance_maps.assign_splits(tmp_path, [tmp_path / name for name in names])
    for i in range(0, len(names), 2):
        assert split_of[tmp_path / names[i]] == split_of[tmp_path / names[i + 1]]
    nested = [tmp_path / f"scene_{k:02d}/target_hdr.hdr" for k in range(30)]
    assert set(radiance_maps.assign_splits(tmp_path, nested).values()) == set(splits.SHARES)
    many = [splits.by_hash(f"scene {i}") for i in range(4000)]
    for split, share in {"train": 0.8, "val": 0.1, "test": 0.1}.items():
        assert abs(many.count(split) / 4000 - share) < 0.02


def test_a_folder_that_is_one_scene_by_its_names_is_told(tmp_path):
    files = [tmp_path / f"scene_{k:03d}.hdr" for k in range(9)]
    with pytest.warns(UserWarning, match="all 9 radiance maps in .* show one scene, 'scene'"):
        assert len(set(radiance_maps.assign_splits(tmp_path, files).values())) == 1


def test_errors_show_the_expected_tree_and_what_was_found(tmp_path):
    with pytest.raises(ValueError, match="(?s)does not exist.*Expected:.*harbour_4k.exr"):
        data.load_source("radiance_maps", "train", tmp_path / "data", tmp_path / "none")
    folder = tmp_path / "views"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/photo.jpg").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"(?s)Expected:.*Found in .*views:.*deep/photo\.jpg"):
        data.load_source("radiance_maps", "train", tmp_path / "data", folder)
    images.write(folder / "black.hdr", np.zeros((4, 4, 3)))
    with pytest.raises(ValueError, match="scene black: its radiance map spans 0.0 to 0.0"):
        data.load_source("radiance_maps", "train", tmp_path / "data", folder)
    (folder / "black.hdr").write_bytes((DUMMY / "garden.hdr").read_bytes()[:200])
    with pytest.raises(ValueError, match=r"black\.hdr cannot be read"):
        data.load_source("radiance_maps", "train", tmp_path / "data", folder)
    # Nothing half made is left to be taken for a dataset.
    assert not list((tmp_path / "data").rglob("features.json"))
    with pytest.raises(ValueError, match="has no split 'dev'; expected test, train, val"):
        data.load_source("radiance_maps", "dev", tmp_path / "data", DUMMY)
    for split in ("train[5", "train[99:]", "train[:0]"):
        with pytest.raises(
            InputError, match="has no split .*; expected test, train, val or a part"
        ):
            data.load_source("radiance_maps", split, tmp_path / "data", DUMMY)
    assert len(data.load_source("radiance_maps", "train+val", tmp_path / "data")) == 8
    with pytest.raises(ValueError, match="expected one of bracketed_photos, hdr_eye, .*, vds"):
        data.load_source("imagenet", "train", tmp_path)


def test_bad_examples():
    stack, hdr = np.zeros((2, 4, 4, 3), np.uint8), np.ones((4, 4, 3))
    good = common.example(stack, [1.0, -1.0], hdr, "one")
    assert good["ev_offset"].tolist() == [-1.0, 1.0]
    for bad in (
        (stack.astype(float), [0.0, 1.0], hdr),
        (stack, [0.0], hdr),
        (stack, [0.0, 1.0], np.ones((5, 4, 3))),
        (stack, [0.0, 1.0], np.zeros((4, 4, 3))),
        (stack, [0.0, 1.0], np.full((4, 4, 3), np.nan)),
        (stack, [0.0, 1.0], -hdr),
    ):
        with pytest.raises(ValueError, match="scene one: .*expected"):
            common.example(*bad, "one")


def directions(height):
    """Unit direction of every pixel of a panorama, by the definition of latitude and longitude."""
    latitude = (0.5 - (np.arange(height)[:, None] + 0.5) / height) * np.pi
    longitude = ((np.arange(2 * height)[None] + 0.5) / height - 1) * np.pi
    return np.stack(
        [
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude) + 0 * longitude,
            np.cos(latitude) * np.cos(longitude),
        ],
        axis=-1,
    ).astype(np.float32)


@pytest.mark.parametrize(("yaw", "pitch"), [*panorama.VIEWS, (180.0, 0.0), (0.0, 85.0)])
def test_panorama_views_look_where_they_say(yaw, pitch):
    size = 33
    seen = panorama.view(directions(256), yaw, pitch, size)
    # The camera's axes by rotation matrices: first up by pitch, then right by yaw.
    a, b = np.radians(yaw), np.radians(pitch)
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    tilt = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    edge = np.tan(np.radians(37.5)) * (np.arange(size) + 0.5 - size / 2) / (size / 2)
    x, y = np.meshgrid(edge, -edge)
    rays = np.stack([x, y, np.ones_like(x)], -1) @ (turn @ tilt).T
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    np.testing.assert_allclose(seen, rays, atol=2e-2)
    assert np.median(np.abs(seen - rays)) < 2e-3


def test_panorama_keeps_light():
    light = np.zeros((64, 128, 3), np.float32)
    light[30:34, 62:66] = 1000.0
    views = panorama.cut(light, 16)
    assert len(views) == 6 and views[0].shape == (16, 16, 3)
    # Shrunk by areas, the lamp keeps its light: radiance times solid angle about the axis.
    focal = 8 / np.tan(np.radians(37.5))
    assert views[0].sum() / focal**2 == pytest.approx(
        light.sum() * (2 * np.pi / 128) ** 2, rel=0.15
    )
    assert views[3].max() == 0
    assert panorama.cut(light)[0].shape == (31, 31, 3)
    assert not panorama.is_panorama(light[:, :127])


def test_middle_of_radiance():
    picture = np.arange(6 * 10 * 3, dtype=np.float32).reshape(6, 10, 3)
    np.testing.assert_array_equal(sizes.middle_radiance(picture, 6), picture[:, 2:8])
    blocks = picture[:, 2:8].reshape(3, 2, 3, 2, 3).mean((1, 3))
    np.testing.assert_allclose(sizes.middle_radiance(picture, 3), blocks, rtol=1e-6)
    assert sizes.middle_radiance(picture, 12).shape == (12, 12, 3)
    assert sizes.middle_radiance(picture, None) is picture


def test_middle_of_photographs_is_resized_by_lanczos():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (30, 44, 3), np.uint8)
    np.testing.assert_array_equal(sizes.middle_photo(picture, 30), picture[:, 7:37])
    assert sizes.middle_photo(picture, None) is picture
    # Separable, sinc(x) sinc(x / 3) of width 3 output pixels, normalised, in float64.
    size, scale = 10, 3.0

    def weights(first, length):
        at = (np.arange(size)[:, None] + 0.5) - (np.arange(length) + 0.5 - first) / scale
        kernel = np.sinc(at) * np.sinc(at / 3) * (np.abs(at) < 3)
        return kernel / kernel.sum(1, keepdims=True)

    # 8 bits between the two passes, as in the library.
    across = np.clip(np.einsum("jx,yxc->yjc", weights(7, 44), picture), 0, 255).round()
    expected = np.clip(np.einsum("iy,yjc->ijc", weights(0, 30), across), 0, 255)
    assert np.abs(sizes.middle_photo(picture, size) - expected).max() <= 1.0


def test_configs_keep_exposures_around_the_middle():
    names = [config.name for config in common.configs()]
    assert names == ["native", "256", "native_ev2", "256_ev2", "native_ev1", "256_ev1"]
    by_name = {config.name: config for config in common.configs(ev_offset=(-2.7, -0.7, 0, 0.7, 2))}
    assert by_name["256"].ev_offset == (-2.7, -0.7, 0, 0.7, 2)
    assert by_name["256_ev2"].ev_offset == (-0.7, 0, 0.7, 2)
    assert by_name["native_ev1"].ev_offset == (-0.7, 0, 0.7)
    for name, builder in tfds_builders.BUILDERS.items():
        assert builder.DEFAULT_BUILDER_CONFIG_NAME in {c.name for c in builder.BUILDER_CONFIGS}
        for config in builder.BUILDER_CONFIGS:
            info = common.features(config.size, len(config.ev_offset or ()) or None)
            assert info["ev_offset"].shape == (config.ev_offset and len(config.ev_offset),), name


@pytest.mark.slow
def test_tensorflow_need_not_be_importable(tmp_path):
    program = f"""
        import importlib.machinery
        import sys

        # As if it were not installed, even where it is.
        find_spec = importlib.machinery.PathFinder.find_spec
        importlib.machinery.PathFinder.find_spec = lambda name, *args: (
            None if name.split(".")[0] == "tensorflow" else find_spec(name, *args)
        )
        try:
            import tensorflow
        except ImportError:
            pass
        else:
            raise SystemExit("not blocked")
        import tensorflow_datasets as tfds
        import tfds_builders
        from tfds_builders.synthetic_stacks import synthetic_stacks_dataset_builder as module
        from hdr_jax import data

        module.NUM_SCENES = dict(train=2, val=1, test=1)
        tfds.disable_progress_bar()
        for name, builder in tfds_builders.BUILDERS.items():
            config = tfds.download.DownloadConfig(
                manual_dir={str(ROOT / "tfds_builders")!r} + "/" + name + "/dummy_data"
            )
            sources = tfds.data_source(
                name,
                data_dir={str(tmp_path)!r},
                download_and_prepare_kwargs=dict(download_config=config),
            )
            first = next(iter(sources))
            again = data.load_source(name, first, {str(tmp_path)!r})
            assert (sources[first][0]["hdr"] == again[0]["hdr"]).all()
            batch = next(data.batches(again, batch_size=2, size=16, seed=0))
            print(name, dict((k, len(v)) for k, v in sources.items()), batch["stack"].shape)
        assert not any(module.split(".")[0] == "tensorflow" for module in sys.modules)
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    printed = [line for line in result.stdout.splitlines() if line.endswith("3)")]
    assert printed == [
        "bracketed_photos {'train': 1, 'val': 1, 'test': 1} (2, 5, 16, 16, 3)",
        "hdr_eye {'test': 2} (2, 9, 16, 16, 3)",
        "radiance_maps {'train': 7, 'val': 1, 'test': 1} (2, 7, 16, 16, 3)",
        "raise_hdr {'train': 1, 'val': 1, 'test': 1} (2, 7, 16, 16, 3)",
        "synthetic_stacks {'train': 2, 'val': 1, 'test': 1} (2, 7, 16, 16, 3)",
        "vds {'train': 2, 'test': 1} (2, 7, 16, 16, 3)",
    ]


@pytest.mark.slow
def test_tf_data_reads_the_same_files(tmp_path):
    tf = pytest.importorskip("tensorflow", reason="tfds.load gives tf.data, which needs tensorflow")
    manual = tfds.download.DownloadConfig(manual_dir=ROOT / "tfds_builders/vds/dummy_data")
    arguments = {
        "data_dir": tmp_path,
        "download_and_prepare_kwargs": {"download_config": manual},
    }
    source = tfds.data_source("vds", split="train", **arguments)
    loaded, info = tfds.load("vds", split="train", with_info=True, **arguments)
    assert info.file_format.value == "array_record" and len(loaded) == len(source) == 2
    for one, two in zip(source, tfds.as_numpy(loaded), strict=True):
        np.testing.assert_array_equal(np.stack(one.pop("stack")), two.pop("stack"))
        assert one.keys() == two.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], two[name])
    # Slices, shuffling and decoders as everywhere in TFDS.
    part = tfds.load("vds", split="train[1:]", data_dir=tmp_path)
    assert [scene["scene"] for scene in tfds.as_numpy(part)] == [b"t2"]
    config = tfds.ReadConfig(try_autocache=False)  # a cache would keep the first order
    mixed = tfds.load(
        "vds", split="train", data_dir=tmp_path, shuffle_files=True, read_config=config
    )
    orders = {tuple(scene["scene"] for scene in tfds.as_numpy(mixed)) for _ in range(30)}
    assert orders == {(b"t1", b"t2"), (b"t2", b"t1")}
    skip = {"stack": tfds.decode.SkipDecoding()}
    (raw,) = tfds.load("vds", split="test", data_dir=tmp_path, decoders=skip)
    assert raw["stack"].shape == (7,) and raw["stack"][0].numpy()[1:4] == b"PNG"
    partial = tfds.decode.PartialDecoding({"hdr": True, "scene": True})
    (few,) = tfds.load("vds", split="test", data_dir=tmp_path, decoders=partial)
    assert sorted(few) == ["hdr", "scene"]

    def names(**options):
        config = tfds.ReadConfig(try_autocache=False, **options)
        arguments = {"split": "all", "data_dir": tmp_path, "read_config": config}
        found = tfds.load("vds", shuffle_files="shuffle_seed" in options, **arguments)
        return [scene["scene"] for scene in tfds.as_numpy(found)]

    assert len({tuple(names(shuffle_seed=3)) for _ in range(5)}) == 1
    contexts = [tf.distribute.InputContext(2, i) for i in range(2)]
    parts = [names(input_context=context) for context in contexts]
    assert parts == [names()[::2], names()[1::2]]
    with pytest.raises(InputError, match="add_tfds_id"):
        names(add_tfds_id=True)
    # TFDS's own format still works.
    plain = {**arguments, "data_dir": tmp_path / "b", "builder_kwargs": {"file_format": "tfrecord"}}
    (scene,) = tfds.load("vds", split="test", **plain)
    np.testing.assert_array_equal(scene["hdr"], raw["hdr"])


def test_real_views(shared):
    folder = shared / "data/views"
    files = sorted(folder.glob("*.hdr"))
    with (shared / "data/manifest.csv").open(newline="") as file:
        listed = {row["view"]: row["split"] for row in csv.DictReader(file)}
    split_of = radiance_maps.assign_splits(folder, files)
    assert split_of == {path: listed[path.name] for path in files}
    assert {path.name for path in files} == set(listed)
    assert set(split_of.values()) == {"train", "val"}
    radiance = images.read_hdr(files[0])
    example = common.photographed(radiance, files[0].stem, radiance_maps.Builder.BUILDER_CONFIGS[0])
    assert len(example["stack"]) == 7
