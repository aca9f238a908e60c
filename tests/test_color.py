"""Colour: inverse pairs, published values, finite slopes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hdr_jax import color
from hdr_jax.errors import InputError


def pu21_numpy(luminance):
    """PU21 banding_glare, written out again in float64."""
    y = np.clip(np.asarray(luminance, np.float64), 0.005, 1e4)
    numerator = 0.353487901 + 0.3734658629 * y**0.9062562627
    denominator = 1 + 8.277049286e-05 * y**0.9062562627
    ratio = numerator / denominator
    return np.maximum(596.3148142 * (ratio**0.09150303166 - 0.9099517204), 0)


def test_srgb_known_values():
    # IEC 61966-2-1; 0.214041 is the textbook linear value of code 0.5.
    assert color.srgb_to_linear(jnp.array([0.0, 0.04045, 0.5, 1.0])).tolist() == pytest.approx(
        [0.0, 0.04045 / 12.92, 0.21404114, 1.0], abs=1e-6
    )


def test_srgb_pair_is_inverse():
    with jax.enable_x64(True):
        encoded = jnp.linspace(0, 1, 1001)
        there_and_back = color.linear_to_srgb(color.srgb_to_linear(encoded))
        # The standard's two thresholds do not meet exactly: 3e-8 there, rounding elsewhere.
        np.testing.assert_allclose(there_and_back, encoded, atol=1e-7)


def test_srgb_slopes_are_finite():
    x = jnp.array([-1.0, -0.1, 0.0, 0.04045, 0.0031308, 1.0, 2.0])
    for function in (color.srgb_to_linear, color.linear_to_srgb):
        assert bool(jnp.isfinite(jax.vmap(jax.grad(function))(x)).all())


@pytest.mark.parametrize("curve", [color.srgb_to_linear, color.linear_to_srgb])
def test_srgb_of_integers_is_refused(curve):
    with pytest.raises(InputError, match="uint8; expected floats.*divide by 255"):
        curve(np.uint8([0, 128]))


def test_luminance_matches_weights_and_names_shape():
    rgb = np.random.default_rng(0).random((4, 5, 3)).astype(np.float32)
    np.testing.assert_allclose(
        color.luminance(rgb), rgb @ np.array([0.2126, 0.7152, 0.0722]), rtol=1e-6
    )
    with pytest.raises(ValueError, match=r"\(4, 5\)"):
        color.luminance(rgb[..., 0])


def test_pu21_equals_published_formula():
    luminance = np.geomspace(1e-4, 1e5, 500)
    with jax.enable_x64(True):
        np.testing.assert_allclose(
            color.pu21_encode(luminance), pu21_numpy(luminance), rtol=1e-12, atol=1e-11
        )
    np.testing.assert_allclose(
        color.pu21_encode(luminance.astype(np.float32)), pu21_numpy(luminance), atol=2e-3
    )


def test_pu21_published_ends():
    # The ends of the range as published with the parameters.
    assert float(color.pu21_encode(0.005)) == pytest.approx(5.4705e-10, abs=1e-3)
    assert float(color.pu21_encode(10000.0)) == pytest.approx(595.3939, abs=1e-3)


def test_pu21_slopes_are_finite_and_right():
    slope = jax.vmap(jax.grad(color.pu21_encode))
    assert bool(jnp.isfinite(slope(jnp.array([-1.0, 0.0, 0.005, 1e4, 1e6]))).all())
    with jax.enable_x64(True):
        y = np.geomspace(0.01, 9e3, 50)
        numeric = (pu21_numpy(y * 1.00001) - pu21_numpy(y / 1.00001)) / (y * 2e-5)
        np.testing.assert_allclose(slope(jnp.asarray(y)), numeric, rtol=1e-5)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize(
    ("curve", "top"),
    [(color.srgb_to_linear, 1), (color.linear_to_srgb, 1), (color.pu21_encode, 1e4)],
)
def test_half_precision_loses_its_own_digits_alone(curve, top, dtype):
    """Not those of the powers, which cost a level of 255 or four of PU21."""
    x = jnp.linspace(0, top, 999).astype(dtype)
    found = curve(x)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, curve(x.astype(jnp.float32)).astype(dtype))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_the_scale_of_maps_in_half_precision(dtype):
    radiance = jnp.asarray(np.random.default_rng(0).uniform(0.1, 9, 999), dtype)
    factor = color.median_scale(radiance, (30 * radiance).astype(dtype))
    assert factor.dtype == jnp.float32
    assert float(factor) == pytest.approx(30, rel=float(jnp.finfo(dtype).eps))
    dark, bright = jnp.full(2, 1e-4, dtype), jnp.full(2, 6e4, dtype)
    assert float(color.median_scale(dark, bright)) == pytest.approx(6e8, rel=0.02)


def test_the_scale_of_empty_maps_is_one():
    assert color.median_scale(jnp.zeros((0, 3)), jnp.zeros((0, 3))) == 1


def test_the_scale_of_maps_with_black_while_nans_are_looked_for():
    with jax.debug_nans(True):
        scale = color.median_scale(
            jnp.array([0.0, 2.0, 4.0, 6.5]), jnp.array([1.0, 1.0, 2.0, 3.25])
        )
    np.testing.assert_allclose(scale, 0.5, rtol=1e-6)
