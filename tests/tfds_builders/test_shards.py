"""Data sets prepared in shards: stopped and continued, by several processes, damaged."""

import concurrent.futures
import hashlib
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

import make_dummy_data
import numpy as np
import pytest
import tensorflow_datasets as tfds

from hdr_jax import data, images
from hdr_jax.cli import main
from hdr_jax.errors import InputError
from tfds_builders import common, manual, shards
from tfds_builders.radiance_maps import radiance_maps_dataset_builder as radiance_maps

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def views(tmp_path, monkeypatch):
    """Five radiance maps of three splits, each a shard of its own."""
    monkeypatch.setattr(shards, "SCENES", 1)
    folder = tmp_path / "views"
    make_dummy_data.radiance_maps(folder)
    (folder / "attic_2k.exr").unlink()
    for name in ("lamp", "pond"):
        shutil.copy(folder / "garden.hdr", folder / f"{name}.hdr")
    return folder


def digests(folder):
    """Digest of every file of a prepared data set, by name."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }


def test_a_stopped_build_goes_on(tmp_path, views, monkeypatch):
    whole = pathlib.Path(data.prepare("radiance_maps", tmp_path / "whole", views).data_dir)
    examples, made = radiance_maps.Builder.examples, []

    def stopping(self, scene):
        if len(made) == 3:
            made.append("stopped")
            raise KeyboardInterrupt
        made.append(scene.name)
        return examples(self, scene)

    monkeypatch.setattr(radiance_maps.Builder, "examples", stopping)
    with pytest.raises(KeyboardInterrupt):
        data.prepare("radiance_maps", tmp_path / "data", views)
    assert not (tmp_path / "data/radiance_maps/native/2.0.0").exists()
    folder = tmp_path / "data/radiance_maps/native/unfinished.2.0.0"
    damaged, replaced = sorted(folder.glob("*.records"))[:2]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    note = replaced.with_suffix(".json")
    note.write_text(note.read_text().replace("radiance_maps/native", "radiance_maps/256"))
    built = pathlib.Path(data.prepare("radiance_maps", tmp_path / "data", views).data_dir)
    # The third scene is not made again; the cut one and the one of another build are.
    assert made[4:] == [
        *made[:2],
        *sorted({"kitchen_01", "tunnel"} - set(made[:3]), key=made.index),
    ]
    assert digests(built) == digests(whole) and not folder.exists()


def test_shards_of_another_format_or_config_are_made_anew(tmp_path, views):
    good = (views / "tunnel.exr").read_bytes()
    manual_dir = tfds.download.DownloadConfig(manual_dir=views)

    def prepared(data_dir, size=16, file_format="array_record"):
        config = common.StackConfig(name="mine", size=size)
        built = radiance_maps.Builder(config=config, data_dir=data_dir, file_format=file_format)
        built.download_and_prepare(download_config=manual_dir)
        return digests(pathlib.Path(built.data_dir))

    for options in ({"size": 8}, {"file_format": "tfrecord"}):
        whole = prepared(tmp_path / f"whole{options}", **options)
        data_dir = tmp_path / f"stopped{options}"
        (views / "tunnel.exr").write_bytes(good[:300])
        with pytest.raises(InputError, match="scene tunnel"):
            prepared(data_dir)
        (views / "tunnel.exr").write_bytes(good)
        assert list(data_dir.rglob("*.records"))
        assert prepared(data_dir, **options) == whole


def test_two_programs_prepare_one_after_the_other(tmp_path, views, monkeypatch):
    examples, began, waits = radiance_maps.Builder.examples, [], threading.Event()

    def while_another_waits(self, scene):
        began.append(scene.name)
        assert waits.wait(60)
        return examples(self, scene)

    def warned(message, *_, **__):
        if "another program prepares" in str(message):
            waits.set()

    monkeypatch.setattr(radiance_maps.Builder, "examples", while_another_waits)
    monkeypatch.setattr("warnings.warn", warned)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:  # locks tell threads apart, too
        made = [pool.submit(data.prepare, "radiance_maps", tmp_path, views) for _ in range(2)]
        splits = [set(one.result().info.splits) for one in made]
    assert splits == [{"train", "val", "test"}] * 2
    assert len(began) == len(set(began)) == 5


def test_shards_follow_from_the_scenes_alone(tmp_path):
    scenes = [manual.SceneFiles(str(k), "train") for k in range(3000)]
    for count in (1, 8, 9, 2048, 3000):
        cut = shards.cut(tmp_path, "train", scenes[:count], str)
        assert [scene for shard in cut for scene in shard.scenes] == scenes[:count]
        sizes = {len(shard.scenes) for shard in cut}
        assert len(cut) == min(-(-count // 8), 256) and max(sizes) - min(sizes) <= 1


def test_damaged_shards_are_named(tmp_path, views):
    source = data.load_source("radiance_maps", "train", tmp_path / "data", views)
    second = tmp_path / "data/radiance_maps/native/2.0.0/radiance_maps-train.array_record-00001"
    (path,) = second.parent.glob(f"{second.name}-of-*")
    good = path.read_bytes()
    for bad in (good[:1000], good[:200] + bytes(400) + good[600:], b""):
        path.unlink()  # an open file stays as it is
        path.write_bytes(bad)
        source = data.load_source("radiance_maps", "train", tmp_path / "data", views)
        assert source[0]["scene"]
        with pytest.raises(InputError, match=f"{path.name} is damaged .*prepare"):
            source[1]
        with pytest.raises(InputError, match=f"{path.name} is damaged"):
            next(data.batches(source, batch_size=len(source), size=8, seed=0))


def test_prepare_command(tmp_path, views, capsys):
    call = ["data", "prepare", "radiance_maps", "--manual-dir", str(views)]
    assert main([*call, "--data-dir", f"{tmp_path}/data", "--option", "skip_bad=True"]) == 0
    assert "radiance_maps/native/2.0.0 in " in capsys.readouterr().out
    assert main([*call, "--processes", "0"]) == 2
    assert "--processes 0; expected 1 or more" in capsys.readouterr().err


def panoramas(folder, count):
    """So many panoramas of different brightness, in several splits."""
    folder.mkdir()
    picture = make_dummy_data.panorama(48)
    for k in range(count):
        images.write(folder / f"room{'abcdefghij'[k % 10]}_{k}.exr", picture * (1 + k / count))


@pytest.mark.slow
def test_several_processes_write_the_same_bytes(tmp_path):
    panoramas(tmp_path / "rooms", 20)
    make_dummy_data.vds(tmp_path / "vds")
    for name, files in (("radiance_maps/native", "rooms"), ("vds/native", "vds")):
        built = [
            data.prepare(f"{name}/processes={count}", tmp_path / str(count), tmp_path / files)
            for count in (1, 2)
        ]
        one, two = (digests(pathlib.Path(builder.data_dir)) for builder in built)
        assert one == two and len(one) >= 5


@pytest.mark.slow
def test_damaged_scenes_in_several_processes(tmp_path, capsys):
    panoramas(tmp_path / "rooms", 20)
    images.write(tmp_path / "rooms/roome_4.exr", np.zeros((8, 8, 3), np.float32))
    call = ["data", "prepare", "radiance_maps", "--processes", "2"]
    call += ["--manual-dir", f"{tmp_path}/rooms", "--data-dir", f"{tmp_path}/data"]
    assert main(call) == 2
    assert "error: scene roome_4: " in capsys.readouterr().err
    assert main([*call, "--option", "skip_bad=True"]) == 0
    expected = "skipped 1 bad scenes, kept 114 examples:\n  scene roome_4: "
    assert expected in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_killed_build_goes_on(tmp_path):
    panoramas(tmp_path / "rooms", 80)
    whole = data.prepare("radiance_maps/native", tmp_path / "whole", tmp_path / "rooms")
    call = [sys.executable, "-m", "hdr_jax", "data", "prepare", "radiance_maps/native"]
    call += ["--manual-dir", tmp_path / "rooms", "--data-dir", tmp_path / "data"]
    call += ["--processes", "2"]
    folder = tmp_path / "data/radiance_maps/native/unfinished.2.0.0"
    with subprocess.Popen(call, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and len(list(folder.glob("*.json"))) < 3:
            time.sleep(0.02)
        children = children_of(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
    notes = {path: path.stat().st_mtime_ns for path in folder.glob("*.json")}
    assert 3 <= len(notes) < 80 // 8
    assert len(children) >= 2
    for _ in range(200):  # they end with their parent
        if not any(pathlib.Path(f"/proc/{child}").exists() for child in children):
            break
        time.sleep(0.1)
    else:
        pytest.fail("processes that write shards outlived their parent")
    done = {path for path in folder.glob("*.json")}
    assert len(done) <= len(notes) + 2
    subprocess.run(call, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    built = tmp_path / "data/radiance_maps/native/2.0.0"
    assert digests(built) == digests(pathlib.Path(whole.data_dir))


def children_of(parent: int) -> list[int]:
    """Processes that a process has started."""
    found = []
    for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(status.parent.name))
    return found
