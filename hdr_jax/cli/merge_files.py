"""The files that `hdr-jax merge` writes: their names, checked first, and their contents."""

import argparse
import pathlib

import numpy as np

from hdr_jax import images, progress
from hdr_jax.cli import screens
from hdr_jax.cli.outputs import check, stops_of, write_preview
from hdr_jax.cli.report import Report
from hdr_jax.errors import InputError

MOST_LEVELS = 4096  # of a curve that is written
SPLIT_REFUSES = ("times", "ev", "reference", "preview", "curve")


def check_split(args: argparse.Namespace) -> None:
    """Raises for options that mean one bracket."""
    given = [f"--{name}" for name in SPLIT_REFUSES if getattr(args, name)]
    if given:
        raise InputError(
            f"got --split and {given[0]}, which is of one bracket; merge the brackets one by one, "
            "or leave it out"
        )


def planned(
    args: argparse.Namespace, groups: list[list[pathlib.Path]]
) -> list[dict[str, pathlib.Path]]:
    """The files of every bracket, checked before anything is computed."""
    for name in ("preview", "curve"):
        if getattr(args, name) and getattr(args, f"no_{name}"):
            raise InputError(f"got --{name} and --no-{name}; expected one of them")
    ending = "_response.csv" if args.crf_only else f".{args.format or 'exr'}"
    if args.split:
        folder = pathlib.Path(args.output or ".")
        if not folder.is_dir() and (folder.suffix or not folder.parent.is_dir()):
            raise InputError(f"got -o {folder} with --split; expected a folder for all the maps")
        mains = [folder / f"{paths[0].stem}_merged{ending}" for paths in groups]
        if len(set(mains)) < len(mains):
            raise InputError(
                "several brackets begin with pictures of one name; merge them one by one"
            )
    else:
        one = pathlib.Path(args.pictures[0])
        stem = one.resolve().name if one.is_dir() else f"{one.stem}_merged"
        mains = [pathlib.Path(args.output or f"{stem}{ending}")]
    if args.format and mains[0].suffix.lower() != ending and not args.crf_only:
        raise InputError(f"got --format {args.format} and -o {mains[0]}; expected one of them")
    if not args.crf_only:
        screens.peak_of(args.peak, mains[0].suffix.lower())
    if args.split:
        folder.mkdir(exist_ok=True)
    pictures = [path for group in groups for path in group]
    tables = [path.parent / images.EXPOSURES_FILE for path in pictures]
    taken = [*pictures, *tables, *filter(None, [args.response])]
    outputs = []
    for main in mains:
        outputs.append(of_map(main, args))
        check(outputs[-1], taken, unasked(outputs[-1], args))
        taken += outputs[-1].values()
    return outputs


def of_map(main: pathlib.Path, args: argparse.Namespace) -> dict[str, pathlib.Path]:
    """What is to be written of one bracket: map, preview, curve, plot."""
    beside = main.with_suffix("")
    outputs = {}
    if args.crf_only:
        outputs["curve"] = pathlib.Path(args.curve or main)
        outputs["plot"] = outputs["curve"].with_suffix(".png")
    else:
        outputs["map"] = main
        is_one = main.suffix.lower() in images.JPEG_SUFFIXES
        if args.preview or not (args.no_preview or is_one):
            outputs["preview"] = pathlib.Path(args.preview or f"{beside}_preview.jpg")
        if not args.no_curve:
            outputs["curve"] = pathlib.Path(args.curve or f"{beside}_response.csv")
            outputs["plot"] = outputs["curve"].with_suffix(".png")
    return outputs


def unasked(outputs: dict[str, pathlib.Path], args: argparse.Namespace) -> list[pathlib.Path]:
    """Files whose names nobody typed, and all in a folder of photographs that is the input."""
    typed = [args.preview, args.curve, None if args.split else args.output]
    typed = {pathlib.Path(name) for name in typed if name}
    source = pathlib.Path(args.pictures[0]).resolve()
    return [
        path
        for path in outputs.values()
        if path not in typed or (path.parent.resolve() == source and len(args.pictures) == 1)
    ]


def write_map(
    outputs: dict[str, pathlib.Path], radiance, notes: list[str], paths, peak, report: Report
) -> dict:
    """The radiance map with what is known of it, and its picture; returns what was written."""
    path = outputs["map"]
    name, chromaticities = images.primaries(paths)
    report.assume(f"primaries: {name}")
    comment = "; ".join([f"hdr_jax merge: {notes[0]}", *notes[1:], f"primaries: {name}"])
    suffix = path.suffix.lower()
    height, width = radiance.shape[:2]
    stops = stops_of(radiance)
    found = {"size": [width, height], "stops": stops, "unit": notes[0], "primaries": name}
    with progress.bar(f"writing {path.name}"):
        if suffix in screens.SUFFIXES:
            peak = screens.peak_of(peak, suffix)
            white, above = screens.write(path, radiance, chromaticities, peak, comment)
            found |= {"peak_stops": peak, "white": white, "clipped_share": above}
        else:
            images.write(path, radiance, comment, chromaticities)
    report.say(f"{path}: {width} x {height}, {stops:.1f} stops")
    if suffix in screens.SUFFIXES:
        report.assume(
            f"screens: white is {white:.4g} of the map's unit, light is clipped {peak:g} stops "
            f"above it ({above:.2%} of the pixels)"
        )
    found["outputs"] = {"map": str(path)}
    if "preview" in outputs:
        height, width = write_preview(outputs["preview"], radiance, chromaticities)
        found["outputs"]["preview"] = str(outputs["preview"])
        report.say(f"{outputs['preview']}: tone-mapped, {width} x {height}")
    return found


def write_curve(outputs: dict[str, pathlib.Path], g) -> dict[str, str]:
    """The response as numbers and as a plot; returns what was written."""
    if "curve" not in outputs:
        return {}
    # Here, so that Matplotlib, which takes longer to import than to draw, waits for nobody.
    from hdr_jax.runs import figures

    if g.shape[1] > MOST_LEVELS:
        kept = np.linspace(0, g.shape[1] - 1, MOST_LEVELS)
        g = np.stack([np.interp(kept, np.arange(g.shape[1]), curve) for curve in g])
    images.write_response(outputs["curve"], g)
    figures.response_curves(outputs["plot"], {outputs["curve"].stem: g})
    return {name: str(outputs[name]) for name in ("curve", "plot")}
