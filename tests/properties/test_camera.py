"""What must hold of response, merging and exposure whatever the pictures: order, times, types."""

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pixels import bracket, examples, pixels

from hdr_jax import crf, exposure, weighting
from hdr_jax.merge import merge, synthesize

G = np.log((np.arange(256) + 0.5) / 255.5).astype(np.float32)
# Exposures, height, width, channels: two and sixteen, one pixel, odd sides, one channel.
SHAPES = [(2, 1, 1, 1), (3, 5, 7, 3), (16, 1, 9, 1)]
RECOVERED = [(2, 1, 1, 1), (3, 9, 13, 3), (16, 5, 7, 1)]
FEW = {"num_samples": 50, "num_levels": 64}


def shuffled(stack, log_times, seed):
    """The exposures in another order."""
    order = np.random.default_rng(seed).permutation(len(stack))
    return stack[order], log_times[order]


def check_merge(shape, example, shift):
    stack, log_times = bracket(shape, *example)
    radiance = np.asarray(merge(stack, log_times, G))
    assert radiance.shape == shape[1:] and radiance.dtype == np.float32
    assert np.isfinite(radiance).all() and (radiance > 0).all()
    other = merge(*shuffled(stack, log_times, example[1]), G)
    np.testing.assert_allclose(other, radiance, rtol=1e-5)
    later = merge(stack, log_times + np.float32(shift), G)
    np.testing.assert_allclose(later, radiance * np.exp(-shift), rtol=1e-4)


@hypothesis.given(example=examples(), shift=st.floats(-5, 5))
@hypothesis.settings(max_examples=15)
def test_merge_of_two_exposures(example, shift):
    check_merge(SHAPES[0], example, shift)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES[1:])
@hypothesis.given(example=examples(), shift=st.floats(-5, 5))
@hypothesis.settings(max_examples=20)
def test_merge(shape, example, shift):
    check_merge(shape, example, shift)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "bfloat16", "float64"])
@hypothesis.given(example=examples())
@hypothesis.settings(max_examples=10)
def test_merge_of_other_types(dtype, example):
    """Integers are their share of the type's maximum; NumPy and JAX arrays are the same."""
    stack, log_times = bracket((3, 5, 7, 3), *example)
    with jax.enable_x64(dtype == "float64"):
        if dtype.startswith("uint"):
            top = np.iinfo(dtype).max
            typed = np.rint(stack * top).astype(dtype)
            exact = typed.astype(np.float32) / np.float32(top)
        else:
            typed = np.asarray(jnp.asarray(stack, dtype))
            exact = typed.astype(np.float64 if dtype == "float64" else np.float32)
        curve = G.astype(exact.dtype)
        radiance = merge(typed, log_times, curve)
        assert radiance.dtype == exact.dtype
        np.testing.assert_allclose(radiance, merge(exact, log_times, curve), rtol=2e-5)
        np.testing.assert_allclose(radiance, merge(jnp.asarray(typed), log_times, curve), rtol=2e-5)


@pytest.mark.slow
@hypothesis.given(example=examples())
@hypothesis.settings(max_examples=15)
def test_confidence(example):
    """Confidence in all is none; what is not believed does not count."""
    stack, log_times = bracket((3, 5, 7, 3), *example)
    ones = np.ones((3, 5, 7), np.float32)
    whole = merge(stack, log_times, G, confidence=ones)
    np.testing.assert_allclose(whole, merge(stack, log_times, G), rtol=1e-5)
    ones[1] = 0
    other = stack.copy()
    other[1] = pixels((5, 7, 3), "random", example[1])
    merged = [merge(x, log_times, G, confidence=ones) for x in (stack, other)]
    # The middle exposure decides which end a lost pixel is read from, if it is believed.
    np.testing.assert_allclose(*merged, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"sampling": "quantiles"}, {"method": "mitsunaga_nayar"}])
@pytest.mark.parametrize("shape", RECOVERED)
@pytest.mark.filterwarnings("ignore:only")
@hypothesis.given(example=examples(), shift=st.floats(-3, 3))
@hypothesis.settings(max_examples=8)
def test_recovery(shape, options, example, shift):
    """g is finite and anchored; neither the order nor the unit of the times matter."""
    stack, log_times = bracket(shape, *example)
    g = np.asarray(crf.recover(stack, log_times, **FEW, **options))
    assert g.shape == (shape[-1], 64) and g.dtype == np.float32 and np.isfinite(g).all()
    np.testing.assert_array_equal(g[:, 32], 0)
    if example[0] != "random" and "method" in options:
        return  # four levels do not determine a polynomial of degree 5
    spread = max(1.0, float(np.ptp(g)))
    other = crf.recover(*shuffled(stack, log_times, example[1]), **FEW, **options)
    np.testing.assert_allclose(other, g, atol=2e-3 * spread)
    later = crf.recover(stack, log_times + np.float32(shift), **FEW, **options)
    np.testing.assert_allclose(later, g, atol=2e-3 * spread)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:only")
@hypothesis.given(example=examples())
@hypothesis.settings(max_examples=8)
def test_synthesis(example):
    stack, log_times = bracket((3, 9, 13, 3), *example)
    radiance, g = synthesize(stack, log_times, **FEW)
    assert np.isfinite(radiance).all() and float(jnp.min(radiance)) > 0
    levels = np.rint(stack * 255).astype(np.uint8)
    by_levels, _ = synthesize(levels, log_times, **FEW)
    unit = levels.astype(np.float32) / np.float32(255)
    np.testing.assert_allclose(by_levels, synthesize(unit, log_times, **FEW)[0], rtol=1e-4)


@pytest.mark.slow
@hypothesis.given(seed=st.integers(0, 999), step=st.floats(0.001, 1))
@hypothesis.settings(max_examples=15)
def test_curves(seed, step):
    """A response undoes its lookup; the nearest monotone curve is one, and of itself."""
    rng = np.random.default_rng(seed)
    rise = rng.random(64).astype(np.float32) + np.float32(step)
    g = jnp.asarray(np.cumsum(rise))
    levels = jnp.asarray(63 * pixels((16,), "random", seed))
    np.testing.assert_allclose(crf.respond(crf.lookup(levels, g), g), levels, atol=2e-3)
    rough = jnp.asarray(rng.normal(size=(1, 64)).astype(np.float32))
    fitted = crf.monotone(rough)
    assert (np.diff(fitted) >= 0).all()
    np.testing.assert_allclose(crf.monotone(fitted), fitted, atol=1e-6)
    np.testing.assert_allclose(np.mean(fitted), np.mean(rough), atol=1e-5)


@hypothesis.given(example=examples(), stops=st.floats(-3, 3))
@hypothesis.settings(max_examples=15)
def test_exposure(example, stops):
    """Pixels are in [0, 1]; more time is not darker; stops and log times are two units of it."""
    radiance = 3 * pixels((5, 7, 1), *example)
    log_times = exposure.ev_to_log_times(np.array([stops, stops + 1], np.float32))
    stack = np.asarray(exposure.expose(radiance, log_times, exposure.sigmoid()))
    assert stack.shape == (2, 5, 7, 1) and stack.min() >= 0 and stack.max() <= 1
    assert (stack[1] >= stack[0]).all()
    np.testing.assert_allclose(exposure.log_times_to_ev(log_times)[0], stops, atol=1e-5)


@hypothesis.given(example=examples())
@hypothesis.settings(max_examples=15)
def test_weights(example):
    """In [0, 1], symmetric, 0 at the ends; extremes count once at least."""
    z = 255 * pixels((105,), *example)
    w = np.asarray(weighting.hat(z))
    assert w.min() >= 0 and w.max() <= 1
    np.testing.assert_allclose(weighting.hat(255 - z), w, atol=1e-5)
    stack, log_times = bracket((3, 35, 1, 1), *example)
    counted = np.asarray(weighting.extremes_counted_once(stack, log_times))
    assert set(np.unique(counted)) <= {0, 1} and (counted.max(0) == 1).all()
