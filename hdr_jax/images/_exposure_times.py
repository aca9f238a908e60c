"""How much light each exposure of a scene got: given, from a table, or from EXIF data."""

import pathlib
import warnings
from collections.abc import Sequence

import numpy as np

from hdr_jax.errors import InputError
from hdr_jax.images._metadata import Metadata, metadata
from hdr_jax.images._paths import PathLike, composed
from hdr_jax.images._stack_files import EXPOSURES_FILE, read_exposures, seconds

# Metadata that change the exposure: their name, how they are shown, and the power by which the
# exposure grows with them.
FACTORS = (("sensitivity", "ISO ", 1), ("f_number", "f/", -2))


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
    return metadata(path).exposure_time


def exposure_times(
    paths: Sequence[PathLike], given: Sequence[float | str] | None = None
) -> np.ndarray:
    """Exposure time of every photograph: given, from `exposures.csv`, or from EXIF.

    Where EXIF tells of different sensitivities S or f-numbers N, the exposure is more than the
    time t: what is returned is t (S / min S) (max N / N)^2.

    Args:
      paths: photographs, n of them.
      given: seconds, > 0, one for each path, numbers or texts such as "1/60"; None to look them
          up. The table beside the pictures is used if it names them all, else EXIF.

    Returns:
      float64 [n], seconds, in the order of `paths`.

    Raises:
      InputError: if a time is unknown or no positive number, or the counts differ.

    Warns:
      UserWarning: if f-number or sensitivity differ, with what comes of it.

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
        return np.asarray([seconds(time, "the list of times", path.name) for time, path in pairs])
    listed = _listed(paths)
    if None not in listed:
        return np.asarray(listed, np.float64)
    data = [metadata(path) for path in paths]
    for path, one in zip(paths, data, strict=True):
        if one.exposure_time is None:
            raise InputError(
                f"{path} has no exposure time in its EXIF data and none in {EXPOSURES_FILE} beside "
                "it. Pass exposure_times (hdr-jax merge: --times or --ev), or write that table: "
                "file,exposure_time_s."
            )
    return _exposures(data)


def exposure_source(paths: Sequence[PathLike]) -> str:
    """Where `exposure_times` has the times of photographs from, unless they are given.

    Args:
      paths: photographs.

    Returns:
      "exposures.csv" or "EXIF".

    Raises:
      InputError: if a table is damaged.

    Not differentiable.
    Example:
      >>> exposure_source(["no_such_folder/a.jpg"])
      'EXIF'
    """
    return EXPOSURES_FILE if None not in _listed([pathlib.Path(path) for path in paths]) else "EXIF"


def _listed(paths: list[pathlib.Path]) -> list[float | None]:
    """The times in the tables beside the pictures, None for pictures that they do not name."""
    tables = {folder: read_exposures(folder) for folder in {path.parent for path in paths}}
    return [tables[path.parent].get(composed(path.name)) for path in paths]


def _exposures(data: list[Metadata]) -> np.ndarray:
    """Exposure times [n], multiplied by what else makes exposures differ."""
    times = np.array([one.exposure_time for one in data], np.float64)
    factors, said = np.ones(len(data)), []
    for name, sign, power in FACTORS:
        values = [getattr(one, name) for one in data]
        known = sorted({value for value in values if value is not None})
        if len(known) < 2:
            continue
        shown = f"{name} ({', '.join(f'{sign}{value:g}' for value in known)})"
        if None in values:
            warnings.warn(
                f"the photographs differ in {shown}, but some do not tell theirs: the exposure "
                "times alone are used. Pass times that account for it (hdr-jax merge: --times).",
                stacklevel=4,
            )
            continue
        least = known[0] if power > 0 else known[-1]
        factors *= (np.array(values) / least) ** power
        said.append(shown)
    if said:
        exposures = " ".join(f"{value:.4g}" for value in times * factors)
        warnings.warn(
            f"the photographs differ in {' and '.join(said)}: exposure is time x ISO / f-number^2, "
            f"relative to the lowest of them {exposures} s. Other times are taken by "
            "exposure_times (hdr-jax merge: --times).",
            stacklevel=4,
        )
    return times * factors
