"""Files of pictures made with struct and zlib alone, so that no reader is tested by its own writer.

A picture is unsigned integers or floats [h, w, 3] or [h, w, 1] as it is seen: upright, black at 0,
colours not multiplied by alpha. The writers store it as their options say.
"""

import struct
import zlib

import numpy as np

# EXIF orientation -> what brings a picture as it is seen into the order in which it is stored.
STORED = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: x[:, ::-1].swapaxes(0, 1),
    7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
    8: lambda x: x[::-1].swapaxes(0, 1),
}
BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SRATIONAL, LONG8 = 1, 2, 3, 4, 5, 7, 10, 16
CODES = {BYTE: "B", ASCII: "s", SHORT: "H", LONG: "I", UNDEFINED: "s", LONG8: "Q"}


def exif_tags(
    *, orientation=None, time=None, shutter=None, iso=None, f_number=None, aperture=None
) -> dict:
    """EXIF tags {tag: (type, values)}; rationals are (numerator, denominator) pairs."""
    tags = {
        0x0112: orientation and (SHORT, [orientation]),
        0x829A: time and (RATIONAL, [time]),
        0x829D: f_number and (RATIONAL, [f_number]),
        0x8827: iso and (SHORT, [iso]),
        0x9201: shutter and (SRATIONAL, [shutter]),
        0x9202: aperture and (RATIONAL, [aperture]),
    }
    return {tag: value for tag, value in tags.items() if value}


def directory(tags: dict, at: int, order: str, big: bool = False, following: int = 0) -> bytes:
    """A TIFF directory that lies at offset `at`, with the values that do not fit into it."""
    size, count_code, word = (20, "Q", "Q") if big else (12, "H", "I")
    entries, values = [], b""
    after = at + struct.calcsize("=" + count_code) + size * len(tags) + struct.calcsize("=" + word)
    for tag, (kind, data) in sorted(tags.items()):
        packed = _packed(kind, data, order)
        count = len(data) if kind not in (ASCII, UNDEFINED) else len(packed)
        room = 8 if big else 4
        if len(packed) > room:
            offset = after + len(values)
            values += packed + b"\0" * (len(packed) % 2)
            packed = struct.pack(order + word, offset)
        entries.append(
            struct.pack(f"{order}HH{word}", tag, kind, count) + packed.ljust(room, b"\0")
        )
    head = struct.pack(order + count_code, len(tags))
    return head + b"".join(entries) + struct.pack(order + word, following) + values


def _packed(kind: int, data, order: str) -> bytes:
    """The values of one tag."""
    if kind in (ASCII, UNDEFINED):
        return bytes(data)
    if kind in (RATIONAL, SRATIONAL):
        code = order + ("II" if kind == RATIONAL else "ii")
        return b"".join(struct.pack(code, *pair) for pair in data)
    return b"".join(struct.pack(order + CODES[kind], value) for value in data)


def exif_block(**tags) -> bytes:
    """EXIF data, to be put into a PNG (eXIf), a WebP or behind `Exif\\0\\0` into a JPEG."""
    tags = exif_tags(**tags)
    main = {tag: value for tag, value in tags.items() if tag < 0x8000}
    sub = {tag: value for tag, value in tags.items() if tag >= 0x8000}
    main[0x8769] = (LONG, [0])
    length = len(directory(main, 8, "<"))
    main[0x8769] = (LONG, [8 + length])
    return (
        b"II*\0" + struct.pack("<I", 8) + directory(main, 8, "<") + directory(sub, 8 + length, "<")
    )


def adobe_exif() -> bytes:
    """EXIF of a camera that took a picture in Adobe RGB: interoperability index R03."""
    first = directory({0x8769: (LONG, [26])}, 8, "<")
    second = directory({0xA001: (SHORT, [65535]), 0xA005: (LONG, [56])}, 26, "<")
    return b"II*\0\x08\0\0\0" + first + second + directory({1: (ASCII, b"R03\0")}, 56, "<")


def stored(picture, alpha, photometric: int, associated: bool, orientation: int) -> np.ndarray:
    """The samples [h', w', s] that a file holds of a picture."""
    top = np.iinfo(picture.dtype).max if picture.dtype.kind == "u" else 1
    samples = picture.astype(np.float64)
    if associated:
        samples = samples * alpha[..., None] / top
    if photometric == 0:
        samples = top - samples
    if alpha is not None:
        samples = np.concatenate([samples, alpha[..., None]], axis=-1)
    if picture.dtype.kind == "u":
        samples = np.rint(samples)
    return np.ascontiguousarray(STORED[orientation](samples).astype(picture.dtype))


def tiff(
    picture: np.ndarray,
    *,
    alpha: np.ndarray | None = None,
    associated: bool = False,
    photometric: int | None = None,
    orientation: int = 1,
    planar: int = 1,
    compression: int = 1,
    predictor: int = 1,
    rows: int = 7,
    tile: int | None = None,
    order: str = "<",
    big: bool = False,
    tags: dict | None = None,
    samples: np.ndarray | None = None,
    bits: int | None = None,
) -> bytes:
    """A TIFF file of one picture.

    `photometric` 0 is white at zero, 1 black at zero, 2 RGB, or others with `samples` given as they
    are stored; `compression` 1 none, 5 LZW, 8 deflate, 32773 PackBits; `predictor` 2 stores
    differences; `tile` is the side of tiles in place of strips of `rows` rows; `bits` packs samples
    of fewer bits than their type has.
    """
    if photometric is None:
        photometric = 2 if picture.shape[2] == 3 else 1
    if samples is None:
        samples = stored(picture, alpha, photometric, associated, orientation)
    height, width, depth = samples.shape
    planes = [samples] if planar == 1 else [samples[..., k : k + 1] for k in range(depth)]
    pieces = [
        _compressed(piece, compression, predictor, order, bits)
        for plane in planes
        for piece in (_tiles(plane, tile) if tile else _strips(plane, rows))
    ]
    kind = {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
    found = {
        256: (LONG, [width]), 257: (LONG, [height]),
        258: (SHORT, [bits or 8 * samples.itemsize] * depth), 259: (SHORT, [compression]),
        262: (SHORT, [photometric]), 274: (SHORT, [orientation]), 277: (SHORT, [depth]),
        284: (SHORT, [planar]), 317: (SHORT, [predictor]), 339: (SHORT, [kind] * depth),
    }  # fmt: skip
    if alpha is not None:
        found[338] = (SHORT, [1 if associated else 2])
    offsets, counts = (324, 325) if tile else (273, 279)
    if tile:
        found |= {322: (LONG, [tile]), 323: (LONG, [tile])}
    else:
        found[278] = (LONG, [rows])
    main = {tag: value for tag, value in (tags or {}).items() if tag < 0x8000 or tag > 0xA500}
    sub = {tag: value for tag, value in (tags or {}).items() if 0x8000 <= tag <= 0xA500}
    found |= main
    start = 16 if big else 8
    found[counts] = (LONG, [len(piece) for piece in pieces])
    found[offsets] = (LONG8 if big else LONG, [0] * len(pieces))
    if sub:
        found[0x8769] = (LONG, [0])
    length = len(directory(found, start, order, big))
    exif = directory(sub, start + length, order, big) if sub else b""
    if sub:
        found[0x8769] = (LONG, [start + length])
    first = start + length + len(exif)
    places = np.cumsum([first, *(len(piece) for piece in pieces)])[:-1].tolist()
    found[offsets] = (found[offsets][0], places)
    mark = (b"II" if order == "<" else b"MM") + (
        struct.pack(order + "HHHQ", 43, 8, 0, 16) if big else struct.pack(order + "HI", 42, 8)
    )
    return b"".join([mark, directory(found, start, order, big), exif, *pieces])


def _strips(plane: np.ndarray, rows: int) -> list[np.ndarray]:
    """Strips of a plane [h, w, s]."""
    return [plane[start : start + rows] for start in range(0, len(plane), rows)]


def _tiles(plane: np.ndarray, side: int) -> list[np.ndarray]:
    """Tiles of a plane [h, w, s], padded with ones at the ends."""
    padding = [(0, -size % side) for size in plane.shape[:2]] + [(0, 0)]
    plane = np.pad(plane, padding, constant_values=1)
    return [
        plane[y : y + side, x : x + side]
        for y in range(0, plane.shape[0], side)
        for x in range(0, plane.shape[1], side)
    ]


def _packed_bits(row: np.ndarray, bits: int) -> bytes:
    """Values of a row, so many bits each, the highest first."""
    text = "".join(f"{int(value):0{bits}b}" for value in row.ravel())
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big") if text else b""


def _compressed(
    piece: np.ndarray, compression: int, predictor: int, order: str, bits: int | None
) -> bytes:
    """The bytes of a strip or a tile."""
    if bits is not None:
        return b"".join(_packed_bits(row, bits) for row in piece)
    if predictor == 2:
        piece = np.concatenate([piece[:, :1], np.diff(piece, axis=1)], axis=1)
    data = piece.astype(piece.dtype.newbyteorder(order)).tobytes()
    if predictor == 3:  # bytes of the same rank side by side, high ones first, then differences
        raw = np.frombuffer(piece.astype(piece.dtype.newbyteorder(">")).tobytes(), np.uint8)
        raw = raw.reshape(len(piece), -1, piece.itemsize).transpose(0, 2, 1)
        raw = raw.reshape(len(piece), -1, piece.shape[2])
        data = np.concatenate([raw[:, :1], np.diff(raw, axis=1)], axis=1).tobytes()
    if compression == 5:
        return _lzw(data)
    if compression == 8:
        return zlib.compress(data)
    if compression == 32773:
        runs = [data[k : k + 128] for k in range(0, len(data), 128)]
        return b"".join(bytes([len(run) - 1]) + run for run in runs)
    return data


def _lzw(data: bytes) -> bytes:
    """LZW that only ever uses codes of 9 bits: literals, with the table cleared in time."""
    codes = []
    for k, byte in enumerate(data):
        codes += [256] if k % 250 == 0 else []
        codes.append(byte)
    text = "".join(f"{code:09b}" for code in [*codes, 257])
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


def png(
    picture: np.ndarray,
    *,
    alpha: np.ndarray | None = None,
    orientation: int = 1,
    palette: np.ndarray | None = None,
    transparent: bytes | None = None,
    interlaced: bool = False,
    bits: int | None = None,
    exif: bytes | None = None,
) -> bytes:
    """A PNG file. `palette` [k, 3] makes `picture` [h, w, 1] its indices; `transparent` is tRNS."""
    samples = stored(picture, alpha, 1, False, orientation)
    height, width, depth = samples.shape
    bits = bits or 8 * samples.itemsize
    colour = 3 if palette is not None else {1: 0, 2: 4, 3: 2, 4: 6}[depth]
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2)]
        passes += [(0, 1, 2, 2), (1, 0, 2, 1)]
    lines = b""
    for y, x, down, right in passes:
        for row in samples[y::down, x::right]:
            if bits < 8:
                data = _packed_bits(row, bits)
            else:
                data = row.astype(row.dtype.newbyteorder(">")).tobytes()
            lines += b"\0" + data if data else b""
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, int(interlaced))
    chunks = [(b"IHDR", head)]
    if exif is not None or orientation != 1:
        chunks.append((b"eXIf", exif or exif_block(orientation=orientation)))
    if palette is not None:
        chunks.append((b"PLTE", palette.astype(np.uint8).tobytes()))
    if transparent is not None:
        chunks.append((b"tRNS", transparent))
    chunks += [(b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def radiance(
    pixels: np.ndarray,
    *,
    axes: str = "-Y +X",
    runs: str = "new",
    lines: tuple[str, ...] = ("FORMAT=32-bit_rle_rgbe",),
    end: str = "\n",
) -> bytes:
    """A Radiance picture of mantissas and exponents uint8 [h, w, 4], from the top left.

    `axes` is the order of scan lines and pixels; `runs` is "none", "old" or "new".
    """
    first, second = axes.split()
    if first[1] == "X":
        pixels = pixels.swapaxes(0, 1)
    flips = [sign + axis for sign, axis in (("+", "Y"), ("-", "X"))]
    pixels = pixels[:: -1 if first in flips else 1, :: -1 if second in flips else 1]
    size = f"{first} {pixels.shape[0]} {second} {pixels.shape[1]}"
    head = end.join(["#?RADIANCE", *lines, "", size]) + end
    coded = {"none": np.ndarray.tobytes, "old": _old_runs, "new": _new_runs}[runs]
    return head.encode() + b"".join(coded(np.ascontiguousarray(line)) for line in pixels)


def _old_runs(line: np.ndarray) -> bytes:
    """Pixels, and (1, 1, 1, n) for n more of the pixel before; counts of more than a byte too."""
    data, k = b"", 0
    while k < len(line):
        same = k + 1
        while same < len(line) and (line[same] == line[k]).all():
            same += 1
        data += line[k].tobytes()
        count = same - k - 1
        while count:
            data += bytes([1, 1, 1, count & 255])
            count >>= 8
        k = same
    return data


def _new_runs(line: np.ndarray) -> bytes:
    """The four components of a scan line, each with runs of up to 127 and spans of up to 128."""
    data = struct.pack(">BBH", 2, 2, len(line))
    for component in line.T:
        k = 0
        while k < len(component):
            same = k + 1
            while same < min(len(component), k + 127) and component[same] == component[k]:
                same += 1
            if same - k > 2:
                data += bytes([128 + same - k, component[k]])
            else:
                same = min(k + 128, len(component), same)
                data += bytes([same - k]) + component[k:same].tobytes()
            k = same
    return data


def dng(mosaic: np.ndarray, thumbnail: np.ndarray, tags: dict | None = None) -> bytes:
    """A DNG file: directory 0 is an RGB thumbnail, its SubIFD the mosaic uint16 [h, w] (RGGB)."""

    def base(width, height, samples, bits, photometric, reduced):
        return {
            254: (LONG, [int(reduced)]), 256: (LONG, [width]), 257: (LONG, [height]),
            258: (SHORT, [bits] * samples), 259: (SHORT, [1]), 262: (SHORT, [photometric]),
            273: (LONG, [0]), 277: (SHORT, [samples]), 278: (LONG, [height]), 279: (LONG, [0]),
        }  # fmt: skip

    h, w = mosaic.shape
    sub = base(w, h, 1, 16, 32803, False)
    sub |= {33421: (SHORT, [2, 2]), 33422: (BYTE, [0, 1, 1, 2])}
    main = base(thumbnail.shape[1], thumbnail.shape[0], 3, 8, 2, True)
    main |= {271: (ASCII, b"Maker\0"), 272: (ASCII, b"Model\0"), 274: (SHORT, [1])}
    main |= {330: (LONG, [0]), 50706: (BYTE, [1, 4, 0, 0]), 50708: (ASCII, b"Maker Model\0")}
    main[0x8769] = (LONG, [0])
    parts = [thumbnail.astype(np.uint8).tobytes(), mosaic.astype("<u2").tobytes()]
    places = [8 + len(directory(main, 8, "<"))]
    for block in (directory(sub, 0, "<"), directory(tags or {}, 0, "<"), *parts):
        places.append(places[-1] + len(block))
    main |= {330: (LONG, [places[0]]), 0x8769: (LONG, [places[1]])}
    main |= {273: (LONG, [places[2]]), 279: (LONG, [len(parts[0])])}
    sub |= {273: (LONG, [places[3]]), 279: (LONG, [len(parts[1])])}
    blocks = directory(sub, places[0], "<"), directory(tags or {}, places[1], "<")
    return b"".join([b"II*\0", struct.pack("<I", 8), directory(main, 8, "<"), *blocks, *parts])


def exr(channels: dict[str, tuple[np.ndarray, int]], chromaticities=None) -> bytes:
    """An OpenEXR picture without compression. Channels are (float32 [h, w], step): the plane holds
    every step-th pixel of every step-th row of the picture."""
    height, width = (max(p.shape[k] * step for p, step in channels.values()) for k in (0, 1))
    names = sorted(channels)
    listed = b"".join(
        name.encode() + b"\0" + struct.pack("<iiii", 2, 0, *[channels[name][1]] * 2)
        for name in names
    )
    window = struct.pack("<iiii", 0, 0, width - 1, height - 1)
    attributes = [
        (b"channels", b"chlist", listed + b"\0"), (b"compression", b"compression", b"\0"),
        (b"dataWindow", b"box2i", window), (b"displayWindow", b"box2i", window),
        (b"lineOrder", b"lineOrder", b"\0"), (b"pixelAspectRatio", b"float", struct.pack("<f", 1)),
        (b"screenWindowCenter", b"v2f", bytes(8)), (b"screenWindowWidth", b"float", bytes(4)),
    ]  # fmt: skip
    if chromaticities is not None:
        data = struct.pack("<8f", *chromaticities)
        attributes.append((b"chromaticities", b"chromaticities", data))
    head = struct.pack("<II", 20000630, 2) + b"".join(
        b"\0".join([name, kind, struct.pack("<I", len(data)) + data])
        for name, kind, data in attributes
    )
    lines = []
    for y in range(height):
        rows = ((plane, step) for plane, step in map(channels.get, names) if y % step == 0)
        data = b"".join(plane[y // step].astype("<f4").tobytes() for plane, step in rows)
        lines.append(struct.pack("<ii", y, len(data)) + data)
    first = len(head) + 1 + 8 * height
    places = first + np.cumsum([0, *(len(line) for line in lines[:-1])])
    return b"".join([head, b"\0", places.astype("<u8").tobytes(), *lines])


# Primaries of Adobe RGB (1998) as XYZ under D50, columns R, G, B; its gamma.
ADOBE_D50 = np.array(
    [[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]]
)
ADOBE_GAMMA = 563 / 256
# The same of ProPhoto RGB (ROMM), ISO 22028-2.
PROPHOTO_D50 = np.array(
    [[0.7976749, 0.1351917, 0.0313534], [0.2880402, 0.7118741, 0.0000857], [0, 0, 0.8252100]]
)


# Primaries of sRGB as XYZ under D50, columns R, G, B.
SRGB_D50 = np.array(
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
)


def adobe_profile():
    """The profile of Adobe RGB (1998)."""
    return matrix_profile(ADOBE_D50, ADOBE_GAMMA)


def prophoto_profile():
    """The profile of ProPhoto RGB, whose white is D50."""
    return matrix_profile(PROPHOTO_D50, 1.8)


def matrix_profile(columns, gamma):
    """A profile by ICC.1:2001-04: header, tag table, XYZ and curve tags."""

    def number(x):
        return struct.pack(">i", round(x * 65536))

    def xyz(values):
        return b"XYZ \0\0\0\0" + b"".join(map(number, values))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    text = b"desc\0\0\0\0" + struct.pack(">I", 2) + b"A\0" + b"\0" * 79
    tags = {b"wtpt": xyz((0.9642, 1, 0.8249)), b"desc": text + b"\0" * (-len(text) % 4)}
    for i, name in enumerate(b"rgb"):
        tags[bytes([name]) + b"XYZ"] = xyz(columns[:, i])
        tags[bytes([name]) + b"TRC"] = curve
    tags[b"cprt"] = b"text\0\0\0\0none\0\0\0\0"
    table, body, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    size = struct.pack(">I", offset + len(body))
    header = size + b"\0\0\0\0" + b"\x02\x10\0\0" + b"mntrRGB XYZ " + b"\0" * 12 + b"acsp"
    header += b"\0" * 28 + number(0.9642) + number(1) + number(0.8249)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
