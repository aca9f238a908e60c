"""hdr-jax merge IMG...: bracketed photographs -> one radiance map, and the camera's response."""

import argparse
import concurrent.futures
import contextlib
import os
import pathlib
import warnings
from typing import Any

import numpy as np

from hdr_jax import brackets, images, progress
from hdr_jax.cli import merge_checks, merge_exposures, merge_files
from hdr_jax.cli.parsers import PICTURES_FIRST
from hdr_jax.cli.report import Report
from hdr_jax.errors import InputError

UNITS = (
    "linear RGB, relative: 1.0 is the radiance that gives the largest exposure the camera records "
    "{at}; not cd/m^2"
)


def run(args: argparse.Namespace) -> int:
    """Merges, writes and says what was written; returns the exit code."""
    misplaced = [word for word in (*(args.times or ()), *(args.ev or ())) if os.path.isfile(word)]
    if misplaced:
        raise InputError(f"got {misplaced[0]} as an exposure; {PICTURES_FIRST}")
    given = args.pictures[0] if len(args.pictures) == 1 else args.pictures
    paths = images.find_photos(given, by_name=bool(args.times or args.ev))
    merge_checks.check_options(args)
    with Report(args.json, "merge") as report:
        if args.split:
            merge_files.check_split(args)
            groups = brackets.split(paths)
            count = "1 bracket" if len(groups) == 1 else f"{len(groups)} brackets"
            report.say(f"{len(paths)} photographs are {count}")
        else:
            groups = [paths]
            if not (args.times or args.ev) and brackets.look_like_several(paths):
                warnings.warn(
                    "the photographs look like several brackets, by when they were taken and how "
                    "they were exposed: --split merges them one by one",
                    stacklevel=2,
                )
        # All are checked before one is merged: a mistake must not stop the work half-way.
        outputs = merge_files.planned(args, groups)
        failed = []
        for group, files in zip(groups, outputs, strict=True):
            try:
                merge(group, files, args, report)
            except InputError as error:
                if not args.split:
                    raise
                failed.append(str(error))
    if failed:
        raise InputError(f"{len(failed)} of {len(groups)} brackets not merged: {'; '.join(failed)}")
    return 0


def merge(
    paths: list[pathlib.Path],
    outputs: dict[str, pathlib.Path],
    args: argparse.Namespace,
    report: Report,
) -> None:
    """One bracket: recovers or takes the response, merges, writes."""
    if len(paths) < 2:
        raise InputError(
            f"got one picture, {paths[0]}; expected at least two exposures of a scene, or a folder."
        )
    log_times = merge_exposures.read_log_times(paths, args, report)
    reference = named_index(args.reference, paths)
    found = {"photographs": [str(path) for path in paths], "outputs": {}}
    found |= {"ev" if args.ev else "exposure_times_s": merge_exposures.exposures(log_times, args)}
    with contextlib.ExitStack() as opened:
        loaded = opened.enter_context(brackets.load(paths, progress=progress.bar))
        merge_checks.describe(loaded, log_times, paths, report)
        small = loaded.thinned(2**16)
        merge_checks.refuse_copies(small, log_times, paths)
        merge_checks.warn_of_order(small, loaded.valid_thinned(2**16).all(0), log_times, paths)
        merge_checks.warn_of_low_white(loaded, log_times, paths)
        g, recovered = camera_response(loaded, log_times, args, images.is_raw(paths[0]), report)
        if reference is None and (args.align or args.deghost):
            reference = brackets.reference_index(loaded.thinned(2**18))
            report.assume(f"reference: {paths[reference].name}, the best exposed picture")
        if args.align:
            loaded, known = aligned(loaded, log_times, g, reference, paths, report)
            opened.enter_context(loaded)
            if recovered and known.sum() > 1:  # once more: only now can pixels be followed
                g = recovered_response(loaded, log_times, args, known)
        radiance = None
        if "map" in outputs:
            if not args.align:
                merge_checks.warn_of_movement(loaded, log_times, g, paths)
            ghosts = reference if args.deghost else None
            radiance = brackets.merge_strips(
                loaded, log_times, g, reference=ghosts, progress=progress.bar
            )
    with concurrent.futures.ThreadPoolExecutor(1) as beside:
        curve = beside.submit(merge_files.write_curve, outputs, g)
        if radiance is not None:
            units = UNITS.format(at="at EV 0" if args.ev else "in 1 s")
            notes = [units, merge_exposures.exposures_text(log_times, args)]
            found |= merge_files.write_map(outputs, radiance, notes, paths, args.peak, report)
            report.assume(f"unit: {units}")
        found["outputs"] |= (written := curve.result())
    if written:
        report.say(f"{written['curve']}, {written['plot']}: response, ln exposure over the level")
    report.results.append(found)


def aligned(loaded, log_times, g, reference, paths, report: Report):
    """The pictures as the reference was taken, cropped to what all of them show, and bool [n],
    which could be registered."""
    loaded, moved = brackets.align(loaded, log_times, g, reference, progress=progress.bar)
    known = np.isfinite(moved)
    moves = ", ".join(f"{pixels:.1f}" if np.isfinite(pixels) else "?" for pixels in moved)
    height, width = loaded.shape[1:3]
    report.say(f"aligned to {paths[reference].name}: moved {moves} px, kept {width} x {height}")
    return loaded, known


def camera_response(loaded, log_times, args: argparse.Namespace, raw: bool, report: Report):
    """(g [1 or 3, num_levels], whether it was recovered, not given or linear for raw files)."""
    name = args.response or ("linear" if raw else None)
    if not args.response:
        how = "linear, as raw files are" if raw else f"recovered from the pictures, {_method(args)}"
        report.assume(f"response: {how}")
    if name:
        # 16 bits hold more than 256 levels can tell apart in the dark, linear ones more than 4096.
        deep = 65536 if name == "linear" and loaded.dtype == np.uint16 else 4096
        return images.camera_response(name, 256 if loaded.dtype == np.uint8 else deep), False
    return recovered_response(loaded, log_times, args), True


def recovered_response(loaded, log_times, args: argparse.Namespace, chosen=None) -> np.ndarray:
    """g [3, num_levels] of the pictures, or of those that a bool [n] chooses."""
    if chosen is not None and not chosen.all():
        loaded, log_times = brackets.Chosen(loaded, np.flatnonzero(chosen)), log_times[chosen]
    options: dict[str, Any] = {"method": _method(args).replace("-", "_")}
    if args.smoothness is not None:
        options["smoothness"] = args.smoothness
    with progress.bar("recovering the response"):
        g = brackets.response(loaded, log_times, **options)
    if not (np.isfinite(g).all() and np.ptp(g, axis=1).min() > 0):
        raise InputError(
            "no response can be recovered from these pictures; give one by --response srgb, or "
            "check that they differ in exposure"
        )
    return g


def named_index(name: str | None, paths: list[pathlib.Path]) -> int | None:
    """Which of the pictures has that path, or that name."""
    if name is None:
        return None
    places = [path.resolve() for path in paths]
    if (place := pathlib.Path(name).resolve()) in places:
        return places.index(place)
    wanted, *names = (images.composed(pathlib.Path(path).name) for path in (name, *paths))
    if wanted not in names:
        raise InputError(f"--reference {name} is none of the pictures {', '.join(names)}")
    if names.count(wanted) > 1:
        raise InputError(f"--reference {name} is the name of several pictures; give its folder too")
    return names.index(wanted)


def _method(args: argparse.Namespace) -> str:
    """How the response is recovered, as the option has it."""
    return args.method or "debevec"
