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
from hdr_jax.cli import merge_files
from hdr_jax.cli.parsers import PICTURES_FIRST
from hdr_jax.cli.report import Report
from hdr_jax.errors import InputError
from hdr_jax.exposure import ev_to_log_times
from hdr_jax.levels import white_level

MOST_STOPS = 40  # more than any bracket, with or without filters
LEAST_TIME = 1e-12  # seconds; of what is far shorter or longer radiance leaves float32
MIN_STOPS = 0.1  # between the shortest and the longest exposure; times of EXIF err by as much
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
    _check_options(args)
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


def _check_options(args: argparse.Namespace) -> None:
    """Raises InputError for options that would do nothing."""
    idle = {
        "--reference does nothing without --align or --deghost": args.reference
        and not (args.align or args.deghost),
        "--smoothness does nothing with --response": args.smoothness is not None and args.response,
        "--method does nothing with --response": args.method and args.response,
        "--no-curve would leave nothing with --crf-only": args.no_curve and args.crf_only,
        "--preview is of a map, of which --crf-only writes none": args.preview and args.crf_only,
        "--peak is of a map, of which --crf-only writes none": args.peak and args.crf_only,
        "--format is of a map, of which --crf-only writes none": args.format and args.crf_only,
        "--deghost is of a map, of which --crf-only writes none": args.deghost and args.crf_only,
        "-o and --curve both name the response of --crf-only": args.crf_only
        and args.curve
        and args.output
        and not args.split,
    }
    for problem, found in idle.items():
        if found:
            raise InputError(f"{problem}; leave one of them out")
    if args.smoothness is not None and not args.smoothness > 0:
        raise InputError(f"--smoothness got {args.smoothness:g}; expected a number above 0")


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
    log_times = read_log_times(paths, args, report)
    reference = named_index(args.reference, paths)
    found = {"photographs": [str(path) for path in paths], "outputs": {}}
    found |= {"ev" if args.ev else "exposure_times_s": exposures(log_times, args)}
    with contextlib.ExitStack() as opened:
        loaded = opened.enter_context(brackets.load(paths, progress=progress.bar))
        describe(loaded, log_times, paths, report)
        small = loaded.thinned(2**16)
        refuse_copies(small, log_times, paths)
        warn_of_order(small, loaded.valid_thinned(2**16).all(0), log_times, paths)
        warn_of_low_white(loaded, log_times, paths)
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
                warn_of_movement(loaded, log_times, g, paths)
            ghosts = reference if args.deghost else None
            radiance = brackets.merge_strips(
                loaded, log_times, g, reference=ghosts, progress=progress.bar
            )
    with concurrent.futures.ThreadPoolExecutor(1) as beside:
        curve = beside.submit(merge_files.write_curve, outputs, g)
        if radiance is not None:
            units = UNITS.format(at="at EV 0" if args.ev else "in 1 s")
            notes = [units, exposures_text(log_times, args)]
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


def read_log_times(paths: list[pathlib.Path], args: argparse.Namespace, report: Report):
    """Natural logs of the exposure times [n], as the options or the files say."""
    if args.times and args.ev:
        raise InputError("got both --times and --ev; expected one of them")
    table = paths[0].parent / images.EXPOSURES_FILE
    if (args.times or args.ev) and len(args.pictures) == 1 and table.is_file():
        report.assume(f"exposures: as given, in order of the pictures' names, not those of {table}")
    if args.ev:
        ev = np.array([images.fraction(word) for word in _words(args.ev)])
        if len(ev) != len(paths):
            raise InputError(
                f"--ev has {len(ev)} values for {len(paths)} pictures; expected one each, in stops"
            )
        if not (np.abs(ev) < 100).all():
            raise InputError(
                f"--ev got {' '.join(_words(args.ev))}; expected stops such as -2 0 2 or 1/3, and "
                "the pictures before --ev"
            )
        log_times = np.asarray(ev_to_log_times(ev))
    else:
        times = _words(args.times) if args.times else None
        if times is None:
            report.assume(f"exposure times: {images.exposure_source(paths)}")
        seconds = images.exposure_times(paths, times)
        if not LEAST_TIME <= seconds.min() <= seconds.max() <= 1 / LEAST_TIME:
            raise InputError(
                f"the exposure times are from {seconds.min():.3g} to {seconds.max():.3g} s; "
                f"expected {LEAST_TIME:g} to {1 / LEAST_TIME:g} s"
            )
        log_times = np.log(seconds)
    stops = np.ptp(log_times) / np.log(2)
    if stops < MIN_STOPS:
        equal = "equal" if stops < 1e-6 else f"nearly equal ({stops:.2g} stops in all)"
        raise InputError(
            f"all exposure times are {equal}: nothing tells how the camera responds. Give the "
            "true ones by --times or --ev."
        )
    if stops > MOST_STOPS:
        raise InputError(
            f"the exposures are {stops:.0f} stops apart, from {np.exp(log_times.min()):.3g} to "
            f"{np.exp(log_times.max()):.3g}; expected at most {MOST_STOPS}. Give the true ones by "
            "--times or --ev."
        )
    return log_times


def exposures(log_times, args: argparse.Namespace) -> list[float]:
    """Stops as they were given, else seconds."""
    values = log_times / np.log(2) if args.ev else np.exp(log_times)
    return [float(f"{value:.6g}") for value in values]


def exposures_text(log_times, args: argparse.Namespace) -> str:
    """The exposures as they are noted in the header of the map."""
    if args.ev:
        return f"exposures at EV {' '.join(f'{x:g}' for x in exposures(log_times, args))}"
    return f"exposures of {' '.join(f'{x:.4g}' for x in exposures(log_times, args))} s"


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


def describe(loaded, log_times, paths: list[pathlib.Path], report: Report) -> None:
    """Says what was read, and where there is nothing to read."""
    n, height, width, _ = loaded.shape
    report.say(
        f"{n} photographs, {width} x {height}, {8 * loaded.dtype.itemsize} bits, over "
        f"{np.ptp(log_times) / np.log(2):.1f} stops of exposure"
    )
    for path, valid in zip(paths, loaded.valid_thinned(2**18), strict=True):
        if not valid.all():
            missing = 1 - valid.mean()
            report.say(f"{path.name}: {missing:.1%} transparent or not finite, of no weight")


def refuse_copies(small, log_times, paths: list[pathlib.Path]) -> None:
    """Raises InputError for one picture under two exposures, and warns of copies; of a thinned
    stack [n, h, w, 3]."""
    seen: dict[bytes, int] = {}
    for j, picture in enumerate(small):
        brightest = white_level(picture)
        if ((picture == 0) | (picture == brightest)).all():  # black and white may well be equal
            continue
        first = seen.setdefault(np.ascontiguousarray(picture).tobytes(), j)
        pair = f"{paths[first].name} and {paths[j].name} are the same picture"
        stops = abs(log_times[j] - log_times[first]) / np.log(2)
        if stops > MIN_STOPS:
            raise InputError(
                f"{pair}, although their exposures are {stops:.1f} stops apart; expected "
                "photographs that differ. Leave one out."
            )
        if first != j:
            warnings.warn(f"{pair}, and count twice", stacklevel=2)


def warn_of_order(small, shown, log_times, paths: list[pathlib.Path]) -> None:
    """Warns where a longer exposure is darker: the times are probably in another order.

    Of a thinned stack [n, h, w, 3], where all exposures hold data, bool [h, w].
    """
    order = np.argsort(log_times, kind="stable")
    if not shown.any():
        return
    brightness = small[:, shown].mean((1, 2))[order]
    longer = np.diff(log_times[order]) > 1e-6
    for k in np.flatnonzero(longer & (np.diff(brightness) < -0.01 * brightness.max())):
        warnings.warn(
            f"{paths[order[k + 1]].name} is darker than {paths[order[k]].name} although its "
            "exposure is longer; are the times in the order of the pictures?",
            stacklevel=2,
        )


def warn_of_low_white(loaded, log_times, paths: list[pathlib.Path]) -> None:
    """Warns where light is clipped far below the largest level: what is white counts as data."""
    if found := brackets.low_white(loaded, log_times):
        white, top, share = found
        warnings.warn(
            f"white of {paths[np.argmax(log_times)].name} seems to be level {white:.6g} of "
            f"{top:.6g}, which {share:.1%} of its pixels have: they count as light that was "
            f"measured. Multiply the levels of all pictures by {top / white:.4g} and merge those.",
            stacklevel=2,
        )


def warn_of_movement(loaded, log_times, g, paths: list[pathlib.Path]) -> None:
    """Warns where the camera seems to have moved: edges would be merged twice."""
    if found := brackets.movement(loaded, log_times, g):
        one, other, pixels = found
        warnings.warn(
            f"the camera seems to have moved by {pixels:.0f} pixels between {paths[one].name} and "
            f"{paths[other].name}: --align registers hand-held pictures",
            stacklevel=2,
        )


def _method(args: argparse.Namespace) -> str:
    """How the response is recovered, as the option has it."""
    return args.method or "debevec"


def _words(values: list[str]) -> list[str]:
    """Values that spaces or commas separate."""
    return [word.strip() for value in values for word in value.split(",") if word.strip()]
