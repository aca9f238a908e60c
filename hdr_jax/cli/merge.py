"""hdr-jax merge IMG...: bracketed photographs -> one radiance map, and the camera's response."""

import argparse
import os
import pathlib
import unicodedata
import warnings

import numpy as np

from hdr_jax import brackets, images, progress
from hdr_jax.cli.outputs import check, write_preview
from hdr_jax.cli.parsers import PICTURES_FIRST
from hdr_jax.errors import InputError
from hdr_jax.exposure import ev_to_log_times
from hdr_jax.runs import figures

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
    one_folder = len(args.pictures) == 1
    paths = images.find_photos(args.pictures[0] if one_folder else args.pictures)
    if len(paths) < 2:
        raise InputError(
            f"got one picture, {paths[0]}; expected at least two exposures of a scene, or a folder."
        )
    log_times = read_log_times(paths, args)
    outputs = output_paths(args, paths)
    reference = named_index(args.reference, paths)
    with brackets.load(paths, progress=progress.bar) as loaded:
        describe(loaded, log_times, paths)
        warn_of_order(loaded, log_times, paths)
        g = camera_response(loaded, log_times, args, images.is_raw(paths[0]))
        if "map" not in outputs:
            write_curve(outputs, g)
            return 0
        if reference is None:
            reference = brackets.reference_index(loaded.thinned(2**18))
        merged = loaded
        if args.align:
            merged, moved = brackets.align(loaded, log_times, g, reference, progress=progress.bar)
            moves = ", ".join(f"{pixels:.1f}" for pixels in moved)
            height, width = merged.shape[1:3]
            print(f"aligned to {paths[reference].name}: moved {moves} px, kept {width} x {height}")
        ghosts = reference if args.deghost else None
        with merged:
            radiance = brackets.merge_strips(
                merged, log_times, g, reference=ghosts, progress=progress.bar
            )
    units = UNITS.format(at="at EV 0" if args.ev else "in 1 s")
    write_map(outputs, radiance, [units, exposures_text(log_times, args)], paths)
    write_curve(outputs, g)
    stops = np.log2(radiance.max() / radiance.min())
    print(f"{outputs['map']}: {radiance.shape[1]} x {radiance.shape[0]}, {stops:.1f} stops")
    print(units)
    return 0


def read_log_times(paths: list[pathlib.Path], args: argparse.Namespace):
    """Natural logs of the exposure times [n], as the options or the files say."""
    if args.times and args.ev:
        raise InputError("got both --times and --ev; expected one of them")
    if args.ev:
        try:
            ev = np.array([float(word) for word in _words(args.ev)])
        except ValueError as error:
            raise InputError(
                f"--ev: {error}; expected stops such as -2 0 2, and the pictures before --ev"
            ) from error
        if len(ev) != len(paths) or not (np.abs(ev) < 100).all():
            raise InputError(
                f"--ev has {len(ev)} values for {len(paths)} pictures; expected one each, in stops"
            )
        log_times = np.asarray(ev_to_log_times(ev))
    else:
        times = _words(args.times) if args.times else None
        log_times = np.log(images.exposure_times(paths, times))
    stops = np.ptp(log_times) / np.log(2)
    if stops < MIN_STOPS:
        equal = "equal" if stops < 1e-6 else f"nearly equal ({stops:.2g} stops in all)"
        raise InputError(
            f"all exposure times are {equal}: nothing tells how the camera responds. Give the "
            "true ones by --times or --ev."
        )
    return log_times


def exposures_text(log_times, args: argparse.Namespace) -> str:
    """The exposures as they are noted in the header of the map."""
    if args.ev:
        return f"exposures at EV {' '.join(f'{x:g}' for x in log_times / np.log(2))}"
    return f"exposures of {' '.join(f'{x:.4g}' for x in np.exp(log_times))} s"


def camera_response(loaded, log_times, args: argparse.Namespace, raw: bool):
    """g [1 or 3, num_levels]: given, linear for raw files, or recovered."""
    name = args.response or ("linear" if raw else None)
    if name:
        # 16 bits hold more than 256 levels can tell apart in the dark.
        return images.camera_response(name, 256 if loaded.dtype == np.uint8 else 4096)
    options = {"method": args.method.replace("-", "_")}
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


def output_paths(args: argparse.Namespace, paths: list[pathlib.Path]) -> dict[str, pathlib.Path]:
    """What is to be written: map, preview, curve, plot; checked before anything is computed."""
    one = pathlib.Path(args.pictures[0])
    stem = one.resolve().name if one.is_dir() else f"{one.stem}_merged"
    default = f"{stem}_response.csv" if args.crf_only else f"{stem}.exr"
    main = pathlib.Path(args.output or default)
    beside = main.with_suffix("")
    outputs = {}
    if args.crf_only:
        outputs["curve"] = pathlib.Path(args.curve or main)
        outputs["plot"] = outputs["curve"].with_suffix(".png")
    else:
        outputs["map"] = main
        if not args.no_preview:
            outputs["preview"] = pathlib.Path(args.preview or f"{beside}_preview.jpg")
        if not args.no_curve:
            outputs["curve"] = pathlib.Path(args.curve or f"{beside}_response.csv")
            outputs["plot"] = outputs["curve"].with_suffix(".png")
    check(outputs, [*paths, *([args.response] if args.response else [])])
    return outputs


def named_index(name: str | None, paths: list[pathlib.Path]) -> int | None:
    """Which of the pictures has that name."""
    if name is None:
        return None
    wanted, *names = (
        unicodedata.normalize("NFC", pathlib.Path(path).name) for path in (name, *paths)
    )
    if wanted not in names:
        raise InputError(f"--reference {name} is none of the pictures {', '.join(names)}")
    return names.index(wanted)


def describe(loaded, log_times, paths: list[pathlib.Path]) -> None:
    """Says what was read, and where there is nothing to read."""
    n, height, width, _ = loaded.shape
    print(
        f"{n} photographs, {width} x {height}, {8 * loaded.dtype.itemsize} bits, over "
        f"{np.ptp(log_times) / np.log(2):.1f} stops of exposure"
    )
    for path, valid in zip(paths, loaded.valid_thinned(2**18), strict=True):
        if not valid.all():
            print(f"{path.name}: {1 - valid.mean():.1%} transparent, of no weight")


def warn_of_order(loaded, log_times, paths: list[pathlib.Path]) -> None:
    """Warns where a longer exposure is darker: the times are probably in another order."""
    order = np.argsort(log_times, kind="stable")
    shown = loaded.valid_thinned(2**16).all(0)
    if not shown.any():
        return
    brightness = loaded.thinned(2**16)[:, shown].mean((1, 2))[order]
    longer = np.diff(log_times[order]) > 1e-6
    for k in np.flatnonzero(longer & (np.diff(brightness) < -0.01 * brightness.max())):
        warnings.warn(
            f"{paths[order[k + 1]].name} is darker than {paths[order[k]].name} although its "
            "exposure is longer; are the times in the order of the pictures?",
            stacklevel=2,
        )


def write_map(outputs: dict[str, pathlib.Path], radiance, notes: list[str], paths) -> None:
    """The radiance map with what is known of it, and its picture."""
    name, chromaticities = images.primaries(paths)
    comment = "; ".join([f"hdr_jax merge: {notes[0]}", *notes[1:], f"primaries: {name}"])
    with progress.bar(f"writing {outputs['map'].name}"):
        images.write(outputs["map"], radiance, comment, chromaticities)
    if "preview" in outputs:
        height, width = write_preview(outputs["preview"], radiance)
        print(f"{outputs['preview']}: tone-mapped, {width} x {height}")


def write_curve(outputs: dict[str, pathlib.Path], g) -> None:
    """The response as numbers and as a plot."""
    if "curve" in outputs:
        images.write_response(outputs["curve"], g)
        figures.response_curves(outputs["plot"], {outputs["curve"].stem: g})
        print(f"{outputs['curve']}, {outputs['plot']}: response, ln exposure over the level")


def _words(values: list[str]) -> list[str]:
    """Values that spaces or commas separate."""
    return [word for value in values for word in value.split(",") if word]
