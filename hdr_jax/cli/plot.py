"""hdr-jax plot FILE...: response curves together, or a radiance map in false colours."""

import argparse
import pathlib

from hdr_jax.cli.outputs import check

EXAMPLE = """examples:
  hdr-jax plot canon.csv nikon.csv -o cameras.png   response curves in one plot
  hdr-jax plot bridge.exr                           luminance in stops, bridge_stops.png here"""


def add_parser(subparsers) -> argparse.ArgumentParser:
    """Adds the subcommand to the parsers of `hdr-jax`."""
    parser = subparsers.add_parser(
        "plot",
        help="pictures of response curves or of a radiance map",
        description="Draws response curves together, or the luminance of a radiance map in stops.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="response curves (.csv, .npy), or one .exr or .hdr"
    )
    parser.add_argument("-o", "--output", metavar="PNG", help="default named after the first file")
    return parser


def run(args: argparse.Namespace) -> int:
    """Draws and says what was written; returns the exit code."""
    from hdr_jax import brackets, images
    from hdr_jax.runs import figures

    paths = [pathlib.Path(path) for path in args.files]
    maps = [path for path in paths if path.suffix.lower() in images.HDR_SUFFIXES]
    if maps and len(paths) > 1:
        raise ValueError(
            f"got {len(paths)} files with the radiance map {maps[0]}; expected one radiance map, "
            "or response curves (.csv, .npy) only"
        )
    ending = "stops" if maps else "curves"
    output = pathlib.Path(args.output or f"{paths[0].stem}_{ending}.png")
    check({"plot": output}, paths)
    if maps:
        for _ in brackets.progress([0], f"reading {maps[0].name}"):
            radiance = images.read_hdr(maps[0])
        middle = figures.false_colour(output, images.reduced(radiance, 1200))
        print(f"{output}: luminance in stops; 0 is the median, {middle:.4g}")
    else:
        labels = [path.stem.removesuffix("_response") for path in paths]
        if len(set(labels)) < len(labels):
            labels = [str(path) for path in paths]
        curves = [images.read_response(path) for path in paths]
        figures.response_curves(output, dict(zip(labels, curves, strict=True)))
        print(f"{output}: {len(curves)} response curves")
    return 0
