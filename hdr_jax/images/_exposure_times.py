"""Exposure times of bracketed photographs: from EXIF data or from a table beside them.

The table is a file `exposures.csv` with a first line `file,exposure_time_s` (further columns are
ignored) and one line for each picture. Times are in seconds, as numbers or as fractions (1/60).
"""

import contextlib
import csv
import os
import pathlib
import warnings
from collections.abc import Sequence

import numpy as np
from PIL import ExifTags

from hdr_jax.errors import InputError
from hdr_jax.images._paths import PHOTO_SUFFIXES, PathLike, existing, named_errors, open_picture

EXPOSURES_FILE = "exposures.csv"


def read_exposure_time(path: PathLike) -> float | None:
    """Exposure time of a photograph from its EXIF data.

    For sorting a folder into stacks before one is read: what has no time is no error here.

    Args:
      path: a photograph.

    Returns:
      Seconds, > 0 (ExposureTime, else 2^-ShutterSpeedValue); None where the file says nothing.

    Raises:
      InputError: if the file is missing or no picture.

    Not differentiable.
    Example: `read_exposure_time("IMG_2600.jpg")` gives e.g. 0.125.
    """
    return _exif(path).get("exposure_time")


def find_photos(paths: PathLike | Sequence[PathLike]) -> list[pathlib.Path]:
    """The photographs of a stack: those given, or those in a folder (see `read_stack`).

    Args:
      paths: photographs, or one folder.

    Returns:
      At least one path. Not opened, so not known to be pictures.

    Raises:
      InputError: if there is none.

    Not differentiable.
    Example: `find_photos("holiday/bridge")`
    """
    if not isinstance(paths, (str, os.PathLike)):
        found = [pathlib.Path(path) for path in paths]
        if not found:
            raise InputError("read_stack got no paths; expected at least one photograph.")
        return found
    folder = existing(paths)
    if not folder.is_dir():
        return [folder]
    table = read_exposures(folder)
    names = list(table) or sorted(
        entry.name for entry in folder.iterdir() if entry.suffix.lower() in PHOTO_SUFFIXES
    )
    if not names:
        raise InputError(
            f"{folder} holds no photographs; expected files ending in "
            f"{' '.join(PHOTO_SUFFIXES)}, or an {EXPOSURES_FILE} that names them."
        )
    return [folder / name for name in names]


def read_exposures(folder: PathLike) -> dict[str, float]:
    """The table `exposures.csv` of a folder.

    Args:
      folder: where the table lies.

    Returns:
      file name -> exposure time in seconds, in the table's order; empty without a table.

    Raises:
      InputError: if the table lacks the columns `file` and `exposure_time_s`, or a time is not a
          positive number.

    Not differentiable.
    Example: `read_exposures("holiday/bridge")` gives e.g. `{"a.jpg": 0.1, "b.jpg": 0.4}`.
    """
    path = pathlib.Path(folder) / EXPOSURES_FILE
    if not path.is_file():
        return {}
    with (
        named_errors(path, "a table of exposure times"),
        path.open(newline="", encoding="utf-8-sig") as file,
    ):
        rows = list(csv.DictReader(file))
    if not rows or not {"file", "exposure_time_s"} <= set(rows[0]):
        found = ", ".join(map(str, rows[0])) if rows else "no rows"
        raise InputError(
            f"{path} has {found}; expected a first line 'file,exposure_time_s' and one line for "
            "each picture."
        )
    return {row["file"]: _seconds(row["exposure_time_s"], path, row["file"]) for row in rows}


def exposure_times(
    paths: Sequence[PathLike], given: Sequence[float | str] | None = None
) -> np.ndarray:
    """Exposure time of every photograph: given, from `exposures.csv`, or from EXIF.

    Args:
      paths: photographs, n of them.
      given: seconds, > 0, one for each path, numbers or texts such as "1/60"; None to look them
          up. The table beside the pictures is used if it names them all, else EXIF.

    Returns:
      float64 [n], seconds, in the order of `paths`.

    Raises:
      InputError: if a time is unknown or no positive number, or the counts differ.

    Warns:
      UserWarning: if times from EXIF are not the whole exposure, as f-number or sensitivity
          differ.

    Not differentiable.
    Example:
      >>> exposure_times(["a.jpg", "b.jpg"], ["1/10", 0.4])
      array([0.1, 0.4])
    """
    paths = [pathlib.Path(path) for path in paths]
    if given is not None:
        if len(given) != len(paths):
            raise InputError(
                f"got {len(given)} exposure times for {len(paths)} photographs; expected one each."
            )
        pairs = zip(given, paths, strict=True)
        return np.asarray([_seconds(time, "exposure_times", path.name) for time, path in pairs])
    tables = {folder: read_exposures(folder) for folder in {path.parent for path in paths}}
    listed = [tables[path.parent].get(path.name) for path in paths]
    if None not in listed:
        return np.asarray(listed, np.float64)
    data = [_exif(path) for path in paths]
    for path, tags in zip(paths, data, strict=True):
        if "exposure_time" not in tags:
            raise InputError(
                f"{path} has no exposure time in its EXIF data and none in {EXPOSURES_FILE} beside "
                "it. Pass exposure_times (hdr-jax merge: --times or --ev), or write that table: "
                "file,exposure_time_s."
            )
    for name in ("f_number", "sensitivity"):
        values = {tags[name] for tags in data if name in tags}
        if len(values) > 1:
            warnings.warn(
                f"the photographs differ in {name} ({sorted(values)}), but only their exposure "
                "times are used; pass exposure_times that account for it.",
                stacklevel=3,
            )
    return np.asarray([tags["exposure_time"] for tags in data], np.float64)


def _exif(path: PathLike) -> dict[str, float]:
    """Exposure time (s), f-number and sensitivity of a photograph, where its EXIF tells them."""
    path = existing(path)
    with named_errors(path, "a photograph"), open_picture(path) as picture:
        base = picture.getexif()
        tags = {**base, **base.get_ifd(ExifTags.IFD.Exif)}
    found = {
        "exposure_time": tags.get(ExifTags.Base.ExposureTime),
        "f_number": tags.get(ExifTags.Base.FNumber),
        "sensitivity": tags.get(ExifTags.Base.ISOSpeedRatings),
    }
    if not found["exposure_time"] and ExifTags.Base.ShutterSpeedValue in tags:
        found["exposure_time"] = 2.0 ** -float(tags[ExifTags.Base.ShutterSpeedValue])
    numbers = {}
    for name, value in found.items():
        with contextlib.suppress(TypeError, ValueError, ZeroDivisionError):
            value = float(value[0] if isinstance(value, tuple) else value)
            if np.isfinite(value) and value > 0:
                numbers[name] = value
    return numbers


def _seconds(value: object, source: object, name: str) -> float:
    """A positive finite number, from a number, its text, or the text of a fraction."""
    try:
        numerator, _, denominator = str(value).partition("/")
        seconds = float(numerator) / float(denominator or 1)
    except (ValueError, ZeroDivisionError):
        seconds = np.nan
    if not (np.isfinite(seconds) and seconds > 0):
        raise InputError(
            f"{source} gives {name} an exposure time of {value!r}; expected a positive number of "
            "seconds, for instance 0.004 or 1/250."
        )
    return seconds
