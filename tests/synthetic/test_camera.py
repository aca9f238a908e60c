"""The random camera: metering, one response a photograph, honest noise."""

import numpy as np
import pytest

from hdr_jax import color, exposure
from hdr_jax.errors import InputError
from hdr_jax.synthetic import _camera as camera

EV = np.array([-1.0, 0.0, 1.0], np.float32)


def test_metering():
    rng = np.random.default_rng(0)
    radiance = np.exp(rng.normal(0, 3, (16, 16, 3)))
    metered = camera.meter(radiance)
    luminance = metered.astype(float) @ color.LUMINANCE_WEIGHTS
    # The luminance's floor, a millionth of its maximum, is not reached here.
    assert np.exp(np.log(luminance).mean()) == pytest.approx(0.18, rel=1e-4)
    np.testing.assert_allclose(camera.meter(radiance * 1e4), metered, rtol=1e-4)
    np.testing.assert_allclose(camera.meter(radiance, 1.5), metered * 2**1.5, rtol=1e-5)
    radiance[:8] = 0
    assert np.isfinite(camera.meter(radiance)).all()
    for bad in (np.zeros((4, 4, 3)), -radiance, np.full((4, 4, 3), np.inf), np.zeros((0, 4, 3))):
        with pytest.raises(ValueError, match="meter got radiance"):
            camera.meter(bad)


def test_photographs_have_one_response_and_honest_noise():
    ramp = np.geomspace(1e-3, 4, 64).astype(np.float32)
    metered = np.repeat(np.tile(ramp, (200, 1))[..., None], 3, axis=2)
    seen = set()
    for seed in range(12):
        stack = camera.photograph(metered, EV, np.random.default_rng(seed))
        assert stack.dtype == np.uint8 and stack.shape == (3, 200, 64, 3)
        np.testing.assert_array_equal(
            stack, camera.photograph(metered, EV, np.random.default_rng(seed))
        )
        mean = stack.mean((1, 3))
        assert (np.diff(mean, axis=1) > -1).all() and (np.diff(mean, axis=0) > -1).all()
        np.testing.assert_allclose(stack[2][:, ramp > 0.6], 255, atol=1)
        # The response at EV e and exposure x is that at EV 0 and exposure x 2^e.
        dark = (ramp > 0.02) & (ramp < 0.4)
        np.testing.assert_allclose(
            mean[2][dark], np.interp(np.log(2 * ramp[dark]), np.log(ramp), mean[1]), atol=2.5
        )
        spread = stack[1].std((0, 2))[(ramp > 0.05) & (ramp < 0.7)]
        assert 0.05 < spread.mean() < 8
        seen.add(mean[1][np.argmin(np.abs(ramp - 0.18))].round())
    assert len(seen) >= 6


def test_photograph_agrees_with_the_forward_camera_and_does_not_depend_on_pieces(monkeypatch):
    metered = np.random.default_rng(0).random((30, 50, 3)).astype(np.float32)
    whole = camera.photograph(metered, EV, np.random.default_rng(3))
    monkeypatch.setattr(camera, "CHUNK", 256)
    pieces = camera.photograph(metered, EV, np.random.default_rng(3))
    # Other noise, the same camera.
    assert abs(whole.astype(float) - pieces).mean() < 3
    assert abs(whole.mean() - pieces.mean()) < 0.2
    # Some camera of the family explains the picture to its noise.
    times = exposure.ev_to_log_times(EV)
    family = [
        exposure.sigmoid(n, s) for n in np.arange(0.6, 1.31, 0.1) for s in np.arange(0.2, 1.21, 0.1)
    ]
    family += [exposure.srgb(), *(exposure.gamma(g) for g in np.arange(1.8, 2.61, 0.1))]
    misses = [
        np.abs(np.asarray(exposure.expose(metered, times, response)) * 255 - whole).mean()
        for response in family
    ]
    assert min(misses) < 3


def test_scene_names_seed():
    draw = [camera.seeded_by_name(name, "x").random() for name in ("a", "b", "a")]
    assert draw[0] == draw[2] != draw[1]
    assert camera.seeded_by_name("a", "y").random() != draw[0]


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="got a camera of kind 'Gamma'; expected one of"):
        camera.Camera("Gamma")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: camera.Camera(n=-1.0), "n = -1.0; expected a number > 0"),
        (lambda: camera.Camera("gamma", exponent=0.0), "exponent = 0.0"),
        (lambda: camera.Camera(read_noise=-0.1), "read_noise from -0.1"),
        (lambda: camera.Camera("srgb").log_inverse_response(1), "at least 2"),
        (lambda: photographed(np.full((2, 2, 3), np.nan)), "NaN or infinity"),
        (lambda: photographed(np.ones((2, 2, 3)), np.nan), "expected finite stops"),
        (lambda: photographed(np.ones((2, 2, 1))), r"\(2, 2, 1\); expected \[h, w, 3\]"),
        (lambda: camera.meter(np.ones((2, 2))), r"\(2, 2\); expected \[h, w, 3\]"),
        (lambda: camera.meter(np.full((2, 2, 3), np.inf)), "NaN or infinity"),
    ],
)
def test_what_no_camera_has_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


def photographed(metered, stops=0):
    return camera.Camera().photograph(metered, [stops], np.random.default_rng(0))
