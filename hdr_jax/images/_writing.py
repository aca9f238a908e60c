"""How `hdr_jax.images.write` stores pictures: checks and encoders."""

import functools
import pathlib
from typing import Any

import cv2
import numpy as np
import OpenEXR
from PIL import Image

from hdr_jax.errors import InputError
from hdr_jax.images._metadata import OWN_SOFTWARE, SOFTWARE
from hdr_jax.images._paths import (
    HDR_SUFFIXES,
    JPEG_ALIASES,
    JPEG_SUFFIXES,
    PHOTO_SUFFIXES,
    PathLike,
)
from hdr_jax.levels import as_unit_float

DESCRIPTION = 0x010E  # the EXIF tag
PEAK = 4.0  # stops above white; 3250 cd/m^2 where white is 203, more than screens of today show
HIGHEST_PEAK = 12.0
LONGEST_SIDE = 65500  # of a JPEG that libjpeg reads and writes
LONGEST_SIDES = {".webp": 16383} | dict.fromkeys((*JPEG_SUFFIXES, *JPEG_ALIASES), LONGEST_SIDE)
BEYOND = {".exr": 2.0**128, ".hdr": 2.0**127}  # what the formats can no longer hold
EXPONENTS = -106, 127  # of RGBE; what is darker is written as 0
STRIP_ROWS = 256  # of a radiance map that are encoded at a time


def write_exr(path: pathlib.Path, image: np.ndarray, comment: str, primaries) -> None:
    """OpenEXR, float32 RGB, scan lines compressed by PIZ.

    Measured on a map of 6 megapixels made from 8 bits: 0.55 s and 36 MB; ZIP 1.67 s and 47 MB.
    """
    header = {"compression": OpenEXR.PIZ_COMPRESSION, "type": OpenEXR.scanlineimage}
    if comment:
        header["comments"] = comment
    if primaries:
        header["chromaticities"] = tuple(map(float, primaries))
    with OpenEXR.File(header, {"RGB": image}) as file:
        file.write(str(path))


def write_radiance(path: pathlib.Path, image: np.ndarray, comment: str, primaries) -> None:
    """Radiance RGBE, strip by strip: the encoder's copies of a large map would fill the memory."""
    height, width = image.shape[:2]
    lines = ["#?RADIANCE", *(f"# {line}" for line in comment.splitlines())]
    lines += ["FORMAT=32-bit_rle_rgbe", "EXPOSURE=1"]
    if primaries:
        lines.append("PRIMARIES=" + " ".join(f"{value:.6g}" for value in primaries))
    with path.open("wb") as file:
        file.write("\n".join([*lines, "", f"-Y {height} +X {width}\n"]).encode("ascii", "replace"))
        for start in range(0, height, STRIP_ROWS):
            strip = np.ascontiguousarray(_rounded(image[start : start + STRIP_ROWS, :, ::-1]))
            encoded = cv2.imencode(".hdr", strip)[1].tobytes()
            size_line = f"-Y {len(strip)} +X {width}\n".encode()
            file.write(encoded[encoded.index(size_line) + len(size_line) :])


def _rounded(radiance: np.ndarray) -> np.ndarray:
    """Radiance as RGBE holds it, mantissas of 8 bits and a common exponent: the encoder truncates,
    which makes a map darker by 0.26 %."""
    mantissa, exponent = np.frexp(functools.reduce(np.maximum, np.moveaxis(radiance, -1, 0)))
    # What is rounded up to 256 takes the next exponent, as far as there is one.
    exponent = (exponent + (mantissa >= 255.5 / 256)).clip(*EXPONENTS)
    step = np.ldexp(np.float32(1), exponent - 8)[..., None]
    return np.minimum(np.rint(radiance / step), 255) * step


def write_picture(path: pathlib.Path, image: np.ndarray, comment: str) -> None:
    """A picture of 8 or 16 bits; with a comment it is marked as a result, no photograph."""
    if image.dtype == np.uint16:  # Pillow has no 16-bit RGB
        path.write_bytes(cv2.imencode(path.suffix, image[..., ::-1])[1].tobytes())
        return
    options: dict[str, Any] = {}
    if path.suffix.lower() in (*JPEG_SUFFIXES, *JPEG_ALIASES, ".webp"):
        options["quality"] = 95
    if path.suffix.lower() in (".tif", ".tiff"):
        options["compression"] = "tiff_adobe_deflate"
    if comment:
        options["exif"] = Image.Exif()
        options["exif"][DESCRIPTION] = comment
        options["exif"][SOFTWARE] = OWN_SOFTWARE
    Image.fromarray(image).save(path, **options)


def check_writable(path: pathlib.Path, image: np.ndarray) -> None:
    """Raise if `write` cannot store this image under this name."""
    suffix = path.suffix.lower()
    if suffix not in HDR_SUFFIXES + PHOTO_SUFFIXES:
        raise InputError(
            f"write got {path}; expected a name ending in "
            f"{' '.join(HDR_SUFFIXES + PHOTO_SUFFIXES)}."
        )
    if not path.parent.is_dir():
        raise InputError(f"write got {path}, but its folder does not exist. Create it first.")
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3) or not image.size:
        raise InputError(
            f"write got an image of shape {image.shape} for {path}; expected [h, w, 3] or [h, w]."
        )
    longest = LONGEST_SIDES.get(suffix)
    if longest and max(image.shape[:2]) > longest:
        raise InputError(
            f"write got an image of shape {image.shape} for {path}; expected at most {longest} "
            "pixels a side. Write .png or .tif, or reduce it."
        )
    is_float = np.issubdtype(image.dtype, np.floating)
    if not is_float and (suffix in HDR_SUFFIXES or image.dtype not in (np.uint8, np.uint16)):
        raise InputError(
            f"write got {image.dtype} pixels for {path}; expected "
            + ("float radiance." if suffix in HDR_SUFFIXES else "uint8, uint16 or float in [0, 1].")
        )
    if is_float and not np.isfinite(image).all():
        raise InputError(f"write got NaN or infinite pixels for {path}; expected finite values.")
    if suffix == ".hdr" and image.min() < 0:
        raise InputError(
            f"write got negative radiance ({image.min():.3g}) for {path}, which the format cannot "
            "hold. Clip it with numpy.maximum(image, 0), or write .exr."
        )


def check_largest(path: pathlib.Path, radiance: np.ndarray) -> None:
    """Raise for float32 radiance beyond what the format holds."""
    beyond = BEYOND[path.suffix.lower()]
    if float(radiance.min()) <= -beyond or float(radiance.max()) >= beyond:
        raise InputError(
            f"write got radiance beyond the {beyond:.3g} that {path} can hold. Divide it first."
        )


def to_levels(image: np.ndarray, keep_16_bits: bool) -> np.ndarray:
    """Integer levels for a picture file."""
    if image.dtype == np.uint16 and not keep_16_bits:
        image = as_unit_float(image)
    if np.issubdtype(image.dtype, np.floating):
        return np.rint(np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)
    return image


def check_for_screens(
    path: PathLike, suffixes: tuple[str, ...], values: np.ndarray, peak: float
) -> pathlib.Path:
    """The path, if what is to be written can be."""
    path = pathlib.Path(path)
    if path.suffix.lower() not in suffixes or not path.parent.is_dir():
        raise InputError(
            f"got {path}; expected a name ending in {suffixes[0]}, and a folder that exists."
        )
    if values.ndim != 3 or values.shape[2] != 3 or not values.size or values.dtype.kind != "f":
        raise InputError(
            f"got {values.dtype} {values.shape} for {path}; expected floats [h, w, 3]."
        )
    if max(values.shape[:2]) > LONGEST_SIDE and ".jpg" in suffixes:
        raise InputError(f"{path} would be longer than the {LONGEST_SIDE} pixels of a JPEG.")
    if not np.isfinite(values).all():
        raise InputError(f"got NaN or infinite pixels for {path}; expected finite values.")
    if not 0 < peak <= HIGHEST_PEAK:
        raise InputError(f"got a peak of {peak:g} stops; expected above 0 and at most 12.")
    return path
