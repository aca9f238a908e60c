"""The forward camera: its slopes where exposures are black or white, and under noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hdr_jax import crf
from hdr_jax.color import srgb_to_linear
from hdr_jax.errors import InputError
from hdr_jax.exposure import (
    ev_to_log_times,
    expose,
    gamma,
    log_inverse_sigmoid,
    sigmoid,
    srgb,
)
from hdr_jax.merge import merge, synthesize
from hdr_jax.weighting import hat

LOG_TIMES = np.zeros(1, np.float32)


def slope(radiance, response, **options):
    """d stack / d radiance of single pixels, each on its own."""
    one = lambda x: expose(x.reshape(1, 1, 1), LOG_TIMES, response, **options).sum()  # noqa: E731
    return jax.vmap(jax.grad(one))(jnp.asarray(radiance, jnp.float32))


def test_the_full_slope_holds_at_black_and_white():
    slopes = slope([0.0, 1.0, 1.1, -0.1], srgb())
    np.testing.assert_allclose(slopes, [12.92, 1.055 / 2.4, 0, 0], rtol=1e-4)
    table = jnp.log(jnp.linspace(0.01, 1, 64))
    linear = slope([0.0, 1.0, 1.1, -0.1], gamma(1))
    np.testing.assert_allclose(linear, slope([0.0, 1.0, 1.1, -0.1], lambda x: x))
    np.testing.assert_allclose(slope([0.0], sigmoid(1.0, 0.6)), 1.6 / 0.6, rtol=1e-5)
    ends = slope([0.01, 1.0], table) * 63
    expected = [1 / 0.01 / (table[1] - table[0]), 1 / (table[-1] - table[-2])]
    np.testing.assert_allclose(ends, expected, rtol=1e-3)


@pytest.mark.parametrize("noise", [{}, {"read_noise": 0.01}, {"shot_noise": 0.1}])
@pytest.mark.parametrize("response", [srgb(), gamma(), jnp.log(jnp.linspace(0.001, 1, 64))])
def test_gradients_with_a_key_are_finite(noise, response):
    radiance = jnp.asarray([[[0.0], [1e-3], [0.4], [1.0]]], jnp.float32)
    key = jax.random.key(0)

    def total(radiance, read_noise, shot_noise):
        options = {"read_noise": read_noise, "shot_noise": shot_noise}
        return expose(radiance, LOG_TIMES, response, key=key, **options).sum()

    amounts = [noise.get(name, 0.0) for name in ("read_noise", "shot_noise")]
    gradients = jax.grad(total, argnums=(0, 1, 2))(radiance, *amounts)
    assert all(bool(jnp.all(jnp.isfinite(gradient))) for gradient in gradients)
    assert float(jnp.abs(gradients[0][0, 2, 0])) > 0
    if not noise:  # a key alone changes nothing
        plain = jax.grad(lambda x: expose(x, LOG_TIMES, response).sum())(radiance)
        np.testing.assert_array_equal(gradients[0], plain)


def test_numbers_are_checked():
    for wrong in (
        lambda: gamma(-1),
        lambda: sigmoid(s=0),
        lambda: sigmoid(n=0),
        lambda: log_inverse_sigmoid(num_levels=1),
        lambda: expose(jnp.ones((2, 2, 3)), LOG_TIMES, srgb(), num_levels=255.5),
    ):
        with pytest.raises(InputError, match="expected a"):
            wrong()


@pytest.mark.parametrize("response", [srgb(), gamma(), sigmoid(), log_inverse_sigmoid()])
def test_what_is_unknown_stays_so(response):
    radiance = jnp.full((1, 2, 3), jnp.nan).at[0, 1].set(0.5)
    unknown = jnp.isnan(expose(radiance, [0.0], response))
    assert unknown[0, 0, 0].all() and not unknown[0, 0, 1].any()


def test_a_table_of_numpy_is_one_of_jax():
    radiance, g = (
        np.random.default_rng(0).uniform(0, 1, (4, 5, 3)),
        np.log(np.linspace(0.01, 1, 64)),
    )
    expected = expose(jnp.asarray(radiance), LOG_TIMES, jnp.asarray(g))
    np.testing.assert_array_equal(expose(radiance, LOG_TIMES, g), expected)


def test_one_time_of_a_list_may_be_traced():
    radiance = jnp.asarray([[[0.1]]])
    slope = jax.grad(lambda t: expose(radiance, [0.0, t], gamma(1.0)).sum())(0.5)
    assert slope == pytest.approx(0.1 * np.exp(0.5), rel=1e-6)
    with jax.enable_x64(True):
        exposed = expose(np.full((1, 1, 1), 0.1), np.array([0, 1]), gamma(1.0))
    np.testing.assert_allclose(exposed.ravel(), [0.1, 0.1 * np.e], rtol=1e-14)


def test_one_curve_serves_all_channels():
    radiance = jnp.asarray(np.random.default_rng(0).uniform(0, 1, (4, 5, 3)), jnp.float32)
    g = jnp.log(jnp.linspace(0.01, 1, 64))
    expected = expose(radiance, LOG_TIMES, g)
    for table in (g[None], jnp.stack([g] * 3)):
        np.testing.assert_allclose(expose(radiance, LOG_TIMES, table), expected, rtol=1e-6)


@pytest.mark.parametrize("recovered", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_exposing_a_merged_map_by_its_table_gives_the_stack_back(recovered):
    """Whatever level the table is 0 at; also channel by channel, and in a batch of cameras."""
    log_times = ev_to_log_times(np.arange(-3.0, 4))
    radiance = np.exp2(np.random.default_rng(1).uniform(-8, 2.5, (24, 32, 2))).astype(np.float32)
    camera = lambda x: jnp.concatenate([gamma(2.2)(x[..., :1]), srgb()(x[..., 1:])], -1)  # noqa: E731
    stack = expose(jnp.asarray(radiance), log_times, camera, num_levels=256)
    if recovered:
        merged, g = synthesize(stack, log_times)
        g = crf.monotone(g)
    else:
        levels = np.arange(256, dtype=np.float32).clip(0.5) / 255
        g = jnp.log(jnp.stack([levels**2.2, srgb_to_linear(levels)]))
        g = g - g[:, 128:129]
        merged = merge(stack, log_times, g)
    assert float(jnp.max(g)) > 0.5
    again = expose(merged, log_times, g)
    np.testing.assert_allclose(again, stack, atol=0.02)
    batch = jax.vmap(expose, (0, None, 0))(
        jnp.stack([merged, merged]), log_times, jnp.stack([g, g + 1])
    )
    np.testing.assert_allclose(batch, np.stack([again, again]), atol=1e-5)


def test_the_hat_has_its_full_slope_at_the_ends():
    slopes = jax.vmap(jax.grad(hat))(jnp.array([-1.0, 0.0, 50.0, 200.0, 255.0, 256.0]))
    np.testing.assert_allclose(slopes, np.array([0, 1, 1, -1, -1, 0]) / 127.5)


def test_black_has_a_slope_of_zero_through_a_table():
    table = jnp.linspace(-4, 1, 64)
    total = jax.jit(jax.grad(lambda x: expose(x, jnp.zeros(2), table).sum()))
    radiance = jnp.array([0.0, 1e-40, 0.5]).reshape(1, 3, 1)
    slopes = total(radiance).ravel()
    np.testing.assert_array_equal(slopes[:2], 0)
    assert np.isfinite(slopes[2]) and slopes[2] > 0


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_half_precision_has_all_levels(dtype):
    radiance = jnp.full((1, 1, 1), 0.5, dtype)
    for num_levels in (256, 4096, 65536):
        level = (num_levels - 1) * expose(radiance, [0.0], srgb(), num_levels=num_levels)
        expected = (num_levels - 1) * float(srgb()(0.5))
        np.testing.assert_allclose(level.item(), round(expected), rtol=1e-6)
    assert float(hat(jnp.float16(60000), 65536)) == pytest.approx(0.169, abs=1e-3)


@pytest.mark.parametrize(
    ("response", "options", "message"),
    [
        (srgb, {}, r"expected what srgb\(\) gives"),
        ("srgb", {}, r"expected what srgb\(\) gives"),
        (srgb(), {"read_noise": -0.1, "key": jax.random.key(0)}, "read_noise from -0.1"),
    ],
)
def test_what_is_no_response_or_noise_is_refused(response, options, message):
    with pytest.raises(InputError, match=message):
        expose(np.ones((1, 1, 1)), [0.0], response, **options)
