"""hdr-jax reconstruct PHOTO...: a radiance map from a single photograph, by a trained model."""

import argparse
import itertools
import pathlib

from hdr_jax.cli.outputs import write_preview

EXAMPLE = """example:
  python train.py --config configs/small.py --workdir runs/small --config.manual_dir=/my/hdr
  hdr-jax reconstruct holiday.jpg --checkpoint runs/small -o out --stack

Photographs are turned upright (EXIF) and converted to sRGB (ICC profile). This
writes out/holiday.exr, out/holiday.png (tone-mapped, to look at) and, with --stack, the generated
exposures in out/holiday_stack with an exposures.csv, as hdr-jax merge reads it."""

NO_CHECKPOINT = (
    "no model: pass --checkpoint, the --workdir of a training run (python train.py --config "
    "configs/quickstart.py --workdir runs/quickstart) or what `hdr-jax import` wrote from the "
    "authors' released weights; none is shipped"
)


def add_parser(subparsers) -> argparse.ArgumentParser:
    """Adds the subcommand to the parsers of `hdr-jax`."""
    parser = subparsers.add_parser(
        "reconstruct",
        help="turn single photographs into radiance maps",
        description="Generates the other exposures of a photograph, then merges them.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="JPEG, PNG or TIFF, any size")
    parser.add_argument(
        "-o", "--output", metavar="DIR", required=True, help="folder for the results"
    )
    parser.add_argument(
        "--checkpoint", metavar="DIR", help="a run's work directory, or a checkpoint"
    )
    parser.add_argument("--step", type=int, help="which checkpoint, the newest by default")
    parser.add_argument("--format", choices=("exr", "hdr"), default="exr", help="default exr")
    parser.add_argument("--stack", action="store_true", help="write the generated exposures too")
    parser.add_argument(
        "--reference",
        type=int,
        metavar="INDEX",
        help="which exposure of the stack the photograph is, 0 the darkest; default the middle",
    )
    parser.add_argument(
        "--ev-step", type=float, default=1.0, help="stops between exposures, default 1"
    )
    parser.add_argument(
        "--tile", type=int, default=512, help="largest picture given to the networks, default 512"
    )
    parser.add_argument(
        "--released",
        action="store_true",
        help="edges as the authors' program finds them; by default as the checkpoint says",
    )
    parser.add_argument("--overlap", type=int, default=64, help="of the tiles, default 64 pixels")
    return parser


def run(args: argparse.Namespace) -> int:
    """Reconstructs every photograph; returns the exit code."""
    if args.checkpoint is None:
        raise ValueError(NO_CHECKPOINT)
    import jax

    from hdr_jax import images
    from hdr_jax.runs import checkpoints

    paths = [pathlib.Path(photo) for photo in args.photos]
    twice = sorted({a.stem for a, b in itertools.combinations(paths, 2) if a.stem == b.stem})
    if twice:
        raise ValueError(f"several photographs are named {', '.join(twice)}: one folder for each")
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
    import tqdm

    from hdr_jax import images
    from hdr_jax.reconstruct import reconstruct_batch

    names = ", ".join(path.name for path in group)
    with tqdm.tqdm(unit="tile", desc=names, dynamic_ncols=True) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        results = reconstruct_batch(
            [images.read_photo(path, to_srgb=True) for path in group],
            model,
            params,
            reference_index=args.reference,
            ev_step=args.ev_step,
            tile=args.tile,
            overlap=args.overlap,
            channel_weights=channel_weights,
            progress=progress,
        )
        for path, (radiance, stack) in zip(group, results, strict=True):
            _write(pathlib.Path(args.output), path.stem, radiance, stack, args)


def _write(folder: pathlib.Path, name: str, radiance, stack, args: argparse.Namespace) -> None:
    """The radiance map, a picture of it, and the stack when it is asked for."""
    import numpy as np

    from hdr_jax import images

    path = folder / f"{name}.{args.format}"
    images.write(path, radiance)
    write_preview(folder / f"{name}.png", radiance)
    stops = np.log2(radiance.max() / np.maximum(radiance.min(), 1e-20))
    print(f"{path}: linear, relative radiance (no unit), {stops:.1f} stops")
    if args.stack:
        _write_stack(folder / f"{name}_stack", stack, args.ev_step)


def _write_stack(folder: pathlib.Path, stack, ev_step: float) -> None:
    """Exposures as PNGs, and the table of exposure times that makes a stack of them."""
    from hdr_jax import images
    from hdr_jax.files import write_text

    folder.mkdir(exist_ok=True)
    rows = ["file,exposure_time_s"]
    for i, exposure in enumerate(stack):
        stops = ev_step * (i - len(stack) // 2)
        images.write(folder / f"exposure_{i}_ev{stops:+g}.png", exposure)
        rows.append(f"exposure_{i}_ev{stops:+g}.png,{2.0**stops:.9g}")
    write_text(folder / "exposures.csv", "\n".join(rows) + "\n")
