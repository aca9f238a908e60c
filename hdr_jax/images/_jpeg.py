"""JPEG files as what they are made of: segments, and pictures one behind the other."""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

EOI, SOS = 0xD9, 0xDA
APP0, APP1, APP2, COMMENT = 0xE0, 0xE1, 0xE2, 0xFE
XMP, EXIF = b"http://ns.adobe.com/xap/1.0/\0", b"Exif\0\0"
MULTI_PICTURE = b"MPF\0"
MOST_PICTURES = 16  # in one file; phones store up to four
# Within compressed data 0xFF is followed by 0, or by a restart marker, which has no length.
IN_DATA = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


class Picture(NamedTuple):
    """One JPEG picture of a file: its bytes, and (marker, payload) of what precedes its data."""

    data: bytes
    segments: list[tuple[int, bytes]]

    def payloads(self, marker: int, name: bytes) -> list[bytes]:
        """What follows the name in the segments that begin with it."""
        return [
            payload.removeprefix(name)
            for found, payload in self.segments
            if found == marker and payload.startswith(name)
        ]


def pictures(data: bytes) -> Iterator[Picture]:
    """The pictures of a file in order; what is between and behind them (video) is passed over.

    Args:
      data: the file; its first picture begins at once.

    Yields:
      At least one picture; the last one may be cut short.

    Raises:
      ValueError: where the first picture has no sound segments.
    """
    start = 0
    for k in range(MOST_PICTURES):
        try:
            segments, end = _walked(data, start)
            yield Picture(data[start:end], segments)
        except ValueError:
            if k == 0:
                raise
            end = start + 2  # something else that happens to begin alike
        start = data.find(b"\xff\xd8\xff", end)
        if start < 0:
            return


def _walked(data: bytes, start: int) -> tuple[list[tuple[int, bytes]], int]:
    """The segments before the compressed data of the picture at `start`, and where it ends."""
    segments, position, compressed = [], start + 2, False
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            raise ValueError("a segment of the JPEG does not begin where the one before ends")
        marker = data[position + 1]
        if marker == EOI:
            return segments, position + 2
        if marker == 0xFF:  # padding
            position += 1
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        if not compressed:
            segments.append((marker, data[position + 4 : position + 2 + length]))
        position += 2 + length
        if marker == SOS:
            compressed = True
            following = IN_DATA.search(data, position)
            if not following:
                break
            position = following.start()
    if data[position : position + 2] == b"\xff\xd9":
        return segments, position + 2
    return segments, len(data)


def joined(segments: list[tuple[int, bytes]]) -> bytes:
    """Segments as they stand in a file.

    Args:
      segments: marker and payload, at most 65533 bytes, of each.

    Returns:
      Their bytes.

    Raises:
      ValueError: for a longer payload.

    Example:
      >>> joined([(APP1, b"ab")])
      b'\\xff\\xe1\\x00\\x04ab'
    """
    if any(len(payload) > 65533 for _, payload in segments):
        raise ValueError("a segment of a JPEG holds at most 65533 bytes")
    return b"".join(
        struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload
        for marker, payload in segments
    )


def with_segments(picture: Picture, added: list[tuple[int, bytes]], dropped) -> bytes:
    """A picture with other segments, its compressed data untouched.

    Args:
      picture: of `pictures`.
      added: segments that go behind JFIF and EXIF, which have to be the first.
      dropped: function (marker, payload) -> whether a segment is left out.

    Returns:
      The bytes of the new picture.
    """
    before = 2 + len(joined(picture.segments))
    if picture.data[2:before] != joined(picture.segments):
        raise ValueError("the JPEG has padding between its segments")
    kept = [segment for segment in picture.segments if not dropped(*segment)]
    first = [
        segment
        for segment in kept
        if segment[0] == APP0 or (segment[0] == APP1 and segment[1].startswith(EXIF))
    ]
    rest = [segment for segment in kept if segment not in first]
    return picture.data[:2] + joined(first + added + rest) + picture.data[before:]


def multi_picture(place: int, sizes: list[int]) -> bytes:
    """The segment that tells where the pictures of a file are.

    Args:
      place: of the payload in the file, behind the segment's marker and length.
      sizes: bytes of the first picture, which holds this segment, and of those behind it.

    Returns:
      The payload, whose length depends on the number of pictures alone.

    Source: CIPA DC-007-2021, Multi-Picture Format, 5.2.
    """
    count, entries, offset = len(sizes), b"", 0
    for k, size in enumerate(sizes):
        kind = 0 if k else 0x030000  # the first is the primary picture, the others undefined
        entries += struct.pack(">IIIHH", kind, size, offset - place - 4 if k else 0, 0, 0)
        offset += size
    index = struct.pack(">2sHIH", b"MM", 42, 8, 3)
    index += struct.pack(">HHI4s", 0xB000, 7, 4, b"0100")
    index += struct.pack(">HHII", 0xB001, 4, 1, count)
    index += struct.pack(">HHII", 0xB002, 7, len(entries), len(index) + 12 + 4)
    return MULTI_PICTURE + index + struct.pack(">I", 0) + entries
