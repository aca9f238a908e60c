"""hdr-jax reconstruct PHOTO...: a radiance map from a single photograph, by a trained model."""

import argparse
import itertools
import pathlib
import tempfile
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
        loaded, config = weights.load(), {}
        print(f"model {weights.DEFAULT}, which comes with the program")
    else:
        # Here, because the shipped model needs neither Orbax nor the seconds that it takes to load.
        from hdr_jax.runs import checkpoints

        *loaded, step = checkpoints.load_model(args.checkpoint, args.step)
        config = checkpoints.load_config(args.checkpoint, step)
        print(f"model of {args.checkpoint}, step {step}")
    predicts = isinstance(loaded[0], HighlightModel)
    with tempfile.TemporaryDirectory() as folder:
        # All are decoded first: a damaged one must not stop the work half-way.
        pictures = [_decoded(path, pathlib.Path(folder) / f"{path.stem}.npy") for path in paths]
        (_predict_all if predicts else _paint_all)(paths, pictures, loaded, config, args)
    return 0


def _decoded(path: pathlib.Path, place: pathlib.Path) -> np.ndarray:
    """A photograph in sRGB, kept on disk: any number of them fits."""
    np.save(place, images.read_photo(path, to_srgb=True))
    return np.load(place, mmap_mode="r")


def _predict_all(paths, pictures, loaded, config, args: argparse.Namespace) -> None:
    """Photographs by a model that predicts their clipped pixels."""
    del config
    low, high = args.ev_range
    if not low <= 0 <= high:
        raise InputError(f"got --ev-range {low} {high}: expected stops from below to above 0")
    g = images.camera_response(args.response) if args.response else None
    folder = pathlib.Path(args.output)
    folder.mkdir(parents=True, exist_ok=True)
    for path, picture in zip(paths, pictures, strict=True):
        with progress.bar(path.name):
            log_radiance = highlights(np.asarray(picture), *loaded, g=g)
            stops = range(low, high + 1)
            stack = ((ev, exposure(log_radiance, ev, g)) for ev in stops) if args.stack else ()
            _write_stack(folder / f"{path.stem}_stack", stack)
        np.exp(log_radiance, out=log_radiance)
        _write_map(folder, path.stem, log_radiance, args.format)


def _paint_all(paths, pictures, loaded, config, args: argparse.Namespace) -> None:
    """Photographs by networks that paint every exposure, one group after the other."""
    model, params = loaded
    pathlib.Path(args.output).mkdir(parents=True, exist_ok=True)
    edges = "released" if args.released else config.get("edge_weights", "rgb")
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
            folder = pathlib.Path(args.output)
            _write_map(folder, paths[k].stem, radiance, args.format)
            stops = args.ev_step * (np.arange(len(stack)) - len(stack) // 2)
            exposures = zip(stops, stack, strict=True) if args.stack else ()
            _write_stack(folder / f"{paths[k].stem}_stack", exposures)


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
