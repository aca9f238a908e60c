"""Files that a dataset needs from the user: finding them, and knowing them again.

They lie in TFDS's manual directory (`--manual_dir`, by default `<data_dir>/downloads/manual`), or
in its sub-folder called like the dataset.
"""

import dataclasses
import hashlib
import itertools
import os
import pathlib
import zlib
from collections.abc import Sequence

import numpy as np
import tensorflow_datasets as tfds

from hdr_jax.errors import InputError
from hdr_jax.images import composed

MOST_LISTED = 1000
ENDS = 2**16
"""Bytes at both ends of a file that tell it from others of its name and size."""
DATASETS = ("bracketed_photos", "hdr_eye", "radiance_maps", "raise_hdr", "vds")
"""Sub-folders of a manual directory that belong to one dataset each."""


@dataclasses.dataclass(frozen=True)
class SceneFiles:
    """Where one scene lies.

    Attributes:
      name: unique within its split.
      split: it belongs to.
      photos: files of its exposures.
      ev_offset: stops, one for each of `photos`, where the files' names tell.
      source: file of its radiance map, or raw photograph.
      tables: further files that decide what is read.
    """

    name: str
    split: str
    photos: tuple[pathlib.Path, ...] = ()
    ev_offset: tuple[float, ...] | None = None
    source: pathlib.Path | None = None
    tables: tuple[pathlib.Path, ...] = ()

    @property
    def files(self) -> list[pathlib.Path]:
        """All that the scene is made from."""
        return [*self.photos, *([self.source] if self.source else []), *self.tables]

    def check_one_map(self) -> None:
        """Raises InputError where `tables` holds further radiance maps."""
        if self.source and self.tables:
            names = f"{self.source.name} and {self.tables[0].name}"
            raise InputError(f"it has two radiance maps: {names}. Remove one.")


@dataclasses.dataclass(frozen=True)
class Recording:
    """What the files of one scene hold; checked when it is made.

    Attributes:
      radiance: float32 [h, w, 3], linear; None where it is merged from the exposures later.
      stack: uint8 [n, h, w, 3]; None where the exposures are made from the radiance later.
      ev_offset: float32 [n], stops; None as `stack`.

    Raises:
      InputError: if sizes differ, or the radiance is negative, not finite or black.
    """

    radiance: np.ndarray | None = None
    stack: np.ndarray | None = None
    ev_offset: np.ndarray | None = None

    def __post_init__(self):
        radiance, stack = self.radiance, self.stack
        if radiance is not None and stack is not None and stack.shape[1:] != radiance.shape:
            raise InputError(
                f"its exposures are {_size(stack[0])} pixels, but its radiance map is "
                f"{_size(radiance)}; expected equal sizes."
            )
        if radiance is None:
            return
        lowest, highest = radiance.min(), radiance.max()
        if not (np.isfinite(lowest) and np.isfinite(highest) and lowest >= 0 and highest > 0):
            raise InputError(
                f"its radiance map spans {lowest} to {highest}; expected finite values >= 0, not "
                "all zero. Copy the file again, or leave the scene out."
            )

    def __str__(self):
        """Size and exposures, for people."""
        parts = [_size(self.stack[0] if self.radiance is None else self.radiance)]
        if self.stack is not None:
            stops = ", ".join(f"{ev:+.3g}" for ev in self.ev_offset)
            if len(self.ev_offset) > 9:
                stops = f"{self.ev_offset[0]:+.3g} .. {self.ev_offset[-1]:+.3g}"
            parts.append(f"{len(self.stack)} exposures, EV {stops}")
        if self.radiance is not None:
            parts.append("with a radiance map" if self.stack is not None else "radiance map")
        return ", ".join(parts)


def directory(dl_manager: tfds.download.DownloadManager, name: str, expected: str) -> pathlib.Path:
    """The manual directory of a download manager.

    Args:
      dl_manager: as TFDS passes it to `_split_generators`.
      name: the dataset's.
      expected: the tree that a person should have made, for the error.

    Returns:
      The path, which exists and is not empty.

    Raises:
      InputError: if it does not exist or is empty.
    """
    try:
        return pathlib.Path(dl_manager.manual_dir)
    except AssertionError as error:  # what TFDS raises
        found = str(error).partition(". Create")[0]
        raise InputError(
            f"{name} is made of files of your own, in a folder that is to be given: --manual_dir "
            f"FOLDER, in a training --config.manual_dir=FOLDER ({found}).\n{trees(expected)}"
        ) from error


def files_below(place: pathlib.Path, suffixes: Sequence[str]) -> list[pathlib.Path]:
    """Files of a kind in a folder and its sub-folders, sorted; those of other datasets left out.

    Args:
      place: the folder.
      suffixes: what the files end in, lower case.

    Returns:
      Their paths, without hidden files and folders; of a folder that links lead to again, one.
    """
    found, known = [], set()
    for folder, names, files in os.walk(place, followlinks=True):
        if (real := os.path.realpath(folder)) in known:
            names.clear()
            continue
        known.add(real)
        top = pathlib.Path(folder) == place
        names[:] = [name for name in sorted(names) if name[0] != "."]
        names[:] = [name for name in names if not (top and name in DATASETS)]
        for file in files:
            if file[0] != "." and pathlib.Path(file).suffix.lower() in suffixes:
                found.append(pathlib.Path(folder) / file)
    return sorted(found)


def plain(name: str) -> str:
    """A file's name, the same on every machine, that can be compared, hashed and printed.

    Args:
      name: as the system or a table gives it.

    Returns:
      It with accents composed (macOS stores them decomposed) and bytes that are no UTF-8 escaped.

    Example:
      >>> plain("cafe\\u0301") == "caf\\u00e9"
      True
    """
    return composed(name).encode(errors="surrogateescape").decode(errors="backslashreplace")


def name_of(path: pathlib.Path, place: pathlib.Path) -> str:
    """The `plain` name of a path, relative to a folder above it."""
    return plain(path.relative_to(place).as_posix())


def fingerprint(place: pathlib.Path, scenes: Sequence[SceneFiles]) -> str:
    """A text that changes when scenes, their splits, or names or contents of their files change.

    Args:
      place: what the files' names are relative to.
      scenes: that a dataset is made from.

    Returns:
      Hexadecimal digits.
    """
    lines = []
    for scene in sorted(scenes, key=lambda scene: (scene.split, scene.name)):
        lines.append(f"{scene.split} {scene.name}")
        for path in scene.files:
            lines.append(f"{name_of(path, place)} {_content(path)}")
    return hashlib.sha256("\n".join(lines).encode(errors="backslashreplace")).hexdigest()[:16]


def _content(path: pathlib.Path) -> str:
    """Size of a file, and a checksum of its ends."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            checksum = zlib.crc32(file.read(ENDS))
            file.seek(max(size - ENDS, 0))
            return f"{size} {zlib.crc32(file.read(), checksum)}"
    except OSError:
        return "missing"


def trees(expected: str, folder: pathlib.Path | None = None, limit: int = 12) -> str:
    """The tree that is expected beside the one that was found."""
    lines = ["Expected:", *(f"  {line}" for line in expected.strip().splitlines())]
    if folder is not None:
        found = sorted(itertools.islice(folder.rglob("*"), MOST_LISTED))  # it may be a whole disk
        lines.append(f"Found in {folder}:" if found else f"Found in {folder}: nothing")
        lines += [f"  {path.relative_to(folder)}" for path in found[:limit]]
        if len(found) > limit:
            more = "many" if len(found) == MOST_LISTED else len(found) - limit
            lines.append(f"  ... and {more} more")
    return "\n".join(lines)


def _size(picture: np.ndarray) -> str:
    """Width x height."""
    return f"{picture.shape[1]} x {picture.shape[0]}"
