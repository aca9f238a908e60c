"""float32 in, float32 out: also in programs that have float64 at hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hdr_jax import color, exposure, losses, metrics, tonemap, weighting
from hdr_jax.models import _highlights

IMAGE = np.random.default_rng(0).random((32, 33, 3)).astype(np.float32)
CURVE = np.log((np.arange(256, dtype=np.float32) + 0.5) / 255.5)
TIMES = np.zeros(2, np.float32)


@pytest.mark.parametrize(
    "function",
    [
        lambda image: weighting.noise(jnp.asarray(CURVE)),
        lambda image: weighting.hat(255 * image),
        lambda image: exposure.expose(image, TIMES, exposure.srgb(), num_levels=256),
        lambda image: exposure.expose(image, TIMES, jnp.asarray(CURVE)),
        lambda image: _highlights.linearised(image),
        lambda image: _highlights.exposures(jnp.log(image), (-1, 0, 1)),
        lambda image: tonemap.reinhard(image),
        lambda image: tonemap.mu_law(image),
        lambda image: color.pu21_encode(image),
        lambda image: metrics.psnr_mu(image, image**2),
        lambda image: metrics.pu21_ssim(image, image**2),
        lambda image: metrics.correct_response(image, image**2),
        lambda image: metrics.visibility_picture(image[..., 0], image[..., 1]),
        lambda image: losses.hdr_l1(image, image**2),
        lambda image: losses.histogram_l1(image, image**2),
    ],
)
def test_float32_stays(function):
    with jax.enable_x64(True):
        assert function(jnp.asarray(IMAGE)).dtype == jnp.float32
