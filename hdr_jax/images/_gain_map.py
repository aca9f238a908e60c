"""What a gain map says: its metadata in the form of ISO 21496-1, and the light that comes of it.

    HDR + k_hdr = (SDR + k_sdr) 2^G,   G = low + (high - low) value^(1/gamma)

for each channel, light being linear and 1 the white of the ordinary (SDR) picture. The map's values
are stored as a JPEG behind it. Source: ISO 21496-1:2025.
"""

import struct
from typing import NamedTuple

import numpy as np

from hdr_jax.images._paths import Unsupported

ISO = b"urn:iso:std:iso:ts:21496:-1\0"
MULTICHANNEL, BASE_SPACE, COMMON_DENOMINATOR, BACKWARD = 0x80, 0x40, 0x08, 0x04
DENOMINATOR = 10**6
MOST_STOPS = 32  # more than any screen or camera; beyond it the metadata are damaged
OFFSET = 1 / 64  # k of both pictures where nothing else is said

Triple = tuple[float, ...]  # of red, green and blue


class GainMap(NamedTuple):
    """Metadata of a gain map; stops are powers of two, three numbers for red, green and blue."""

    low: Triple
    high: Triple
    gamma: Triple
    base_offset: Triple
    offset: Triple
    headroom: float  # stops above white of a screen that shows all of it
    in_base_primaries: bool = True  # else in those of the map's own ICC profile

    def light(self, base: np.ndarray, values: np.ndarray, channel: int) -> np.ndarray:
        """Light of the HDR picture.

        Args:
          base: linear light of the SDR picture in one channel, float32, any shape.
          values: of the gain map there, the same shape, in [0, 1].
          channel: 0, 1 or 2.

        Returns:
          float32, the same shape, 1 where the SDR picture's white is.
        """
        low, high, gamma, base_offset, offset = (np.float32(triple[channel]) for triple in self[:5])
        powered = values if gamma == 1 else values ** (1 / gamma)
        return (base + base_offset) * np.exp2(low + (high - low) * powered) - offset


def checked(gain_map: GainMap) -> GainMap:
    """The same, if the numbers can be meant.

    Args:
      gain_map: as it was read.

    Returns:
      It.

    Raises:
      ValueError: for others.
    """
    numbers = np.array(gain_map[:5])
    good = np.isfinite(numbers).all() and np.isfinite(gain_map.headroom)
    if not good or np.abs(numbers).max() > MOST_STOPS or min(gain_map.gamma) <= 0.01:
        raise ValueError("the metadata of its gain map make no sense")
    return gain_map


def from_iso(blob: bytes) -> GainMap:
    """Metadata in the form of ISO 21496-1, annex C.2, behind its name.

    Args:
      blob: versions, flags, and fractions.

    Returns:
      The metadata.

    Raises:
      Unsupported: for a newer version, or an HDR picture whose gain map leads to the SDR one.
      ValueError: if it is cut short or makes no sense.

    Example:
      >>> from_iso(to_iso(plain(0.0, 3.0, 3.0))).high
      (3.0, 3.0, 3.0)
    """
    try:
        return _from_iso(blob)
    except struct.error as error:
        raise ValueError("the metadata of its gain map are cut short") from error


def _from_iso(blob: bytes) -> GainMap:
    """As `from_iso`; struct.error where it is cut short."""
    version, _, flags = struct.unpack_from(">HHB", blob)
    if version:
        raise Unsupported(f"has a gain map of version {version} of ISO 21496-1; expected 0")
    channels = 3 if flags & MULTICHANNEL else 1
    numbers = _fractions(blob[5:], 2 + 5 * channels, bool(flags & COMMON_DENOMINATOR))
    base, headroom = numbers[:2]
    if flags & BACKWARD or base > headroom:
        raise Unsupported("is an HDR picture whose gain map leads to the ordinary one")
    low, high, gamma, base_offset, offset = (triple(numbers[2 + k :: 5]) for k in range(5))
    in_base = bool(flags & BASE_SPACE)
    return checked(GainMap(low, high, gamma, base_offset, offset, headroom, in_base))


def _fractions(blob: bytes, count: int, common: bool) -> list[float]:
    """Numbers as fractions, of one denominator or of their own; which are signed is their place."""
    signs = ["I", "I", *["i", "i", "I", "i", "i"] * ((count - 2) // 5)]
    if common:
        denominator, *above = struct.unpack_from(">I" + "".join(signs), blob)
        below = [denominator] * count
    else:
        pairs = struct.unpack_from(">" + "".join(sign + "I" for sign in signs), blob)
        above, below = pairs[::2], pairs[1::2]
    if 0 in below:
        raise ValueError("the metadata of its gain map divide by zero")
    return [a / b for a, b in zip(above, below, strict=True)]


def to_iso(gain_map: GainMap) -> bytes:
    """The same metadata for all channels, as `from_iso` reads them.

    Args:
      gain_map: with equal numbers for the channels.

    Returns:
      61 bytes.
    """
    numbers = [0.0, gain_map.headroom, *(triple[0] for triple in gain_map[:5])]
    fractions = (struct.pack(">iI", round(x * DENOMINATOR), DENOMINATOR) for x in numbers)
    return struct.pack(">HHB", 0, 0, BASE_SPACE) + b"".join(fractions)


def triple(numbers) -> Triple:
    """Three numbers of one or three.

    Args:
      numbers: an iterable of them.

    Returns:
      Floats.

    Raises:
      ValueError: for another count.

    Example:
      >>> triple([1])
      (1.0, 1.0, 1.0)
    """
    numbers = tuple(float(x) for x in numbers)
    if len(numbers) not in (1, 3):
        raise ValueError("the metadata of its gain map have neither one nor three numbers")
    return numbers * 3 if len(numbers) == 1 else numbers


def plain(low: float, high: float, headroom: float) -> GainMap:
    """Metadata that are the same for all channels, gamma 1.

    Args:
      low, high: stops of gain at the values 0 and 1.
      headroom: stops above white.

    Returns:
      The metadata.

    Example:
      >>> plain(0, 3, 3).gamma
      (1, 1, 1)
    """
    return GainMap((low,) * 3, (high,) * 3, (1,) * 3, (OFFSET,) * 3, (OFFSET,) * 3, headroom)
