"""hdr-jax reconstruct PHOTO...: a radiance map from a single photograph, by a trained model."""

import argparse
import itertools
import pathlib
from collections.abc import Iterable

import jax
import numpy as np

from hdr_jax import images, progress, weights
from hdr_jax.cli.outputs import write_preview
from hdr_jax.errors import InputError
from hdr_jax.files import write_text
from hdr_jax.models import HighlightModel
from hdr_jax.reconstruct import exposure, highlights, reconstruct_batch


def run(args: argparse.Namespace) -> int:
    """Reconstructs every photograph; returns the exit code."""
    paths = [pathlib.Path(photo) for photo in args.photos]
    twice = sorted({a.stem for a, b in itertools.combinations(paths, 2) if a.stem == b.stem})
    if twice:
        raise InputError(f"several photographs are named {', '.join(twice)}: one folder for each")
    if args.checkpoint is None:
        model, params = weights.load()
        print(f"model {weights.DEFAULT}, which comes with the program")
        config = {}
    else:
        # Here, because the shipped model needs neither Orbax nor the seconds that it takes to load.
        from hdr_jax.runs import checkpoints

        model, params, step = checkpoints.load_model(args.checkpoint, args.step)
        config = checkpoints.load_config(args.checkpoint, step)
        print(f"model of {args.checkpoint}, step {step}")
    if isinstance(model, HighlightModel):
        _predict_all(paths, model, params, args)
    else:
        _paint_all(paths, model, params, config, args)
    return 0


def _predict_all(paths, model, params, args: argparse.Namespace) -> None:
    """Photographs by a model that predicts their clipped pixels."""
    low, high = args.ev_range
    if not low <= 0 <= high:
        raise InputError(f"got --ev-range {low} {high}: expected stops from below to above 0")
    g = images.camera_response(args.response) if args.response else None
    if len(paths) > 1:  # all are looked at first: a damaged one must not stop the work half-way
        for path in paths:
            images.read_photo(path, to_srgb=True)
    folder = pathlib.Path(args.output)
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        with progress.bar(path.name):
            log_radiance = highlights(images.read_photo(path, to_srgb=True), model, params, g=g)
            stops = range(low, high + 1)
            stack = ((ev, exposure(log_radiance, ev, g)) for ev in stops) if args.stack else ()
            _write_stack(folder / f"{path.stem}_stack", stack)
        np.exp(log_radiance, out=log_radiance)
        _write_map(folder, path.stem, log_radiance, args.format)


def _paint_all(paths, model, params, config, args: argparse.Namespace) -> None:
    """Photographs by networks that paint every exposure."""
    # All are looked at first: a damaged one must not stop the work half-way.
    shapes = [images.read_photo(path, to_srgb=True).shape for path in paths]
    pathlib.Path(args.output).mkdir(parents=True, exist_ok=True)
    edges = "released" if args.released else config.get("edge_weights", "rgb")
    for group in _groups(paths, shapes, args.tile, jax.local_device_count()):
        _paint(group, model, params, images.edge_weights(edges), args)


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


def _paint(group, model, params, channel_weights, args: argparse.Namespace) -> None:
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
    folder = pathlib.Path(args.output)
    for path, (radiance, stack) in zip(group, results, strict=True):
        _write_map(folder, path.stem, radiance, args.format)
        stops = args.ev_step * (np.arange(len(stack)) - len(stack) // 2)
        _write_stack(
            folder / f"{path.stem}_stack", zip(stops, stack, strict=True) if args.stack else ()
        )


def _write_map(folder: pathlib.Path, name: str, radiance: np.ndarray, suffix: str) -> None:
    """The radiance map and a picture of it."""
    path = folder / f"{name}.{suffix}"
    images.write(path, radiance)
    write_preview(folder / f"{name}.png", radiance)
    stops = np.log2(radiance.max() / np.maximum(radiance.min(), 1e-20))
    print(f"{path}: linear, relative radiance (no unit), {stops:.1f} stops")


def _write_stack(folder: pathlib.Path, stack: Iterable[tuple[float, np.ndarray]]) -> None:
    """(stops, exposure) as PNGs, and the table of exposure times that makes a stack of them."""
    rows = ["file,exposure_time_s"]
    for i, (stops, exposed) in enumerate(stack):
        folder.mkdir(exist_ok=True)
        images.write(folder / f"exposure_{i}_ev{stops:+g}.png", exposed)
        rows.append(f"exposure_{i}_ev{stops:+g}.png,{2.0**stops:.9g}")
    if rows[1:]:
        write_text(folder / "exposures.csv", "\n".join(rows) + "\n")
