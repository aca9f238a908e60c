"""hdr-jax view MAP [MAP]: a page to look at one radiance map, or to compare two."""

import argparse
import functools
import pathlib

import jax
import numpy as np

from hdr_jax import images, metrics, page, progress
from hdr_jax.cli.outputs import check
from hdr_jax.errors import InputError
from hdr_jax.exported import quickly_compiled


def run(args: argparse.Namespace) -> int:
    """Writes the page and says what it holds; returns the exit code."""
    paths = [pathlib.Path(path) for path in args.maps]
    output = pathlib.Path(args.output or f"{paths[0].stem}.html")
    _check_arguments(args)
    check({"page": output}, paths, [] if args.output else [output])
    maps, sizes = {}, {}
    for path, label in zip(paths, _labels(paths), strict=True):
        with progress.bar(f"reading {path.name}"):
            radiance = images.read_hdr(path)
        sizes[label] = radiance.shape[:2]
        maps[label] = images.reduced(radiance, args.size)
    if len(set(sizes.values())) > 1:
        text = " and ".join(f"{label} {w} x {h}" for label, (h, w) in sizes.items())
        raise InputError(f"maps of unequal size cannot be compared: {text}; resize one of them")
    (height, width), shown = next(iter(sizes.values())), next(iter(maps.values())).shape[:2]
    seen, notes = None, []
    if args.visibility:
        see = functools.partial(metrics.hdrvdp2_by_protocol, protocol=args.protocol or "singlehdr")
        result = quickly_compiled(jax.jit(see).lower(*maps.values()))(*maps.values())
        seen = np.asarray(result.P_map)
        notes = [f"Visible difference: {result.version}, Q {result.Q:.2f}; {result.protocol}."]
    reduced = None if shown == (height, width) else (height, width)
    scene = page.Scene(" and ".join(maps), maps, visibility=seen, size=reduced)
    page.write(output, scene.name, [page.encoded(scene, args.bits)], notes=notes)
    text = f"{shown[1]} x {shown[0]} pixels" + (f" of {width} x {height}" if reduced else "")
    print(f"{output}: {text}, {output.stat().st_size / 1e6:.1f} MB; open it in a browser")
    return 0


def _check_arguments(args: argparse.Namespace) -> None:
    """Raises InputError for what argparse lets through."""
    if len(args.maps) > 2:
        raise InputError(f"got {len(args.maps)} maps; expected one, or two to compare")
    if len(set(map(pathlib.Path, args.maps))) < len(args.maps):
        raise InputError(f"got {args.maps[0]} twice; expected one map, or two different ones")
    if args.visibility and len(args.maps) < 2:
        raise InputError("--visibility compares two maps, got one; name the reference second")
    if args.protocol and not args.visibility:
        raise InputError(f"got --protocol {args.protocol} without --visibility; add it")
    if args.size < 1:
        raise InputError(f"--size got {args.size}; expected pixels, at least 1")


def _labels(paths: list[pathlib.Path]) -> list[str]:
    """Names of the files, or whole paths where those are equal."""
    names = [path.name for path in paths]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]
