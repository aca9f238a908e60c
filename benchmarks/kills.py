"""Kills a training run again and again by SIGKILL and compares what it leaves with a whole run.

    PYTHONPATH=. python benchmarks/kills.py --kills 30 --steps 200

A third of the kills comes at a random time after the start, a third after a random number of steps,
a third while a checkpoint is being written. After each the same command goes on. At the end the
parameters, the optimiser's state and metrics.jsonl are to be bit-identical to those of a run that
nobody disturbed. The network is tiny: it is the bookkeeping that is tried.
"""

import argparse
import contextlib
import pathlib
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import jax
import numpy as np

from hdr_jax import training
from hdr_jax.runs import description
from hdr_jax.runs.checkpoints import newest_whole, opened

ROOT = pathlib.Path(__file__).resolve().parents[1]
KINDS = ("at a random time", "after some steps", "while a checkpoint is written")
CHECKPOINT_EVERY = 5


def command(workdir: pathlib.Path, steps: int) -> list[str]:
    """The training command, on the data in the folder beside the work directory."""
    fields = {
        "steps": steps, "refine_from": steps // 2, "checkpoint_every": CHECKPOINT_EVERY,
        "log_every": 1, "eval_every": steps, "eval_scenes": 2, "size": 32, "batch_size": 2,
        "model.widths": "(4,)", "model.depths": "(1,)", "data_dir": workdir.parent / "data",
        "loss.hdr": 0.0, "loss.hdrvdp2": 0.0, "layer.num_samples": 64,
    }  # fmt: skip
    overrides = [f"--config.{name}={value}" for name, value in fields.items()]
    config = ROOT / "configs/quickstart.py"
    return [
        sys.executable,
        str(ROOT / "train.py"),
        f"--config={config}",
        f"--workdir={workdir}",
        *overrides,
    ]


def start(workdir: pathlib.Path, steps: int) -> subprocess.Popen:
    """The run as a process of its own, its output in a file beside the work directory."""
    with open(workdir.with_suffix(".log"), "a") as log:
        return subprocess.Popen(command(workdir, steps), cwd=ROOT, stdout=log, stderr=log)


def finish(workdir: pathlib.Path, steps: int) -> float:
    """Lets the run go on to its end; seconds that took."""
    begun = time.perf_counter()
    if start(workdir, steps).wait():
        raise RuntimeError(workdir.with_suffix(".log").read_text()[-2000:])
    return time.perf_counter() - begun


def steps_done(workdir: pathlib.Path) -> int:
    """Lines of metrics.jsonl."""
    path = workdir / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def half_written(workdir: pathlib.Path) -> set[str]:
    """Checkpoints that are begun and not complete: name, and number of the folder."""
    found = set()
    for path in (workdir / "checkpoints").glob("*.orbax-checkpoint-tmp*"):
        with contextlib.suppress(FileNotFoundError):  # it was completed meanwhile
            found.add(f"{path.name} ({path.stat().st_ino})")
    return found


def wait_for(
    kind: str, workdir: pathlib.Path, rng: random.Random, limit: int, usual: float
) -> Iterator[None]:
    """Yields until the moment of a kill has come.

    Args:
      kind: one of KINDS.
      workdir: of the run that was just started.
      rng: which draws the moment.
      limit: steps that the run may do at most until then.
      usual: seconds from the start to the first step.
    """
    before, at = half_written(workdir), time.monotonic() + rng.uniform(0, 1.2 * usual)
    first = latest = steps_done(workdir)
    wanted = rng.randint(0, limit)
    while True:
        done = steps_done(workdir)
        # The run begins by dropping the lines beyond its checkpoint.
        first, latest = min(first, done), done
        if kind == KINDS[0] and (time.monotonic() > at or latest - first >= limit):
            return
        if kind == KINDS[1] and latest > first and latest - first >= wanted:
            return
        if kind == KINDS[2] and half_written(workdir) - before:
            time.sleep(rng.uniform(0, 0.1))
            return
        yield


def disturbed(workdir: pathlib.Path, steps: int, kills: int, seed: int, usual: float) -> int:
    """Runs to the end through so many kills; how many of them left a half-written checkpoint."""
    rng, halves = random.Random(seed), 0
    for number in range(kills):
        kind = KINDS[number % len(KINDS)]
        limit = max(1, (steps - steps_done(workdir)) // (kills - number))
        before = half_written(workdir)
        process = start(workdir, steps)
        for _ in wait_for(kind, workdir, rng, limit, usual):
            if process.poll() is not None:
                said = workdir.with_suffix(".log").read_text()[-2000:]
                raise RuntimeError(
                    f"the run left with {process.returncode} before kill {number + 1}: {said}"
                )
            time.sleep(0.002)
        process.kill()
        process.wait()
        halves += bool(half_written(workdir) - before)  # not those that an earlier kill left
        print(
            f"kill {number + 1} {kind}: {steps_done(workdir)} steps in the log, half-written: "
            f"{sorted(half_written(workdir)) or 'none'}",
            flush=True,
        )
    finish(workdir, steps)
    return halves


def final_state(workdir: pathlib.Path) -> list[np.ndarray]:
    """Every number of the last checkpoint: its step, parameters and optimiser."""
    setup = training.Setup.from_config(description.read_config(workdir))
    state = training.create_state(setup, jax.random.key(0))
    with opened(workdir) as (checkpoints, _):
        found = newest_whole(
            checkpoints, setup.model, *jax.device_get((state.params, state.opt_state))
        )
    return [np.asarray(leaf) for leaf in jax.tree.leaves(found)]


def differences(whole: pathlib.Path, killed: pathlib.Path) -> list[str]:
    """What the two runs left that is not the same to the bit."""
    found = [
        name
        for name in ("metrics.jsonl", "validation.jsonl")
        if (whole / name).read_bytes() != (killed / name).read_bytes()
    ]
    a, b = final_state(whole), final_state(killed)
    if [x.tobytes() for x in a] != [x.tobytes() for x in b]:
        found.append("the last checkpoint")
    return found


def main() -> int:
    """Both runs, and the comparison; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", help="where the runs are kept; a temporary one by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(arguments.folder or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        print(
            f"undisturbed, with compilation: {finish(folder / 'whole', arguments.steps):.0f} s",
            flush=True,
        )
        usual = finish(folder / "whole", arguments.steps)  # nothing is left to do: the start alone
        begun = time.perf_counter()
        halves = disturbed(
            folder / "killed", arguments.steps, arguments.kills, arguments.seed, usual
        )
        seconds = time.perf_counter() - begun
        found = differences(folder / "whole", folder / "killed")
    print(
        f"{arguments.kills} kills of {arguments.steps} steps in {seconds:.0f} s, {halves} of them "
        "with a half-written checkpoint"
    )
    print(f"different: {', '.join(found) or 'nothing; parameters, optimiser and logs are equal'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
