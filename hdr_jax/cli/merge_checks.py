"""What `hdr-jax merge` refuses, and what it warns of before it merges."""

import argparse
import pathlib
import warnings

import numpy as np

from hdr_jax import brackets
from hdr_jax.cli.merge_exposures import MIN_STOPS
from hdr_jax.cli.report import Report
from hdr_jax.errors import InputError
from hdr_jax.levels import white_level


def check_options(args: argparse.Namespace) -> None:
    """Raises InputError for options that would do nothing."""
    idle = {
        "--reference does nothing without --align or --deghost": args.reference
        and not (args.align or args.deghost),
        "--smoothness does nothing with --response": args.smoothness is not None and args.response,
        "--method does nothing with --response": args.method and args.response,
        "--no-curve would leave nothing with --crf-only": args.no_curve and args.crf_only,
        **{
            f"--{name} is of a map, of which --crf-only writes none": args.crf_only
            and getattr(args, name)
            for name in ("preview", "peak", "format", "deghost")
        },
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
