"""Does memory level off: a long training run, and many merges of varying sizes in one process.

    PYTHONPATH=. python benchmarks/soak.py train --steps 2000
    PYTHONPATH=. python benchmarks/soak.py merge --calls 500

Prints resident memory (VmRSS of Linux) along the way, and its growth after 100 steps or calls and
in the second half: from the mean of the first tenth of that to the mean of the last tenth.
"""

import argparse
import json
import pathlib
import tempfile
import threading
import time

import numpy as np

SETTLED = 100
"""Steps or calls after which everything has been compiled and allocated once."""


def resident_mib(status: str = "/proc/self/status") -> float:
    """Resident memory of this process, MiB."""
    for line in pathlib.Path(status).read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"{status} has no VmRSS: this benchmark is for Linux")


def growth(samples: list[tuple[int, float]], settled: int = SETTLED) -> float:
    """Relative growth of memory after `settled`, by the means of the first and the last tenth.

    Args:
      samples: (step, MiB), in order.
      settled: steps that do not count.

    Example:
      >>> growth([(step, 100.0 if step < 150 else 110.0) for step in range(200)], 100)
      0.1
    """
    late = [mib for step, mib in samples if step >= settled]
    tenth = max(1, len(late) // 10)
    return round(float(np.mean(late[-tenth:]) / np.mean(late[:tenth]) - 1), 6)


def tiny_highlights(steps: int, data_dir: str):
    """`quickstart` with a small model and small crops, without HDR-VDP-2 as a loss, for which XLA
    compiles longer than the steps take; both phases begin before SETTLED."""
    from configs import quickstart

    config = quickstart.get_config()
    config.model.update(widths=(8, 8), depths=(1, 1))
    config.loss.hdrvdp2 = 0.0
    config.update(
        steps=steps, refine_from=SETTLED // 2, size=32, batch_size=2, eval_scenes=2,
        log_every=1, eval_every=max(SETTLED // 2, 1), checkpoint_every=SETTLED // 2,
        data_dir=data_dir,
    )  # fmt: skip
    return config


def train(steps: int, data_dir: str) -> list[tuple[int, float]]:
    """(step, MiB) of a training run, sampled four times a second."""
    from train import train_and_evaluate

    samples, done = [], threading.Event()
    with tempfile.TemporaryDirectory() as workdir:
        log = pathlib.Path(workdir) / "metrics.jsonl"

        def sample():
            while not done.wait(0.25):
                if step := last_step(log):
                    samples.append((step, resident_mib()))

        sampler = threading.Thread(target=sample, daemon=True)
        sampler.start()
        try:
            train_and_evaluate(tiny_highlights(steps, data_dir), workdir)
        finally:
            done.set()
            sampler.join()
        return [*samples, (last_step(log), resident_mib())]


def last_step(log: pathlib.Path) -> int:
    """Of the last whole line; 0 when there is none."""
    if not log.exists():
        return 0
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        lines = file.read().split(b"\n")
    return json.loads(lines[-2])["step"] if len(lines) > 1 and lines[-2] else 0


def merges(calls: int, largest: int) -> list[tuple[int, float]]:
    """(call, MiB) of merges of random sizes and numbers of exposures."""
    from hdr_jax.merge import merge

    rng = np.random.default_rng(0)
    g = np.log((np.arange(256) + 0.5) / 255.5).astype(np.float32)
    samples = []
    for call in range(1, calls + 1):
        n, h, w = rng.integers(2, 8), *rng.integers(1, largest, 2)
        stack = rng.integers(0, 256, (n, h, w, 3), dtype=np.uint8)
        merge(stack, np.arange(n, dtype=np.float32), g).block_until_ready()
        samples.append((call, resident_mib()))
    return samples


def report(name: str, samples: list[tuple[int, float]], seconds: float) -> None:
    """Prints ten of the samples and the growth."""
    shown = np.unique(np.linspace(0, len(samples) - 1, 12).round().astype(int))
    print(f"{name}: {samples[-1][0]} in {seconds:.0f} s")
    for step, mib in (samples[i] for i in shown):
        print(f"  after {step:5d}: {mib:7.0f} MiB")
    half = samples[-1][0] // 2
    print(
        f"  growth after {SETTLED}: {growth(samples):+.1%}, "
        f"in the second half: {growth(samples, half):+.1%}",
        flush=True,
    )


def main() -> None:
    """Parse, soak, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("train", "merge"))
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--largest", type=int, default=400, help="pixels of a side, merges")
    parser.add_argument("--data-dir", default="data", help="of synthetic_stacks/64")
    arguments = parser.parse_args()
    start = time.perf_counter()
    if arguments.what == "train":
        samples = train(arguments.steps, arguments.data_dir)
    else:
        samples = merges(arguments.calls, arguments.largest)
    report(arguments.what, samples, time.perf_counter() - start)


if __name__ == "__main__":
    main()
