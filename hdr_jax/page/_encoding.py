"""Arrays as text in a page: integers, predicted from their neighbours, deflated, base64.

A radiance is stored as the bits of a half float, which as an integer grow with it nearly like its
logarithm: leaving out low bits leaves a relative precision, and the difference of two channels is
their ratio, which changes little over a picture. `assets/codec.js` unpacks.
"""

import base64
import zlib

import numpy as np

from hdr_jax.errors import InputError

MANTISSA_BITS = 10  # of a half float
FEWEST_BITS = 5
BYTES_PER_PIXEL = 2.85  # of text: a page of one megapixel stays below 3 MB
SMALL = 100_000  # bytes that any map may have


def packed_radiance(radiance: np.ndarray, bits: int | None = None) -> dict:
    """A radiance map as half floats with so many bits of mantissa.

    Args:
      radiance: [h, w, 3] float, linear, relative, finite. Values 28 stops darker than the
        brightest lose precision, and become 0 at 35 stops (5 bits) to 40 (10 bits).
      bits: of mantissa, 5 to 10; a value is right to 2^-(bits + 1), 0.4 % for 7. By default as many
        as 2.85 bytes of text a pixel have room for, and at least 5.

    Returns:
      As `packed`, with `shift`, the low bits left out, and `exponent`: a value is that of the half
      float whose bits are the stored integer times 2^shift, times 2^-exponent.

    Raises:
      InputError: for another shape, values that are not finite, or another number of bits.

    Not differentiable.
    Example:
      >>> stored = packed_radiance(np.full((2, 2, 3), 100.0), bits=7)
      >>> stored["width"], stored["shift"], stored["exponent"]
      (2, 3, 8)
    """
    radiance = np.asarray(radiance, np.float32)
    if radiance.ndim != 3 or radiance.shape[2] != 3 or not radiance.size:
        raise InputError(f"expected a radiance map [h, w, 3], got {radiance.shape}")
    if not np.isfinite(radiance).all():
        raise InputError("the radiance map holds NaN or infinite values; expected finite radiance")
    if bits is not None and not FEWEST_BITS <= bits <= MANTISSA_BITS:
        raise InputError(f"got {bits} bits of mantissa; expected {FEWEST_BITS} to {MANTISSA_BITS}")
    # Below 2^15, so that rounding never reaches the infinity of half floats.
    exponent = 15 - int(np.frexp(np.abs(radiance).max())[1])
    scaled = np.ldexp(radiance, exponent)
    room = max(BYTES_PER_PIXEL * radiance.shape[0] * radiance.shape[1], SMALL)
    for kept in range(MANTISSA_BITS, FEWEST_BITS - 1, -1) if bits is None else (bits,):
        shift = MANTISSA_BITS - kept
        half = _rounded(scaled, kept).astype(np.float16).view(np.int16)
        # Small numbers, whose half floats have fewer bits, are rounded once more.
        magnitude = ((half & 0x7FFF) + (1 << shift >> 1)) >> shift
        stored = packed(np.where(half < 0, -magnitude, magnitude))
        if len(stored["data"]) <= room:
            break
    return stored | {"shift": shift, "exponent": exponent}


def _rounded(values: np.ndarray, bits: int) -> np.ndarray:
    """float32 [...] to the nearest with so many bits of mantissa."""
    left_out = 23 - bits
    stored = values.view(np.int32) + (1 << left_out - 1)
    return (stored >> left_out << left_out).view(np.float32)


def packed(integers: np.ndarray) -> dict:
    """An array of integers as text, without loss.

    Of three channels the first and the last are stored as differences to the second. Each integer
    is predicted by the median of a, b and a + b - c, its neighbours to the left, above and above
    left, which are 0 outside; all modulo 2^16. The errors 0, -1, 1, -2, ... become 0, 1, 2, 3, ...;
    channel after channel, first all low bytes and then all high ones.

    Args:
      integers: [h, w, c] of -32768 .. 32767, c = 1 or 3.

    Returns:
      {"height", "width", "channels": numbers, "data": base64 of a zlib stream}.

    Not differentiable.
    Source: the predictor is that of LOCO-I, Weinberger, Seroussi and Sapiro 2000.
    Example:
      >>> stored = packed(np.full((2, 2, 1), 7))
      >>> list(zlib.decompress(base64.b64decode(stored["data"])))
      [14, 0, 0, 0, 0, 0, 0, 0]
    """
    values = np.asarray(integers).astype(np.int16, copy=False)
    height, width, channels = values.shape
    planes = [values[..., c] for c in range(channels)]
    if channels == 3:
        red, green, blue = planes
        planes = [red - green, green, blue - green]
    folded = [_folded_errors(plane) for plane in planes]
    # Run lengths and Huffman codes: longer matches are rare, and their search takes ten times as
    # long. Measured on merged photographs: as small as zlib's default or smaller.
    deflate = zlib.compressobj(9, zlib.DEFLATED, 15, 9, zlib.Z_RLE)
    parts = [x & 255 for x in folded] + [x >> 8 for x in folded]
    data = b"".join(deflate.compress(part.astype(np.uint8).tobytes()) for part in parts)
    data += deflate.flush()
    return {
        "height": height,
        "width": width,
        "channels": channels,
        "data": base64.b64encode(data).decode("ascii"),
    }


def _folded_errors(plane: np.ndarray) -> np.ndarray:
    """uint16 [h, w]: the errors of the prediction of a channel, int16 [h, w], folded."""
    padded = np.pad(plane.astype(np.int32), ((1, 0), (1, 0)))
    left, above, corner = padded[1:, :-1], padded[:-1, 1:], padded[:-1, :-1]
    low, high = np.minimum(left, above), np.maximum(left, above)
    error = (plane - np.clip(left + above - corner, low, high)).astype(np.int16)
    return ((error << 1) ^ (error >> 15)).astype(np.uint16)
