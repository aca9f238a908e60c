"""A run that is killed again and again, or finds its disk full, ends as one nobody disturbed."""

import pathlib
import re
import subprocess
import time

import pytest

from hdr_jax.runs.checkpoints import opened

ROOT = pathlib.Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.long
def test_kills_leave_no_trace(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    monkeypatch.setenv("HDR_JAX_CACHE", str(tmp_path / "cache"))
    kills = pytest.importorskip("kills")
    steps = 16
    kills.finish(tmp_path / "whole", steps)
    usual = kills.finish(tmp_path / "whole", steps)
    kills.disturbed(tmp_path / "killed", steps, len(kills.KINDS), seed=1, usual=usual)
    assert kills.differences(tmp_path / "whole", tmp_path / "killed") == []
    # The comparison would tell.
    (tmp_path / "killed/metrics.jsonl").write_text("")
    assert kills.differences(tmp_path / "whole", tmp_path / "killed") == ["metrics.jsonl"]


@pytest.mark.slow
@pytest.mark.long
def test_a_disk_that_fills_in_mid_run_costs_nothing_but_time(tmp_path, monkeypatch, small_disk):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    monkeypatch.setenv("HDR_JAX_CACHE", str(tmp_path / "cache"))
    kills, steps = pytest.importorskip("kills"), 100
    kills.finish(tmp_path / "whole", steps)
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    (small_disk / "data").symlink_to(tmp_path / "data")
    command = kills.command(small_disk / "run", steps)
    run = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    while not list((small_disk / "run/checkpoints").glob("[0-9]*[05]")):
        assert run.poll() is None
        time.sleep(0.01)
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space"), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    said = run.communicate()[1].decode()
    assert run.returncode == 2 and "Traceback" not in said, said
    assert re.search(r"No space left on device.*\S$", said.strip().splitlines()[-1]), said
    with opened(small_disk / "run") as (checkpoints, _):
        assert not any(checkpoints.damage(step) for step in checkpoints.steps())
        assert checkpoints.steps()[-1] < steps
    filler.unlink()
    subprocess.run(command, cwd=ROOT, check=True)
    assert kills.differences(tmp_path / "whole", small_disk / "run") == []
