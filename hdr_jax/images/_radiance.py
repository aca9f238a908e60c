"""Radiance pictures (.hdr, .pic): every variant of the format.

A header of lines up to an empty one; a line with the order and the number of the scan lines; scan
lines of four bytes a pixel, mantissas and the common exponent. These are stored plainly, by the
run lengths of the first version (a pixel 1, 1, 1, n repeats the one before), or each component by
itself (a scan line that begins with 2, 2 and its length).
Source: Ward, "Real pixels", Graphics Gems II, 1991; the format's page in the Radiance manual.
"""

import contextlib
import pathlib
import re

import numpy as np

from hdr_jax.images._paths import Unsupported, check_size, warn
from hdr_jax.images._primaries import XYZ, in_rec709

RGBE = "32-bit_rle_rgbe"
FORMATS = {RGBE: None, "32-bit_rle_xyze": XYZ}  # and their primaries
RESOLUTION = re.compile(rb"([-+])([XY]) (\d{1,9}) ([-+])([XY]) (\d{1,9})\s*")
LONGEST_HEADER = 2**16
# Scan lines of these lengths can be stored component by component.
SHORTEST_RUN, LONGEST_RUN = 8, 32767


def read(path: pathlib.Path) -> np.ndarray:
    """The light of a Radiance picture, in the primaries of Rec.709.

    Args:
      path: of the file.

    Returns:
      float32 [h, w, 3]: what is stored, divided by the product of the lines `EXPOSURE=` and, for
      each channel, of `COLORCORR=`.

    Raises:
      Unsupported: for another format or a size beyond all bounds.
      ValueError: if the file is damaged.
    """
    data = path.read_bytes()
    if not data.startswith(b"#?"):
        raise ValueError("it does not begin with #?RADIANCE")
    variables, start = _header(data)
    name = variables.get("FORMAT", [RGBE])[-1]
    if name not in FORMATS:
        raise Unsupported(f"has FORMAT={name}; expected {' or '.join(FORMATS)}")
    found = RESOLUTION.fullmatch(data[start : data.find(b"\n", start) + 1])
    if not found or found[2] == found[5]:
        raise ValueError("its header ends without the numbers of rows and columns")
    start += len(found[0])
    lines, length = int(found[3]), int(found[6])
    check_size(length, lines)
    light = _light(_scan_lines(memoryview(data)[start:], lines, length))
    light /= _divisor(path, variables)
    light = _in_reading_order(light, *(text.decode() for text in found.group(1, 2, 4)))
    return in_rec709(light, _primaries(variables, name))


def chromaticities(head: bytes) -> tuple[float, ...] | None:
    """What a Radiance picture tells of its primaries.

    Args:
      head: the first bytes of the file, with the whole header.

    Returns:
      Eight numbers, or None where it tells nothing.
    """
    variables, _ = _header(head)
    return _primaries(variables, variables.get("FORMAT", [RGBE])[-1])


def _header(data: bytes) -> tuple[dict[str, list[str]], int]:
    """The variables of the header, each with all its values, and where the header ends."""
    variables: dict[str, list[str]] = {}
    start = data.find(b"\n") + 1
    while 0 < start < LONGEST_HEADER and (end := data.find(b"\n", start)) >= 0:
        # A line that begins with a blank belongs to a picture that this one was made from.
        line = data[start:end].decode("latin-1").removesuffix("\r")
        start = end + 1
        if not line:
            return variables, start
        name, equals, value = line.partition("=")
        if equals and not line.startswith(("#", "\t", " ")):
            variables.setdefault(name.strip().upper(), []).append(value.strip())
    raise ValueError("its header has no end")


def _numbers(variables: dict[str, list[str]], name: str, count: int) -> np.ndarray:
    """All values of a variable, [lines, count], finite."""
    lines = variables.get(name, [])
    with contextlib.suppress(ValueError):  # of what is no number, or not as many in each line
        values = np.array([line.split() for line in lines], np.float64).reshape(len(lines), count)
        if np.isfinite(values).all():
            return values
    raise ValueError(f"its header has {name}={' / '.join(lines)}")


def _divisor(path: pathlib.Path, variables: dict[str, list[str]]) -> np.ndarray:
    """What the stored values are to be divided by, float32 [3]."""
    factors = _numbers(variables, "EXPOSURE", 1).prod() * _numbers(variables, "COLORCORR", 3).prod(
        0
    )
    if not (np.isfinite(factors) & (factors > 0)).all():
        raise ValueError(f"its header makes the exposure {factors.tolist()}")
    for name, meaning in (("GAMMA", "are not linear"), ("PIXASPECT", "are not square")):
        values = _numbers(variables, name, 1)
        if (np.abs(values - 1) > 1e-3).any():
            warn(
                path,
                f"has {name}={values[-1, 0]:g}: its pixels {meaning}, and are read as they are",
            )
    return factors.astype(np.float32)


def _primaries(variables: dict[str, list[str]], name: str) -> tuple[float, ...] | None:
    """The chromaticities of a format, or those that the header gives."""
    given = _numbers(variables, "PRIMARIES", 8)
    return FORMATS[name] or (tuple(given[-1]) if len(given) else None)


def _in_reading_order(image: np.ndarray, first_sign: str, first: str, second_sign: str):
    """Scan lines [lines, length, ...] as rows from the top, each from the left."""
    # Y counts from the bottom to the top, X from the left to the right.
    if first_sign == ("+" if first == "Y" else "-"):
        image = image[::-1]
    if second_sign == ("-" if first == "Y" else "+"):
        image = image[:, ::-1]
    return image if first == "Y" else image.swapaxes(0, 1)


def _light(pixels: np.ndarray) -> np.ndarray:
    """float32 [..., 3] of mantissas and exponents uint8 [..., 4]."""
    scale = np.ldexp(np.float32(1), np.arange(256) - 136)
    scale[0] = 0
    return pixels[..., :3] * scale.astype(np.float32)[pixels[..., 3:]]


def _scan_lines(data: memoryview, lines: int, length: int) -> np.ndarray:
    """Pixels uint8 [lines, length, 4] of the scan lines."""
    if len(data) < 4 * lines:  # before memory is asked for
        raise ValueError(f"it holds {len(data)} bytes of {lines} scan lines")
    pixels = np.empty((lines, length, 4), np.uint8)
    position = 0
    for k in range(lines):
        head = bytes(data[position : position + 4])
        by_component = SHORTEST_RUN <= length <= LONGEST_RUN and head[:2] == b"\2\2"
        if by_component and head[2] < 128:
            if head[2] * 256 + head[3] != length:
                raise ValueError(f"scan line {k} has another length")
            row, position = _components(data, position + 4, length)
            pixels[k] = np.frombuffer(row, np.uint8).reshape(4, length).T
        else:
            pixels[k], position = _plain(data, position, length)
    return pixels


def _components(data: memoryview, position: int, length: int) -> tuple[bytearray, int]:
    """The four components of a scan line, one after the other, and where the next line begins."""
    row = bytearray()
    for end in range(length, 4 * length + 1, length):
        while len(row) < end:
            if position >= len(data):
                raise ValueError("it ends within a scan line")
            count = data[position]
            if count > 128:
                row += bytes(data[position + 1 : position + 2]) * (count - 128)
                position += 2
            else:
                row += data[position + 1 : position + 1 + count]
                position += 1 + count
            if count == 0 or len(row) > end:
                raise ValueError("a run is longer than its scan line")
    if position > len(data):
        raise ValueError("it ends within a scan line")
    return row, position


def _plain(data: memoryview, position: int, length: int) -> tuple[np.ndarray, int]:
    """A scan line [length, 4] pixel by pixel or with old run lengths, and where the next begins."""
    row = np.frombuffer(data[position : position + 4 * length], np.uint8)
    if len(row) == 4 * length and not (row.reshape(-1, 4)[:, :3] == 1).all(1).any():
        return row.reshape(-1, 4), position + 4 * length
    filled, shift = np.empty((length, 4), np.uint8), 0
    done = 0
    while done < length:
        pixel = np.frombuffer(data[position : position + 4], np.uint8)
        position += 4
        if len(pixel) < 4:
            raise ValueError("it ends within a scan line")
        if (pixel[:3] != 1).any():
            filled[done], shift = pixel, 0
            done += 1
            continue
        # Runs that follow each other are the digits of one count, the lowest first.
        count = int(pixel[3]) << shift
        if not done or done + count > length:
            raise ValueError("a run is longer than its scan line")
        filled[done : done + count] = filled[done - 1]
        done, shift = done + count, shift + 8
    return filled, position
