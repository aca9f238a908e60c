"""How fast data is made, read and turned into training batches, without a model.

    python benchmarks/data.py --size 256 --scenes 48
    python benchmarks/data.py --dataset radiance_maps/native --manual-dir FOLDER

Prints scenes/s of preparing the dataset (from scratch, in a temporary folder) and of reading it,
exposure stacks/s of the input pipeline (decode, augment, Canny edges of every exposure), and the
time of one edge map beside scikit-image's where that is installed.
"""

import argparse
import os
import tempfile
import time

import numpy as np
import tensorflow_datasets as tfds

from hdr_jax import data, images
from tfds_builders.synthetic_stacks import synthetic_stacks_dataset_builder as synthetic_stacks


def per_second(count: int, start: float) -> str:
    """Rate since a start, as text."""
    seconds = time.perf_counter() - start
    return f"{count / seconds:8.1f} /s   ({count} in {seconds:.1f} s)"


def pipeline(source, arguments: argparse.Namespace) -> None:
    """Stacks per second of training batches."""
    for threads in arguments.threads:
        batches = data.batches(
            source,
            batch_size=arguments.batch_size,
            size=arguments.size,
            seed=0,
            metering_stops=arguments.metering_stops,
            num_threads=threads,
        )
        next(batches)
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < arguments.seconds:
            count += len(next(batches)["stack"])
        print(f"batches, {threads} threads   {per_second(count, start)}", flush=True)
        batches.close()


def edge_maps(source, size: int) -> None:
    """Milliseconds of one edge map, ours and scikit-image's, on the same pictures."""
    scenes = [data.centred(data.decode(source[i]), size, size) for i in range(min(4, len(source)))]
    pictures = [picture for scene in scenes for picture in scene["stack"]]
    grays = [(picture / 255.0) @ np.array(images.RGB_WEIGHTS) for picture in pictures]
    detectors = {"images.canny": (images.canny, pictures)}
    try:
        from skimage.feature import canny

        detectors["scikit-image"] = (lambda gray: canny(gray, sigma=2.0), grays)
    except ImportError:
        print("scikit-image is not installed: no comparison")
    for name, (detect, inputs) in detectors.items():
        times = []
        for _ in range(5):
            start = time.perf_counter()
            for picture in inputs:
                detect(picture)
            times.append((time.perf_counter() - start) / len(inputs))
        print(f"{name:20s}   {np.median(times) * 1e3:8.2f} ms for {size} x {size}")


def main() -> None:
    """Parse, prepare, measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", help="TFDS name; synthetic_stacks/SIZE by default")
    parser.add_argument("--manual-dir")
    parser.add_argument("--size", type=int, default=256, help="pixels of a crop")
    parser.add_argument(
        "--scenes", type=int, default=48, help="training scenes of synthetic_stacks"
    )
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--metering-stops", type=float, default=0.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()
    dataset = arguments.dataset or f"synthetic_stacks/{arguments.size}"
    synthetic_stacks.NUM_SCENES.update(train=arguments.scenes, val=1, test=1)
    tfds.disable_progress_bar()
    print(f"{dataset}, crops of {arguments.size}, {os.cpu_count()} CPU cores")
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        source = data.load_source(dataset, "train", folder, arguments.manual_dir)
        scenes = sum(split.num_examples for split in source.dataset_info.splits.values())
        print(f"prepare              {per_second(scenes, start)}", flush=True)
        start = time.perf_counter()
        for i in range(len(source)):
            data.decode(source[i])
        print(f"read                 {per_second(len(source), start)}", flush=True)
        pipeline(source, arguments)
        edge_maps(source, arguments.size)


if __name__ == "__main__":
    main()
