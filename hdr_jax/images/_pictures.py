"""Radiance maps read, and any picture written.

Radiance maps are float32 `[h, w, 3]` linear RGB of Rec.709's primaries, in Radiance's format
(`.hdr`), OpenEXR (`.exr`), or a JPEG with a gain map (Ultra HDR). Whatever is wrong with a file is
an `InputError` that names it. Files are written under a temporary name and then renamed, so that
there is never half a file.
"""

import pathlib
from collections.abc import Sequence

import numpy as np

from hdr_jax.errors import InputError
from hdr_jax.files import replacing
from hdr_jax.images import _exr, _formats, _radiance, _ultra_hdr, _writing
from hdr_jax.images._paths import HDR_SUFFIXES, PathLike, Unsupported, existing, named_errors


def read_hdr(path: PathLike, layer: str | None = None) -> np.ndarray:
    """Read a radiance map.

    Other primaries than those of Rec.709, which the header tells, are converted without adaptation;
    what is stored is divided by the exposure that a Radiance header tells.

    Args:
      path: a Radiance or OpenEXR file, or a JPEG with a gain map, whatever its name. Of an EXR the
        channels R, G, B are read, or Y with RY and BY, or X, Y, Z, or Y, repeated to three
        channels. Of a JPEG all of the gain map is applied; 1 is white of the ordinary picture.
      layer: of an EXR with several; by default the one without a name, else the whole picture
        where its name tells (`beauty`, `Combined`, ...).

    Returns:
      float32 [h, w, 3], linear RGB, relative, finite. Negative values are kept.

    Raises:
      InputError: if the file is missing, truncated, of another format, without colour channels,
          with several layers of which none is the whole, or holds NaN or infinite values.

    Not differentiable.
    Example:
      >>> import tempfile, numpy as np
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     write(folder + "/a.exr", np.full((2, 4, 3), 1000.5, np.float32))
      ...     float(read_hdr(folder + "/a.exr").max())
      1000.5
    """
    path = existing(path)
    with named_errors(path, "a radiance map"):
        kind = _formats.sniffed(path)
        if kind == "OpenEXR":
            radiance = _exr.read(path, layer)
        elif kind == "JPEG":
            radiance = _ultra_hdr.read(path)
        elif kind in (None, "Radiance"):
            radiance = _radiance.read(path)
        else:
            raise Unsupported(
                f"is a {kind} file and no radiance map; expected Radiance, OpenEXR, or a JPEG with "
                "a gain map. Photographs are read by read_photo"
            )
    bad = np.count_nonzero(~np.isfinite(radiance))
    if bad:
        raise InputError(
            f"{path} holds {bad} NaN or infinite values; expected finite radiance. Repair the map "
            "first, for instance with numpy.nan_to_num."
        )
    return radiance


def is_radiance_map(path: PathLike) -> bool:
    """Whether a file is for `read_hdr`: a radiance map, or a JPEG with a gain map.

    Args:
      path: of a file.

    Returns:
      True or False, by its content, whatever its name; True also where the gain map is damaged,
      which `read_hdr` says.

    Raises:
      InputError: if there is no such file.

    Not differentiable.
    Example: `is_radiance_map("PXL_20260101.jpg")`
    """
    path = existing(path)
    with named_errors(path, "a radiance map"):
        kind = _formats.sniffed(path)
        if kind != "JPEG":
            return kind in _formats.HDR_FORMATS
    try:
        return _ultra_hdr.find(path.read_bytes()) is not None
    except ValueError:
        return True


def write(
    path: PathLike,
    image: np.ndarray,
    comment: str = "",
    chromaticities: Sequence[float] | None = None,
) -> None:
    """Write a picture in the format that its name ends in.

    Args:
      path: `.hdr` or `.exr` for radiance maps; `.png`, `.jpg`, `.tif` and the like for pictures.
          The folder must exist.
      image: [h, w, 3] RGB or [h, w]. Radiance maps: float, finite (for `.hdr` also not
          negative). Pictures: uint8, uint16 (`.png`, `.tif`; rounded to 8 bits for `.jpg`), or
          float in [0, 1], clipped and rounded to 8 bits.
      comment: about the image, written into its header (`comments` of an EXR). A picture of 8 bits
        with a comment is a result and no photograph: `find_photos` passes over it (not .bmp, nor 16
        bits, which hold none).
      chromaticities: of a radiance map: x and y of the red, green, blue primary and of white.

    Raises:
      InputError: for another shape, dtype, suffix, values that are not finite or too large for the
        format, or a missing folder.

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
        with np.errstate(over="ignore"):  # looked for next
            image = np.ascontiguousarray(image, dtype=np.float32)
        _writing.check_largest(path, image)
    else:
        image = _writing.to_levels(image, keep_16_bits=suffix in (".png", ".tif", ".tiff"))
    with replacing(path) as temporary:
        if suffix == ".exr":
            try:
                _writing.write_exr(temporary, image, comment, chromaticities)
            except RuntimeError as error:  # OpenEXR's, of a full disk
                raise OSError(f"{path} cannot be written ({error})") from error
        elif suffix == ".hdr":
            _writing.write_radiance(temporary, image, comment, chromaticities)
        else:
            _writing.write_picture(temporary, image, comment)
