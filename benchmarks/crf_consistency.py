"""How well a recovered response and merged map explain the photographs, ours beside OpenCV's.

  python benchmarks/crf_consistency.py FOLDER [--align] [--pictures OUT]

FOLDER holds one sub-folder for each bracketed scene, with exposure times in exposures.csv or EXIF.
Each exposure is re-predicted from the merged map through the recovered response; printed is the
median absolute error in levels over pixels between levels 20 and 235, for both in the same run (and
for ours with `weighting="noise"`), the ratio of both, the correlation of the two maps (ln radiance,
all channels together, where an exposure is in levels 20..235) and the seconds that both took.
`--align` registers the pictures first, the same for both. `--pictures` writes the response curves
and the tone-mapped map of every scene.
"""

import argparse
import pathlib
import time

import cv2
import jax.numpy as jnp
import numpy as np

from hdr_jax import brackets, crf, images
from hdr_jax.merge import merge


def consistency(stack: np.ndarray, times: np.ndarray, radiance: np.ndarray, g: np.ndarray) -> float:
    """Median absolute error, in levels, of re-predicted exposures [n, h, w, 3] uint8."""
    g = crf.monotone(jnp.asarray(g))
    errors = []
    for picture, seconds in zip(stack, times, strict=True):
        predicted = crf.respond(jnp.log(radiance) + np.log(seconds), g)
        inside = (picture >= 20) & (picture <= 235)
        errors.append(np.abs(np.asarray(predicted) - picture)[inside])
    return float(np.median(np.concatenate(errors)))


def correlation(stack: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """Correlation of ln radiance of pixels' channels that an exposure has in levels 20..235."""
    usable = ((stack >= 20) & (stack <= 235)).any(axis=0)
    return float(np.corrcoef(np.log(first[usable]), np.log(second[usable]))[0, 1])


def ours(
    stack: np.ndarray, times: np.ndarray, weighting: str = "hat"
) -> tuple[np.ndarray, np.ndarray]:
    """(radiance in the unit of g, g [3, 256])."""
    log_times = np.log(times)
    g = crf.recover(stack, log_times)
    # `merge` scales the largest inverse response to 1; undo it to compare with g itself.
    scale = jnp.exp(jnp.max(g))
    radiance = merge(stack, log_times, g, weighting=weighting, extremes_once=True) * scale
    return np.asarray(radiance), np.asarray(g)


def by_noise(stack: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same with the levels weighed by their noise."""
    return ours(stack, times, weighting="noise")


def opencv(stack: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same by OpenCV, with 256 samples and smoothness 20."""
    pictures = [np.ascontiguousarray(picture) for picture in stack]
    seconds = times.astype(np.float32)
    response = cv2.createCalibrateDebevec(256, 20).process(pictures, seconds)
    radiance = cv2.createMergeDebevec().process(pictures, seconds, response)
    return np.maximum(radiance, 1e-12), np.log(response[:, 0].T)


def aligned(stack: np.ndarray, log_times: np.ndarray) -> np.ndarray:
    """The exposures as the best exposed one was taken, cropped to what all of them show."""
    with brackets.Brackets(stack) as kept:
        g = brackets.response(kept, log_times)
        moved, _ = brackets.align(kept, log_times, g, brackets.reference_index(stack))
        with moved:
            return moved.rows(0, moved.shape[1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--pictures", type=pathlib.Path)
    parser.add_argument("--align", action="store_true")
    args = parser.parse_args()
    print(
        f"{'scene':24s} {'n':>3s} {'ours':>7s} {'noise':>7s} {'OpenCV':>7s} {'ratio':>6s} "
        f"{'corr.':>7s} {'s ours':>7s} {'s CV':>6s}"
    )
    for folder in sorted(path for path in args.folder.iterdir() if path.is_dir()):
        files = [
            path
            for path in sorted(folder.iterdir())
            if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".tif", ".tiff")
        ]
        stack, times = images.read_stack(files)
        if args.align:
            stack = aligned(stack, np.log(times))
        ours(stack, times)  # compiles
        figures, seconds, results = [], [], []
        for method in (ours, opencv, by_noise):
            start = time.perf_counter()
            results.append(method(stack, times))
            seconds.append(time.perf_counter() - start)
            figures.append(consistency(stack, times, *results[-1]))
        agreement = correlation(stack, results[0][0], results[1][0])
        print(
            f"{folder.name:24s} {len(stack):3d} {figures[0]:7.3f} {figures[2]:7.3f} "
            f"{figures[1]:7.3f} {figures[0] / figures[1]:6.2f} {agreement:7.4f} "
            f"{seconds[0]:7.2f} {seconds[1]:6.2f}",
            flush=True,
        )
        if args.pictures:
            _draw(args.pictures, folder.name, results)


def _draw(out: pathlib.Path, name: str, results: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """Response curves of both, and our map tone-mapped."""
    from hdr_jax import tonemap
    from hdr_jax.runs import figures

    out.mkdir(parents=True, exist_ok=True)
    figures.response_curves(
        out / f"{name}_g.png", {"hdr_jax": results[0][1], "OpenCV": results[1][1]}
    )
    images.write(out / f"{name}.png", np.asarray(tonemap.reinhard(jnp.asarray(results[0][0]))))


if __name__ == "__main__":
    main()
