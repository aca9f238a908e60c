"""A photograph of any size by the recursion on log exposures."""

import jax
import numpy as np
import pytest

from hdr_jax import images
from hdr_jax.cli import main
from hdr_jax.errors import InputError
from hdr_jax.exposure import log_inverse_sigmoid
from hdr_jax.models import ExposureStackModel, initial_parameters
from hdr_jax.reconstruct import reconstruct, reconstruct_batch
from hdr_jax.runs import checkpoints

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("compiled_quickly")]

MODEL = ExposureStackModel(
    4, 4, 1, 4, 1, 4, 1, tone="exposure", ev_offsets=(-2.0, -1.0, 0.0, 1.0), norm_entries=2
)


@pytest.fixture(scope="module")
def params():
    return initial_parameters(MODEL, jax.random.key(0))


def photograph(h=37, w=53):
    """A ramp with a white disc and a black corner."""
    y, x = np.mgrid[:h, :w]
    levels = np.repeat((20 + 200 * x / w)[..., None], 3, -1)
    levels[(y - h / 2) ** 2 + (x - w / 3) ** 2 < (min(h, w) / 4) ** 2] = 255
    levels[h - 6 :, w - 9 :] = 0
    return levels.round().astype(np.uint8)


@pytest.mark.parametrize("size", [(37, 53), (190, 131)])
def test_odd_sizes_keep_what_is_known(params, size):
    image = photograph(*size)
    radiance, stack = reconstruct(image, MODEL, params, ev_offsets=(-4, 0, 2), working_side=128)
    assert radiance.shape == image.shape and stack.shape == (3, *image.shape)
    known = np.exp(np.asarray(log_inverse_sigmoid()))[image]
    unclipped = (image > 0.03 * 255) & (image < 0.97 * 255)
    np.testing.assert_allclose(radiance[unclipped], known[unclipped], rtol=1e-5)
    gained = np.log2(radiance[image == 255])
    # The shortest exposure is at EV -2; single white pixels are lost where the picture is reduced.
    assert gained.min() >= 0 and gained.max() <= 2.01 and np.mean(gained > 0.1) > 0.95
    assert np.abs(np.log2(radiance / known)[image == 0]).max() > 1e-3


def test_the_command_takes_its_checkpoint(params, tmp_path):
    checkpoints.save_model(tmp_path / "model", MODEL, params)
    images.write(tmp_path / "a.png", photograph())
    arguments = ["--checkpoint", str(tmp_path / "model"), "-o", str(tmp_path / "out"), "--stack"]
    assert main(["reconstruct", str(tmp_path / "a.png"), *arguments, "--ev-range", "-2", "1"]) == 0
    radiance = reconstruct(photograph(), MODEL, params)[0]
    np.testing.assert_allclose(images.read_hdr(tmp_path / "out/a.exr"), radiance, rtol=2e-3)
    assert len(images.read_stack(tmp_path / "out/a_stack")[0]) == 4


def test_tiles_are_for_the_other_tone(params):
    with pytest.raises(InputError, match="expected 'image'"):
        next(reconstruct_batch([photograph()], MODEL, params))
