"""hdr-jax reconstruct PHOTO...: a radiance map from a single photograph, by a trained model."""

import argparse
import itertools
import pathlib
import tempfile

import jax
import numpy as np

from hdr_jax import images, progress
from hdr_jax.cli.outputs import write_preview
from hdr_jax.errors import InputError
from hdr_jax.files import write_text
from hdr_jax.reconstruct import reconstruct_batch
from hdr_jax.runs import checkpoints

NO_CHECKPOINT = (
    "no model: pass --checkpoint, the --workdir of a training run (python train.py --config "
    "configs/quickstart.py --workdir runs/quickstart) or what `hdr-jax import` wrote from the "
    "authors' released weights; none is shipped"
)


def run(args: argparse.Namespace) -> int:
    """Reconstructs every photograph; returns the exit code."""
    if args.checkpoint is None:
        raise InputError(NO_CHECKPOINT)

    paths = [pathlib.Path(photo) for photo in args.photos]
    twice = sorted({a.stem for a, b in itertools.combinations(paths, 2) if a.stem == b.stem})
    if twice:
        raise InputError(f"several photographs are named {', '.join(twice)}: one folder for each")
    model, params, step = checkpoints.load_model(args.checkpoint, args.step)
    with tempfile.TemporaryDirectory() as folder:
        # All are decoded first: a damaged one must not stop the work half-way.
        pictures = [_decoded(path, pathlib.Path(folder) / f"{path.stem}.npy") for path in paths]
        _reconstruct_all(paths, pictures, (model, params, step), args)
    return 0


def _decoded(path: pathlib.Path, place: pathlib.Path) -> np.ndarray:
    """A photograph in sRGB, kept on disk: any number of them fits."""
    np.save(place, images.read_photo(path, to_srgb=True))
    return np.load(place, mmap_mode="r")


def _reconstruct_all(paths, pictures, loaded, args: argparse.Namespace) -> None:
    """Reconstructs decoded photographs, one group after the other."""
    model, params, step = loaded
    pathlib.Path(args.output).mkdir(parents=True, exist_ok=True)
    print(f"model of {args.checkpoint}, step {step}: {model.num_exposures} exposures")
    trained_with = checkpoints.load_config(args.checkpoint, step)
    edges = "released" if args.released else trained_with.get("edge_weights", "rgb")
    options = {"channel_weights": images.edge_weights(edges), "reference_index": args.reference}
    options |= {"ev_step": args.ev_step, "tile": args.tile, "overlap": args.overlap}
    for group in _groups(pictures, args.tile, jax.local_device_count()):
        names = ", ".join(paths[k].name for k in group)
        results = reconstruct_batch(
            [np.asarray(pictures[k]) for k in group],
            model,
            params,
            progress=lambda _, total, names=names: progress.bar(names, total),
            **options,
        )
        for k, (radiance, stack) in zip(group, results, strict=True):
            _write(pathlib.Path(args.output), paths[k].stem, radiance, stack, args)


def _groups(pictures: list[np.ndarray], tile: int, devices: int) -> list[list[int]]:
    """Which photographs are done together: neighbours of equal size that need no tiles."""
    groups: list[list[int]] = []
    for k, picture in enumerate(pictures):
        joins = (
            k > 0
            and picture.shape == pictures[k - 1].shape
            and max(picture.shape[:2]) <= tile
            and len(groups[-1]) < devices
        )
        if joins:
            groups[-1].append(k)
        else:
            groups.append([k])
    return groups


def _write(folder: pathlib.Path, name: str, radiance, stack, args: argparse.Namespace) -> None:
    """The radiance map, a picture of it, and the stack when it is asked for."""
    path = folder / f"{name}.{args.format}"
    images.write(path, radiance)
    write_preview(folder / f"{name}.png", radiance)
    stops = np.log2(radiance.max() / np.maximum(radiance.min(), 1e-20))
    print(f"{path}: linear, relative radiance (no unit), {stops:.1f} stops")
    if args.stack:
        _write_stack(folder / f"{name}_stack", stack, args.ev_step)


def _write_stack(folder: pathlib.Path, stack, ev_step: float) -> None:
    """Exposures as PNGs, and the table of exposure times that makes a stack of them."""
    folder.mkdir(exist_ok=True)
    rows = ["file,exposure_time_s"]
    for i, exposure in enumerate(stack):
        stops = ev_step * (i - len(stack) // 2)
        images.write(folder / f"exposure_{i}_ev{stops:+g}.png", exposure)
        rows.append(f"exposure_{i}_ev{stops:+g}.png,{2.0**stops:.9g}")
    write_text(folder / "exposures.csv", "\n".join(rows) + "\n")
