"""Stage 4: from absorbed light to response, in units of the just noticeable difference.

The response is the integral of the sensitivity over log intensity, J(x) = K ln(10) integral s dx,
x = log10 I, tabulated at 2048 points between 1e-5 and 1e5 cd/m^2.
"""

from functools import lru_cache

import numpy as np
from jax import Array

from hdr_jax.metrics.hdr_vdp2 import _tables

NUM_POINTS = 2048
SENSITIVITY_CORRECTION = 0.006894596


def joint_sensitivity(intensity: np.ndarray) -> np.ndarray:
    """Contrast sensitivity s_A of cones and rods together, intensity in cd/m^2."""
    return 30.162 * ((4.0627 / intensity) ** 1.6596 + 1) ** -0.2712


def rod_sensitivity(intensity: np.ndarray) -> np.ndarray:
    """Contrast sensitivity s_R of the rods, largest at 1.1732 cd/m^2."""
    distance = np.log10(intensity / 1.1732)
    bright = distance > 0
    exponent = np.where(bright, 2.9899, 1.2167)
    width = np.where(bright, 0.5547, 1.1478)
    return 10**1.1414 * np.exp(-(np.abs(distance) ** exponent) / width)


def cone_sensitivity(intensity: np.ndarray) -> np.ndarray:
    """Contrast sensitivity s_C of one cone type: half of what the rods leave, at twice I."""
    table = 10 ** _tables.axis(NUM_POINTS)
    left = np.maximum(joint_sensitivity(table) - rod_sensitivity(table), 1e-3)
    return 0.5 * np.interp(np.minimum(2 * intensity, _tables.MAX_LUMINANCE), table, left)


@lru_cache(maxsize=8)
def response_tables(peak_sensitivity: float) -> tuple[np.ndarray, np.ndarray]:
    """Responses (J_cone, J_rod) at the points of the table, [2048] each, starting at 0.

    Args:
      peak_sensitivity: log10 of the observer's peak contrast sensitivity, 2.4 by default.
    """
    x = _tables.axis(NUM_POINTS)
    scale = SENSITIVITY_CORRECTION * 10**peak_sensitivity * np.log(10)

    def integral(sensitivity):
        slope = scale * sensitivity(10**x)
        steps = 0.5 * (slope[1:] + slope[:-1]) * np.diff(x)
        return np.concatenate([[0.0], np.cumsum(steps)])

    return integral(cone_sensitivity), integral(rod_sensitivity)


def respond(absorbed: Array, peak_sensitivity: float) -> Array:
    """Achromatic response P = J_cone(L) + J_cone(M) + J_rod(rod), cones and rods free of mean.

    Args:
      absorbed: [..., 3, h, w], light absorbed by L cones, M cones and rods, cd/m^2; clipped to
        [1e-5, 1e5].
      peak_sensitivity: see `response_tables`.

    Returns:
      [..., h, w], mean 0.

    Differentiable in the absorbed light; slope 0 where clipped.
    Source: Mantiuk et al. 2011, Eq. 3-8.
    """
    j_cone, j_rod = response_tables(peak_sensitivity)
    response = _tables.look_up(_tables.log10_luminance(absorbed), np.stack([j_cone, j_cone, j_rod]))
    cones, rods = response[..., 0, :, :] + response[..., 1, :, :], response[..., 2, :, :]
    axes = (-2, -1)
    return (cones - cones.mean(axes, keepdims=True)) + (rods - rods.mean(axes, keepdims=True))
