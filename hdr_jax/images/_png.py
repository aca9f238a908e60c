"""What the chunks of a PNG say of its levels; it is not decoded."""

import os
import pathlib
import struct
from typing import NamedTuple

CODED_EXPONENTS = {4: 2.2, 5: 2.8}  # of the transfers that are powers, by ITU-T H.273
COLOUR_CHUNKS = {b"cICP": 4, b"sRGB": 1, b"gAMA": 4, b"cHRM": 32}  # and their bytes


class Coding(NamedTuple):
    """What the chunks of a PNG say of its levels: code points of ITU-T H.273 (2 is unspecified),
    and what gAMA and cHRM hold where no other chunk outranks them."""

    primaries: int = 2
    transfer: int = 2
    full_range: bool = True
    exponent: float | None = None
    chromaticities: tuple[float, ...] | None = None


def coded(path: pathlib.Path) -> Coding:
    """What a PNG says of its levels beside a profile, which its chunk cICP outranks.

    Args:
      path: of the PNG.

    Returns:
      What its chunks say.

    Source: Portable Network Graphics, third edition, 4.3.
    """
    chunks: dict[bytes, bytes] = {}
    with path.open("rb") as file:
        file.seek(len(b"\x89PNG\r\n\x1a\n"))
        while len(head := file.read(8)) == 8:
            size, kind = struct.unpack(">I4s", head)
            if kind == b"IDAT":
                break
            if kind in COLOUR_CHUNKS and size == COLOUR_CHUNKS[kind]:
                chunks[kind] = file.read(size)
                size = 0
            elif kind == b"iCCP":
                chunks[kind] = b""
            file.seek(size + 4, os.SEEK_CUR)
    if b"cICP" in chunks:
        primaries, transfer, _, full_range = chunks[b"cICP"]
        return Coding(primaries, transfer, bool(full_range), CODED_EXPONENTS.get(transfer))
    if b"iCCP" in chunks or b"sRGB" in chunks:
        return Coding()
    (gamma,) = struct.unpack(">I", chunks.get(b"gAMA", bytes(4)))
    corners = struct.unpack(">8I", chunks[b"cHRM"]) if b"cHRM" in chunks else ()
    # Stored are white, red, green and blue, and the exponent from light to levels.
    chromaticities = tuple(x / 1e5 for x in (*corners[2:], *corners[:2])) or None
    return Coding(exponent=1e5 / gamma if gamma else None, chromaticities=chromaticities)
