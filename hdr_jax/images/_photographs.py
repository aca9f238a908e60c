"""Photographs and exposure stacks.

Photographs are uint8, uint16 or float32 in [0, 1], `[h, w, 3]` RGB as the file holds them
(display-encoded; raw files developed to linear light). `docs/photographs.md` has the table of what
is read, converted, and refused. Whatever is wrong with a file is an `InputError` that names it.
"""

import pathlib
import warnings
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from hdr_jax.errors import InputError
from hdr_jax.images import _formats, _metadata, _orientation, _raw
from hdr_jax.images._decoding import decode
from hdr_jax.images._exposure_times import exposure_times as exposure_times_of
from hdr_jax.images._paths import PathLike, existing, named_errors, warn
from hdr_jax.images._primaries import SPACES, of_photographs
from hdr_jax.images._samples import Samples
from hdr_jax.images._stack_files import find_photos


def read_photo(path: PathLike, *, to_srgb: bool = False) -> np.ndarray:
    """Read one photograph, turned upright as its EXIF orientation says.

    Gray pictures are repeated to three channels. Opacity is taken out: colours that were multiplied
    by it are divided by it, and a warning tells of pixels that are no picture (`equal_photos` tells
    which). Depths other than 8 and 16 bits are scaled to the next of these.

    Args:
      path: a JPEG, PNG, TIFF, BMP or WebP file, or a raw file (needs the extra `raw`).
      to_srgb: convert to sRGB where the file's ICC profile, or EXIF, tells of another space or
        curve: 8 bits to 8, all others to 16. Exposures that are to be merged stay as they are: the
        camera's response is recovered from them.

    Returns:
      uint8, uint16 or float32 in [0, 1], [h, w, 3], RGB, display-encoded; a raw file uint16,
      linear or, with `to_srgb`, encoded by the curve of sRGB.

    Raises:
      InputError: if the file is missing, truncated, no picture, or of a kind that is not read.

    Not differentiable.
    Example:
      >>> import tempfile
      >>> from hdr_jax.images import write
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     write(folder + "/a.png", np.full((2, 4, 3), 7, np.uint8))
      ...     read_photo(folder + "/a.png").shape
      (2, 4, 3)
    """
    path = existing(path)
    with named_errors(path, "a photograph"):
        photo = decode(path, to_srgb=to_srgb).turned(_metadata.read(path).orientation)
    if photo.valid is not None:
        count = np.sum(~photo.valid)
        warn(
            path,
            f"has {count} pixels that are transparent, or not finite: the first are read as they "
            "are stored, the others as black",
        )
    return photo.colours


def read_stack(
    paths: PathLike | Sequence[PathLike], exposure_times: Sequence[float] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Read bracketed photographs of one scene with their exposure times.

    Times come from `exposure_times` if given, else from a table `exposures.csv` beside the pictures
    (columns `file,exposure_time_s`; further columns are ignored), else from EXIF.

    Args:
      paths: photographs of equal size and bit depth, any order; or one folder, of which the
          pictures named in its `exposures.csv` are read, in its order unless times are given;
          without one all, in order of their names.
      exposure_times: seconds, > 0, one per photograph (of a folder in order of the names).

    Returns:
      stack: uint8, uint16 or float32 in [0, 1], [n, h, w, 3] in the order of `paths`.
      exposure_times: float64 [n], seconds; see `exposure_times` where the sensitivities differ.

    Raises:
      InputError: if a file is missing or damaged, sizes or depths differ, a time is unknown or
          not a positive number.

    Warns:
      UserWarning: if pictures have transparent pixels, which a stack cannot tell.

    Not differentiable.
    Example: `stack, times = read_stack(["a.jpg", "b.jpg"], [0.1, 0.4])`
    """
    paths = find_photos(paths, by_name=exposure_times is not None)
    times = exposure_times_of(paths, exposure_times)
    photos = []
    for path, photo in zip(paths, equal_photos(paths), strict=True):
        if photo.valid is not None:
            count = np.sum(~photo.valid)
            warn(
                path,
                f"has {count} pixels that are transparent, or not finite; images.equal_photos "
                "tells which",
            )
        photos.append(photo.colours)
    return np.stack(photos), times


def equal_photos(paths: Iterable[PathLike]) -> Iterator[Samples]:
    """Read exposures of one scene one after the other, and insist on one size and depth.

    All are turned alike (see `docs/photographs.md`), and raw files are developed with the white
    balance of the first.

    Args:
      paths: photographs.

    Yields:
      `colours` uint8, uint16 or float32 [h, w, 3] and `valid` for each path: bool [h, w], where
      the picture is transparent False, or None where all of it is data.

    Raises:
      InputError: as `read_photo`, or if a picture's size or depth is not that of the first one.

    Not differentiable.
    Example: `for colours, valid in equal_photos(["a.jpg", "b.jpg"]): ...`
    """
    paths = [pathlib.Path(path) for path in paths]
    first = balance = raw = None
    for path, orientation in zip(paths, _orientation.common(paths), strict=True):
        path, now_raw = existing(path), is_raw(path)
        if first and now_raw != raw:
            one, other = (path, first[0]) if now_raw else (first[0], path)
            raise InputError(
                f"{one} is a raw file and {other} is not: no response is that of both. Leave one "
                "kind out."
            )
        raw = now_raw
        with named_errors(path, "a photograph"):
            if raw and balance is None:
                balance = _raw.white_balance(path)
            photo = decode(path, balance=balance).turned(orientation)
        first = first or (path, photo.colours.shape, photo.colours.dtype)
        _check_equal(path, photo.colours, *first)
        yield photo


def _check_equal(
    path: pathlib.Path, picture: np.ndarray, first: pathlib.Path, shape, dtype
) -> None:
    """Raises where a picture is not of the size and depth of the first."""
    if picture.shape != shape:
        raise InputError(
            f"{path} is {picture.shape[1]} x {picture.shape[0]} {picture.dtype}, but {first} is "
            f"{shape[1]} x {shape[0]} {dtype}; expected equal sizes and depths. Leave it out, or "
            "crop or convert the pictures first."
        )
    if picture.dtype != dtype:
        raise InputError(
            f"{path} holds {picture.dtype} pixels, but {first} holds {dtype} ones; expected equal "
            "depths. Leave it out, or convert the pictures first."
        )


def is_raw(path: PathLike) -> bool:
    """Whether a file is a raw file, by its content: what a sensor recorded, which is linear.

    Args:
      path: a photograph.

    Returns:
      True or False; False also for a file that is no picture.

    Raises:
      InputError: if there is no such file.

    Not differentiable.
    Example: `is_raw("DSC_1234.NEF")`
    """
    path = existing(path)
    with named_errors(path, "a photograph"):
        return _formats.sniffed(path) == "raw"


def primaries(paths: Sequence[PathLike]) -> tuple[str, tuple[float, ...] | None]:
    """The primaries of photographs, by their ICC profiles or EXIF data.

    Args:
      paths: photographs.

    Returns:
      What is known of them in words, and the chromaticities x, y of red, green, blue and white,
      adapted to D65 where the white of the space is another, so that gray stays gray: those of sRGB
      where no photograph tells, as is usual; None where they differ or their profile is none of the
      usual ones.

    Raises:
      InputError: if a file is missing or no picture.

    Warns:
      UserWarning: where None is returned.

    Not differentiable.
    Example: `primaries(["a.jpg", "b.jpg"])[0]` gives e.g. "Adobe RGB (1998)".
    """
    found = set()
    for path in map(existing, paths):
        with named_errors(path, "a photograph"):
            metadata = _metadata.read(path)
        found.add(metadata.space or ("unknown" if metadata.profile else None))
    if found == {None}:
        return "sRGB, as the pictures do not tell", SPACES["sRGB"]
    if len(found) == 1 and found <= set(SPACES):
        (name,) = found
        return of_photographs(name)
    names = ", ".join(sorted(name or "untold" for name in found))
    warnings.warn(
        f"the primaries of the photographs are not known for sure ({names}): the map keeps them "
        "and does not say what they are.",
        stacklevel=2,
    )
    return f"those of the pictures ({names})", None
