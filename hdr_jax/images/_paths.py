"""Paths, suffixes, sizes, and errors and warnings that name the file."""

import contextlib
import logging
import os
import pathlib
import unicodedata
import warnings

from hdr_jax.errors import InputError

PathLike = str | os.PathLike

JPEG_SUFFIXES = (".jpg", ".jpeg")  # may hold a gain map
JPEG_ALIASES = (".jpe", ".jfif")
PHOTO_SUFFIXES = (*JPEG_SUFFIXES, ".png", ".tif", ".tiff", ".bmp", ".webp", *JPEG_ALIASES)
RAW_SUFFIXES = (
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".mrw",
    ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
)  # fmt: skip
HDR_SUFFIXES = (".hdr", ".exr")
# A file of a few bytes can promise any size: what is larger than this is refused before memory is
# asked for.
MAX_PIXELS = 2**28


class Unsupported(InputError):
    """What a sound file holds that is not read; the text goes on from the name of the file."""


def existing(path: PathLike) -> pathlib.Path:
    """The path, if there is something; accents may be composed in one and not in the other."""
    path = pathlib.Path(path)
    if path.exists():
        return path
    if path.parent.is_dir():
        for entry in path.parent.iterdir():
            if composed(entry.name) == composed(path.name):
                return entry
    raise InputError(f"{path} does not exist; expected a file. Check the name and the folder.")


def composed(name: str) -> str:
    """A name with accents composed, as it may be compared (macOS stores them decomposed).

    Args:
      name: of a file, as the system or a table gives it.

    Returns:
      The name in Unicode's form NFC.

    Example:
      >>> composed("cafe\\u0301") == "caf\\u00e9"
      True
    """
    return unicodedata.normalize("NFC", name)


def check_size(width: int, height: int) -> None:
    """Raises for sizes that no picture has."""
    if not (width > 0 and height > 0):
        raise ValueError(f"its size is {width} x {height}")
    if width * height > MAX_PIXELS:
        raise Unsupported(
            f"is {width} x {height} pixels large; expected at most {MAX_PIXELS / 1e6:.0f} "
            "megapixels. Scale it down or cut it into parts"
        )


def warn(path: PathLike, message: str) -> None:
    """A warning that begins with the name of the file."""
    warnings.warn(f"{path} {message}.", stacklevel=2)


@contextlib.contextmanager
def quiet(library: str):
    """Keeps a library from writing to the log what it also raises, or what does not matter."""
    log = logging.getLogger(library)
    disabled, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = disabled


@contextlib.contextmanager
def named_errors(path: pathlib.Path, expected: str):
    """Turn whatever a decoder raises into an InputError that names the file.

    Args:
      path: of the file.
      expected: what it should be.
    """
    try:
        yield
    except Unsupported as error:
        raise InputError(f"{path} {error}.") from error
    except IsADirectoryError as error:
        raise InputError(f"{path} is a folder; expected {expected}.") from error
    except PermissionError as error:
        raise InputError(f"{path} may not be read; ask for the right to, or copy it.") from error
    except Exception as error:
        if isinstance(error, InputError) and str(error).startswith(str(path)):
            raise
        raise InputError(
            f"{path} cannot be read ({_one_line(error)}); expected {expected}, whole and "
            "undamaged. Open it in a viewer, or copy it again."
        ) from error


def _one_line(error: Exception) -> str:
    """The first line of an error's text, or its type."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
