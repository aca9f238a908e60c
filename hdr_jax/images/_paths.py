"""Paths, suffixes, and errors that name the file."""

import contextlib
import os
import pathlib
import warnings

from PIL import Image

from hdr_jax.errors import InputError

PathLike = str | os.PathLike

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")
HDR_SUFFIXES = (".hdr", ".exr")


def existing(path: PathLike) -> pathlib.Path:
    """The path, if there is something."""
    path = pathlib.Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist; expected a file. Check the name and the folder.")
    return path


@contextlib.contextmanager
def named_errors(path: pathlib.Path, expected: str):
    """Turn whatever a decoder raises into an InputError that names the file."""
    try:
        yield
    except Exception as error:
        if isinstance(error, InputError) and str(error).startswith(str(path)):
            raise
        raise InputError(
            f"{path} cannot be read ({_one_line(error)}); expected {expected}, whole and "
            "undamaged. Open it in a viewer, or copy it again."
        ) from error


def open_picture(path: pathlib.Path) -> Image.Image:
    """Opens a photograph with Pillow, which refuses more than 179 megapixels."""
    with warnings.catch_warnings():
        # From 89 megapixels on it warns, but cameras have more by now.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(path)


def _one_line(error: Exception) -> str:
    """The first line of an error's text, or its type."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
