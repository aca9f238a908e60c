"""hdr-jax data check|prepare|preview: is a folder fit for a data set, make it, look at it."""

import argparse
import collections
import pathlib
import tempfile

import numpy as np

from hdr_jax import data, images, progress
from hdr_jax.cli import outputs
from hdr_jax.errors import InputError
from hdr_jax.runs import contact_sheet
from tfds_builders import base, splits

SPLITS = ("train", "val", "test")
MOST_KINDS = 8


def run(args: argparse.Namespace) -> int:
    """Does one of the actions; returns the exit code."""
    return {"check": check, "prepare": prepare, "preview": preview}[args.action](args)


def check(args: argparse.Namespace) -> int:
    """Prints scenes per split, sizes, exposures and bad scenes; 2 if there are bad ones."""
    with tempfile.TemporaryDirectory() as nothing_prepared:
        builder = data.builder_of(with_options(args.name, args.option), nothing_prepared)
    if not isinstance(builder, base.ManualBuilder):
        raise InputError(f"{builder.name} reads no files: there is nothing to check.")
    place, scenes = builder.find_scenes(pathlib.Path(args.folder).expanduser())
    kinds, bad = collections.defaultdict(collections.Counter), []
    with progress.bar("reading", len(scenes)) as advance:
        for scene in scenes:
            try:
                kind = str(builder.read(scene))
                kinds[scene.split][kind] += 1
            except InputError as error:
                bad.append(str(error))
            advance()
    print(f"{builder.info.full_name} from {place}: {len(scenes)} scenes, {len(bad)} bad")
    for split, counts in sorted(kinds.items(), key=lambda item: SPLITS.index(item[0])):
        print(f"{split}: {counts.total()} good scenes")
        for kind, number in counts.most_common(MOST_KINDS):
            print(f"{number:6} x {kind}")
        if len(counts) > MOST_KINDS:
            print(f"       ... and {len(counts) - MOST_KINDS} more kinds")
    lacking = [split for split in ("train", "val") if split not in kinds]
    if lacking and splits.MANIFEST in builder.EXPECTED:
        print(
            f"none are in {' and '.join(lacking)}, but training needs scenes to learn from and to "
            "validate with: a manifest.csv (view,scene,split) says which scenes go where"
        )
    for message in bad:
        print(f"BAD {message}")
    return 2 if bad else 0


def with_options(name: str, options: list[str]) -> str:
    """Name of a data set with builder arguments, as TFDS reads it."""
    return f"{name}/{','.join(options)}" if options else name


def prepare(args: argparse.Namespace) -> int:
    """Prepares a data set, or the rest of one that was stopped; says what it holds."""
    if args.processes < 1:
        raise InputError(f"got --processes {args.processes}; expected 1 or more")
    options = [*args.option, *([f"processes={args.processes}"] if args.processes > 1 else [])]
    builder = data.prepare(with_options(args.name, options), args.data_dir, args.manual_dir)
    splits = builder.info.splits
    counts = ", ".join(f"{split} {splits[split].num_examples}" for split in splits)
    print(f"{builder.info.full_name} in {builder.data_dir}: {counts}; {builder.info.dataset_size}")
    return 0


def preview(args: argparse.Namespace) -> int:
    """Writes a contact sheet of scenes spread evenly over a split."""
    path = pathlib.Path(args.output or f"{args.name.split('/')[0]}.png")
    if args.scenes < 1 or path.suffix.lower() != ".png":
        raise InputError(
            f"got --scenes {args.scenes} and the output {path}; expected one scene at least and a "
            "name ending in .png."
        )
    outputs.check({"plot": path}, [], [] if args.output else [path])
    builder = data.prepare(args.name, args.data_dir, args.manual_dir)
    split = args.split or next(iter(builder.info.splits))
    source = data.load_source(args.name, split, args.data_dir, args.manual_dir)
    count = min(args.scenes, len(source))
    chosen = np.linspace(0, len(source) - 1, count).round().astype(int)
    images.write(path, contact_sheet.draw(source[i] for i in chosen), comment="contact sheet")
    print(f"{path}: {count} of the {len(source)} scenes of {builder.info.full_name}, {split}")
    return 0
