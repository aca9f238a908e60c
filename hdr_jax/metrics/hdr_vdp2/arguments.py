"""Checks of what `hdrvdp2` is given; every message says what would help."""

import math
from collections.abc import Sequence

import numpy as np

from hdr_jax.errors import InputError, one_of
from hdr_jax.metrics.hdr_vdp2 import encoding, steerable

GEOMETRIC_MEAN = "geometric-mean"
DARK_SURROUND = 1e-5


def check_images(shape: tuple[int, ...], color_encoding: str) -> None:
    """Raise when images [h, w, c] cannot be compared in this encoding."""
    one_of("color_encoding", color_encoding, encoding.CHANNELS)
    *size, channels = shape
    expected = encoding.CHANNELS[color_encoding]
    if channels != expected:
        other = [name for name, count in encoding.CHANNELS.items() if count == channels]
        hint = f" Encodings of {channels}: {', '.join(other)}." if other else ""
        raise InputError(
            f"hdrvdp2 got {channels} channel(s); {color_encoding} expects {expected}.{hint}"
        )
    if min(size) < steerable.MIN_SIZE:
        raise InputError(
            f"hdrvdp2 got images of {size[0]} x {size[1]} pixels; expected at least "
            f"{steerable.MIN_SIZE} on each side, the size of its largest filter."
        )


def check_resolution(pixels_per_degree: float) -> float:
    """The resolution as a Python float > 0."""
    try:
        ppd = float(pixels_per_degree)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"hdrvdp2 got pixels_per_degree {pixels_per_degree!r}; expected a Python number: it "
            "fixes the filters at compile time and cannot be traced"
        ) from error
    if not (ppd > 0 and math.isfinite(ppd)):
        raise InputError(
            f"hdrvdp2 got pixels_per_degree {ppd}; expected a positive number, about 30 for a "
            "desktop display at half a metre (see hdr_jax.metrics.pixels_per_degree)"
        )
    return ppd


def check_surround(surround: float | Sequence[float] | str, channels: int):
    """The surround as a tuple of one number per channel, or the name of the geometric mean."""
    if isinstance(surround, str):
        values = None if surround == GEOMETRIC_MEAN else ()
    else:
        values = tuple(float(v) for v in np.ravel(surround))
        values = values * channels if len(values) == 1 else values
    if values is None:
        return GEOMETRIC_MEAN
    if len(values) != channels or not all(v >= 0 and math.isfinite(v) for v in values):
        raise InputError(
            f"hdrvdp2 got surround {surround!r}; expected a luminance >= 0 in cd/m^2, {channels} "
            f'of them, or "{GEOMETRIC_MEAN}"'
        )
    return values
