"""hdr-jax reconstruct PHOTO...: a radiance map from a single photograph, by a trained model."""

import argparse
import itertools
import pathlib

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
    # All are looked at first: a damaged one must not stop the work half-way.
    shapes = [images.read_photo(path, to_srgb=True).shape for path in paths]
    model, params, step = checkpoints.load_model(args.checkpoint, args.step)
    pathlib.Path(args.output).mkdir(parents=True, exist_ok=True)
    print(f"model of {args.checkpoint}, step {step}: {model.num_exposures} exposures")
    trained_with = checkpoints.load_config(args.checkpoint, step)
    edges = "released" if args.released else trained_with.get("edge_weights", "rgb")
    for group in _groups(paths, shapes, args.tile, jax.local_device_count()):
        _reconstruct(group, model, params, images.edge_weights(edges), args)
    return 0


def _groups(paths, shapes, tile: int, devices: int) -> list[list[pathlib.Path]]:
    """Photographs that are done together: neighbours of equal size that need no tiles."""
    groups: list[list[pathlib.Path]] = []
    last = None
    for path, shape in zip(paths, shapes, strict=True):
        joins = shape == last and max(shape[:2]) <= tile and len(groups[-1]) < devices
        if joins:
            groups[-1].append(path)
        else:
            groups.append([path])
        last = shape
    return groups


def _reconstruct(group, model, params, channel_weights, args: argparse.Namespace) -> None:
    """One group of photographs, with a progress bar over the tiles."""

    names = ", ".join(path.name for path in group)
    results = reconstruct_batch(
        [images.read_photo(path, to_srgb=True) for path in group],
        model,
        params,
        reference_index=args.reference,
        ev_step=args.ev_step,
        tile=args.tile,
        overlap=args.overlap,
        channel_weights=channel_weights,
        progress=lambda _, total: progress.bar(names, total),
    )
    for path, (radiance, stack) in zip(group, results, strict=True):
        _write(pathlib.Path(args.output), path.stem, radiance, stack, args)


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
