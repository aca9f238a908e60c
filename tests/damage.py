"""Damaged files: what the tests of readers and of commands change in good ones."""

import random


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Data with bytes changed, cut out, repeated, cut off, or replaced altogether."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        start, length = rng.randrange(len(data) + 1), rng.choice((1, 2, 4, 16, 200))
        kind = rng.randrange(6)
        if kind == 0:  # flip a few bits, most often in the header
            position = rng.randrange(min(len(data), rng.choice((40, 400, 10**6))) or 1)
            data[position : position + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            del data[start : start + length]
        elif kind == 2:
            data[start:start] = rng.randbytes(length)
        elif kind == 3:
            del data[start:]
        elif kind == 4:
            data[start : start + length] = rng.choice((b"\x00", b"\xff", b"nan,", b"-")) * length
        else:
            data[start:start] = data[max(0, start - length) : start]
    return bytes(data) if rng.random() > 0.02 else b""
