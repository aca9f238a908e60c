"""Tone mapping: black scenes, scale, and Reinhard's formula in loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hdr_jax import color, tonemap
from hdr_jax.errors import InputError


def reinhard_in_float64(radiance, key=0.18, burn_fraction=0.01):
    """Reinhard et al. 2002, Eq. 1 to 4, as printed."""
    luminance = radiance @ np.asarray(color.LUMINANCE_WEIGHTS)
    scaled = key * luminance / np.exp(np.log(luminance).mean())
    white = np.quantile(scaled, 1 - burn_fraction)
    display = scaled * (1 + scaled / white**2) / (1 + scaled)
    linear = np.clip(radiance * (display / luminance)[..., None], 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30])
def test_reinhard_is_the_printed_formula_at_any_scale(scale):
    radiance = np.exp(np.random.default_rng(0).normal(0, 2, (20, 30, 3)))
    picture = tonemap.reinhard(jnp.asarray(radiance * scale, jnp.float32))
    np.testing.assert_allclose(picture, reinhard_in_float64(radiance), atol=1e-5)


def test_lists_are_pictures():
    radiance = np.random.default_rng(0).uniform(0, 2, (4, 5, 3)).astype(np.float32)
    picture = tonemap.reinhard(radiance.tolist())
    np.testing.assert_allclose(picture, tonemap.reinhard(radiance), rtol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_black_scene_is_black_and_its_gradient_finite(channels):
    black = jnp.zeros((4, 5, channels))
    np.testing.assert_array_equal(tonemap.reinhard(black), 0)
    gradient = jax.grad(lambda x: tonemap.reinhard(x).sum())(black)
    assert bool(jnp.all(jnp.isfinite(gradient)))


def test_one_light_in_the_dark_is_seen():
    picture = tonemap.reinhard(jnp.zeros((20, 20, 3)).at[3, 4].set(1e-4))
    np.testing.assert_allclose(picture[3, 4], 1, atol=1e-6)
    assert float(picture.sum()) == float(picture[3, 4].sum())


@pytest.mark.parametrize("shape", [(4, 3), (4, 5), (4, 5, 4), (4, 5, 2), (2, 4, 5, 3)])
@pytest.mark.parametrize("operator", [tonemap.reinhard, tonemap.adaptation])
def test_other_shapes_than_pictures_are_refused(operator, shape):
    with pytest.raises(InputError, match=r"expected \[h, w, 3\] or \[h, w, 1\]"):
        operator(jnp.ones(shape))
    with pytest.raises(InputError, match=r"reinhard got radiance \(0, 4, 3\)"):
        tonemap.reinhard(jnp.ones((0, 4, 3)))
    with pytest.raises(InputError, match="with_adaptation got"):
        tonemap.with_adaptation(jnp.ones(shape), 1.0, 1.0)


@pytest.mark.parametrize("mu", [0, -1.0, jnp.nan])
def test_a_mu_that_is_not_positive_is_refused(mu):
    with pytest.raises(InputError, match="mu ="):
        tonemap.mu_law(jnp.ones(3), mu)


@pytest.mark.parametrize("options", [{"key": 0.0}, {"burn_fraction": 1.5}, {"key": np.nan}])
@pytest.mark.parametrize("operator", [tonemap.reinhard, tonemap.adaptation])
def test_options_out_of_range_are_refused(operator, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        operator(jnp.ones((4, 4, 3)), **options)


def test_mu_law_of_half_precision():
    radiance = jnp.array([0.01, 1, 14, 100], jnp.float16)
    expected = tonemap.mu_law(radiance.astype(jnp.float32))
    found = tonemap.mu_law(radiance)
    assert found.dtype == jnp.float16
    np.testing.assert_allclose(found, expected, rtol=1e-3)


@pytest.mark.parametrize("share", [0, 1])
def test_a_whole_share_of_burnt_pixels(share):
    radiance = jnp.linspace(0.1, 4.0, 48).reshape(4, 4, 3)
    found = tonemap.reinhard(radiance, burn_fraction=share)
    np.testing.assert_array_equal(found, tonemap.reinhard(radiance, burn_fraction=float(share)))
