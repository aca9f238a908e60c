"""Which photographs belong to one bracket: by when they were taken, and by their exposures."""

import pathlib
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hdr_jax import images
from hdr_jax.errors import InputError

LONGEST_PAUSE = 30.0  # seconds from the end of an exposure to the beginning of the next one
SAME_STOPS = 0.1  # nearer exposures are the same one again; times of EXIF err by as much


class Shot(NamedTuple):
    """A photograph: when it was begun (s, None if untold), how long, what it gathered."""

    path: pathlib.Path
    taken: float | None
    seconds: float
    stops: float
    size: tuple[int, int]


def split(paths: Sequence[images.PathLike]) -> list[list[pathlib.Path]]:
    """Photographs of several brackets, bracket by bracket.

    In the order in which they were taken (as given where EXIF does not tell), a picture begins
    another bracket if 30 s passed since the one before, if its size is another, or if the bracket
    has its exposure already: cameras repeat their pattern.

    Args:
      paths: photographs with exposure times in their EXIF data.

    Returns:
      Brackets of two pictures at least, each in the order in which it was taken.

    Raises:
      InputError: if a picture has no exposure time, or none belongs to another.

    Warns:
      UserWarning: of pictures that stand alone, which are left out.

    Not differentiable.
    Example: `split(sorted(pathlib.Path("card").glob("*.jpg")))`
    """
    shots = _in_order(paths)
    groups = [[shot.path for shot in group] for group in grouped(shots)]
    alone = [group[0].name for group in groups if len(group) == 1]
    groups = [group for group in groups if len(group) > 1]
    if not groups:
        raise InputError(
            f"none of the {len(shots)} photographs forms a bracket with another one: expected "
            f"different exposures within {LONGEST_PAUSE:g} s. Merge them one bracket at a time."
        )
    if alone:
        warnings.warn(f"left out, as they stand alone: {', '.join(alone)}.", stacklevel=2)
    return groups


def look_like_several(paths: Sequence[images.PathLike]) -> bool:
    """Whether photographs are more than one bracket, by what EXIF tells.

    They are where 30 s passed between two brackets, or where one has the exposures of the one
    before: a single picture that was taken twice is no sign.

    Args:
      paths: photographs, at least one.

    Returns:
      True or False; False also where a picture cannot be read, or does not tell its exposure.

    Not differentiable.
    Example: `look_like_several(sorted(pathlib.Path("card").glob("*.jpg")))`
    """
    try:
        shots = _in_order(paths)
    except InputError:  # is said where it matters
        return False
    groups = [group for group in grouped(shots) if len(group) > 1]
    for before, group in zip(groups, groups[1:], strict=False):
        late = _pause(before[-1], group[0]) > LONGEST_PAUSE
        again = len(group) == len(before) and all(
            abs(one.stops - other.stops) < SAME_STOPS
            for one, other in zip(before, group, strict=True)
        )
        if late or again:
            return True
    return False


def grouped(shots: Sequence[Shot]) -> list[list[Shot]]:
    """Shots in their order, where each bracket ends.

    Args:
      shots: at least one.

    Returns:
      The same shots.

    Example:
      >>> shots = [Shot(pathlib.Path(), t, 0.1, ev, (3, 2)) for t, ev in enumerate([0, 1, 0, 1])]
      >>> [len(group) for group in grouped(shots)]
      [2, 2]
    """
    groups = [[shots[0]]]
    for before, shot in zip(shots, shots[1:], strict=False):
        group = groups[-1]
        late = _pause(before, shot) > LONGEST_PAUSE
        again = any(abs(shot.stops - other.stops) < SAME_STOPS for other in group)
        if late or again or shot.size != before.size:
            groups.append([shot])
        else:
            group.append(shot)
    return groups


def _pause(before: Shot, shot: Shot) -> float:
    """Seconds from the end of an exposure to the next one; 0 where that is not told."""
    if before.taken is None or shot.taken is None:
        return 0.0
    return shot.taken - before.taken - before.seconds


def _in_order(paths: Sequence[images.PathLike]) -> list[Shot]:
    """Photographs as they were taken; as they are given where EXIF does not tell."""
    shots = [_shot(pathlib.Path(path)) for path in paths]
    if all(shot.taken is not None for shot in shots):
        shots.sort(key=lambda shot: (shot.taken, shot.path.name))
    return shots


def _shot(path: pathlib.Path) -> Shot:
    """What EXIF tells of a photograph."""
    found = images.metadata(path)
    if found.exposure_time is None:
        raise InputError(
            f"{path} has no exposure time in its EXIF data, by which brackets are told apart. "
            "Merge them one by one with --times or --ev."
        )
    light = found.exposure_time * (found.sensitivity or 1) / (found.f_number or 1) ** 2
    return Shot(path, found.taken, found.exposure_time, float(np.log2(light)), found.size)
