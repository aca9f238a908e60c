"""Ways around what XLA's CPU backend does slowly: values and slopes are what they were."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from hdr_jax.xla_cpu import convolution, in_memory, lines


def drawn(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def xlas(inputs, kernel, padding):
    layout = ("NHWC", "HWIO", "NHWC")
    options = {"dimension_numbers": layout, "precision": lax.Precision.HIGHEST}
    return lax.conv_general_dilated(inputs, kernel, (1, 1), padding, **options)


@pytest.mark.parametrize(
    "size, kernel, padding",
    [
        ((2, 9, 7, 24), (3, 3, 16), ((1, 1), (1, 1))),
        ((1, 20, 5, 8), (9, 2, 32), ((0, 0), (0, 0))),  # columns are added, not rows
        ((1, 8, 30, 32), (3, 5, 8), ((2, 0), (1, 3))),
        ((1, 6, 5, 3), (3, 3, 4), ((1, 1), (1, 1))),  # few channels: as XLA does it
        ((1, 6, 5, 20), (1, 1, 20), ((0, 0), (0, 0))),  # outputs that are no multiple of eight
        ((1, 64, 64, 128), (3, 3, 256), ((1, 1), (1, 1))),  # large
    ],
)
def test_convolution_is_xlas(size, kernel, padding):
    x, k = drawn(1, *size), drawn(2, *kernel[:2], size[-1], kernel[-1])

    def ours(x, k):
        return convolution(x, k, padding, lax.Precision.HIGHEST)

    def theirs(x, k):
        return xlas(x, k, padding)

    expected = theirs(x, k)
    assert ours(x, k).shape == expected.shape
    np.testing.assert_allclose(ours(x, k), expected, atol=1e-5 * jnp.abs(expected).max())
    (_, slope), (_, known) = (
        jax.jvp(f, (x, k), (k.sum() * x, x.sum() * k)) for f in (ours, theirs)
    )
    np.testing.assert_allclose(slope, known, atol=1e-5 * jnp.abs(known).max())
    of_ours, of_theirs = (
        jax.grad(lambda x, k, f=f: jnp.sum(f(x, k) ** 2), argnums=(0, 1))(x, k)
        for f in (ours, theirs)
    )
    for one, other in zip(of_ours, of_theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5 * jnp.abs(other).max())


def test_a_convolution_that_yields_no_row_is_empty():
    assert convolution(drawn(1, 1, 2, 9, 32), drawn(2, 3, 3, 32, 8), ((0, 0), (0, 0))).size == 0


def test_lines():
    picture = drawn(3, 2, 4, 5, 3)
    np.testing.assert_array_equal(lines(picture).reshape(picture.shape), picture)


@pytest.mark.slow
def test_what_is_written_stays_what_it_is():
    x = drawn(4, 3, 5)
    np.testing.assert_array_equal(in_memory(x), x)
    for transform in (jax.grad, jax.jacfwd):
        slope = transform(lambda x: jnp.sum(jnp.sin(in_memory(x))))
        np.testing.assert_allclose(slope(x), jnp.cos(x), rtol=1e-6)
        np.testing.assert_allclose(jax.vmap(slope)(x[None])[0], jnp.cos(x), rtol=1e-6)
    one_nan = x.at[0, 0].set(jnp.nan)
    unknown = jnp.isnan(jax.vmap(in_memory)(jnp.stack([x, one_nan])))
    assert unknown.any((1, 2)).tolist() == [False, True]


@pytest.mark.parametrize("channels", [(8, 32), (32, 8)])
def test_convolutions_of_a_batch_have_slopes(channels):
    x, k = drawn(5, 2, 1, 9, 7, channels[0]), drawn(6, 3, 2, *channels)

    def total(function):
        return lambda x: jnp.sum(jnp.sin(jax.vmap(lambda x: function(x, k, ((0, 0), (1, 0))))(x)))

    one, other = (jax.grad(jax.jit(total(f)))(x) for f in (convolution, xlas))
    np.testing.assert_allclose(one, other, atol=1e-3)
