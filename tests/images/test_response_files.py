"""Responses that have a name."""

import numpy as np
import pytest

from hdr_jax import images
from hdr_jax.errors import InputError


@pytest.mark.parametrize("name", ["srgb", "linear"])
@pytest.mark.parametrize("num_levels", [2, 3, 256])
def test_named_responses_are_finite_and_increase(name, num_levels):
    g = images.named_response(name, num_levels)
    assert g.shape == (1, num_levels) and g.dtype == np.float32
    assert np.isfinite(g).all() and (np.diff(g[0]) > 0).all() and g[0, num_levels // 2] == 0


@pytest.mark.parametrize("num_levels", [1, 0, -1, 2.5])
@pytest.mark.parametrize("response", [images.named_response, images.camera_response])
def test_too_few_levels_are_refused(response, num_levels):
    with pytest.raises(InputError, match="num_levels .*at least 2"):
        response("srgb", num_levels)
