"""Stage 6: neural contrast sensitivity, by frequency and adapting luminance.

n(rho, L) = d sqrt((1 - exp(-(rho / 7)^2))^c / (1 + (a rho)^b)), with a, b, c, d interpolated
linearly in log10 L between six measured luminances, L clipped to [0.002, 150] cd/m^2.
"""

from functools import lru_cache

import jax.numpy as jnp
import numpy as np
from jax import Array

from hdr_jax.metrics.hdr_vdp2 import _optics, _tables

NUM_POINTS = 256
LUMINANCES = (0.002, 0.02, 0.2, 2.0, 20.0, 150.0)
# Columns a, b, c, d at these luminances.
PARAMETERS = np.array(
    [
        [0.991265, 3.74038, 0.50722, 4.46044],
        [0.800889, 3.54104, 0.682505, 4.94958],
        [0.476505, 4.37453, 0.750315, 5.28678],
        [0.405782, 4.40602, 0.935314, 5.61425],
        [0.334278, 3.79542, 1.07327, 6.4635],
        [0.394533, 2.7755, 1.16577, 7.45665],
    ]
)


def neural_csf(frequency: np.ndarray, luminance: Array) -> Array:
    """Sensitivity n(rho, L) at constant frequencies; n(0, L) = 0.

    Args:
      frequency: [...], cycles/degree, >= 0, NumPy constants.
      luminance: cd/m^2, > 0, broadcastable against `frequency`.

    Returns:
      Sensitivity, the broadcast shape, in the type of `luminance`.

    Differentiable in `luminance`.
    Source: Mantiuk et al. 2011, Eq. 9 and Table 2.
    """
    luminance, frequency = jnp.asarray(luminance), np.asarray(frequency)
    rank = max(luminance.ndim, frequency.ndim)
    luminance = luminance.reshape((1,) * (rank - luminance.ndim) + luminance.shape)
    frequency = frequency.reshape((1,) * (rank - frequency.ndim) + frequency.shape)
    dtype = luminance.dtype
    x = jnp.log10(jnp.clip(luminance, LUMINANCES[0], LUMINANCES[-1]))
    knots = jnp.asarray(np.log10(LUMINANCES), dtype)
    a, b, c, d = (jnp.interp(x, knots, jnp.asarray(column, dtype)) for column in PARAMETERS.T)
    # Both powers as exponentials of logarithms taken in float64: 1 - exp(-(rho / 7)^2) cancels in
    # float32 at low rho. The bin rho = 0 has no logarithm; it is computed at 1 and set to 0.
    safe = np.where(frequency > 0, frequency, 1.0)
    log_low = jnp.asarray(np.log(-np.expm1(-((safe / 7) ** 2))), dtype)
    log_rho = jnp.asarray(np.log(safe), dtype)
    fall = jnp.exp(b * (jnp.log(a) + log_rho))
    value = d * jnp.exp(0.5 * c * log_low) / jnp.sqrt(1 + fall)
    return jnp.where(frequency > 0, value, 0)


@lru_cache(maxsize=256)
def sensitivity_table(frequency: float) -> np.ndarray:
    """n(frequency, .) at 256 points of log10 luminance, [256]."""
    x = np.clip(_tables.axis(NUM_POINTS), np.log10(LUMINANCES[0]), np.log10(LUMINANCES[-1]))
    a, b, c, d = (np.interp(x, np.log10(LUMINANCES), column) for column in PARAMETERS.T)
    low = -np.expm1(-((frequency / 7) ** 2))
    return d * np.sqrt(low**c / (1 + (a * frequency) ** b))


def band_frequency(band: int, pixels_per_degree: float) -> float:
    """Nominal frequency of pyramid band b in cycles/degree: (ppd / 2) / 2^b."""
    return 0.5 * pixels_per_degree / 2**band


def filter_base(base: Array, mean_luminance: Array, pad: Array, frequency: float) -> Array:
    """Base band filtered by the neural CSF at the mean adapting luminance.

    The plane is extended with the constant `pad` to twice its size. n(0) = 0 removes any
    constant, so base - pad is filtered, extended with zeros.

    Args:
      base: [n, 1, h, w].
      mean_luminance: [n], cd/m^2.
      pad: scalar, the value around the plane.
      frequency: nominal frequency of the base band, cycles/degree.

    Returns:
      [n, 1, h, w].

    Differentiable in `base`, `mean_luminance`, `pad`.
    Source: release 2.2; the factor sqrt(2) of the effective resolution is its author's.
    """
    h, w = base.shape[-2:]
    size = (2 * h, 2 * w)
    rho = _optics.frequency_grid(*size, 2 * np.sqrt(2) * frequency)
    gain = neural_csf(rho[None, None], mean_luminance[:, None, None, None])
    spectrum = jnp.fft.rfft2(base - pad, s=size) * gain
    return jnp.fft.irfft2(spectrum, s=size)[..., :h, :w]
