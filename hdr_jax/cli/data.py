"""hdr-jax data check|preview: is a folder fit to become a data set, and what does one look like."""

import argparse
import collections
import pathlib
import tempfile

SPLITS = ("train", "val", "test")
MOST_KINDS = 8
EXAMPLE = """examples:
  hdr-jax data check /data/VDS --as vds
  hdr-jax data check holiday/ --as bracketed_photos --option ev=2
  hdr-jax data preview vds --manual-dir /data/VDS -o vds.png
  hdr-jax data preview synthetic_stacks/128 --split val

`check` reads every file once, names every bad scene and leaves with exit code 2 if there is one;
nothing is written. `preview` prepares the data set first where it is not yet."""


def add_parser(subparsers) -> argparse.ArgumentParser:
    """Adds the subcommand to the parsers of `hdr-jax`."""
    form = {"epilog": EXAMPLE, "formatter_class": argparse.RawDescriptionHelpFormatter}
    parser = subparsers.add_parser(
        "data",
        help="inspect a folder before a long build, or look at a data set",
        description="Inspects data sets of exposure stacks with radiance maps.",
        **form,
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="check|preview")
    check = actions.add_parser("check", help="inspect a folder of files", **form)
    check.add_argument("folder", metavar="DIR", help="manual directory of the data set")
    check.add_argument("--as", dest="name", required=True, metavar="NAME", help="such as vds")
    check.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="builder argument, such as ev=2 or align=True; may be repeated",
    )
    preview = actions.add_parser("preview", help="write a contact sheet (PNG)", **form)
    preview.add_argument("name", metavar="NAME", help="data set, such as vds or vds/256")
    preview.add_argument("--split", help="train, val or test; by default the first there is")
    preview.add_argument("--scenes", type=int, default=8, help="rows of the sheet, default 8")
    preview.add_argument("--data-dir", help="prepared data sets; TFDS's own folder by default")
    preview.add_argument("--manual-dir", help="the files that the data set is made from")
    preview.add_argument("-o", "--output", metavar="PNG", help="default <name>.png here")
    return parser


def run(args: argparse.Namespace) -> int:
    """Checks or previews; returns the exit code."""
    return check(args) if args.action == "check" else preview(args)


def check(args: argparse.Namespace) -> int:
    """Prints scenes per split, sizes, exposures and bad scenes; 2 if there are bad ones."""
    import tqdm

    from hdr_jax import data
    from tfds_builders import base

    with tempfile.TemporaryDirectory() as nothing_prepared:
        name = "/".join([args.name, *([",".join(args.option)] if args.option else [])])
        builder = data.builder_of(name, nothing_prepared)
    if not isinstance(builder, base.ManualBuilder):
        raise ValueError(f"{builder.name} reads no files: there is nothing to check.")
    place, scenes = builder.find_scenes(pathlib.Path(args.folder))
    kinds, bad = collections.defaultdict(collections.Counter), []
    for scene in tqdm.tqdm(scenes, unit="scene", dynamic_ncols=True):
        try:
            kinds[scene.split][str(builder.read(scene))] += 1
        except ValueError as error:
            bad.append(str(error))
    print(f"{builder.info.full_name} from {place}: {len(scenes)} scenes, {len(bad)} bad")
    for split, counts in sorted(kinds.items(), key=lambda item: SPLITS.index(item[0])):
        print(f"{split}: {counts.total()} good scenes")
        for kind, number in counts.most_common(MOST_KINDS):
            print(f"{number:6} x {kind}")
        if len(counts) > MOST_KINDS:
            print(f"       ... and {len(counts) - MOST_KINDS} more kinds")
    for message in bad:
        print(f"BAD {message}")
    return 2 if bad else 0


def preview(args: argparse.Namespace) -> int:
    """Writes a contact sheet of scenes spread evenly over a split."""
    import numpy as np

    from hdr_jax import data, images
    from hdr_jax.runs import contact_sheet

    path = pathlib.Path(args.output or f"{args.name.split('/')[0]}.png")
    if args.scenes < 1 or path.suffix.lower() != ".png":
        raise ValueError(
            f"got --scenes {args.scenes} and the output {path}; expected one scene at least and a "
            "name ending in .png."
        )
    builder = data.prepare(args.name, args.data_dir, args.manual_dir)
    split = args.split or next(iter(builder.info.splits))
    source = data.load_source(args.name, split, args.data_dir, args.manual_dir)
    count = min(args.scenes, len(source))
    chosen = np.linspace(0, len(source) - 1, count).round().astype(int)
    images.write(path, contact_sheet.draw(source[i] for i in chosen))
    print(f"{path}: {count} of the {len(source)} scenes of {builder.info.full_name}, {split}")
    return 0
