"""hdr-jax info FILE...: what photographs and radiance maps are."""

import argparse
import datetime

from hdr_jax import images
from hdr_jax.cli.report import Report
from hdr_jax.errors import InputError


def run(args: argparse.Namespace) -> int:
    """Says what is known of every file; returns the exit code."""
    failed = []
    with Report(args.json, "info") as report:
        for path in args.files:
            try:
                found = images.information(path)
            except InputError as error:
                failed.append(str(error))
                continue
            report.results.append(found._asdict())
            report.say("\n".join([f"{found.path}: {found.kind}", *lines(found)]))
    if failed:
        raise InputError("; ".join(failed))
    return 0


def lines(found: images.Information) -> list[str]:
    """What is known, one a line."""
    exposure = [
        f"{_seconds(found.exposure_time_s)} s" if found.exposure_time_s else "",
        f"f/{found.f_number:g}" if found.f_number else "",
        f"ISO {found.iso:g}" if found.iso else "",
    ]
    taken = None
    if found.taken_s is not None:
        moment = datetime.datetime.fromtimestamp(found.taken_s, datetime.UTC)
        taken = moment.strftime("%Y-%m-%d %H:%M:%S by the camera's clock")
    turned = found.orientation not in (None, 1)
    shown = {
        "format": f"{found.format}, {found.size[0]} x {found.size[1]}",
        "unit": found.unit,
        "stops": None if found.stops is None else f"{found.stops:.1f}, brightest to darkest",
        "primaries": found.primaries or "not told, sRGB is usual",
        "exposure": ", ".join(filter(None, exposure)),
        "taken": taken,
        "orientation": f"{found.orientation} (EXIF), turned when read" if turned else None,
        "gain map": found.gain_map and _gain_map(found.gain_map),
        "comment": found.comment,
    }
    return [f"  {name:<12}{value}" for name, value in shown.items() if value]


def _seconds(time: float) -> str:
    """A time as cameras show it."""
    return f"1/{1 / time:.4g}" if time < 0.3 else f"{time:.4g}"


def _gain_map(numbers: dict) -> str:
    """The numbers of a gain map in words."""
    width, height = numbers["size"]
    colours = "one channel" if numbers["channels"] == 1 else "three channels"
    low, high = min(numbers["low_stops"]), max(numbers["high_stops"])
    return (
        f"{width} x {height}, {colours}, gains of {low:+.2f} to {high:+.2f} stops, all of them on "
        f"screens with {numbers['headroom_stops']:.2f} stops above white"
    )
