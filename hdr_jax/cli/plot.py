"""hdr-jax plot FILE...: response curves together, or a radiance map in false colours."""

import argparse
import pathlib

from hdr_jax import images, progress
from hdr_jax.cli.outputs import check
from hdr_jax.errors import InputError
from hdr_jax.runs import figures


def run(args: argparse.Namespace) -> int:
    """Draws and says what was written; returns the exit code."""
    paths = [pathlib.Path(path) for path in args.files]
    maps = [path for path in paths if path.suffix.lower() not in images.CURVE_SUFFIXES]
    if maps and len(paths) > 1:
        raise InputError(
            f"got {len(paths)} files with the radiance map {maps[0]}; expected one radiance map, "
            "or response curves (.csv, .npy) only"
        )
    ending = "stops" if maps else "curves"
    output = pathlib.Path(args.output or f"{paths[0].stem}_{ending}.png")
    check({"plot": output}, paths, [] if args.output else [output])
    if maps:
        with progress.bar(f"reading {maps[0].name}"):
            radiance = images.read_hdr(maps[0])
        middle = figures.false_colour(output, images.reduced(radiance, 1200))
        print(f"{output}: luminance in stops; 0 is the median, {middle:.4g}")
    else:
        labels = [path.stem.removesuffix("_response") for path in paths]
        if len(set(labels)) < len(labels):
            labels = [str(path) for path in paths]
        curves = [images.read_response(path) for path in paths]
        figures.response_curves(output, dict(zip(labels, curves, strict=True)))
        print(f"{output}: response curves of {', '.join(labels)}")
    return 0
