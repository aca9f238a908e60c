"""Pictures on disk: photographs, exposure stacks and radiance maps.

Photographs are uint8 or uint16 `[h, w, 3]` RGB as the file holds them (display-encoded); radiance
maps are float32 `[h, w, 3]` linear RGB. Formats: `.hdr` (Radiance RGBE), `.exr` (OpenEXR), and
every photograph format that OpenCV or Pillow reads. Whatever is wrong with a file is an
`InputError` that names the file. Files are written under a temporary name and then renamed, so
that there is never half a file.
"""

import pathlib
from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
from PIL import ExifTags, ImageOps

from hdr_jax.errors import InputError
from hdr_jax.files import replacing
from hdr_jax.images import _reading, _writing
from hdr_jax.images._exposure_times import exposure_times as exposure_times_of
from hdr_jax.images._exposure_times import find_photos
from hdr_jax.images._paths import HDR_SUFFIXES, PathLike, existing, named_errors, open_picture


def read_photo(path: PathLike, *, to_srgb: bool = False) -> np.ndarray:
    """Read one photograph, turned upright as its EXIF orientation says.

    Gray pictures are repeated to three channels; an alpha channel is dropped.

    Args:
      path: a file of any format in `PHOTO_SUFFIXES`, 8 or 16 bits.
      to_srgb: convert by the file's ICC profile, where it has one, to sRGB with 8 bits. Exposures
        that are to be merged stay as they are: the camera's response is recovered from them.

    Returns:
      uint8 or uint16 [h, w, 3], RGB, display-encoded.

    Raises:
      InputError: if the file is missing, truncated or no picture of 8 or 16 bits.

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
        if to_srgb and picture.info.get("icc_profile"):
            return np.array(ImageOps.exif_transpose(_reading.in_srgb(path, picture)))
        # Pillow has no 16-bit RGB: those files go through OpenCV.
        if picture.format in ("PNG", "TIFF") and _reading.bits(path, picture) > 8:
            pixels = _reading.decode(path)
            if pixels.dtype not in (np.uint8, np.uint16):
                raise InputError(f"it holds {pixels.dtype} pixels, not 8 or 16 bits")
            return _reading.upright(_reading.rgb(pixels), exif_orientation)
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
      InputError: if a file is missing or damaged, sizes or depths differ, a time is unknown or
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
      InputError: as `read_photo`, or if a picture's size or depth is not that of the first one.

    Not differentiable.
    Example: `for picture in equal_photos(["a.jpg", "b.jpg"]): ...`
    """
    first = None
    for path in paths:
        picture = read_photo(path)
        first = first or (path, picture.shape, picture.dtype)
        if (picture.shape, picture.dtype) != first[1:]:
            raise InputError(
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
      InputError: if the file is missing, truncated, of another format, without colour channels,
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
        raise InputError(
            f"read_hdr got {path}; expected a file ending in {' or '.join(HDR_SUFFIXES)}. "
            "Photographs are read by read_photo."
        )
    with named_errors(path, "a radiance map"):
        radiance = (
            _reading.read_exr(path)
            if path.suffix.lower() == ".exr"
            else _reading.rgb(_reading.decode(path))
        )
    if radiance.dtype != np.float32:
        raise InputError(f"{path} holds {radiance.dtype} pixels; expected a floating-point map.")
    bad = np.count_nonzero(~np.isfinite(radiance))
    if bad:
        raise InputError(
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
      InputError: for another shape, dtype, suffix, non-finite values, or a missing folder.

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
    _writing.check_writable(path, image)
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    if suffix in HDR_SUFFIXES:
        image = np.ascontiguousarray(image, dtype=np.float32)
    else:
        image = _writing.to_levels(image, keep_16_bits=suffix in (".png", ".tif", ".tiff"))
    with replacing(path) as temporary:
        if suffix == ".exr":
            _writing.write_exr(temporary, image, comment)
        elif suffix == ".hdr":
            _writing.write_radiance(temporary, image, comment)
        else:
            quality = [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix in (".jpg", ".jpeg") else []
            encoded = cv2.imencode(suffix, image[..., ::-1], quality)[1]
            temporary.write_bytes(encoded.tobytes())
