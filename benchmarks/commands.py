"""What a person waits for: the commands as whole processes, on pictures of a size never seen.

  PYTHONPATH=. python benchmarks/commands.py [--repeats 3] [--large]

The cache of compiled programs is a new one, filled by one run on pictures of another size. Then
`hdr-jax merge` of five made JPEGs and an OpenCV script that does the same (createCalibrateDebevec,
createMergeDebevec, one .hdr) take turns, every run of ours on a new size near 1024 x 683, and
`hdr-jax score` and `hdr-jax reconstruct` run on new sizes too. Printed are medians of wall-clock
seconds, with those of the first run, which compiles, and the largest memory of a process, which
begins with this one's.

`--large`: in place of that seven JPEGs of 24 megapixels are merged, and one of them reconstructed.
"""

import argparse
import multiprocessing
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
from PIL import Image

from hdr_jax import images
from hdr_jax.synthetic import Camera, meter, render_scene

OURS = [sys.executable, "-m", "hdr_jax"]
OPENCV = """
import sys
import cv2
import numpy as np
pictures = [cv2.imread(path) for path in sys.argv[1:]]
times = (2.0 ** np.arange(-2, 3) / 50).astype(np.float32)
response = cv2.createCalibrateDebevec().process(pictures, times)
cv2.imwrite("opencv.hdr", cv2.createMergeDebevec().process(pictures, times, response))
"""


def photographs(folder: pathlib.Path, height: int, width: int, n: int = 5) -> list[str]:
    """JPEGs with exposure times in their EXIF, and a map `truth.exr` of the scene."""
    folder.mkdir()
    stops = np.arange(n) - n // 2
    scene = images.resized(render_scene(3, 192, 288), height, width)
    images.write(folder / "truth.exr", scene)
    names = []
    for ev, picture in zip(
        stops, Camera().photograph(meter(scene), stops, np.random.default_rng(0)), strict=True
    ):
        exif = Image.Exif()
        exif[33434] = 2.0**ev / 50
        names.append(str(folder / f"{ev - stops[0]}.jpg"))
        Image.fromarray(picture).save(names[-1], exif=exif, quality=92)
    return names


def cost(command: list[str], folder: pathlib.Path) -> tuple[float, float]:
    """Wall-clock seconds and gigabytes of a command, which must end well."""
    variables = os.environ | {"HDR_JAX_CACHE": str(folder / "cache")}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has its bytecode
    start = time.perf_counter()
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=folder, env=variables, stdout=nowhere, stderr=nowhere)
    _, status, used = os.wait4(process.pid, 0)
    taken = time.perf_counter() - start
    if status:
        raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), command)
    return taken, used.ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--large", action="store_true")
    args = parser.parse_args()
    taken: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for k in range(args.repeats + 1):
            commands = large if args.large else usual
            for label, command in commands(folder, k).items():
                taken.setdefault(label, []).append(cost(command, folder))
    print(f"{'':28s}{'first run':>10s}{'later':>10s}   seconds{'memory, GB':>13s}")
    for label, (first, *later) in taken.items():
        seconds = statistics.median(time for time, _ in later)
        memory = max(used for _, used in later)
        print(f"{label:28s}{first[0]:10.2f}{seconds:10.2f}{memory:23.2f}")
    if not args.large:
        ours, theirs = (
            statistics.median(time for time, _ in taken[label][1:])
            for label in ("hdr-jax merge", "OpenCV")
        )
        print(f"merge: {ours / theirs:.1f} times OpenCV's time")


def usual(folder: pathlib.Path, k: int) -> dict[str, list[str]]:
    """Commands on pictures of a size of their own."""
    pictures = photographs(folder / str(k), 683 - 9 * k, 1024 - 14 * k)
    result, truth, small = f"{k}/result.exr", f"{k}/truth.exr", folder / f"{k}/small.exr"
    images.write(small, images.resized(images.read_hdr(folder / truth), 426 - 5 * k, 640 - 7 * k))
    images.write(small.with_name("worse.exr"), images.read_hdr(small) ** 0.9)
    return {
        "hdr-jax merge": [*OURS, "merge", *pictures, "-o", result],
        "OpenCV": [sys.executable, "-c", OPENCV, *pictures],
        "hdr-jax score": [*OURS, "score", result, truth],
        "hdr-jax score, 640 x 426": [*OURS, "score", f"{k}/worse.exr", str(small)],
        "hdr-jax reconstruct": [*OURS, "reconstruct", pictures[2], "-o", f"{k}/one.exr"],
    }


def large(folder: pathlib.Path, k: int) -> dict[str, list[str]]:
    """Commands on the same pictures of 24 megapixels."""
    if not k:  # in a process of its own: a command's memory begins with that of who calls it
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            pool.apply(photographs, (folder / "large", 4000, 6000, 7))
    pictures = sorted(map(str, (folder / "large").glob("*.jpg")))
    return {
        "hdr-jax merge, 7 x 24 MP": [*OURS, "merge", *pictures, "-o", "large.exr"],
        "hdr-jax reconstruct, 24 MP": [*OURS, "reconstruct", pictures[4], "-o", "one.exr"],
    }


if __name__ == "__main__":
    main()
