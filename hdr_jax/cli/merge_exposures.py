"""How the pictures of `hdr-jax merge` were exposed: as the options or the files say."""

import argparse
import pathlib

import numpy as np

from hdr_jax import images
from hdr_jax.cli.report import Report
from hdr_jax.errors import InputError
from hdr_jax.exposure import ev_to_log_times

MOST_STOPS = 40  # more than any bracket, with or without filters
LEAST_TIME = 1e-12  # seconds; of what is far shorter or longer radiance leaves float32
MIN_STOPS = 0.1  # between the shortest and the longest exposure; times of EXIF err by as much


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


def _words(values: list[str]) -> list[str]:
    """Values that spaces or commas separate."""
    return [word.strip() for value in values for word in value.split(",") if word.strip()]
