"""Pictures as rows of two lengths."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hdr_jax.merge import merge
from hdr_jax.rows import LONG, SHORT, by_rows

SIZES = [(0, 4), (1, 1), (1, SHORT), (1, SHORT + 1), (7, LONG // 7), (2, LONG), (3, LONG // 2 - 5)]


@pytest.mark.parametrize("size", SIZES)
def test_a_function_of_pixels_is_that_of_the_whole_picture_whatever_its_size(size):
    rng, lengths = np.random.default_rng(0), set()
    pictures = rng.random((2, *size, 3), np.float32), rng.integers(0, 9, (1, *size, 1), np.uint8)

    def function(x, y):
        lengths.add(x.shape[2])
        return x[0] - 2 * x[1] + y[0]

    found = by_rows(function, *pictures)
    np.testing.assert_array_equal(found, np.asarray(function(*pictures)))
    assert lengths - {size[1]} <= {LONG, SHORT}


@pytest.mark.parametrize("options", [{}, {"extremes_once": True}, {"weighting": "noise"}])
def test_merging_by_rows_is_merging(options):
    rng = np.random.default_rng(1)
    stack = rng.integers(0, 256, (3, 301, 450, 3), dtype=np.uint8)
    trust = rng.random(stack.shape[:3], np.float32)
    log_times, g = np.log([1.0, 4.0, 9.0]), np.log((np.arange(256) + 0.5) / 255.5)
    for confidence in (None, trust):
        rows, whole = (
            merge(x, log_times, g, confidence=confidence, **options)
            for x in (stack, jnp.asarray(stack))
        )
        np.testing.assert_allclose(rows, whole, rtol=2e-6)


def test_slopes_pass_through_the_rows():
    stack = np.random.default_rng(2).integers(0, 256, (2, 150, 140, 1), dtype=np.uint8)
    g = jnp.log((jnp.arange(256) + 0.5) / 255.5)
    rows, whole = (
        jax.grad(lambda g, x=x: jnp.log(merge(x, jnp.log(jnp.array([1.0, 4.0])), g)).sum())(g)
        for x in (stack, jnp.asarray(stack))
    )
    np.testing.assert_allclose(rows, whole, rtol=1e-3, atol=1e-3 * float(jnp.abs(whole).max()))
