"""Several hosts, as processes on one machine (JAX on CPUs, its collectives by Gloo)."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hdr_jax.runs.checkpoints import opened

pytestmark = pytest.mark.slow
ROOT = pathlib.Path(__file__).resolve().parents[1]
WAIT = 900  # seconds for what takes one on an idle machine

HOST = """
import json, sys, time
sys.path[:0] = [".", "tests"]
import tiny_run as tiny
from hdr_jax import cli, data
from hdr_jax.cli import flags
from hdr_jax.runs.log import RunLog

options = json.loads(sys.argv[2])
pause, put = options.pop("pause", 0), RunLog.put
config = tiny.tiny_config()
config.hosts.update(options.pop("hosts", {}))
config.update(options)

def slowly(self, *arguments, **options):
    time.sleep(pause)
    put(self, *arguments, **options)

RunLog.put = slowly
data.load_source = lambda *_: tiny.tiny_source(7)
flags.parse = lambda *_: (config, sys.argv[1])
sys.exit(cli.main(["train", "--workdir", sys.argv[1]]))
"""
OPTIONS = {"steps": 20, "refine_from": 10, "batch_size": 4, "eval_every": 20, "checkpoint_every": 5}


def start(workdir, options, **environment):
    """One process; its output goes to a file that ends with it."""
    command = [sys.executable, "-c", HOST, str(workdir), json.dumps(OPTIONS | options)]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", **environment}
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env=environment, **pipes)


def start_hosts(workdir, count, options=None, of_host=None, **environment):
    """So many processes; `of_host` changes options of some of them."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    return [
        start(
            workdir,
            {"hosts": {"coordinator": address, "count": count, "index": i}}
            | (options or {})
            | (of_host or {}).get(i, {}),
            **environment,
        )
        for i in range(count)
    ]


def ends(processes, timeout=WAIT):
    """(exit code, what was said) of each."""
    said = [process.communicate(timeout=timeout)[1] for process in processes]
    return [(process.returncode, text) for process, text in zip(processes, said, strict=True)]


def devices_flag(count):
    """What makes one process have so many devices."""
    return {"XLA_FLAGS": f"--xla_force_host_platform_device_count={count}"}


def devices(workdir, count, options=None):
    """The same run by one process with several devices."""
    (end,) = ends([start(workdir, options or {}, **devices_flag(count))])
    assert end[0] == 0, end[1][-3000:]


def rows(workdir):
    return (workdir / "metrics.jsonl").read_text().splitlines()


def wait_for_rows(workdir, count, processes):
    """Until the log has so many lines."""
    until = time.monotonic() + WAIT
    while not (workdir / "metrics.jsonl").exists() or len(rows(workdir)) < count:
        assert time.monotonic() < until and all(p.poll() is None for p in processes)
        time.sleep(0.05)


def test_two_hosts_of_two_devices_equal_four_devices(tmp_path):
    few = {"batch_size": 4, "steps": 2}
    for code, said in ends(start_hosts(tmp_path / "hosts", 2, few, **devices_flag(2))):
        assert code == 0, said[-3000:]
    devices(tmp_path / "devices", 4, few)
    losses = [[json.loads(row)["loss"] for row in rows(tmp_path / n)] for n in ("hosts", "devices")]
    assert len(losses[0]) == 2
    assert_allclose(losses[0], losses[1], rtol=1e-4)


@pytest.mark.long
@pytest.mark.parametrize("count", [2, 4])
def test_hosts_equal_devices(tmp_path, count):
    """Two to the bit with one scene a device; more, or with more scenes, are summed in another
    order."""
    scenes = {"batch_size": count}
    for code, said in ends(start_hosts(tmp_path / "hosts", count, scenes)):
        assert code == 0, said[-3000:]
    devices(tmp_path / "devices", count, scenes)
    losses = {
        name: np.array([json.loads(row)["loss"] for row in rows(tmp_path / name)])
        for name in ("hosts", "devices")
    }
    assert len(losses["hosts"]) == len(losses["devices"]) == 20
    distance = np.abs(losses["hosts"] / losses["devices"] - 1)
    print(f"{count} hosts: step 1 {distance[0]:.1e}, 20 steps {distance.max():.1e} apart")
    if count == 2:
        assert rows(tmp_path / "hosts") == rows(tmp_path / "devices")
    assert distance[0] <= 1e-6 and distance.max() <= 1e-4
    with opened(tmp_path / "hosts") as (checkpoints, step):
        assert step == 20 and not checkpoints.damage(20)
    devices(tmp_path / "one", 1, scenes)
    one = json.loads(rows(tmp_path / "one")[0])["loss"]
    assert losses["hosts"][0] == pytest.approx(one, rel=1e-5)


@pytest.mark.long
def test_a_host_that_is_killed_ends_all_which_then_go_on(tmp_path):
    scenes = {"batch_size": 2}
    processes = start_hosts(tmp_path / "hosts", 2, {"pause": 0.2, **scenes})
    wait_for_rows(tmp_path / "hosts", 14, processes)
    processes[1].kill()
    begun = time.monotonic()
    code, said = ends(processes[:1])[0]
    assert code != 0 and time.monotonic() - begun < 60
    assert "Start all hosts again" in said or "distributed service" in said, said[-3000:]
    # A checkpoint that was damaged besides is put aside, once.
    with opened(tmp_path / "hosts") as (checkpoints, newest):
        assert len(checkpoints.steps()) > 1
    shutil.rmtree(tmp_path / f"hosts/checkpoints/{newest}/optimizer")
    for code, said in ends(start_hosts(tmp_path / "hosts", 2, scenes)):
        assert code == 0, said[-3000:]
    assert (tmp_path / f"hosts/damaged/{newest}").is_dir()
    devices(tmp_path / "devices", 2, scenes)
    assert rows(tmp_path / "hosts") == rows(tmp_path / "devices")


@pytest.mark.long
def test_a_signal_to_one_host_ends_all_after_one_step(tmp_path):
    processes = start_hosts(tmp_path, 2, {"pause": 0.2, "steps": 200, "refine_from": 200})
    wait_for_rows(tmp_path, 6, processes)
    processes[1].send_signal(signal.SIGTERM)
    for code, said in ends(processes):
        assert code == 0, said[-3000:]
    with opened(tmp_path) as (checkpoints, newest):
        assert newest == len(rows(tmp_path)) < 200 and not checkpoints.damage(newest)


@pytest.mark.long
def test_hosts_of_another_configuration_are_refused_by_all(tmp_path):
    processes = start_hosts(tmp_path, 2, of_host={1: {"seed": 1, "learning_rate": 0.5}})
    for code, said in ends(processes):
        assert code == 2 and "config.seed is 0 on host 0, 1 on host 1" in said, said[-3000:]
        assert "learning_rate" in said and "Traceback" not in said
    assert not (tmp_path / "config.json").exists()
