"""Which files are the exposures of one scene: those given, or those in a folder.

A table `exposures.csv` in the folder has a first line `file,exposure_time_s` (further columns are
ignored) and one line for each picture. Times are in seconds, as numbers or as fractions (1/60).
"""

import contextlib
import csv
import os
import pathlib
import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np

from hdr_jax.errors import InputError
from hdr_jax.images import _formats, _metadata
from hdr_jax.images._paths import (
    HDR_SUFFIXES,
    PHOTO_SUFFIXES,
    RAW_SUFFIXES,
    PathLike,
    composed,
    existing,
    named_errors,
    warn,
)

EXPOSURES_FILE = "exposures.csv"
# Results of this package, and what two bytes alone tell from a text.
NO_WARNING = (None, *_formats.HDR_FORMATS, "AVIF", "BMP")
MOST_NAMED = 5
CSV_START = b"level,g"  # of a response curve
HEADER = 4096  # bytes of a map or a page, in which it says what wrote it


def find_photos(
    paths: PathLike | Sequence[PathLike], *, by_name: bool = False
) -> list[pathlib.Path]:
    """The photographs of a stack: those given, or those in a folder (see `read_stack`).

    Of a folder without a table all photographs are taken, or the raw files if there are no others;
    hidden files are not, and neither are previews and plots that this package wrote.

    Args:
      paths: photographs, or one folder.
      by_name: those of a folder in order of their names, as times that are given by hand go,
        whatever the order of its table is.

    Returns:
      At least one path. Not decoded, so not known to be sound.

    Raises:
      InputError: if there is none, or one is given twice.

    Warns:
      UserWarning: as `without_results`; of pictures in a folder that are left out, as a table does
        not name them, or for their format or the ending of their name; not of raw files beside
        others.

    Not differentiable.
    Example: `find_photos("holiday/bridge")`
    """
    if not isinstance(paths, (str, os.PathLike)):
        found = [pathlib.Path(path) for path in paths]
        if not found:
            raise InputError("read_stack got no paths; expected at least one photograph.")
        _refuse_twice([os.path.realpath(path) for path in found], "the photographs name")
        return without_results(found)
    folder = existing(paths)
    if not folder.is_dir():
        return [folder]
    table = read_exposures(folder)
    files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    photos = [
        path
        for path in files
        if path.suffix.lower() in PHOTO_SUFFIXES
        and composed(path.name) not in table
        and not is_result(path)
    ]
    if table:
        if photos:
            warn(folder / EXPOSURES_FILE, f"does not name {_shown(photos)}, left out")
        return [existing(folder / name) for name in (sorted(table) if by_name else table)]
    _warn_of_others(folder, files)
    photos = photos or [path for path in files if path.suffix.lower() in RAW_SUFFIXES]
    if not photos:
        raise InputError(
            f"{folder} holds no photographs; expected files ending in "
            f"{' '.join(PHOTO_SUFFIXES)}, raw files, or an {EXPOSURES_FILE} that names them."
        )
    return photos


def without_results(paths: Sequence[pathlib.Path]) -> list[pathlib.Path]:
    """Photographs without previews and plots that this package wrote, as `*.jpg` names them too.

    Args:
      paths: at least one.

    Returns:
      All that are no results; all that were given if there are no others.

    Warns:
      UserWarning: of what is left out.

    Not differentiable.
    Example: `without_results([pathlib.Path("bridge.jpg"), pathlib.Path("bridge_preview.jpg")])`
    """
    results = [path for path in paths if is_result(path)]
    if not results or len(results) == len(paths):
        return list(paths)
    warnings.warn(f"left out, as this program wrote them: {_shown(results)}.", stacklevel=3)
    return [path for path in paths if path not in results]


def read_exposures(folder: PathLike) -> dict[str, float]:
    """The table `exposures.csv` of a folder.

    Args:
      folder: where the table lies.

    Returns:
      file name, accents composed -> exposure time in seconds, in the table's order; empty without
      a table.

    Raises:
      InputError: if the table lacks the columns `file` and `exposure_time_s`, a line has
          something beyond them, it names a picture twice or in another folder, or a time is not a
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
    if any(field.strip() for row in rows for field in row.get(None, ())):
        raise InputError(
            f"{path} has lines with more fields than its first one; write decimals with a point, "
            "as 8.5, or in quotes."
        )
    names = [os.path.normpath(composed((row["file"] or "").strip())) for row in rows]
    _refuse_twice(names, f"{path} names")
    if elsewhere := [name for name in names if os.path.dirname(name)]:
        raise InputError(
            f"{path} names {elsewhere[0]}, in another folder; expected names of pictures beside it."
        )
    times = [row["exposure_time_s"] for row in rows]
    return {name: seconds(time, path, name) for name, time in zip(names, times, strict=True)}


def seconds(value: object, source: object, name: str) -> float:
    """A positive finite number, from a number, its text, or the text of a fraction.

    Args:
      value: the number or text.
      source: what gives it, for the error.
      name: of the picture, for the error.

    Returns:
      Seconds.

    Raises:
      InputError: for anything else.

    Example:
      >>> seconds("1/250", "the table", "a.jpg")
      0.004
    """
    number = fraction(value)
    if not (np.isfinite(number) and number > 0):
        raise InputError(
            f"{source} gives {name} an exposure time of {value!r}; expected a positive number of "
            "seconds, for instance 0.004 or 1/250."
        )
    return number


def fraction(value: object) -> float:
    """A number, from a number, its text, or the text of a fraction.

    Args:
      value: the number or text.

    Returns:
      The number; NaN for anything else.

    Not differentiable.
    Example:
      >>> fraction("-4/2"), fraction("two")
      (-2.0, nan)
    """
    try:
        numerator, _, denominator = str(value).partition("/")
        return float(numerator) / float(denominator or 1)
    except (ValueError, ZeroDivisionError):
        return np.nan


def _refuse_twice(names: list[str], who: str) -> None:
    """Raises if a name stands twice."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"{who} {', '.join(twice)} twice; expected each picture once.")


def _warn_of_others(folder: pathlib.Path, files: list[pathlib.Path]) -> None:
    """Warns of files that are pictures by their first bytes and not by their names."""
    others = []
    for path in files:
        if path.suffix.lower() not in PHOTO_SUFFIXES + RAW_SUFFIXES:
            with contextlib.suppress(Exception):  # what cannot be read is no picture
                if _formats.sniffed(path) not in NO_WARNING:
                    others.append(path)
    if others:
        warn(
            folder,
            f"holds pictures that are left out: {_shown(others)}. Rename or convert them if they "
            "belong to the others",
        )


def _shown(paths: Sequence[pathlib.Path]) -> str:
    """Names of files, the first few of many."""
    more = f" and {len(paths) - MOST_NAMED} more" if len(paths) > MOST_NAMED else ""
    return ", ".join(path.name for path in paths[:MOST_NAMED]) + more


def is_result(path: PathLike) -> bool:
    """Whether a file is a picture, map, page or response curve (.csv) that this package wrote.

    Args:
      path: of a file.

    Returns:
      True for previews, plots, pictures for screens, maps and pages whose header says so, and
      tables that begin as those of `write_response` do; False for all others, also for what cannot
      be read.

    Not differentiable.
    Example: `is_result("bridge_preview.jpg")`
    """
    path = pathlib.Path(path)
    try:
        if path.suffix.lower() == ".csv":
            with path.open("rb") as file:
                return file.read(len(CSV_START)) == CSV_START
        if path.suffix.lower() in (*HDR_SUFFIXES, ".html"):
            name = _metadata.OWN_SOFTWARE
            mark = f'content="{name}"' if path.suffix.lower() == ".html" else name
            with path.open("rb") as file:
                return mark.encode() in file.read(HEADER)
        return _metadata.read(path).software.startswith(_metadata.OWN_SOFTWARE)
    except Exception:  # what is wrong with it is said when it is read
        return False
