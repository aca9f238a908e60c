"""hdr_jax.data: order, augmentation, batches, devices, and their ends."""

import gc
import os
import pathlib
import subprocess
import sys
import textwrap
import threading
import time

import jax
import numpy as np
import pytest
from tiny_run import tiny_source

from hdr_jax import data, images
from hdr_jax.data import _augmentation as augmentation
from hdr_jax.errors import InputError

EV = np.array([-1.0, 0.0, 1.0], np.float32)


def make_scene(i, height=20, width=24):
    """Scene i; its red channel is i in every exposure, the others are noise."""
    rng = np.random.default_rng(i)
    hdr = rng.random((height, width, 3)).astype(np.float32) + 0.01
    stack = np.clip(hdr * 2.0 ** EV[:, None, None, None] * 128, 0, 255).astype(np.uint8)
    stack[..., 0] = i
    return {"stack": list(stack), "ev_offset": EV, "hdr": hdr, "scene": f"scene {i}".encode()}


@pytest.fixture
def source():
    return [make_scene(i) for i in range(5)]


def first(iterator, count):
    """The first batches; closes the iterator."""
    taken = [next(iterator) for _ in range(count)]
    iterator.close()
    return taken


def assert_equal(one, two):
    assert one.keys() == two.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])


def test_batch_form(source):
    (batch,) = first(data.batches(source, batch_size=2, size=16, seed=0), 1)
    expected = {
        "stack": (np.uint8, (2, 3, 16, 16, 3)),
        "edges": (np.uint8, (2, 3, 16, 16, 1)),
        "hdr": (np.float32, (2, 16, 16, 3)),
        "ev_offset": (np.float32, (2, 3)),
    }
    assert {k: (v.dtype.type, v.shape) for k, v in batch.items()} == expected
    for i in range(2):
        for j in range(3):
            np.testing.assert_array_equal(
                batch["edges"][i, j, ..., 0], images.canny(batch["stack"][i, j])
            )


def test_edges_are_those_of_the_weights_that_are_asked_for(source):
    weights = images.edge_weights("released")
    assert weights != images.edge_weights("rgb")
    trained = next(data.batches(source, batch_size=1, size=16, seed=0, channel_weights=weights))
    (tested,) = data.evaluation_batches(source[:1], size=16, channel_weights=weights)
    for batch in (trained, tested):
        maps = [images.canny(x, channel_weights=weights) for x in batch["stack"][0]]
        np.testing.assert_array_equal(batch["edges"][0, ..., 0], maps)


def test_resumed_run_sees_the_same_batches(source):
    settings = {"batch_size": 3, "size": 12, "seed": 7, "metering_stops": 1.0}
    whole = first(data.batches(source, **settings), 9)
    for start in (1, 4, 8):
        rest = first(data.batches(source, **settings, start_step=start, num_threads=3), 9 - start)
        for one, two in zip(whole[start:], rest, strict=True):
            assert_equal(one, two)
    other = first(data.batches(source, **{**settings, "seed": 8}), 9)
    assert any((one["hdr"] != two["hdr"]).any() for one, two in zip(whole, other, strict=True))


def test_every_scene_once_a_round_in_a_new_order(source):
    taken = first(data.batches(source, batch_size=5, size=20, seed=1), 12)
    orders = [tuple(batch["stack"][:, 0, 0, 0, 0].tolist()) for batch in taken]
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in orders)
    assert len(set(orders)) > 6
    # Also where batches straddle the rounds.
    taken = first(data.batches(source, batch_size=2, size=20, seed=1), 30)
    ids = np.concatenate([batch["stack"][:, 0, 0, 0, 0] for batch in taken])
    assert (ids.reshape(12, 5) == np.array(orders)).all()


def test_fewer_scenes_than_a_batch(source):
    (batch,) = first(data.batches(source[:2], batch_size=7, size=12, seed=0), 1)
    assert set(batch["stack"][:, 0, 0, 0, 0].tolist()) == {0, 1}
    # The same scene twice in a batch is augmented anew.
    assert len({scene.tobytes() for scene in batch["hdr"]}) == 7


@pytest.mark.parametrize("size", [8, 20, 50])
def test_augmentation_is_the_same_for_exposures_and_radiance(size):
    # Every channel of every picture is the same ramp: after any crop, resize and turn they agree.
    ramp = np.linspace(0, 250, 20 * 24).reshape(20, 24, 1) * np.ones(3)
    scene = {"stack": np.stack([ramp] * 3).astype(np.uint8), "ev_offset": EV}
    scene["hdr"] = scene["stack"][0].astype(np.float32)
    seen = set()
    for seed in range(80):
        made = augmentation.augmented(scene, size, np.random.default_rng(seed))
        assert made["stack"].shape == (3, size, size, 3) and made["hdr"].shape == (size, size, 3)
        # uint8 is rounded at every resize.
        assert np.abs(made["stack"] - made["hdr"]).max() <= 1.0
        across, down = np.diff(made["hdr"][0, :, 0]).mean(), np.diff(made["hdr"][:, 0, 0]).mean()
        seen.add((abs(across) > abs(down), across > 0, down > 0))
    assert len(seen) == 8  # all flips and quarter turns


def test_augmentation_covers_scales_and_places():
    place = np.indices((40, 60)).transpose(1, 2, 0).astype(np.float32)
    hdr = np.dstack([place, place[..., :1]])
    scene = {"stack": np.zeros((1, 40, 60, 3), np.uint8), "ev_offset": EV[:1], "hdr": hdr}
    spans, lows = [], []
    for seed in range(300):
        made = augmentation.augmented(scene, 16, np.random.default_rng(seed))["hdr"]
        spans.append(np.ptp(made[..., 0]) * 16 / 15)
        lows.append([made[..., 0].min(), made[..., 1].min()])
    # Sides from 2/3 of the size to the whole height, about log-uniform.
    assert 10 < min(spans) < 12.5 and 37 < max(spans) < 41
    assert np.median(spans) == pytest.approx(np.sqrt(10.7 * 40), rel=0.15)
    assert np.min(lows) < 1.5 and np.max(lows, axis=0)[1] > 40


def test_middle_is_cropped_or_enlarged():
    scene = augmentation.decode(make_scene(0))
    made = augmentation.centred(scene, 10, 12)
    np.testing.assert_array_equal(made["hdr"], scene["hdr"][5:15, 6:18])
    np.testing.assert_array_equal(made["stack"], scene["stack"][:, 5:15, 6:18])
    for height, width in [(40, 40), (20, 24), (21, 5), (33, 100)]:
        made = augmentation.centred(scene, height, width)
        assert made["hdr"].shape == (height, width, 3)
        assert made["stack"].shape == (3, height, width, 3)


def test_evaluation_batches(source):
    taken = list(data.evaluation_batches(source, batch_size=2, size=16))
    assert [batch["scene"] for batch in taken] == [
        ["scene 0", "scene 1"],
        ["scene 2", "scene 3"],
        ["scene 4", "scene 4"],
    ]
    assert [batch["mask"].tolist() for batch in taken] == [[True, True]] * 2 + [[True, False]]
    assert all(batch["stack"].shape == (2, 3, 16, 16, 3) for batch in taken)
    np.testing.assert_array_equal(taken[0]["hdr"][1], source[1]["hdr"][2:18, 4:20])
    (batch, *_) = data.evaluation_batches(source)
    assert batch["stack"].shape == (1, 3, 20, 24, 3) and batch["edges"].shape == (1, 3, 20, 24, 1)
    (edgeless, *_) = data.evaluation_batches(source, channel_weights=None)
    assert set(batch) - set(edgeless) == {"edges"}
    assert not list(data.evaluation_batches([]))


@pytest.mark.parametrize("ev", [(-1, 0, 1), (-2, -1, 0), (0, 2, 4), (2, 0.5, -3)])
def test_what_is_evaluated_starts_from_ev_0(source, ev):
    """Or from what is nearest to it."""
    scene = source[3] | {"ev_offset": np.array(ev, np.float32)}
    (batch,) = data.evaluation_batches([scene])
    expected = images.closed_highlights(scene["stack"][np.abs(ev).argmin()])
    np.testing.assert_array_equal(batch["image"][0], expected)
    np.testing.assert_array_equal(batch["rim_distance"][0], images.rim_distance(expected))


def test_unequal_sizes():
    source = [make_scene(0), make_scene(1, 30, 18)]
    (batch,) = first(data.batches(source, batch_size=4, size=16, seed=0), 1)
    assert batch["hdr"].shape == (4, 16, 16, 3)
    shapes = [batch["hdr"].shape for batch in data.evaluation_batches(source)]
    assert shapes == [(1, 20, 24, 3), (1, 30, 18, 3)]
    with pytest.raises(ValueError, match=r"unequal shapes.*pass size="):
        list(data.evaluation_batches(source, batch_size=2))


def test_bad_scenes_and_settings(source):
    bad = {**source[0], "hdr": source[0]["hdr"][:4]}
    with pytest.raises(ValueError, match=r"scene scene 0 with exposures.*expected equal sizes"):
        next(data.batches([bad], batch_size=1, size=8, seed=0))
    with pytest.raises(ValueError, match="2 EV offsets"):
        augmentation.decode({**source[0], "ev_offset": EV[:2]})
    good = {"batch_size": 1, "size": 8, "seed": 0}
    for name, value in [("batch_size", 0), ("size", 0), ("seed", -1), ("seed", 2**32)]:
        with pytest.raises(ValueError, match=f"{name}={value}"):
            data.batches(source, **{**good, name: value})
    with pytest.raises(ValueError, match="start_step=-1"):
        data.batches(source, **good, start_step=-1)
    with pytest.raises(ValueError, match="at least one scene"):
        data.batches([], **good)


class Failing:
    """A source whose third scene cannot be read."""

    def __len__(self):
        return 4

    def __getitem__(self, i):
        if i == 2:
            raise OSError("scene 2 is damaged")
        return make_scene(i)


def test_errors_of_threads_reach_the_caller():
    batches = data.to_devices(data.batches(Failing(), batch_size=1, size=8, seed=0))
    with pytest.raises(OSError, match="scene 2 is damaged"):
        for _ in range(5):
            next(batches)


@pytest.mark.parametrize("how", ["close", "delete"])
def test_ending_stops_the_threads(source, how):
    before = set(threading.enumerate())
    batches = data.to_devices(data.batches(source, batch_size=2, size=8, seed=0))
    next(batches)
    started = set(threading.enumerate()) - before
    assert started
    if how == "close":
        batches.close()
    del batches
    gc.collect()
    deadline = time.monotonic() + 5
    while any(thread.is_alive() for thread in started) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(thread.is_alive() for thread in started)


def test_to_devices(source):
    made = [{"hdr": np.full((4, 2, 2, 3), i, np.float32), "scene": ["a"] * 4} for i in range(5)]
    placed = list(data.to_devices(made, jax.local_devices()[:1]))
    assert [int(batch["hdr"][0, 0, 0, 0, 0]) for batch in placed] == [0, 1, 2, 3, 4]
    assert placed[0].keys() == {"hdr"} and placed[0]["hdr"].shape == (1, 4, 2, 2, 3)
    double = jax.pmap(lambda batch: batch["hdr"] * 2)
    np.testing.assert_array_equal(double(placed[1]), 2 * np.ones((1, 4, 2, 2, 3)))


def test_two_devices():
    program = """
        import jax, numpy as np
        from hdr_jax import data

        batch = {"hdr": np.arange(4 * 12, dtype=np.float32).reshape(4, 2, 2, 3)}
        placed = next(data.to_devices([batch]))["hdr"]
        assert placed.shape == (2, 2, 2, 2, 3)
        for i, shard in enumerate(placed.addressable_shards):
            assert shard.device == jax.local_devices()[i]
            np.testing.assert_array_equal(shard.data[0], batch["hdr"][2 * i : 2 * i + 2])
        total = jax.pmap(lambda x: jax.lax.psum(x.sum(), "i"), axis_name="i")(placed)
        assert total.tolist() == [batch["hdr"].sum()] * 2
        try:
            next(data.to_devices([{"hdr": batch["hdr"][:3]}]))
        except ValueError as error:
            print(error)
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        env={**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"},
        cwd=pathlib.Path(__file__).resolve().parents[2],
        timeout=60,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert "a batch of 3 for 2 devices; expected a multiple" in result.stdout


def test_batches_are_made_while_the_device_works(source):
    taken = []

    def slow():
        for i in range(4):
            taken.append(i)
            yield {"hdr": np.zeros((1, 2, 2, 3), np.float32)}

    batches = data.to_devices(slow(), jax.local_devices()[:1], ahead=2)
    next(batches)
    assert taken == [0, 1, 2]


@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_exposures_of_other_dtypes_are_refused(source, dtype):
    scene = source[1] | {"stack": np.stack(source[1]["stack"]).astype(dtype)}
    message = f"scene 1 with exposures of {np.dtype(dtype)}; expected uint8 levels"
    with pytest.raises(InputError, match=message):
        first(data.batches([scene], batch_size=1, size=8, seed=0), 1)
    with pytest.raises(InputError, match=message):
        list(data.evaluation_batches([scene]))


def test_a_part_that_is_black_is_not_photographed():
    hdr = np.zeros((32, 64, 3), np.float32)
    hdr[3, 60] = 5
    scene = {"stack": np.zeros((3, *hdr.shape), np.uint8), "hdr": hdr, "ev_offset": EV}
    settings = {"batch_size": 20, "size": 8, "seed": 0, "metering_stops": 1.0}
    (batch,) = first(data.batches([scene | {"scene": "night"}], **settings), 1)
    assert batch["hdr"].any((1, 2, 3)).all()
    black = {**scene, "hdr": 0 * hdr, "scene": "cellar"}
    with pytest.raises(InputError, match="scene cellar: meter got radiance from 0.0 to 0.0"):
        first(data.batches([black], **settings), 1)


def test_rephotographed():
    scene = augmentation.decode(make_scene(1))
    made = augmentation.rephotographed(scene, 1.0, np.random.default_rng(0))
    assert made["stack"].shape == scene["stack"].shape and made["stack"].dtype == np.uint8
    ratio = made["hdr"] / scene["hdr"]
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-4)
    assert (made["stack"][..., 0] != 1).any()


def test_the_scenes_of_a_batch_are_known_beforehand(source):
    options = {"batch_size": 4, "seed": 3}
    for step in (0, 7):
        for shard in ((0, 1), (0, 2), (1, 2)):
            named = data.scenes_of(len(source), step=step, shard=shard, **options)
            (batch,) = first(
                data.batches(source, size=8, start_step=step, shard=shard, **options), 1
            )
            assert [int(stack[0, 0, 0, 0]) for stack in batch["stack"]] == named


def test_a_scene_that_cannot_be_read_is_named(source):
    class Gone(list):
        def __getitem__(self, i):
            raise RuntimeError("NOT_FOUND: no file")

    readable = data.Readable(Gone(source), "mine, split 'train'")
    with pytest.raises(InputError, match="mine, split 'train': scene . cannot be read .NOT_FOUND"):
        first(data.batches(readable, batch_size=2, size=8, seed=0), 1)
    sound = data.Readable(source, "mine")
    assert len(list(sound)) == len(source)
    assert sound[np.int64(-1)] is source[-1]
    with pytest.raises(IndexError):
        sound[np.int64(5)]


def test_scenes_of_unequal_numbers_of_exposures_are_named():
    scenes = tiny_source(2)
    fewer = {name: scenes[1][name][2:5] for name in ("stack", "ev_offset")}
    with pytest.raises(InputError, match="3 exposures of scene s1 and 7 of the first one"):
        for batch in data.batches([scenes[0], scenes[1] | fewer], batch_size=2, size=8, seed=0):
            assert batch["stack"].shape[1] == 7
