"""PSNR and SSIM of high-dynamic-range images after the perceptually uniform encoding PU21.

Images are linear and absolute: cd/m^2 of the display they are seen on, 0.005 to 10000. For relative
radiance choose a calibration first, see `hdr_jax.metrics._protocols`. PU21 puts the white of an
ordinary display (100 cd/m^2) near 256, which is the peak both metrics use.
"""

import jax
from jax import Array

from hdr_jax import color
from hdr_jax.metrics import _fidelity, _structure, _validation
from hdr_jax.metrics._response_correction import correct_response

PU21_PEAK = 256.0


def pu21_psnr(test: Array, reference: Array, *, correct_crf: bool = False) -> Array:
    """PSNR of PU21-encoded colour channels, in decibels, peak 256.

    Args:
      test: [h, w, 3] linear RGB or [h, w] luminance, cd/m^2, clipped to [0.005, 10000]. Batches:
        `jax.vmap`.
      reference: the same shape.
      correct_crf: first fit the test image's tones to the reference, see `correct_response`.

    Returns:
      Scalar, dB; infinite for equal images.

    Raises:
      InputError: for integers, unequal shapes or a wrong number of channels.

    Differentiable in `test` and `reference`.
    Source: Mantiuk and Azimi 2021; peak as in the authors' release.
    Example:
      >>> white = jax.numpy.full((4, 4), 100.0)
      >>> round(float(pu21_psnr(white, 0 * white)), 2)
      -0.01
    """
    test, reference = _prepare("pu21_psnr", test, reference, correct_crf)
    return _pu21_psnr(test, reference)


def pu21_ssim(test: Array, reference: Array, *, correct_crf: bool = False) -> Array:
    """SSIM of PU21-encoded luminance, data range 256.

    Args:
      test: [h, w, 3] linear RGB or [h, w] luminance, cd/m^2, clipped to [0.005, 10000], both sides
        at least 11. Batches: `jax.vmap`.
      reference: the same shape.
      correct_crf: first fit the test image's tones to the reference, see `correct_response`.

    Returns:
      Scalar in [-1, 1]; 1 for equal images.

    Raises:
      InputError: for integers, unequal or too small shapes, or a wrong number of channels.

    Differentiable in `test` and `reference`.
    Source: Mantiuk and Azimi 2021; luminance only, as in the authors' release.
    Example:
      >>> picture = jax.numpy.full((16, 16), 5.0)
      >>> float(pu21_ssim(picture, picture))
      1.0
    """
    test, reference = _prepare("pu21_ssim", test, reference, correct_crf)
    _structure.check_size("pu21_ssim", test.shape, _structure.WINDOW)
    return _pu21_ssim(test, reference)


@jax.jit
def _pu21_psnr(test, reference):
    return _fidelity.psnr(
        color.pu21_encode(test), color.pu21_encode(reference), data_range=PU21_PEAK
    )


@jax.jit
def _pu21_ssim(test, reference):
    if test.shape[-1] == 3:
        test, reference = color.luminance(test), color.luminance(reference)
    return _structure.ssim(
        color.pu21_encode(test), color.pu21_encode(reference), data_range=PU21_PEAK
    )


def _prepare(name: str, test: Array, reference: Array, correct_crf: bool) -> tuple[Array, Array]:
    """The checked pair [h, w, c], c 1 or 3, with corrected tones if asked for."""
    test, reference = _validation.image_pair(name, test, reference, channels=(1, 3))
    return (correct_response(test, reference) if correct_crf else test), reference
