"""Pictures on disk: photographs, exposure stacks and radiance maps.

Photographs are uint8 or uint16 `[h, w, 3]` RGB as the file holds them (display-encoded); radiance
maps are float32 `[h, w, 3]` linear RGB. Formats: `.hdr` (Radiance RGBE), `.exr` (OpenEXR), and
every photograph format that OpenCV or Pillow reads. Whatever is wrong with a file is a
`ValueError` that names the file. Files are written under a temporary name and then renamed, so
that there is never half a file.
"""

import os
import pathlib
import secrets
from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
import OpenEXR
from PIL import ExifTags, Image, ImageOps

from hdr_jax.exposure_times import (
    PHOTO_SUFFIXES,
    PathLike,
    existing,
    find_photos,
    named_errors,
    open_picture,
)
from hdr_jax.exposure_times import exposure_times as exposure_times_of

HDR_SUFFIXES = (".hdr", ".exr")
STRIP_ROWS = 256  # of a radiance map that are encoded at a time


def read_photo(path: PathLike) -> np.ndarray:
    """Read one photograph, turned upright as its EXIF orientation says.

    Gray pictures are repeated to three channels; an alpha channel is dropped.

    Args:
      path: a file of any format in `PHOTO_SUFFIXES`, 8 or 16 bits.

    Returns:
      uint8 or uint16 [h, w, 3], RGB, display-encoded.

    Raises:
      ValueError: if the file is missing, truncated or no picture of 8 or 16 bits.

    Not differentiable.
    Example:
      >>> import tempfile, numpy as np
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     write(folder + "/a.png", np.full((2, 4, 3), 7, np.uint8))
      ...     read_photo(folder + "/a.png").shape
      (2, 4, 3)
    """
    path = existing(path)
    with named_errors(path, "a photograph"), open_picture(path) as picture:
        exif_orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
        # Pillow has no 16-bit RGB: those files go through OpenCV.
        if picture.format in ("PNG", "TIFF") and _bits(path, picture) > 8:
            pixels = _decode(path)
            if pixels.dtype not in (np.uint8, np.uint16):
                raise ValueError(f"it holds {pixels.dtype} pixels, not 8 or 16 bits")
            return _upright(_rgb(pixels), exif_orientation)
        picture.load()
        return np.array(ImageOps.exif_transpose(picture).convert("RGB"))


def read_stack(
    paths: PathLike | Sequence[PathLike], exposure_times: Sequence[float] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Read bracketed photographs of one scene with their exposure times.

    Times come from `exposure_times` if given, else from a table `exposures.csv` beside the pictures
    (columns `file,exposure_time_s`; further columns are ignored), else from EXIF.

    Args:
      paths: photographs of equal size and bit depth, any order; or one folder, of which the
          pictures named in its `exposures.csv` are read, without one all pictures by name.
      exposure_times: seconds, > 0, one per photograph (per file name in order for a folder).

    Returns:
      stack: uint8 or uint16 [n, h, w, 3] in the order of `paths`.
      exposure_times: float64 [n], seconds.

    Raises:
      ValueError: if a file is missing or damaged, sizes or depths differ, a time is unknown or
          not a positive number.

    Not differentiable.
    Example: `stack, times = read_stack(["a.jpg", "b.jpg"], [0.1, 0.4])`
    """
    paths = find_photos(paths)
    times = exposure_times_of(paths, exposure_times)
    return np.stack(list(equal_photos(paths))), times


def equal_photos(paths: Iterable[PathLike]) -> Iterator[np.ndarray]:
    """Read photographs one after the other, and insist on one size and depth.

    Args:
      paths: photographs.

    Yields:
      uint8 or uint16 [h, w, 3] for each path.

    Raises:
      ValueError: as `read_photo`, or if a picture's size or depth is not that of the first one.

    Not differentiable.
    Example: `for picture in equal_photos(["a.jpg", "b.jpg"]): ...`
    """
    first = None
    for path in paths:
        picture = read_photo(path)
        first = first or (path, picture.shape, picture.dtype)
        if (picture.shape, picture.dtype) != first[1:]:
            raise ValueError(
                f"{path} is {picture.shape[1]} x {picture.shape[0]} {picture.dtype}, but "
                f"{first[0]} is {first[1][1]} x {first[1][0]} {first[2]}; expected equal sizes and "
                "depths. Leave it out, or crop or convert the pictures first."
            )
        yield picture


def read_hdr(path: PathLike) -> np.ndarray:
    """Read a radiance map.

    Args:
      path: a `.hdr` or `.exr` file. Of an EXR the channels R, G, B of the first part are read,
          or Y, repeated to three channels.

    Returns:
      float32 [h, w, 3], linear RGB, relative, finite. Negative values are kept.

    Raises:
      ValueError: if the file is missing, truncated, of another format, without colour channels,
          or holds NaN or infinite values.

    Not differentiable.
    Example:
      >>> import tempfile, numpy as np
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     write(folder + "/a.exr", np.full((2, 4, 3), 1000.5, np.float32))
      ...     float(read_hdr(folder + "/a.exr").max())
      1000.5
    """
    path = existing(path)
    if path.suffix.lower() not in HDR_SUFFIXES:
        raise ValueError(
            f"read_hdr got {path}; expected a file ending in {' or '.join(HDR_SUFFIXES)}. "
            "Photographs are read by read_photo."
        )
    with named_errors(path, "a radiance map"):
        radiance = _read_exr(path) if path.suffix.lower() == ".exr" else _rgb(_decode(path))
    if radiance.dtype != np.float32:
        raise ValueError(f"{path} holds {radiance.dtype} pixels; expected a floating-point map.")
    bad = np.count_nonzero(~np.isfinite(radiance))
    if bad:
        raise ValueError(
            f"{path} holds {bad} NaN or infinite values; expected finite radiance. Repair the map "
            "first, for instance with numpy.nan_to_num."
        )
    return radiance


def write(path: PathLike, image: np.ndarray, comment: str = "") -> None:
    """Write a picture in the format that its name ends in.

    Args:
      path: `.hdr` or `.exr` for radiance maps; `.png`, `.jpg`, `.tif` and the like for pictures.
          The folder must exist.
      image: [h, w, 3] RGB or [h, w]. Radiance maps: float, finite (for `.hdr` also not
          negative). Pictures: uint8, uint16 (`.png`, `.tif`; rounded to 8 bits for `.jpg`), or
          float in [0, 1], clipped and rounded to 8 bits.
      comment: one line about a radiance map, written into its header (`comments` of an EXR).

    Raises:
      ValueError: for another shape, dtype, suffix, non-finite values, or a missing folder.

    Not differentiable.
    Example:
      >>> import tempfile, numpy as np
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     write(folder + "/a.hdr", np.full((2, 4, 3), 100.0))
      ...     float(read_hdr(folder + "/a.hdr").max())
      100.0
    """
    path, image = pathlib.Path(path), np.asarray(image)
    suffix = path.suffix.lower()
    _check_writable(path, image)
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    if suffix in HDR_SUFFIXES:
        image = np.ascontiguousarray(image, dtype=np.float32)
    else:
        image = _to_levels(image, keep_16_bits=suffix in (".png", ".tif", ".tiff"))
    temporary = path.parent / f".{path.stem}.{secrets.token_hex(4)}{suffix}"
    try:
        if suffix == ".exr":
            header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
            if comment:
                header["comments"] = comment
            with OpenEXR.File(header, {"RGB": image}) as file:
                file.write(str(temporary))
        elif suffix == ".hdr":
            _write_radiance(temporary, image, comment)
        else:
            quality = [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix in (".jpg", ".jpeg") else []
            encoded = cv2.imencode(suffix, image[..., ::-1], quality)[1]
            temporary.write_bytes(encoded.tobytes())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def reduced(image: np.ndarray, longest: int) -> np.ndarray:
    """A picture scaled down, by averaging, until its longer side has at most so many pixels.

    Args:
      image: [h, w, 3].
      longest: pixels.

    Returns:
      [h', w', 3] of the same type; the image itself if it is small enough.

    Not differentiable.
    Example:
      >>> reduced(np.zeros((40, 80, 3), np.float32), 20).shape
      (10, 20, 3)
    """
    scale = longest / max(image.shape[:2])
    if scale >= 1:
        return image
    size = [max(1, round(side * scale)) for side in (image.shape[1], image.shape[0])]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _bits(path: pathlib.Path, picture: Image.Image) -> int:
    """Bits per channel of a PNG or TIFF, from its header."""
    if picture.format == "PNG":
        with path.open("rb") as file:
            return file.read(25)[24]
    return max(picture.tag_v2.get(ExifTags.Base.BitsPerSample, (1,)))


def _decode(path: pathlib.Path) -> np.ndarray:
    """Pixels as OpenCV decodes them, without its messages on stderr."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if pixels is None:
        raise ValueError("the data is incomplete or of an unknown format")
    return pixels


def _rgb(pixels: np.ndarray) -> np.ndarray:
    """OpenCV's gray, BGR or BGRA as RGB."""
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], 3, axis=2)
    return np.ascontiguousarray(pixels[..., 2::-1])


def _upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an EXIF orientation 1..8; others are taken as upright."""
    if orientation in (5, 6, 7, 8):
        image = np.swapaxes(image, 0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)


def _read_exr(path: pathlib.Path) -> np.ndarray:
    """Channels R, G, B (or Y) of an EXR's first part."""
    with OpenEXR.File(str(path), separate_channels=True) as file:
        channels = file.channels()
        names = ["R", "G", "B"] if "R" in channels else ["Y"] * 3
        missing = [name for name in names if name not in channels]
        if missing:
            raise ValueError(
                f"it has the channels {', '.join(sorted(channels)) or 'none'} but not "
                f"{', '.join(sorted(set(missing)))}"
            )
        return np.stack([np.asarray(channels[name].pixels, np.float32) for name in names], axis=-1)


def _write_radiance(path: pathlib.Path, image: np.ndarray, comment: str) -> None:
    """Radiance RGBE, strip by strip: the encoder's copies of a large map would fill the memory."""
    height, width = image.shape[:2]
    lines = ["#?RADIANCE", *([f"# {comment}"] if comment else []), "FORMAT=32-bit_rle_rgbe", ""]
    with path.open("wb") as file:
        file.write("\n".join([*lines, f"-Y {height} +X {width}\n"]).encode("ascii", "replace"))
        for start in range(0, height, STRIP_ROWS):
            strip = np.ascontiguousarray(image[start : start + STRIP_ROWS, :, ::-1])
            encoded = cv2.imencode(".hdr", strip)[1].tobytes()
            size_line = f"-Y {len(strip)} +X {width}\n".encode()
            file.write(encoded[encoded.index(size_line) + len(size_line) :])


def _check_writable(path: pathlib.Path, image: np.ndarray) -> None:
    """Raise if `write` cannot store this image under this name."""
    suffix = path.suffix.lower()
    if suffix not in HDR_SUFFIXES + PHOTO_SUFFIXES:
        raise ValueError(
            f"write got {path}; expected a name ending in "
            f"{' '.join(HDR_SUFFIXES + PHOTO_SUFFIXES)}."
        )
    if not path.parent.is_dir():
        raise ValueError(f"write got {path}, but its folder does not exist. Create it first.")
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3) or not image.size:
        raise ValueError(
            f"write got an image of shape {image.shape} for {path}; expected [h, w, 3] or [h, w]."
        )
    is_float = np.issubdtype(image.dtype, np.floating)
    if not is_float and (suffix in HDR_SUFFIXES or image.dtype not in (np.uint8, np.uint16)):
        raise ValueError(
            f"write got {image.dtype} pixels for {path}; expected "
            + ("float radiance." if suffix in HDR_SUFFIXES else "uint8, uint16 or float in [0, 1].")
        )
    if is_float and not np.isfinite(image).all():
        raise ValueError(f"write got NaN or infinite pixels for {path}; expected finite values.")
    if suffix == ".hdr" and image.min() < 0:
        raise ValueError(
            f"write got negative radiance ({image.min():.3g}) for {path}, which the format cannot "
            "hold. Clip it with numpy.maximum(image, 0), or write .exr."
        )


def _to_levels(image: np.ndarray, keep_16_bits: bool) -> np.ndarray:
    """Integer levels for a picture file."""
    if image.dtype == np.uint16 and not keep_16_bits:
        image = image / 65535.0
    if np.issubdtype(image.dtype, np.floating):
        return np.rint(np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)
    return image
