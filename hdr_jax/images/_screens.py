"""JPEGs with a gain map, written.

libultrahdr (`imagecodecs`) makes its own ordinary picture and takes no other; here it is the
photograph itself, and its file's compressed data are not touched.
"""

import io
import pathlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from hdr_jax.errors import InputError
from hdr_jax.files import replacing
from hdr_jax.images import _formats, _gain_map, _gain_map_xmp, _jpeg, _metadata, _writing
from hdr_jax.images._decoding import has_srgb_curve
from hdr_jax.images._gain_map import GainMap
from hdr_jax.images._paths import JPEG_SUFFIXES, PathLike, existing, named_errors
from hdr_jax.images._photographs import read_photo
from hdr_jax.images._primaries import linear
from hdr_jax.images._samples import in_levels_of, upright
from hdr_jax.images._ultra_hdr import decoded
from hdr_jax.images._writing import PEAK

# The ordinary picture may be stored as it is if screens that show gain maps know its primaries.
BASE_SPACES = (None, "sRGB", "Display P3")
# What undoes an orientation of EXIF; the others undo themselves.
UNDOING = {6: 8, 8: 6}
QUALITY, GAIN_QUALITY = 95, 95
LONGEST_COMMENT = 2**15  # a segment holds twice as much
STRIP_ROWS = 256


def write_ultra_hdr(
    path: PathLike,
    picture: np.ndarray,
    radiance: np.ndarray,
    *,
    peak: float = PEAK,
    comment: str = "",
) -> None:
    """Write a JPEG that shows one picture on ordinary screens and another one on HDR screens.

    The gain map (Ultra HDR, ISO 21496-1) has the size of the picture and three channels. Its gains
    are those between the radiance and the picture as it is decoded from the JPEG, so that what its
    compression changed is undone on an HDR screen.

    Args:
      path: ending in .jpg or .jpeg; the folder must exist.
      picture: uint8 [h, w, 3], sRGB.
      radiance: float32 [h, w, 3], linear, Rec.709; 1 is the white of the picture. Values below 0
        and above 2^peak are clipped.
      peak: stops above white, above 0 and at most 12.
      comment: about the radiance, written into the file.

    Raises:
      InputError: for another shape, dtype, suffix or peak, non-finite values, or a missing folder.

    Not differentiable.
    Source: ISO 21496-1:2025; Android, "Ultra HDR image format" 1.1.
    Example:
      >>> import tempfile
      >>> from hdr_jax.images import read_hdr
      >>> picture = np.full((16, 16, 3), 255, np.uint8)
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     write_ultra_hdr(folder + "/a.jpg", picture, np.full((16, 16, 3), 5, np.float32))
      ...     read_hdr(folder + "/a.jpg").round(2)[0, 0].tolist()
      [5.0, 5.0, 5.0]
    """
    path = _writing.check_for_screens(path, JPEG_SUFFIXES, radiance, peak)
    if picture.dtype != np.uint8 or picture.shape != radiance.shape:
        raise InputError(
            f"write_ultra_hdr got a picture of {picture.dtype} {picture.shape}; expected uint8 "
            f"{radiance.shape}."
        )
    exif = Image.Exif()
    exif[_metadata.SOFTWARE] = _metadata.OWN_SOFTWARE
    _write(path, _encoded(picture, exif.tobytes()), radiance, peak, comment)


def write_brightened(
    path: PathLike, photo: PathLike, stops: np.ndarray, *, peak: float = PEAK
) -> bool:
    """Write a photograph as a JPEG that is itself, and brighter by so many stops on HDR screens.

    The JPEG of the photograph stays as it is, compressed data, EXIF and profile, if it holds RGB in
    sRGB or Display P3. Any other photograph is converted to sRGB with 8 bits and compressed anew.

    Args:
      path: ending in .jpg or .jpeg; the folder must exist.
      photo: the photograph.
      stops: float32 [h, w, 3], of the photograph turned upright; 0 keeps a pixel as it is, but for
        the compression of the gain map, a JPEG.
      peak: stops above white where brighter light is clipped, above 0 and at most 12.

    Returns:
      Whether the photograph's own JPEG was kept.

    Raises:
      InputError: as `read_photo` and `write_ultra_hdr`, or if the sizes differ.

    Not differentiable.
    Example: `write_brightened("holiday_hdr.jpg", "holiday.jpg", stops)`
    """
    path = _writing.check_for_screens(path, JPEG_SUFFIXES, stops, peak)
    photo = existing(photo)
    with named_errors(photo, "a photograph"):
        jpeg = _own_jpeg(photo)
        turn = _metadata.read(photo).orientation if jpeg else 1
    kept = jpeg is not None
    if jpeg is None:
        levels = read_photo(photo, to_srgb=True)
        jpeg = _encoded(in_levels_of(np.uint8, levels))
    levels = decoded(jpeg)
    expected = upright(levels, turn).shape
    if stops.shape != expected:
        raise InputError(
            f"write_brightened got stops of shape {stops.shape} for {photo}; expected {expected}."
        )
    stops = upright(stops, UNDOING.get(turn, turn))
    light = linear(levels, "sRGB") * np.exp2(stops)
    _write(path, jpeg, light, peak, f"highlights of {photo.name} predicted")
    return kept


def _own_jpeg(path: pathlib.Path) -> bytes | None:
    """The JPEG of a photograph that may be stored as it is: RGB in sRGB or Display P3, by sRGB's
    curve."""
    if _formats.sniffed(path) != "JPEG":
        return None
    metadata = _metadata.read(path)
    with _metadata.opened(path) as picture:
        colours = picture.mode == "RGB"
        exif = Image.Exif()
        exif.load(picture.info.get("exif", b""))
    profile = metadata.profile
    known = metadata.space in BASE_SPACES and (metadata.space or not profile)
    # In XMP alone, which may be replaced, an orientation would be lost.
    turned = exif.get(_metadata.ORIENTATION, 1) == metadata.orientation
    if not (colours and known and turned) or (profile and not has_srgb_curve(profile)):
        return None
    try:
        base = next(_jpeg.pictures(path.read_bytes()))
        _jpeg.with_segments(base, [], lambda *_: False)
    except ValueError:  # sound enough to be decoded, not to be taken apart
        return None
    return base.data


def _encoded(picture: np.ndarray, exif: bytes = b"", quality: int = QUALITY) -> bytes:
    """A JPEG of a picture uint8 [h, w, 3], without chroma subsampling."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality, subsampling=0, exif=exif)
    return buffer.getvalue()


def _write(
    path: pathlib.Path, jpeg: bytes, radiance: np.ndarray, peak: float, comment: str
) -> None:
    """A JPEG, as it is stored, with the gain map that leads to the radiance."""
    base = next(_jpeg.pictures(jpeg))
    levels = decoded(jpeg)
    white = np.float32(2.0**peak)
    ends = np.array([(gains.min(), gains.max()) for gains in _gains(levels, radiance, white)])
    low = float(ends[:, 0].min())
    high = max(float(ends[:, 1].max()), low + 1e-3)  # also of equal pictures
    brightest = max(float(radiance.max()), 1.0)
    gain_map = _gain_map.plain(low, high, max(min(peak, float(np.log2(brightest))), 1e-3))
    scale = np.float32(255 / (high - low))
    values = np.concatenate(
        [
            np.rint((gains - np.float32(low)) * scale).clip(0, 255).astype(np.uint8)
            for gains in _gains(levels, radiance, white)
        ]
    )
    data = _container(base, _encoded(values, quality=GAIN_QUALITY), gain_map, comment)
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def _gains(levels: np.ndarray, radiance: np.ndarray, white: np.float32) -> Iterator[np.ndarray]:
    """Stops from the ordinary picture to the radiance, in strips of rows."""
    offset = np.float32(_gain_map.OFFSET)
    for start in range(0, len(levels), STRIP_ROWS):
        rows = slice(start, start + STRIP_ROWS)
        light = np.clip(radiance[rows], 0, white) + offset
        yield np.log2(light / (linear(levels[rows], "sRGB") + offset))


def _container(base: _jpeg.Picture, gains: bytes, gain_map: GainMap, comment: str) -> bytes:
    """The file of both pictures, with its metadata in the form of ISO 21496-1 and in XMP."""
    about = [
        (_jpeg.APP1, _jpeg.XMP + _gain_map_xmp.to_xmp(gain_map)),
        (_jpeg.APP2, _gain_map.ISO + _gain_map.to_iso(gain_map)),
    ]
    (picture,) = _jpeg.pictures(gains)
    gains = _jpeg.with_segments(picture, about, lambda *_: False)
    packets = base.payloads(_jpeg.APP1, _jpeg.XMP)
    packet = _gain_map_xmp.directory_xmp(len(gains), packets[0] if packets else b"")
    told = [
        (_jpeg.APP1, _jpeg.XMP + packet),
        (
            _jpeg.COMMENT,
            f"{_metadata.OWN_SOFTWARE}: {comment}".encode(errors="replace")[:LONGEST_COMMENT],
        ),
        (_jpeg.APP2, _gain_map.ISO + bytes(4)),
    ]
    names = (_jpeg.XMP, _gain_map.ISO, _jpeg.MULTI_PICTURE)
    blank = _jpeg.multi_picture(0, [4, 0])  # as long as what takes its place
    whole = _jpeg.with_segments(
        base, [*told, (_jpeg.APP2, blank)], lambda _, payload: payload.startswith(names)
    )
    listed = _jpeg.multi_picture(whole.index(blank), [len(whole), len(gains)])
    return whole.replace(blank, listed, 1) + gains
