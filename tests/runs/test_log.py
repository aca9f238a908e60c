"""The log of a run: its curves, and a full disk."""

import json
import math
import struct

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event

from hdr_jax.runs.log import NotFinite, RunLog, check_finite, put_aside


def fill(folder):
    """Takes all the room that is left."""
    with open(folder / "filler", "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"0" * 4096)
        except OSError:
            pass


def test_a_full_disk_is_told_by_the_name_of_the_file(small_disk):
    values = {"loss": 1.0, **{f"term_{i}": 1.0 / (i + 3) for i in range(40)}}
    with pytest.raises(OSError, match="No space left on device: .*disk/"):  # noqa: SIM117
        with RunLog(small_disk, 0, 1000, 1) as log:
            log.put(1, values, write=True)
            log.flush()
            fill(small_disk)
            for step in range(2, 100):
                log.put(step, values, write=True)
    assert (small_disk / "metrics.jsonl").read_text().startswith('{"step": 1, "loss": 1.0')


def events(path):
    """Of a TFRecord file: length, its checksum, data, their checksum."""
    content, at = path.read_bytes(), 0
    while at < len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        yield Event.FromString(content[at + 12 : at + 12 + length])
        at += 16 + length


def test_the_curves_hold_what_the_lines_hold(tmp_path):
    with RunLog(tmp_path, 4, 6, 1) as log:
        log.put(5, {"loss": 0.25}, write=True)
    (path,) = (tmp_path / "tensorboard").iterdir()
    version, start, *points = events(path)
    assert version.file_version == "brain.Event:2"
    assert start.step == 5 and start.session_log.status == 1  # drops later points of earlier files
    values = {(p.step, v.tag): v.simple_value for p in points for v in p.summary.value}
    assert values[5, "metrics/loss"] == 0.25 and (5, "metrics/scenes_per_second") in values


def test_the_curves_are_on_the_disk_before_a_step_is_kept(tmp_path):
    """A killed process writes nothing more: neither of a validation, nor before a checkpoint."""
    log = RunLog(tmp_path, 0, 6, 1)
    (path,) = (tmp_path / "tensorboard").iterdir()

    def points():
        return [(p.step, v.simple_value) for p in events(path) for v in p.summary.value]

    log.write("metrics.jsonl", 1, {"loss": 0.5})
    log.flush_curves()
    assert points() == [(1, 0.5)]
    log.write("validation.jsonl", 2, {"psnr": 31.0})
    assert points() == [(1, 0.5), (2, 31.0)]


def test_the_speed_leaves_out_a_pause(tmp_path, monkeypatch):
    """Of steps of 1 s for 4 scenes; a pause of 100 s while a step is pending."""
    clock = [0.0]
    monkeypatch.setattr("hdr_jax.runs.log.time.perf_counter", lambda: clock[0])
    with RunLog(tmp_path, 0, 6, 4) as log:
        for step in range(1, 7):
            clock[0] += 1
            log.put(step, {"loss": 0.0}, write=step % 2 == 0)
            if step == 4:
                clock[0] += 100
                log.restart_clock()
        clock[0] += 1
    (path,) = (tmp_path / "tensorboard").iterdir()
    speeds = {p.step: v.simple_value for p in events(path) for v in p.summary.value
              if v.tag == "metrics/scenes_per_second"}  # fmt: skip
    # Step 2 is read when step 3 is put; step 4 belongs to the time before the pause.
    assert speeds == {2: pytest.approx(4 * 2 / 3), 6: pytest.approx(4 * 2 / 3)}


def test_a_quiet_log_writes_nothing(tmp_path):
    with RunLog(tmp_path, 0, 6, 1, quiet=True) as log:
        log.put(1, {"loss": 0.25}, write=True)
    assert not list(tmp_path.iterdir())


def test_a_line_is_known_unless_it_was_cut_short(tmp_path):
    path = tmp_path / "validation.jsonl"
    path.write_text('{"step": 0, "psnr": 1.0}\n{"step": 4, "psnr": 2.0}\n{"step": 6, "ps')
    with RunLog(tmp_path, 6, 8, 1) as log:
        assert log.holds("validation.jsonl", 0) and log.holds("validation.jsonl", 4)
        assert not log.holds("validation.jsonl", 6) and not log.holds("metrics.jsonl", 0)
    assert len(path.read_text().splitlines()) == 2


def test_nothing_is_kept_of_a_run_without_a_checkpoint(tmp_path):
    """It may have been another one, of other data, that was stopped before its first."""
    for psnr in (1.0, 2.0):
        with RunLog(tmp_path, 0, 8, 1) as log:
            assert not log.holds("validation.jsonl", 0)
            log.write("validation.jsonl", 0, {"psnr": psnr})
    assert json.loads((tmp_path / "validation.jsonl").read_text()) == {"step": 0, "psnr": 2.0}
    for path in (tmp_path / "tensorboard").iterdir():
        _, start, *_ = events(path)
        assert start.step == 0  # drops the points of earlier files from there on


def test_damaged_lines_are_dropped(tmp_path):
    """As a crash, or an editor, leaves them."""
    good = b'{"step": 2, "loss": 0.5}\n'
    damaged = [b'{"step": 3, "lo', b"\xff\xfe", b"[1]", b"7", b'{"loss": 1.0}', b'{"step": null}']
    (tmp_path / "metrics.jsonl").write_bytes(good + b"\n".join([*damaged, b""]))
    with RunLog(tmp_path, 4, 8, 1) as log:
        assert log.holds("metrics.jsonl", 2) and not log.holds("metrics.jsonl", 3)
    assert (tmp_path / "metrics.jsonl").read_bytes() == good


def test_numbers_of_a_run_whose_checkpoints_are_gone_are_put_aside(tmp_path, capsys):
    for loss in (1.0, 2.0):
        with RunLog(tmp_path, 0, 8, 1) as log:
            log.write("metrics.jsonl", 3, {"loss": loss})
            log.write("validation.jsonl", 0, {"psnr": loss})
        put_aside(tmp_path, 4)  # before the first checkpoint it is just begun again
        assert not (tmp_path / "before/2").exists() and (tmp_path / "metrics.jsonl").exists()
        put_aside(tmp_path, 3)
        assert not (tmp_path / "metrics.jsonl").exists()
    assert "put in" in capsys.readouterr().out
    for number, loss in (("1", 1.0), ("2", 2.0)):
        place = tmp_path / "before" / number
        assert json.loads((place / "metrics.jsonl").read_text())["loss"] == loss
        assert json.loads((place / "validation.jsonl").read_text())["psnr"] == loss
        assert len(list((place / "tensorboard").iterdir())) == 1


def test_infinite_scores_are_json(tmp_path):
    with RunLog(tmp_path, 0, 1, 1) as log:
        log.write("validation.jsonl", 1, {"stack_psnr": math.inf, "psnr_mu": 31.0})
    line = (tmp_path / "validation.jsonl").read_text()
    assert json.loads(line, parse_constant=pytest.fail)["stack_psnr"] is None


def test_parameters_that_are_not_finite_are_named():
    params = {"global": {"kernel": np.ones(3)}, "local": {"bias": np.array([0, np.nan])}}
    with pytest.raises(NotFinite, match=r"step 7: parameters\['local'\]\['bias'\] are not finite"):
        check_finite(7, params)
    check_finite(7, params["global"])
