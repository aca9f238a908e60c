"""JPEGs with a gain map, read: an ordinary picture that is HDR where the screen can.

Read here and not by libultrahdr (`imagecodecs`), which takes no side above 8192 pixels, does not
say what primaries its result has, and gives half floats. The tests compare with it.
"""

import io
import pathlib
import warnings
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from hdr_jax.images import _gain_map, _gain_map_xmp, _jpeg, _metadata
from hdr_jax.images._decoding import has_srgb_curve
from hdr_jax.images._gain_map import GainMap
from hdr_jax.images._paths import Unsupported, check_size, warn
from hdr_jax.images._primaries import (
    EXPONENTS,
    converted,
    in_rec709,
    linear,
    of_photographs,
    space_of_profile,
)
from hdr_jax.images._resizing import resized
from hdr_jax.images._samples import upright

ICC = b"ICC_PROFILE\0"


class Found(NamedTuple):
    """The pictures of a JPEG with a gain map."""

    base: _jpeg.Picture
    gains: _jpeg.Picture
    gain_map: GainMap


def find(data: bytes) -> Found | None:
    """The gain map of a JPEG.

    It is looked for in the pictures that follow the first one, as editors seldom keep the lists of
    them (Multi-Picture Format, Container) right.

    Args:
      data: the file.

    Returns:
      The pictures and what they mean, by ISO 21496-1, else by XMP; None without a gain map.

    Raises:
      Unsupported: for an HDR picture whose gain map leads to the ordinary one.
      ValueError: if it is damaged.
    """
    if _gain_map.ISO not in data and _gain_map_xmp.NAMESPACE.encode() not in data:
        return None
    found = _jpeg.pictures(data)
    base = next(found)
    for picture in found:
        for blob in picture.payloads(_jpeg.APP2, _gain_map.ISO):
            return Found(base, picture, _gain_map.from_iso(blob))
        for packet in picture.payloads(_jpeg.APP1, _jpeg.XMP):
            gain_map = _gain_map_xmp.from_xmp(packet)
            if gain_map:
                return Found(base, picture, gain_map)
    return None


def read(path: pathlib.Path) -> np.ndarray:
    """The light of a JPEG with a gain map, all of it applied.

    Args:
      path: of the file.

    Returns:
      float32 [h, w, 3], upright, linear, Rec.709; 1 is white of the ordinary picture.

    Raises:
      Unsupported: for a JPEG without a gain map, or a size beyond all bounds.
      ValueError: if the file is damaged.
    """
    data = path.read_bytes()
    found = find(data)
    if found is None:
        raise Unsupported("is a JPEG without a gain map: a photograph, and no radiance map")
    metadata = _metadata.read(path)  # refuses sizes beyond all bounds
    base, values = decoded(found.base.data), decoded(found.gains.data)
    base = np.broadcast_to(base, (*base.shape[:2], 3))  # gray or RGB
    own = metadata.space
    if metadata.profile and own is None:
        warn(path, "has primaries that are not known; they are taken for those of sRGB")
    elif metadata.profile and own not in EXPONENTS and not has_srgb_curve(metadata.profile):
        warn(path, "has an ICC profile of another curve than sRGB's, by which it is read")
    space = own or "sRGB"
    applied = space if found.gain_map.in_base_primaries else _space(found.gains) or space
    light = linear(base, space)
    if applied != space:
        light = converted(light, of_photographs(space)[1], of_photographs(applied)[1])
    height, width = light.shape[:2]
    for channel in range(3):
        plane = values[..., min(channel, values.shape[2] - 1)]
        plane = resized(plane.astype(np.float32) / 255, height, width)
        light[..., channel] = found.gain_map.light(light[..., channel], plane, channel)
    np.maximum(light, 0, out=light)
    return upright(in_rec709(light, of_photographs(applied)[1]), metadata.orientation)


def described(found: Found) -> dict[str, Any]:
    """The numbers of a gain map, for people and scripts.

    Args:
      found: of `find`.

    Returns:
      Its size and channels, the gains at its ends and the headroom, in stops.
    """
    values, gain_map = decoded(found.gains.data), found.gain_map
    return {
        "size": [values.shape[1], values.shape[0]],
        "channels": values.shape[2],
        "headroom_stops": round(gain_map.headroom, 4),
        "low_stops": [round(x, 4) for x in gain_map.low],
        "high_stops": [round(x, 4) for x in gain_map.high],
        "gamma": [round(x, 4) for x in gain_map.gamma],
    }


def decoded(jpeg: bytes) -> np.ndarray:
    """The levels of one JPEG.

    Args:
      jpeg: its bytes.

    Returns:
      uint8 [h, w, 1] or [h, w, 3], not turned.

    Raises:
      Unsupported: for a size beyond all bounds, or separations.
      OSError: if it is damaged.
    """
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # of large pictures, and of lists of pictures not given here
        try:
            picture = Image.open(io.BytesIO(jpeg), formats=["JPEG"])
        except Image.DecompressionBombError as error:
            raise Unsupported(f"is too large: {error}") from error
    with picture:
        check_size(*picture.size)
        if picture.mode not in ("L", "RGB"):
            raise Unsupported(f"holds a JPEG of mode {picture.mode}; expected gray or RGB")
        levels = np.asarray(picture)
    return levels if levels.ndim == 3 else levels[..., None]


def _space(picture: _jpeg.Picture) -> str | None:
    """The primaries by the ICC profile within a JPEG."""
    parts = sorted(picture.payloads(_jpeg.APP2, ICC))  # each begins with its number
    return space_of_profile(b"".join(part[2:] for part in parts)) if parts else None
