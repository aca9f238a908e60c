"""Stage 2: the optics of the eye; light scattered in cornea, lens and retina.

The modulation transfer function is m(rho) = sum_k a_k exp(-b_k rho), rho in cycles per degree,
m(0) = 1.
"""

import jax.numpy as jnp
import numpy as np
from jax import Array

_U, _V = 0.9972737002377707, 0.061466549455263
MTF_AMPLITUDES = (0.426 * _U, 0.574 * _U, (1 - _U) * _V, (1 - _U) * (1 - _V))
MTF_RATES = (0.028, 0.37, 37.0, 360.0)
MIN_LIGHT, MAX_LIGHT = 1e-5, 1e10


def modulation_transfer(frequency: np.ndarray) -> np.ndarray:
    """Contrast that the eye's optics pass, in [0, 1], at radial frequencies (cycles/degree)."""
    pairs = zip(MTF_AMPLITUDES, MTF_RATES, strict=True)
    return np.asarray(sum(a * np.exp(-b * np.asarray(frequency)) for a, b in pairs))


def frequency_grid(height: int, width: int, pixels_per_degree: float) -> np.ndarray:
    """Radial frequency in cycles/degree of every bin of `rfft2`, [height, width // 2 + 1]."""
    vertical = np.fft.fftfreq(height)[:, None] * pixels_per_degree
    horizontal = np.fft.rfftfreq(width)[None] * pixels_per_degree
    return np.hypot(vertical, horizontal)


def scatter(light: Array, surround: Array, pixels_per_degree: float) -> Array:
    """Retinal image: each channel filtered by the eye's MTF, with a constant surround.

    The image stands in the corner of a plane of twice its size that otherwise holds the surround.
    Since m(0) = 1 the surround passes unchanged, so only light - surround is filtered, padded
    with zeros.

    Args:
      light: [..., h, w], cd/m^2.
      surround: broadcastable to [..., 1, 1], cd/m^2.
      pixels_per_degree: > 0.

    Returns:
      [..., h, w], cd/m^2, in [1e-5, 1e10].

    Differentiable in `light` and `surround`; slope 0 where clipped.
    Source: Mantiuk et al. 2011, Eq. 1.
    """
    h, w = light.shape[-2:]
    size = (2 * h, 2 * w)
    transfer = modulation_transfer(frequency_grid(*size, pixels_per_degree))
    transfer = jnp.asarray(transfer, light.dtype).reshape((1,) * (light.ndim - 2) + transfer.shape)
    surround = surround.reshape((1,) * (light.ndim - surround.ndim) + surround.shape)
    # Axis by axis: the rows that are all padding are transformed neither here nor there.
    rows = jnp.fft.rfft(light - surround, size[1])
    spectrum = jnp.fft.fft(rows, size[0], axis=-2) * transfer
    rows = jnp.fft.ifft(spectrum, axis=-2)[..., :h, :]
    retinal = jnp.fft.irfft(rows, size[1])[..., :w] + surround
    return jnp.clip(retinal, MIN_LIGHT, MAX_LIGHT)


def clip(light: Array) -> Array:
    """The range that the receptors are given when scatter is switched off."""
    return jnp.clip(light, MIN_LIGHT, MAX_LIGHT)
