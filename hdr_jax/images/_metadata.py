"""What a photograph says of itself: orientation, exposure, colour space, who wrote it."""

import contextlib
import datetime
import pathlib
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from hdr_jax.images import _formats, _png, _primaries, _raw, _tiff
from hdr_jax.images._paths import PathLike, Unsupported, check_size, existing, named_errors

ORIENTATION, SOFTWARE, EXIF, PROFILE, INTEROPERABILITY = 0x0112, 0x0131, 0x8769, 0x8773, 0xA005
EXPOSURE_TIME, F_NUMBER, SENSITIVITY = 0x829A, 0x829D, 0x8827
SHUTTER_SPEED, APERTURE = 0x9201, 0x9202  # the same in powers of two
# A sensitivity beyond 65534 does not fit into SENSITIVITY and stands in one of these.
HIGH_SENSITIVITIES, HIGHEST = (0x8833, 0x8832, 0x8831), 65535
COLOR_SPACE, SRGB = 0xA001, 1
TAKEN, FRACTION, CHANGED = 0x9003, 0x9291, 0x0132  # date and time; fraction of a second of TAKEN
TEXTS = (SOFTWARE, TAKEN, FRACTION, CHANGED)
USUAL_EXPONENT, NEAR = 2.2, 0.05  # by which PNGs tell of sRGB's curve, which is near to that power
CODED_SPACES = {1: "sRGB", 9: "Rec. 2020", 12: "Display P3"}  # by ITU-T H.273
OWN_SOFTWARE = "hdr_jax"  # begins the tag SOFTWARE of pictures that are results
RATIONALS = (EXPOSURE_TIME, F_NUMBER, SHUTTER_SPEED, APERTURE)
# Profiles with tables have more than the megabyte that Pillow expects of a PNG.
PngImagePlugin.MAX_TEXT_CHUNK = 2**26
NUMBERS = (ORIENTATION, SENSITIVITY, COLOR_SPACE, *RATIONALS, *HIGH_SENSITIVITIES)


class Metadata(NamedTuple):
    """What a photograph says of itself; None where it says nothing.

    Numbers are > 0. `space` is a name of `SPACES`, `exponent` that of a curve that is not the
    space's own, `size` (width, height) as it is stored, and `taken` seconds since 1970 by the
    camera's clock.
    """

    orientation: int = 1
    exposure_time: float | None = None
    f_number: float | None = None
    sensitivity: float | None = None
    space: str | None = None
    profile: bytes | None = None
    exponent: float | None = None
    software: str = ""
    taken: float | None = None
    size: tuple[int, int] = (0, 0)


def metadata(path: PathLike) -> Metadata:
    """What a photograph says of itself; it is not decoded.

    Args:
      path: a photograph.

    Returns:
      Orientation, exposure, primaries, when it was taken, its size; None where it says nothing.

    Raises:
      InputError: if the file is missing or no picture.

    Not differentiable.
    Example: `metadata("IMG_2600.jpg").f_number` gives e.g. 2.8.
    """
    path = existing(path)
    with named_errors(path, "a photograph"):
        return read(path)


def read(path: pathlib.Path) -> Metadata:
    """The metadata of a photograph, which is not decoded.

    Args:
      path: of the file.

    Returns:
      Its metadata.

    Raises:
      Unsupported: for a format that is not read, or a size beyond all bounds.
      ValueError: if the file is damaged.
    """
    kind = _formats.sniffed(path)
    if kind == "raw":
        return _of_raw(path)
    if kind == "TIFF":
        return _of_tiff(path)
    with opened(path) as picture:
        exif = picture.getexif()
        tags = {SOFTWARE: picture.info.get("Software", ""), **exif, **exif.get_ifd(EXIF)}
        segments = getattr(picture, "applist", ())
        if any(name == "COM" and text.startswith(OWN_SOFTWARE.encode()) for name, text in segments):
            tags[SOFTWARE] = OWN_SOFTWARE  # of a result with the EXIF data of a photograph
        index = exif.get_ifd(INTEROPERABILITY).get(1)
        found = _of_tags(tags, picture.info.get("icc_profile"), index)._replace(size=picture.size)
    return _as_coded(found, _png.coded(path)) if kind == "PNG" else found


def _as_coded(found: Metadata, coding: _png.Coding) -> Metadata:
    """The metadata of a PNG with what its chunks say of its space and curve."""
    space = CODED_SPACES.get(coding.primaries)
    if space:
        found = found._replace(space=space, profile=None)
    elif found.space is None and coding.chromaticities:
        found = found._replace(space=_primaries.space_of(coding.chromaticities))
    usual = _primaries.EXPONENTS.get(found.space or "", USUAL_EXPONENT)
    if coding.exponent and abs(coding.exponent / usual - 1) > NEAR:
        found = found._replace(exponent=coding.exponent)
    return found


@contextlib.contextmanager
def opened(path: pathlib.Path) -> Iterator[Image.Image]:
    """A photograph opened by Pillow, of a size that can be read."""
    kind = _formats.photo_format(path)
    with warnings.catch_warnings():
        # From 89 megapixels on it warns, but cameras have more by now.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            picture = Image.open(path, formats=[kind.upper()])
        except Image.DecompressionBombError as error:
            raise Unsupported(f"is too large: {error}") from error
        except UnidentifiedImageError as error:
            raise ValueError(f"it is damaged, or a {kind} of a rare kind, as of 12 bits") from error
    with picture:
        check_size(*picture.size)
        yield picture


def _of_raw(path: pathlib.Path) -> Metadata:
    """Metadata as rawpy gives them; those of developed pictures have the primaries of sRGB."""
    with _raw.opened(path) as raw:
        other, turn = raw.other, raw.sizes.flip
        size = raw.sizes.width, raw.sizes.height
    numbers = (other.shutter_speed, other.aperture, other.iso_speed)
    orientation = _raw.ORIENTATIONS.get(turn, 1)
    return Metadata(
        orientation,
        *(_positive(number) for number in numbers),
        space="sRGB",
        # LibRaw says 1970 where the file says nothing.
        taken=_seconds(other.timestamp) if other.timestamp.year > 1970 else None,
        size=size,
    )


def _of_tiff(path: pathlib.Path) -> Metadata:
    """Metadata of the page that holds the picture, else of the first page."""
    import tifffile

    codes = {
        tifffile.TIFF.EXIF_TAGS[code]: code
        for code in (*NUMBERS, TAKEN, FRACTION, INTEROPERABILITY)
    }
    tags: dict[int, Any] = {}
    with _tiff.opened(path) as file:
        for page in (file.pages[0], _tiff.picture_page(file)[0]):
            wanted = (*TEXTS, *NUMBERS, PROFILE)
            tags |= {tag.code: tag.value for tag in page.tags if tag.code in wanted}
            exif = page.tags.valueof(EXIF)
            if isinstance(exif, dict):  # tifffile names what it holds
                tags |= {codes[name]: value for name, value in exif.items() if name in codes}
        size = (page.imagewidth, page.imagelength)  # of the last one, which holds the picture
    index = tags.get(INTEROPERABILITY)
    index = index.get("InteroperabilityIndex") if isinstance(index, dict) else None
    return _of_tags(tags, tags.get(PROFILE), index)._replace(size=size)


def _of_tags(tags: dict, profile: bytes | None, index: str | None) -> Metadata:
    """Metadata by the numbers of EXIF tags."""
    numbers = {tag: _number(tag, tags[tag]) for tag in NUMBERS if tag in tags}
    orientation = numbers.get(ORIENTATION)
    time, f_number = _positive(numbers.get(EXPOSURE_TIME)), _positive(numbers.get(F_NUMBER))
    shutter, aperture = numbers.get(SHUTTER_SPEED), numbers.get(APERTURE)
    if time is None and shutter is not None:
        time = _positive(2.0 ** -np.clip(shutter, -99, 99))
    if f_number is None and aperture is not None:
        f_number = _positive(2.0 ** (np.clip(aperture, -99, 99) / 2))
    sensitivity = _positive(numbers.get(SENSITIVITY))
    if sensitivity in (None, HIGHEST):
        others = (_positive(numbers.get(tag)) for tag in HIGH_SENSITIVITIES)
        sensitivity = next((value for value in others if value), sensitivity)
    return Metadata(
        orientation=int(orientation) if orientation and orientation in range(1, 9) else 1,
        exposure_time=time,
        f_number=f_number,
        sensitivity=sensitivity,
        space=_space(numbers.get(COLOR_SPACE), profile, str(index)),
        profile=profile,
        software=str(tags.get(SOFTWARE, "")),
        taken=_taken(tags),
    )


def _taken(tags: dict) -> float | None:
    """When a photograph was taken, seconds since 1970 by the camera's clock."""
    text = str(tags.get(TAKEN) or tags.get(CHANGED) or "").strip("\0 ")
    with contextlib.suppress(ValueError):
        moment = datetime.datetime.strptime(text, "%Y:%m:%d %H:%M:%S")
        digits = str(tags.get(FRACTION, "") if TAKEN in tags else "").strip("\0 ")
        fraction = float(f"0.{digits}") if digits.isdecimal() else 0.0
        return _seconds(moment) + fraction
    return None


def _seconds(moment: datetime.datetime) -> float:
    """Seconds since 1970 of a camera's clock, whose time zone is not known."""
    return moment.replace(tzinfo=datetime.UTC).timestamp()


def _number(tag: int, value: Any) -> float | None:
    """The first number of a tag's value, if it has one."""
    with contextlib.suppress(TypeError, ValueError, ZeroDivisionError):
        if isinstance(value, tuple) and tag in RATIONALS and len(value) == 2:
            return float(value[0]) / float(value[1])  # as tifffile gives it
        number = float(value[0] if isinstance(value, tuple) else value)
        return number if np.isfinite(number) else None
    return None


def _positive(number: float | None) -> float | None:
    """The number if there is one above 0."""
    return float(number) if number is not None and np.isfinite(number) and number > 0 else None


def _space(color_space: float | None, profile: bytes | None, index: str) -> str | None:
    """The name of the primaries: by the profile, else by EXIF; None if neither tells."""
    if profile:
        return _primaries.space_of_profile(profile)
    if index.startswith("R03"):
        return "Adobe RGB (1998)"
    return "sRGB" if color_space == SRGB else None
