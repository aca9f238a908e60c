"""HDR-VDP-2 of pictures that anybody can make, against numbers kept here.

The numbers are this library's own, in float64, written down when it agreed with the original
program to 2e-12 in Q on photographs: they tell whether it still does where those are not at hand.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hdr_jax import metrics

pytestmark = pytest.mark.usefixtures("compiled_quickly")


def pictures(channels):
    """(test, reference) [48, 64, channels]: a ramp, a grating and a disc; test has a faint flaw."""
    y, x = np.mgrid[:48, :64]
    ramp = 0.1 + 0.6 * x / 63
    grating = 0.15 * np.sin(2 * np.pi * (x + 2 * y) / 9)
    disc = 0.2 * (np.hypot(x - 40, y - 22) < 11)
    planes = [ramp + (1 - 0.3 * c) * grating + (0.4 + 0.3 * c) * disc for c in range(channels)]
    reference = np.clip(np.stack(planes, axis=-1), 0.02, 0.98)
    flaw = 0.008 * np.exp(-((x - 18) ** 2 + (y - 30) ** 2) / 40)[..., None]
    ripple = 0.001 * np.cos(2 * np.pi * x / 4)[..., None]
    return np.clip(reference + flaw + ripple, 0.02, 0.98), reference


# (encoding, channels, largest value, options) -> Q, P_det, C_max
GOLDEN = [
    (
        *("luminance", 1, 200.0, {}),
        (88.44072681543324, 0.020640949644987666, 0.030090220552787553),
    ),
    (
        *("rgb-bt.709", 3, 4000.0, {"surround": "geometric-mean"}),
        (87.88550466395766, 0.020145595688356985, 0.029360698498678145),
    ),
    (
        *("sRGB-display", 3, 1.0, {"display": "led-lcd", "mtf": False}),
        (86.46611793428669, 0.05747771515545504, 0.08540136525446199),
    ),
]


@pytest.mark.parametrize(("encoding", "channels", "largest", "options", "expected"), GOLDEN)
def test_hdrvdp2_of_formulas(encoding, channels, largest, options, expected):
    with jax.enable_x64(True):
        test, reference = (jnp.asarray(largest * image) for image in pictures(channels))
        options = {"color_encoding": encoding, "pixels_per_degree": 30, **options}
        result = metrics.hdrvdp2(test, reference, **options)
    np.testing.assert_allclose([result.Q, result.P_det, result.C_max], expected, rtol=1e-9)
