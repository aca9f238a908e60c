"""The files that `hdr-jax reconstruct` writes: their names, checked first, and their contents."""

import argparse
import os
import pathlib
import re
from collections.abc import Iterable

import jax.numpy as jnp
import numpy as np

from hdr_jax import color, images
from hdr_jax.cli import screens
from hdr_jax.cli.outputs import (
    EXPECTED,
    SUFFIXES,
    check,
    check_places,
    check_writable,
    stops_of,
    write_preview,
)
from hdr_jax.cli.report import Report
from hdr_jax.errors import InputError
from hdr_jax.files import write_text
from hdr_jax.levels import as_unit_float

OF_STACK = re.compile(r"exposure_\d+_ev[+-].*\.png")  # names of the exposures that are written


def planned(args: argparse.Namespace, paths: list[pathlib.Path]) -> list[pathlib.Path]:
    """The map of each photograph, checked before anything is computed; no folder is made yet."""
    given = pathlib.Path(args.output)
    if given.suffix.lower() in SUFFIXES["map"] and not given.is_dir():
        if len(paths) > 1 or args.format:
            raise InputError(
                f"got -o {given} with {len(paths)} photographs"
                f"{' and --format' if args.format else ''}; expected a folder"
            )
        maps, unasked = [given], []
        check({"map": given}, paths)
    else:
        if given.suffix.lower() in images.PHOTO_SUFFIXES and not given.is_dir():
            raise InputError(
                f"got -o {given}; expected a folder, or a map ending in {EXPECTED['map']}"
            )
        if given.exists() and not given.is_dir():
            raise InputError(f"got -o {given}, which is a file; expected a folder")
        above = next(folder for folder in (given, *given.absolute().parents) if folder.exists())
        if not os.access(above, os.W_OK):
            raise InputError(f"nothing can be written into {above}; give another -o")
        suffix = f".{args.format or 'exr'}"
        # Not the name of the photograph, which probably ends in .jpg too.
        ending = f"_hdr{suffix}" if suffix in screens.SUFFIXES else suffix
        maps = unasked = [given / f"{path.stem}{ending}" for path in paths]
    screens.peak_of(args.peak, maps[0].suffix.lower())
    previews = [] if maps[0].suffix.lower() in screens.SUFFIXES else list(map(preview_of, maps))
    check_places([*maps, *previews], paths, [*unasked, *previews])
    stacks = {stack_of(*pair).resolve() for pair in zip(maps, paths, strict=True)}
    for path in paths:
        if args.stack and path.resolve().parent in stacks:
            raise InputError(f"--stack would write into the folder of {path}; give another -o")
    for folder in stacks if args.stack else ():
        _check_stack(folder)
    return maps


def _check_stack(folder: pathlib.Path) -> None:
    """Raises InputError for a place of exposures that holds anything but such, or is no folder."""
    if not folder.is_dir():
        if folder.exists():
            raise InputError(f"{folder} is a file, where --stack needs a folder; give another -o")
        return
    pictures = images.PHOTO_SUFFIXES + images.RAW_SUFFIXES
    found = {
        path.name
        for path in folder.iterdir()
        if path.suffix.lower() in pictures
        and not path.name.startswith(".")
        and not images.is_result(path)
    }
    if others := sorted(
        name for name in found | set(images.read_exposures(folder)) if not OF_STACK.fullmatch(name)
    ):
        raise InputError(
            f"{folder} holds {others[0]}, which is no exposure that --stack makes: its table "
            "exposures.csv would be replaced; move it, or give another -o"
        )
    for name in (*found, images.EXPOSURES_FILE):
        check_writable(folder / name)


def stack_of(place: pathlib.Path, photo: pathlib.Path) -> pathlib.Path:
    """The folder of the exposures that go with a map."""
    return place.with_name(f"{photo.stem}_stack")


def preview_of(place: pathlib.Path) -> pathlib.Path:
    """Where the picture of a map lies."""
    return place.with_name(f"{place.stem}_preview.jpg")


def write_map(
    photo: pathlib.Path, place: pathlib.Path, radiance: np.ndarray, report: Report
) -> None:
    """The radiance map and a picture of it."""
    unit, stops = "linear, relative; 1 is where the photograph clips", stops_of(radiance)
    images.write(place, radiance, f"hdr_jax reconstruct: {unit}")
    preview = preview_of(place)
    write_preview(preview, radiance)
    report.say(f"{place}: linear, relative radiance (no unit), {stops:.1f} stops")
    report.results.append(
        _result(photo, radiance, unit, stops=stops)
        | {"outputs": {"map": str(place), "preview": str(preview)}}
    )


def write_for_screens(
    photo: pathlib.Path,
    picture: np.ndarray,
    place: pathlib.Path,
    stops: np.ndarray,
    peak: float | None,
    report: Report,
) -> None:
    """The photograph itself, and how much brighter an HDR screen shows it."""
    kept, peak = None, screens.peak_of(peak, place.suffix.lower())
    if place.suffix.lower() == ".avif":
        light = np.asarray(color.srgb_to_linear(jnp.asarray(as_unit_float(picture))))
        images.write_avif(place, light * np.exp2(stops), peak=peak)
    else:
        kept = images.write_brightened(place, photo, stops, peak=peak)
        how = "kept as it is" if kept else "converted to sRGB with 8 bits and compressed anew"
        report.assume(f"ordinary picture: {photo.name}, {how}")
    brightest, above = float(stops.max()), float((stops > peak).any(-1).mean())
    report.say(
        f"{place}: the photograph, up to {min(brightest, peak):.1f} stops brighter on HDR screens"
    )
    if above:
        report.assume(f"screens: clipped {peak:g} stops above white ({above:.2%} of the pixels)")
    unit = "linear, relative; 1 is white of the photograph"
    found = _result(photo, stops, unit, brightening_stops=brightest, peak_stops=peak)
    found |= {"clipped_share": above, "photograph_kept": kept, "outputs": {"map": str(place)}}
    report.results.append(found)


def _result(photo: pathlib.Path, shown: np.ndarray, unit: str, **values) -> dict:
    """What the report holds of a photograph."""
    size = [shown.shape[1], shown.shape[0]]
    return {"photograph": str(photo), "size": size, "unit": unit, **values}


def write_stack(folder: pathlib.Path, stack: Iterable[tuple[float, np.ndarray]]) -> None:
    """(stops, exposure) as PNGs, and the table of exposure times that makes a stack of them."""
    rows = ["file,exposure_time_s"]
    for i, (stops, exposed) in enumerate(stack):
        folder.mkdir(exist_ok=True)
        name = f"exposure_{i}_ev{stops:+g}.png"
        images.write(folder / name, exposed)
        rows.append(f"{name},{2.0**stops:.9g}")
    if rows[1:]:
        write_text(folder / images.EXPOSURES_FILE, "\n".join(rows) + "\n")
