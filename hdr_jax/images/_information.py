"""What a file of a picture is and says of itself, of every format that is read."""

import pathlib
from typing import Any, NamedTuple

import numpy as np
import OpenEXR

from hdr_jax.images import _formats, _jpeg, _metadata, _pictures, _primaries, _radiance, _ultra_hdr
from hdr_jax.images._metadata import Metadata
from hdr_jax.images._paths import PathLike, existing, named_errors

NOT_TOLD = "relative; the file does not tell its unit"
WHITE = "relative; 1 is white of the ordinary picture"
PHOTOGRAPH = "display-encoded levels"
LINEAR = "linear levels of the sensor"
OWN = f"{_metadata.OWN_SOFTWARE}:".encode()


class Information(NamedTuple):
    """A file of a picture; None or empty where there is nothing to say.

    `size` is (width, height), of photographs upright; `stops` the binary logarithm of the largest
    over the smallest positive value of a radiance map; `gain_map` the numbers of a gain map.
    """

    path: str
    kind: str
    format: str
    size: tuple[int, int]
    unit: str
    primaries: str | None = None
    stops: float | None = None
    comment: str = ""
    orientation: int | None = None
    exposure_time_s: float | None = None
    f_number: float | None = None
    iso: float | None = None
    taken_s: float | None = None
    gain_map: dict[str, Any] | None = None


def information(path: PathLike) -> Information:
    """What a photograph or a radiance map is.

    Args:
      path: of the file. Photographs are not decoded; radiance maps are, for their stops.

    Returns:
      What is known of it.

    Raises:
      InputError: if the file is missing, damaged or of another kind.

    Not differentiable.
    Example:
      >>> import tempfile
      >>> from hdr_jax.images import write
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     write(folder + "/a.hdr", np.array([[[1, 1, 1], [8, 8, 8]]], np.float32))
      ...     information(folder + "/a.hdr").stops
      3.0
    """
    path = existing(path)
    with named_errors(path, "a picture"):
        kind = _formats.sniffed(path)
        if kind in _formats.HDR_FORMATS:
            return _of_map(path, kind)
        return _of_photograph(path, _metadata.read(path), _formats.photo_format(path))


def _of_map(path: pathlib.Path, kind: str) -> Information:
    """A Radiance or OpenEXR picture."""
    radiance = _pictures.read_hdr(path)
    comment, chromaticities = (_exr_header if kind == "OpenEXR" else _radiance_header)(path)
    own = comment.startswith(_metadata.OWN_SOFTWARE)
    return Information(
        str(path),
        "radiance map",
        kind,
        (radiance.shape[1], radiance.shape[0]),
        comment.partition(": ")[2].partition("; exposures")[0] if own else NOT_TOLD,
        _primaries.named(chromaticities) if chromaticities is not None else None,
        stops(radiance),
        comment,
    )


def _exr_header(path: pathlib.Path) -> tuple[str, Any]:
    """Comments and chromaticities of an OpenEXR picture."""
    with OpenEXR.File(str(path), header_only=True) as file:
        header = file.parts[0].header
        return str(header.get("comments", "")), header.get("chromaticities")


def _radiance_header(path: pathlib.Path) -> tuple[str, Any]:
    """Comments and chromaticities of a Radiance picture."""
    with path.open("rb") as file:
        head = file.read(_radiance.LONGEST_HEADER)
    lines = head.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("latin-1").splitlines()[1:]
    comments = [line[1:].strip() for line in lines if line.startswith("#")]
    return " ".join(comments), _radiance.chromaticities(head)


def _of_photograph(path: pathlib.Path, found: Metadata, kind: str) -> Information:
    """A photograph, with or without a gain map."""
    width, height = found.size
    gains = _ultra_hdr.find(path.read_bytes()) if kind == "JPEG" else None
    unit = LINEAR if kind == "raw" else WHITE if gains else PHOTOGRAPH
    comments = gains.base.payloads(_jpeg.COMMENT, OWN) if gains else []
    return Information(
        str(path),
        "photograph with a gain map" if gains else "photograph",
        kind,
        (height, width) if found.orientation in (5, 6, 7, 8) else (width, height),
        unit,
        found.space or ("those of its ICC profile" if found.profile else None),
        stops(_ultra_hdr.read(path)) if gains else None,
        b" ".join(comments).decode("utf-8", "replace").strip(),
        found.orientation,
        found.exposure_time,
        found.f_number,
        found.sensitivity,
        found.taken,
        _ultra_hdr.described(gains) if gains else None,
    )


def stops(radiance: np.ndarray) -> float | None:
    """log2 of the largest over the smallest positive value; 0 is where nothing is known.

    Args:
      radiance: of any shape.

    Returns:
      Stops; None where nothing is positive.

    Not differentiable.
    Example:
      >>> stops(np.array([0.0, 0.5, 4.0]))
      3.0
    """
    lit = radiance > 0
    if not lit.any():
        return None
    darkest = np.min(radiance, where=lit, initial=np.inf)
    return float(np.log2(float(radiance.max())) - np.log2(float(darkest)))
