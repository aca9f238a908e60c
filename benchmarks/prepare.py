"""How long a folder of panoramas takes to prepare, by one process and by several.

    PYTHONPATH=. python benchmarks/prepare.py --panoramas 200 --height 256 --processes 1 2

The panoramas are made here: gradients, lamps, and noise that does not compress. Prints seconds,
views/s, bytes, the largest memory of a process, and a digest of the files.
"""

import argparse
import hashlib
import pathlib
import resource
import tempfile
import time

import numpy as np
import tensorflow_datasets as tfds

import tfds_builders  # noqa: F401 - makes the data sets known
from hdr_jax import data, images


def panorama(height: int, number: int) -> np.ndarray:
    """A sky over a floor with lamps, float32 [height, 2 height, 3]."""
    rng = np.random.default_rng(number)
    light = np.linspace(2, 0.1, height)[:, None, None] * rng.uniform(0.5, 1.5, 3)
    picture = np.repeat(light, 2 * height, axis=1) * rng.lognormal(0, 0.1, (height, 2 * height, 1))
    for _ in range(5):
        y, x = rng.integers(0, height), rng.integers(0, 2 * height)
        picture[y : y + height // 16, x : x + height // 16] *= rng.lognormal(4, 1)
    return picture.astype(np.float32)


def digest(folder: pathlib.Path) -> str:
    """One of all files of a folder."""
    found = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()[:12]


def prepare(name: str, folder: pathlib.Path, count: int) -> None:
    """Prepares and prints what it took."""
    with tempfile.TemporaryDirectory() as place:
        start = time.perf_counter()
        builder = data.prepare(f"{name}/processes={count}", place, folder)
        seconds = time.perf_counter() - start
        views = builder.info.splits.total_num_examples
        usage = [
            resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        ]
        peak = usage[count > 1].ru_maxrss / 1024
        print(
            f"{count} processes: {seconds:.0f} s, {views / seconds:.1f} views/s of {views}, "
            f"{builder.info.dataset_size}, a process up to {peak:.0f} MiB, "
            f"digest {digest(pathlib.Path(builder.data_dir))}",
            flush=True,
        )


def main() -> None:
    """Parse, make, measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--panoramas", type=int, default=200)
    parser.add_argument("--height", type=int, default=256)
    parser.add_argument("--dataset", default="radiance_maps/256")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    tfds.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.panoramas):
            # Names end in letters: what ends in numbers is one scene, in one split.
            name = f"room_{number}_" + "abcdefghij"[number % 10]
            picture = panorama(arguments.height, number)
            images.write(pathlib.Path(folder) / f"{name}.exr", picture)
        for count in arguments.processes:
            prepare(arguments.dataset, pathlib.Path(folder), count)


if __name__ == "__main__":
    main()
