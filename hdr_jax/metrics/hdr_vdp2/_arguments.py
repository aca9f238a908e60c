"""Checks of what `hdrvdp2` is given; every message says what would help."""

import math
from collections.abc import Sequence

import numpy as np

from hdr_jax.errors import InputError, one_of
from hdr_jax.metrics import _validation
from hdr_jax.metrics.hdr_vdp2 import _encoding, _steerable

GEOMETRIC_MEAN = "geometric-mean"
DARK_SURROUND = 1e-5
MAX_PEAK_SENSITIVITY = 10.0  # far beyond any eye, and far from the end of float32


def check_images(shape: tuple[int, ...], color_encoding: str) -> None:
    """Raise when images [h, w, c] cannot be compared in this encoding."""
    one_of("color_encoding", color_encoding, _encoding.CHANNELS)
    *size, channels = shape
    expected = _encoding.CHANNELS[color_encoding]
    if channels != expected:
        other = [name for name, count in _encoding.CHANNELS.items() if count == channels]
        hint = f" Encodings of {channels}: {', '.join(other)}." if other else ""
        raise InputError(
            f"hdrvdp2 got {channels} channel(s); {color_encoding} expects {expected}.{hint}"
        )
    if min(size) < _steerable.MIN_SIZE:
        raise InputError(
            f"hdrvdp2 got images of {size[1]} x {size[0]} pixels (width x height); expected "
            f"at least {_steerable.MIN_SIZE} on each side, the size of its largest filter."
        )


def check_resolution(pixels_per_degree: float) -> float:
    """The resolution as a Python float > 0."""
    ppd = _validation.python_number("hdrvdp2", "pixels_per_degree", pixels_per_degree)
    if not (ppd > 0 and math.isfinite(ppd)):
        raise InputError(
            f"hdrvdp2 got pixels_per_degree {ppd}; expected a positive number, about 30 for a "
            "desktop display at half a metre (see hdr_jax.metrics.pixels_per_degree)"
        )
    return ppd


def check_sensitivity(peak_sensitivity: float) -> float:
    """The log10 peak sensitivity as a Python float in [0, 10]."""
    value = _validation.python_number("hdrvdp2", "peak_sensitivity", peak_sensitivity)
    if not 0 <= value <= MAX_PEAK_SENSITIVITY:
        raise InputError(
            f"hdrvdp2 got peak_sensitivity {value}; expected log10 of a contrast sensitivity, "
            f"0 to {MAX_PEAK_SENSITIVITY:g}: 2.4 for an average observer"
        )
    return value


def check_surround(surround: float | Sequence[float] | str, channels: int):
    """The surround as a tuple of one number per channel, or the name of the geometric mean."""
    if isinstance(surround, str):
        values = None if surround == GEOMETRIC_MEAN else ()
    else:
        try:
            values = tuple(float(v) for v in np.ravel(surround))
        except (TypeError, ValueError):  # traced, or no numbers
            values = ()
        values = values * channels if len(values) == 1 else values
    if values is None:
        return GEOMETRIC_MEAN
    if len(values) != channels or not all(v >= 0 and math.isfinite(v) for v in values):
        raise InputError(
            f"hdrvdp2 got surround {surround!r}; expected a luminance >= 0 in cd/m^2, {channels} "
            f'of them as Python numbers, which cannot be traced, or "{GEOMETRIC_MEAN}"'
        )
    return values
