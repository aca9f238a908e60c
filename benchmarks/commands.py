"""What a person waits for: the commands as whole processes, on pictures of a size never seen.

  PYTHONPATH=. python benchmarks/commands.py [--repeats 3]

The cache of compiled programs is a new one, filled by one run on pictures of another size. Then
`hdr-jax merge` of five made JPEGs and an OpenCV script that does the same (createCalibrateDebevec,
createMergeDebevec, one .hdr) take turns, every run of ours on a new size near 1024 x 683, and
`hdr-jax score` and `hdr-jax reconstruct` run on new sizes too. Printed are medians of wall-clock
seconds, with those of the first run, which compiles.
"""

import argparse
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

EV = np.arange(-2, 3)
OPENCV = """
import sys
import cv2
import numpy as np
pictures = [cv2.imread(path) for path in sys.argv[1:]]
times = (2.0 ** np.arange(-2, 3) / 50).astype(np.float32)
response = cv2.createCalibrateDebevec().process(pictures, times)
cv2.imwrite("opencv.hdr", cv2.createMergeDebevec().process(pictures, times, response))
"""


def photographs(folder: pathlib.Path, height: int, width: int) -> list[str]:
    """Five JPEGs with exposure times in their EXIF, and a map `truth.exr` of the scene."""
    folder.mkdir()
    scene = images.resized(render_scene(3, 192, 288), height, width)
    images.write(folder / "truth.exr", scene)
    names = []
    for ev, picture in zip(
        EV, Camera().photograph(meter(scene), EV, np.random.default_rng(0)), strict=True
    ):
        exif = Image.Exif()
        exif[33434] = 2.0**ev / 50
        names.append(str(folder / f"{ev + 2}.jpg"))
        Image.fromarray(picture).save(names[-1], exif=exif, quality=92)
    return names


def seconds(command: list[str], folder: pathlib.Path) -> float:
    """Wall-clock seconds of a command, which must end well."""
    variables = os.environ | {"HDR_JAX_CACHE": str(folder / "cache")}
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env=variables, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    ours, python = [sys.executable, "-m", "hdr_jax"], sys.executable
    taken: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for k in range(args.repeats + 1):
            height, width = 683 - 9 * k, 1024 - 14 * k
            pictures = photographs(folder / str(k), height, width)
            result, truth = f"{k}/result.exr", f"{k}/truth.exr"
            commands = {
                "hdr-jax merge": [*ours, "merge", *pictures, "-o", result],
                "OpenCV": [python, "-c", OPENCV, *pictures],
                "hdr-jax score": [*ours, "score", result, truth],
                "hdr-jax reconstruct": [*ours, "reconstruct", pictures[2], "-o", f"{k}/one.exr"],
            }
            for label, command in commands.items():
                taken.setdefault(label, []).append(seconds(command, folder))
    print(f"{'':22s}{'first run':>10s}{'later':>10s}   seconds")
    for label, (first, *later) in taken.items():
        print(f"{label:22s}{first:10.2f}{statistics.median(later):10.2f}")
    ratio = statistics.median(taken["hdr-jax merge"][1:]) / statistics.median(taken["OpenCV"][1:])
    print(f"merge: {ratio:.1f} times OpenCV's time")


if __name__ == "__main__":
    main()
