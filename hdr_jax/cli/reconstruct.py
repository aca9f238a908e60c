"""hdr-jax reconstruct PHOTO...: a radiance map from a single photograph, by a trained model."""

import argparse
import itertools
import pathlib
import tempfile

import jax
import numpy as np

from hdr_jax import files, images, progress, weights
from hdr_jax.cli import reconstruct_files, screens
from hdr_jax.cli.reconstruct_files import stack_of, write_for_screens, write_map, write_stack
from hdr_jax.cli.report import Report
from hdr_jax.errors import InputError
from hdr_jax.levels import as_unit_float
from hdr_jax.reconstruct import brightening, exposure, highlights, paints, reconstruct_batch

EV_RANGE = (-3, 3)
PAINTING = {"ev_step": 1.0, "tile": 512, "overlap": 64}
# What only the one kind of model takes.
OF_PREDICTION = ("response", "ev_range")
OF_PAINTING = ("reference", *PAINTING, "released")


def run(args: argparse.Namespace) -> int:
    """Reconstructs every photograph; returns the exit code."""
    paths = images.without_results([pathlib.Path(photo) for photo in args.photos])
    twice = sorted({a.stem for a, b in itertools.combinations(paths, 2) if a.stem == b.stem})
    if twice:
        raise InputError(f"several photographs are named {', '.join(twice)}: one folder for each")
    maps = reconstruct_files.planned(args, paths)
    low, high = args.ev_range or EV_RANGE
    if not low <= 0 <= high:
        raise InputError(f"got --ev-range {low} {high}: expected stops from below to above 0")
    if args.step is not None and args.checkpoint is None:
        raise InputError(f"got --step {args.step} without --checkpoint, of which it is; add that")
    responses = _responses(args.response, paths)
    with Report(args.json, "reconstruct") as report, tempfile.TemporaryDirectory() as folder:
        loaded, refine, config = _model(args, report)
        painted = paints(loaded[0])
        _refuse_options(args, painted)
        if painted and maps[0].suffix.lower() in screens.SUFFIXES:
            raise InputError(
                f"{maps[0]} cannot be made by networks that paint every exposure, which keep no "
                "pixel of the photograph; expected .exr or .hdr"
            )
        # All are decoded first: a damaged one must not stop the work half-way.
        pictures = [_decoded(path, pathlib.Path(folder) / f"{path.stem}.npy") for path in paths]
        report.assume("primaries: sRGB, converted where an ICC profile or EXIF tells of others")
        work = list(zip(paths, pictures, maps, strict=True))
        if painted:
            edges = "released" if args.released else config.get("edge_weights", "rgb")
            options = {"channel_weights": images.edge_weights(edges), "refine": refine}
            _paint_all(work, loaded, options, args, report)
        else:
            _predict_all(work, loaded, refine, responses, args, report)
    return 0


def _responses(name: str | None, paths: list[pathlib.Path]) -> list[np.ndarray | None]:
    """The response of each photograph where it is known."""
    given = images.camera_response(name) if name else None
    raw = [path for path in paths if images.is_raw(path)]
    if raw and name not in (None, "linear", "srgb"):
        raise InputError(
            f"got --response {name} for {raw[0]}, a raw file, whose response is known: it is "
            "linear; leave the option out, and reconstruct other photographs by themselves"
        )
    # Linear light, which `images.read_photo` encoded by sRGB's curve with 16 bits.
    encoded = images.named_response("srgb", 2**16) if raw else None
    return [encoded if path in raw else given for path in paths]


def _refuse_options(args: argparse.Namespace, painted: bool) -> None:
    """Raises InputError for options that the model would ignore."""
    names = OF_PREDICTION if painted else OF_PAINTING
    given = [f"--{name.replace('_', '-')}" for name in names if getattr(args, name) is not None]
    if given:
        kind = "paints every exposure" if painted else "predicts clipped pixels"
        raise InputError(f"got {', '.join(given)} for a model that {kind}; leave it out")
    if args.ev_range and not args.stack:
        raise InputError("got --ev-range without --stack, of which it is; add it")


def _model(args: argparse.Namespace, report: Report):
    """(model, parameters), whether its refinement has learned, and its run's configuration."""
    if args.checkpoint is None:
        report.assume(f"model: {weights.DEFAULT}, which comes with the program")
        return weights.load(), True, {}
    # Here, because the shipped model needs neither Orbax nor the seconds that it takes to load.
    from hdr_jax.runs import checkpoints

    *loaded, step = checkpoints.load_model(args.checkpoint, args.step)
    report.say(f"model of {args.checkpoint}, step {step}")
    refine = checkpoints.refined(args.checkpoint, step)
    return loaded, refine, checkpoints.load_config(args.checkpoint, step)


def _decoded(path: pathlib.Path, place: pathlib.Path) -> np.ndarray:
    """A photograph in sRGB, kept on disk: any number of them fits."""
    picture = images.read_photo(path, to_srgb=True)
    with files.temporary_space():
        np.save(place, picture)
    return np.load(place, mmap_mode="r")


def _predict_all(
    work, loaded, refine: bool, responses, args: argparse.Namespace, report: Report
) -> None:
    """Photographs by a model that predicts their clipped pixels."""
    low, high = args.ev_range or EV_RANGE
    for (path, picture, place), g in zip(work, responses, strict=True):
        if images.is_raw(path):
            report.assume("response: linear, as raw files are; the model sees them in sRGB's curve")
        elif g is None:
            report.assume("response: the canonical camera of the model")
        picture = np.asarray(picture)
        place.parent.mkdir(parents=True, exist_ok=True)
        with progress.bar(path.name):
            log_radiance = highlights(picture, *loaded, g=g, refine=refine)
            stops = range(low, high + 1)
            made = (
                (ev, exposure(log_radiance, ev, g) if ev else as_unit_float(picture))
                for ev in stops
            )
            write_stack(stack_of(place, path), made if args.stack else ())
        if place.suffix.lower() in screens.SUFFIXES:
            gained = brightening(picture, log_radiance, g)
            write_for_screens(path, picture, place, gained, args.peak, report)
        else:
            np.exp(log_radiance, out=log_radiance)
            write_map(path, place, log_radiance, report)


def _paint_all(work, loaded, options: dict, args: argparse.Namespace, report: Report) -> None:
    """Photographs by networks that paint every exposure, one group after the other."""
    model, params = loaded
    paths, pictures, places = (list(column) for column in zip(*work, strict=True))
    places[0].parent.mkdir(parents=True, exist_ok=True)
    given = {name: getattr(args, name) for name in PAINTING if getattr(args, name) is not None}
    sizes = PAINTING | given
    options = options | sizes | {"reference_index": args.reference}
    for group in _groups(pictures, sizes["tile"], jax.local_device_count()):
        names = ", ".join(paths[k].name for k in group)
        results = reconstruct_batch(
            [np.asarray(pictures[k]) for k in group],
            model,
            params,
            progress=lambda _, total, names=names: progress.bar(names, total),
            **options,
        )
        for k, (radiance, stack) in zip(group, results, strict=True):
            write_map(paths[k], places[k], radiance, report)
            stops = sizes["ev_step"] * (np.arange(len(stack)) - len(stack) // 2)
            exposures = zip(stops, stack, strict=True) if args.stack else ()
            write_stack(stack_of(places[k], paths[k]), exposures)


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
