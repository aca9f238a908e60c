"""Image quality: how far a picture is from its reference, for machines and for people.

Display-encoded images in [0, 1]: `psnr`, `ssim`, `ms_ssim`. Linear radiance: `psnr_mu`. Absolute
light in cd/m^2: `pu21_psnr`, `pu21_ssim`, `hdrvdp2`; `calibrate` and `hdrvdp2_by_protocol` take
relative radiance there in a named way. Every metric is a jitted, differentiable function of one
pair (test first) that `jax.vmap` batches and that follows the input's float type.
"""

from hdr_jax.metrics._fidelity import psnr, psnr_mu
from hdr_jax.metrics._perceptual_uniform import pu21_psnr, pu21_ssim
from hdr_jax.metrics._protocols import (
    DEFAULT_PEAK,
    PROTOCOLS,
    calibrate,
    hdrvdp2_by_protocol,
    hdrvdp2_calibrated,
)
from hdr_jax.metrics._response_correction import correct_response
from hdr_jax.metrics._structure import MS_SSIM_MIN_SIZE, ms_ssim, ssim
from hdr_jax.metrics._visibility import visibility_picture
from hdr_jax.metrics.hdr_vdp2 import MIN_SIZE as HDRVDP2_MIN_SIZE
from hdr_jax.metrics.hdr_vdp2 import Result, hdrvdp2, pixels_per_degree

__all__ = [
    "DEFAULT_PEAK",
    "HDRVDP2_MIN_SIZE",
    "MS_SSIM_MIN_SIZE",
    "PROTOCOLS",
    "Result",
    "calibrate",
    "correct_response",
    "hdrvdp2",
    "hdrvdp2_by_protocol",
    "hdrvdp2_calibrated",
    "ms_ssim",
    "pixels_per_degree",
    "psnr",
    "psnr_mu",
    "pu21_psnr",
    "pu21_ssim",
    "ssim",
    "visibility_picture",
]
