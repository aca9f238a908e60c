"""Response recovery, lookup and forward response against references, truth and OpenCV."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from jax.test_util import check_grads

from hdr_jax import crf, sampling, synthetic
from hdr_jax.errors import InputError
from hdr_jax.exposure import expose, gamma, sigmoid, srgb
from hdr_jax.merge import merge, synthesize
from hdr_jax.sampling import grossberg_nayar, quantiles

LOG_TIMES = np.log(2.0) * np.arange(-3, 4)
TWO = LOG_TIMES[:2]
CURVE = jnp.log((jnp.arange(256) + 0.5) / 255.5)


def scene(seed=0, shape=(48, 64, 3), stops=16):
    """Log-uniform radiance over so many stops that the exposures reach every level."""
    log2 = stops * (np.random.default_rng(seed).random(shape) - 0.7)
    return np.exp2(log2).astype(np.float32)


def curve_error(g, response, low=5, high=250):
    """RMS difference of g [256] from the true ln f^-1 over levels low..high, both 0 at 128."""
    fine = np.linspace(1e-7, 1, 400001)
    inverse = np.interp(np.arange(256) / 255, np.asarray(response(jnp.asarray(fine))), fine)
    truth = np.log(np.maximum(inverse, 1e-9))
    difference = (np.asarray(g) - truth - (g[128] - truth[128]))[low : high + 1]
    return float(np.sqrt(np.mean(difference**2)))


@pytest.mark.parametrize(
    ("num_levels", "num_samples", "num_exposures"), [(256, 60, 7), (64, 50, 3), (32, 20, 16)]
)
def test_debevec_equals_the_full_system(num_levels, num_samples, num_exposures):
    rng = np.random.default_rng(num_levels)
    log_times = np.linspace(-2, 2, num_exposures)
    log_radiance = rng.uniform(-3, 1, num_samples)
    exposure = np.clip(np.exp(log_radiance[:, None] + log_times), 0, 1)
    levels = np.round(exposure ** (1 / 2.2) * (num_levels - 1)).astype(int)
    expected = reference.debevec_full_system(levels, log_times, 5.0, num_levels)
    g = crf.debevec(levels, log_times, smoothness=5.0, num_levels=num_levels)
    np.testing.assert_allclose(g[1:-1], expected[1:-1], atol=2e-3)
    assert g[num_levels // 2] == 0


def test_debevec_on_the_released_samples(shared):
    fixture = np.load(shared / "fixtures/released/hdrlayer_syn_gamma.npz")
    log_times = np.log(fixture["exposure"][0].astype(np.float64))
    for channel in range(3):
        levels = fixture["samples"][0, :, channel].T.astype(int)
        expected = reference.debevec_full_system(levels, log_times)
        g = crf.debevec(levels, log_times)
        assert np.max(np.abs(np.asarray(g)[1:255] - expected[1:255])) <= 2e-5


@pytest.mark.slow
@pytest.mark.parametrize("num_levels", [64, 256])
def test_the_solvers_agree(num_levels):
    """Also in their gradients, and for exposures that are lost."""
    rng = np.random.default_rng(7)
    stack = expose(scene(7), LOG_TIMES, srgb(), num_levels=num_levels)
    levels = np.array(quantiles(stack, num_levels=num_levels)[0])
    levels[rng.random(levels.shape) < 0.3] = num_levels - 1

    def curve(log_times, solver):
        return crf.debevec(levels, log_times, num_levels=num_levels, solver=solver)

    def roughness(log_times, solver):
        return jnp.sum(jnp.sin(curve(log_times, solver)))

    with jax.enable_x64(True):
        exact = np.asarray(curve(LOG_TIMES, "cholesky"))
    solved = {}
    for solver in ("cholesky", "lstsq"):
        g = solved[solver] = np.asarray(curve(LOG_TIMES, solver))
        np.testing.assert_allclose(g, exact, atol=5e-6)
    np.testing.assert_allclose(solved["lstsq"], solved["cholesky"], atol=1e-5)
    gradients = [jax.grad(roughness)(jnp.asarray(LOG_TIMES), s) for s in ("cholesky", "lstsq")]
    np.testing.assert_allclose(*gradients, rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match="unknown solver"):
        curve(LOG_TIMES, "qr")


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["cholesky", "lstsq"])
def test_any_smoothness_is_solved_for_in_float32(solver):
    """The normal equations alone had errors of 0.001, 0.03 and 0.02 from 1 on, and no gradient."""
    stack = synthetic.Camera().photograph(
        synthetic.meter(synthetic.render_scene(7, 96, 128)),
        np.arange(-3, 4),
        np.random.default_rng(0),
    )
    levels, waves = np.asarray(quantiles(stack)[1]), np.sin(np.arange(256))

    def curve_and_slope(smoothness, dtype):
        def wave(log_times):
            g = crf.debevec(levels.astype(dtype), log_times, smoothness=smoothness, solver=solver)
            return (waves.astype(dtype) * g).sum(), g

        (_, g), slope = jax.value_and_grad(wave, has_aux=True)(jnp.asarray(LOG_TIMES, dtype))
        return np.asarray(g), np.asarray(slope)

    for smoothness, of_g, of_slope in (
        (20, 2e-6, 2e-5),
        (5, 2e-6, 2e-4),
        (1, 2e-6, 2e-3),
        (0.1, 5e-5, 2e-3),
    ):
        with jax.enable_x64(True):
            exact, exact_slope = curve_and_slope(np.float64(smoothness), np.float64)
        g, slope = curve_and_slope(np.float32(smoothness), np.float32)
        np.testing.assert_allclose(g, exact, atol=of_g)
        largest = np.abs(exact_slope).max()
        np.testing.assert_allclose(slope, exact_slope, atol=of_slope * largest)


@pytest.mark.slow
def test_the_solver_reaches_the_layer():
    stack = expose(scene(8, (24, 32, 3)), LOG_TIMES, srgb(), num_levels=256)
    _, g = synthesize(stack, LOG_TIMES, solver="lstsq")
    np.testing.assert_allclose(g, synthesize(stack, LOG_TIMES)[1], atol=1e-5)


def test_a_weighting_may_be_zero_at_inner_levels():
    """Debevec's minimiser where the data tells, a straight line where nothing does."""

    def weighting(levels, num_levels):
        levels = jnp.asarray(levels, jnp.float32)
        return ((levels >= 10) & (levels <= 245) & (levels != 100)).astype(levels.dtype)

    rng = np.random.default_rng(9)
    exposure = np.exp(rng.uniform(-5, 1, 80)[:, None] + LOG_TIMES)
    levels = np.round(np.clip(exposure, 0, 1) ** (1 / 2.2) * 255).astype(int)
    g = np.asarray(crf.debevec(levels, LOG_TIMES, weighting=weighting))
    assert np.isfinite(g).all()
    weight = lambda z, num_levels: float(weighting(z, num_levels))  # noqa: E731
    expected = reference.debevec_full_system(levels, LOG_TIMES, weight=weight)
    np.testing.assert_allclose(g[10:246], expected[10:246], atol=2e-3)
    np.testing.assert_allclose(np.diff(g[:10]), g[10] - g[9], atol=1e-3)
    np.testing.assert_allclose(np.diff(g[246:]), g[246] - g[245], atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("method", ["debevec", "mitsunaga_nayar"])
def test_half_precision_is_promoted(method, dtype):
    stack = expose(scene(11, (24, 32, 3)), LOG_TIMES, srgb()).astype(dtype)
    g = crf.recover(stack, LOG_TIMES, method=method)
    assert g.dtype == jnp.float32
    np.testing.assert_array_equal(
        g, crf.recover(stack.astype(jnp.float32), LOG_TIMES, method=method)
    )
    radiance, _ = synthesize(stack, LOG_TIMES)
    assert radiance.dtype == jnp.float32 and bool(jnp.all(jnp.isfinite(radiance)))
    levels = jnp.asarray([[10, 20], [40, 80], [100, 200]], dtype)
    solve = {"debevec": crf.debevec, "mitsunaga_nayar": crf.mitsunaga_nayar}[method]
    assert solve(levels, jnp.asarray([0.0, 0.7], dtype)).dtype == jnp.float32


def test_grossberg_nayar_equals_the_released_samples(shared):
    fixture = np.load(shared / "fixtures/released/hdrlayer_syn_gamma.npz")
    samples = grossberg_nayar(fixture["stack_u8"].transpose(0, 2, 3, 1))  # [c, p, n]
    expected = fixture["samples"][0].transpose(1, 2, 0)
    # Where two levels are equally near to u, float32 may pick the other one.
    assert np.mean(np.asarray(samples) == expected) > 0.999


def test_gamma_is_recovered_as_well_as_by_opencv(shared):
    cv2 = pytest.importorskip("cv2")
    fixture = np.load(shared / "fixtures/released/hdrlayer_syn_gamma.npz")
    stack = fixture["stack_u8"].transpose(0, 2, 3, 1)
    times = fixture["exposure"][0]
    g = crf.recover(stack, np.log(times))
    pictures = [np.ascontiguousarray(picture) for picture in stack]
    opencv = np.log(cv2.createCalibrateDebevec(256, 20).process(pictures, times)[:, 0].T)
    for channel in range(3):
        assert curve_error(g[channel], gamma()) <= curve_error(opencv[channel], gamma())


@pytest.mark.parametrize("response", [gamma(), srgb(), sigmoid(), sigmoid(1.1, 0.4)])
@pytest.mark.parametrize("method", ["debevec", "mitsunaga_nayar"])
def test_known_responses_are_recovered(response, method):
    stack = expose(scene(), LOG_TIMES, response, num_levels=256)
    options = {"smoothness": 5.0} if method == "debevec" else {}
    g = crf.recover(stack, LOG_TIMES, method=method, **options)
    limit = {"debevec": 0.05, "mitsunaga_nayar": 0.15}[method]
    assert max(curve_error(np.asarray(channel), response) for channel in g) < limit


def test_recovery_does_not_depend_on_the_order_or_registration_of_the_exposures():
    stack = np.asarray(expose(scene(), LOG_TIMES, srgb(), num_levels=256))
    g = crf.recover(stack, LOG_TIMES)
    order = [3, 0, 6, 1, 5, 2, 4]
    np.testing.assert_allclose(crf.recover(stack[order], LOG_TIMES[order]), g, atol=1e-4)
    rolled = np.stack([np.roll(picture, j, axis=1) for j, picture in enumerate(stack)])
    np.testing.assert_allclose(crf.recover(rolled, LOG_TIMES), g, atol=1e-4)


@pytest.mark.slow
def test_samples_are_unbiased_quantiles():
    ramp = jnp.linspace(0, 1, 4096).reshape(1, 64, 64, 1)
    stack = jnp.concatenate([ramp, ramp / 2])
    levels = quantiles(jnp.round(stack * 255) / 255, 64)[0]
    inner = levels[:-1]
    np.testing.assert_allclose(inner[:, 1], inner[:, 0] / 2, atol=0.3)
    biased = grossberg_nayar(stack, 64)[0].astype(jnp.float32)
    assert abs(jnp.mean(levels[:-1, 0] / 2 - levels[:-1, 1])) < 0.02
    assert abs(jnp.mean(biased[1:-1, 0] / 2 - biased[1:-1, 1])) > 0.1


@pytest.mark.parametrize("last", [1 - 2**-24, 1 + 2**-23])
def test_quantiles_do_not_depend_on_how_a_sum_is_rounded(last):
    """Levels that no pixel has at both ends, and 256 pixels: the cdf is flat at simple ratios."""
    levels = np.random.default_rng(0).integers(100, 150, (4, 256))
    cdf = np.stack([np.bincount(x, minlength=256).cumsum() / 256 for x in levels])
    exact = sampling._spread_quantiles(jnp.asarray(cdf, jnp.float32), 32, 0.2)
    rounded = sampling._spread_quantiles(jnp.asarray(cdf * last, jnp.float32), 32, 0.2)
    np.testing.assert_allclose(rounded, exact, atol=0.01)


@pytest.mark.slow
def test_gradient_through_the_solve():
    """The whole layer, samples, solve, lookup and weights, against finite differences."""
    with jax.enable_x64(True):
        rng = np.random.default_rng(5)
        radiance = jnp.asarray(np.exp(rng.uniform(-4, 0, (12, 12, 1))))
        log_times = jnp.log(jnp.array([0.5, 1.0, 2.0]))
        stack = jnp.clip(expose(radiance, log_times, gamma()), 0.02, 0.98)

        @jax.jit
        def layer(stack):
            radiance, _ = synthesize(
                stack,
                log_times,
                num_samples=40,
                num_levels=16,
                sampling="quantiles",  # "auto" chooses places, which jumps where levels are equal
                response_gradient=True,
                weight_gradient=True,
            )
            return jnp.mean(jnp.log(radiance))

        gradient = jax.grad(layer)(stack)
        assert jnp.all(jnp.isfinite(gradient))
        check_grads(layer, (stack,), order=1, modes=["rev"], eps=1e-7, rtol=1e-3)


@pytest.mark.parametrize(
    ("stack", "log_times", "message"),
    [
        (np.zeros((3, 4, 4, 3)), np.zeros(2), "one time for each exposure"),
        (np.zeros((1, 4, 4, 3)), np.zeros(1), "at least two"),
        (np.zeros((2, 4, 4, 3)), np.zeros(2), "equal"),
        (np.zeros((2, 4, 4, 3)), np.array([0, -np.inf]), "finite"),
        (np.zeros((4, 4, 3)), np.zeros(2), r"\[n, h, w, c\]"),
        (np.zeros((2, 4, 4, 3), np.int32), np.arange(2.0), "uint8"),
        (np.zeros((2, 4, 4, 3), np.uint32), np.arange(2.0), "uint32: expected uint8"),
        (np.full((2, 4, 4, 3), 255.0), np.arange(2.0), "divide by 255"),
        (jnp.full((2, 4, 4, 3), 255.0), np.arange(2.0), "divide by 255"),
        (np.full((2, 4, 4, 3), -1.0), np.arange(2.0), "from -1 up to -1"),
        (jnp.full((2, 4, 4, 3), -jnp.inf), np.arange(2.0), "from -inf"),
    ],
)
def test_bad_stacks_are_refused(stack, log_times, message):
    with pytest.raises(ValueError, match=message):
        crf.recover(stack, log_times)


def test_lists_of_pictures_and_masks_are_read_as_arrays_are():
    rng = np.random.default_rng(3)
    stack = (257 * rng.integers(0, 256, (2, 12, 12, 3))).astype(np.uint16)
    valid = rng.random((2, 12, 12)) > 0.1
    expected = crf.recover(stack, TWO, valid=valid)
    assert expected.shape == (3, 4096)
    found = crf.recover(list(stack), list(TWO), valid=valid.tolist())
    np.testing.assert_array_equal(found, expected)
    assert synthesize(list(stack), TWO)[1].shape == (3, 4096)
    with pytest.raises(InputError, match="several sizes"):
        crf.recover([stack[0], stack[1, :5]], TWO)


@pytest.mark.parametrize("sample", [quantiles, grossberg_nayar])
@pytest.mark.parametrize(
    ("stack", "options", "message"),
    [
        (np.full((2, 4, 4, 3), 128.0), {}, "divide by 255"),
        (np.zeros((2, 4, 4, 3)), {"valid": np.ones((1, 4, 4), bool)}, r"expected \[n, h, w\]"),
        (np.zeros((2, 4, 4, 3)), {"valid": np.ones((2, 4, 4))}, "expected bool"),
        (np.zeros((2, 4, 4, 3)), {"num_levels": 1}, "num_levels 1"),
        (np.zeros((2, 4, 4, 3)), {"num_samples": 0}, "num_samples 0"),
    ],
)
def test_what_cannot_be_sampled_is_refused(sample, stack, options, message):
    with pytest.raises(InputError, match=message):
        sample(stack, **options)


def test_a_spread_is_a_share():
    with pytest.raises(InputError, match="level_spread from 5"):
        quantiles(np.zeros((2, 4, 4, 3)), level_spread=5.0)


@pytest.mark.parametrize("solve", [crf.debevec, crf.mitsunaga_nayar])
def test_confidences_of_samples_are_weights(solve):
    levels = np.random.default_rng(2).uniform(20, 200, (9, 2))
    given = np.random.default_rng(3).uniform(0, 1, (9, 2)).tolist()
    expected = solve(levels, TWO, confidence=jnp.asarray(given))
    np.testing.assert_array_equal(solve(levels, TWO, confidence=given), expected)
    for wrong in (np.nan, -1.0):
        with pytest.raises(InputError, match="got confidence from"):
            solve(levels, TWO, confidence=np.full((9, 2), wrong))


def test_debevec_minimises_what_its_docstring_says():
    """With two exposures far apart and little smoothness, where the third term counts."""
    m, smoothness, log_times = 32, 1.0, np.log(2.0) * np.array([-4.0, 4.0])
    light = np.exp(np.random.default_rng(0).uniform(-6, 3, 60))
    levels = np.round((m - 1) * np.clip(light[:, None] * np.exp(log_times), 0, 1) ** (1 / 2.2))
    z, w = np.arange(m), lambda z: np.minimum(z, m - 1 - z) / ((m - 1) / 2)
    rows, target = [], []
    for i, sample in enumerate(levels):
        for level, time in zip(sample, log_times, strict=True):
            row = np.zeros(m + len(levels))
            row[int(level)], row[m + i] = w(level), -w(level)
            rows, target = [*rows, row], [*target, w(level) * time]
    for k in z[1:-1]:
        row = np.zeros(m + len(levels))
        row[k - 1 : k + 2] = smoothness * max(w(k), 1 / m) * np.array([1, -2, 1])
        rows, target = [*rows, row], [*target, 0]
    a = m // 2
    row = np.zeros(m + len(levels))
    row[[a - 1, a + 1]] = -0.1, 0.1
    rows, target = [*rows, row], [*target, 0.2 * np.log(m) / (m - 1)]
    anchor = np.eye(1, m + len(levels), a)[0] * 1e4
    found = np.linalg.lstsq(np.array([*rows, anchor]), np.array([*target, 0]), rcond=None)[0]
    g = crf.debevec(levels, log_times, smoothness=smoothness, num_levels=m)
    np.testing.assert_allclose(g, found[:m], atol=1e-4)


def test_unknown_names_are_refused():
    stack = np.zeros((2, 4, 4, 3), np.float32)
    with pytest.raises(ValueError, match="unknown sampling.*auto, quantiles"):
        crf.recover(stack, np.arange(2.0), sampling="x")
    with pytest.raises(ValueError, match="one of hat, uniform, noise"):
        crf.recover(stack, np.arange(2.0), weighting="x")
    for option in ({"method": "x"}, {"weighting": "x"}):
        with pytest.raises(ValueError, match="unknown"):
            crf.recover(stack, np.arange(2.0), **option)
    with pytest.raises(ValueError, match="smoothness"):
        crf.recover(stack, np.arange(2.0), smoothness=0.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_samples": 0}, "num_samples"),
        ({"num_samples": 2.5}, "num_samples"),
        ({"num_levels": 255.0}, "num_levels"),
        ({"valid": np.full((2, 4, 4), 0.3)}, "confidence >= 0.5"),
        ({"method": "mitsunaga_nayar", "smoothness": 5.0}, "has no smoothness"),
        ({"method": "mitsunaga_nayar", "solver": "lstsq"}, "has no solver"),
        ({"degree": 3}, "has no degree"),
    ],
)
def test_options_that_would_do_nothing_are_refused(options, message):
    stack = np.random.default_rng(15).random((2, 4, 4, 3), np.float32)
    with pytest.raises(ValueError, match=message):
        crf.recover(stack, np.arange(2.0), **options)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"method": "mitsunaga_nayar"}, {"sampling": "quantiles"}])
def test_the_type_of_the_pixels_decides_also_where_float64_is_at_hand(options):
    stack = expose(jnp.asarray(scene()), LOG_TIMES, srgb(), num_levels=256)
    expected = crf.recover(stack, LOG_TIMES, **options)
    levels = np.rint(255 * np.asarray(stack)).astype(np.uint8)
    with jax.enable_x64(True):
        found = crf.recover(levels, LOG_TIMES, **options)
        assert found.dtype == jnp.float32
        np.testing.assert_allclose(found, expected, atol=2e-3)
        assert crf.recover(np.asarray(stack, np.float64), LOG_TIMES, **options).dtype == jnp.float64


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
@pytest.mark.parametrize("sampler", [grossberg_nayar, quantiles])
def test_samples_of_half_precision(sampler, dtype):
    stack = expose(jnp.asarray(scene(shape=(512, 600, 1))), LOG_TIMES, srgb()).astype(dtype)
    expected = sampler(stack.astype(jnp.float32), 40)
    np.testing.assert_allclose(sampler(stack, 40), expected, atol=1e-3)


def with_nan(side):
    """A stack with one NaN."""
    return jnp.full((2, side, side, 3), 0.5).at[1, 7, 9, 2].set(jnp.nan)


def test_calls_of_one_shape_compile_once(caplog):
    rng = np.random.default_rng(0)
    levels = [jnp.asarray(rng.uniform(0, 255, (99, 7)), jnp.float32) for _ in range(3)]
    for solve in (crf.debevec, crf.mitsunaga_nayar):
        other = {"smoothness": 7.0} if solve is crf.debevec else {}
        solve(levels[0], LOG_TIMES)
        solve(levels[0], LOG_TIMES, weighting=lambda z, n: jnp.ones_like(z))
        with jax.log_compiles(True), caplog.at_level("WARNING"):
            caplog.clear()
            solve(levels[1], LOG_TIMES, **other)
            solve(levels[1], LOG_TIMES, weighting=lambda z, n: jnp.ones_like(z))
        assert not [record for record in caplog.records if "Compiling" in record.message]


@pytest.mark.slow
def test_the_smoothness_is_an_argument_like_others(caplog):
    """An array, mapped over, and no reason to compile anew."""
    stack = np.random.default_rng(2).random((2, 9, 8, 2), np.float32)
    levels = sampling.quantiles(stack, 20, num_levels=16)[0]
    options = {"num_levels": 16, "num_samples": 20, "sampling": "quantiles"}
    five, twenty = (
        np.asarray(crf.recover(stack, TWO, smoothness=s, **options)) for s in (5, jnp.float32(20))
    )
    assert np.abs(five - twenty).max() > 0.01
    with jax.log_compiles(True), caplog.at_level("WARNING"):
        crf.recover(stack, TWO, smoothness=7.0, **options)
    assert not [record for record in caplog.records if "Compiling" in record.message]
    both = jax.vmap(lambda s: crf.debevec(levels, TWO, smoothness=s, num_levels=16))(
        jnp.array([5.0, 20.0])
    )
    np.testing.assert_allclose(both, [five[0], twenty[0]], atol=1e-5)
    np.testing.assert_array_equal(synthesize(stack, TWO, **options)[1], twenty)


@pytest.mark.parametrize("smoothness", [0.5, pytest.param(20.9, marks=pytest.mark.slow)])
def test_a_smoothness_that_is_not_whole_counts_with_samples_of_integers(smoothness):
    """Those of the paper's recipe, and of a user's own sampler."""
    stack, options = scene(shape=(9, 11, 1)), {"num_levels": 32, "num_samples": 12}
    stack = expose(jnp.asarray(stack), LOG_TIMES[2:5], srgb(), num_levels=32)

    def rounded(stack, num_samples, num_levels):
        return jnp.rint(quantiles(stack, num_samples, num_levels=num_levels)).astype(jnp.int32)

    for sampler in (grossberg_nayar, rounded):
        levels = sampler(stack, 12, num_levels=32)[0]
        assert jnp.issubdtype(levels.dtype, jnp.integer)
        expected = crf.debevec(levels, LOG_TIMES[2:5], smoothness=smoothness, num_levels=32)
        g = crf.recover(stack, LOG_TIMES[2:5], sampling=sampler, smoothness=smoothness, **options)
        np.testing.assert_allclose(g[0], expected, atol=1e-5)
    slope = jax.grad(
        lambda s: crf.recover(
            stack, LOG_TIMES[2:5], sampling="grossberg_nayar", smoothness=s, **options
        )[0, -1]
    )
    assert abs(float(slope(smoothness))) > 1e-6


@pytest.mark.parametrize("solve", [crf.debevec, crf.mitsunaga_nayar])
@pytest.mark.parametrize("dtype", [bool, jnp.int32])
def test_weights_may_be_bools_or_integers(solve, dtype):
    levels = jnp.asarray(np.random.default_rng(4).integers(0, 128, (40, 1)) * [1, 2])
    usable = lambda z, n: (z > 5) & (z < n - 6)  # noqa: E731
    expected = solve(levels, TWO, weighting=lambda z, n: usable(z, n).astype(jnp.float32))
    found = solve(levels, TWO, weighting=lambda z, n: usable(z, n).astype(dtype))
    np.testing.assert_array_equal(found, expected)


def test_a_degree_is_whole():
    with pytest.raises(InputError, match="degree 2.5: expected a whole number"):
        crf.mitsunaga_nayar(np.full((4, 2), 99), TWO, degree=2.5)


@pytest.mark.slow
def test_types_of_the_pixels_do_not_matter_where_float64_is_at_hand():
    with jax.enable_x64(True):
        for dtype in (np.uint8, np.uint16, np.float32):
            most = np.iinfo(dtype).max if dtype != np.float32 else 1
            stack = (most * np.random.default_rng(5).random((2, 8, 8, 1))).astype(dtype)
            log_times = jnp.asarray(TWO, jnp.float32)
            for weighting in ("hat", lambda z, n: jnp.where((z > 5) & (z < n - 6), 1.0, 0.0)):
                options = {"sampling": "quantiles", "weighting": weighting}
                radiance, g = synthesize(stack, log_times, **options)
                assert radiance.dtype == g.dtype == jnp.float32
                slope = jax.grad(
                    lambda g, x=stack, w=weighting: merge(x, TWO, g, weighting=w).sum()
                )(g)
                assert slope.dtype == jnp.float32


@pytest.mark.parametrize("solve", [crf.debevec, crf.mitsunaga_nayar])
@pytest.mark.parametrize(
    ("levels", "options", "message"),
    [
        (np.uint16([[300, 600], [99, 200]]), {}, "from 99 to 600 with num_levels 256"),
        (np.float32([[0.2, 0.4], [0.1, 0.3]]), {}, "multiply pixels"),
        (np.float32([[3, 7], [np.nan, 9]]), {}, "num_levels 256"),
        (np.int32([[-3, 7], [8, 9]]), {}, "from -3 to 9"),
        (np.int32([[20, 40]]), {"num_levels": 32}, "num_levels 32"),
    ],
)
def test_levels_of_another_scale_are_refused(solve, levels, options, message):
    with pytest.raises(InputError, match=message):
        solve(levels, TWO, **options)


@pytest.mark.parametrize(
    "call",
    [
        lambda times: crf.debevec(np.ones((4, 2)), times),
        lambda times: crf.mitsunaga_nayar(np.ones((4, 2)), times),
        lambda times: expose(jnp.ones((1, 1, 1)), times, srgb()),
        lambda times: merge(np.ones((2, 1, 1, 1), np.float32), times, jnp.arange(9.0)),
    ],
)
def test_times_are_checked_alike(call):
    with pytest.raises(InputError, match="must be finite"):
        call(np.array([0.0, np.nan]))
    if "expose" not in call.__code__.co_names:
        with pytest.raises(InputError, match="equal"):
            call(np.ones(2))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda stack: crf.recover(stack, TWO, num_levels=1), "at least 2"),
        (lambda stack: synthesize(stack, TWO, num_levels=0), "at least 2"),
        (lambda stack: crf.recover(stack, TWO, weighting="noise"), "of a known response"),
        (lambda stack: crf.recover(stack[:, :0], TWO), "with pixels"),
        (lambda stack: crf.recover(with_nan(64), TWO), "up to nan"),
        (lambda stack: crf.recover(np.asarray(with_nan(181)), TWO), "up to nan"),
        (lambda stack: synthesize(with_nan(181), TWO), "up to nan"),
        (lambda stack: quantiles(stack[0], 5), "expected .n, h, w, c."),
        (lambda stack: expose(stack[0], jnp.zeros(1), srgb(), num_levels=1), "at least 2"),
        (lambda stack: expose(stack[0], jnp.zeros(1), jnp.log(jnp.arange(9.0))), "half a level"),
        (lambda stack: merge(stack, TWO, jnp.log(jnp.arange(9.0))), "half a level"),
        (lambda stack: merge(np.asarray(stack[:, :0]), TWO, jnp.arange(9.0)), "with pixels"),
        (lambda stack: crf.lookup(stack, jnp.log(jnp.arange(9.0))), "half a level"),
        (lambda stack: crf.lookup(stack, jnp.zeros(1)), "at least 2"),
        (lambda stack: expose(stack[0], TWO, jnp.array([0.0, -3, 1])), "from level 0 to 1.*mono"),
        (lambda stack: crf.respond(stack, jnp.array([[0.0, 1, 3], [2, 4, 3]])), "level 1 to 2"),
        (lambda stack: crf.monotone(1.0), "curves"),
        (lambda stack: merge(np.asarray(stack), TWO[None], jnp.arange(9.0)), r"\(2, 16, 16, 3\)"),
        (jax.jit(lambda stack: merge(stack, TWO, CURVE, rounding=stack[0, 0, 0, 0] > 0)), "traced"),
        (jax.jit(lambda stack: crf.recover(stack, TWO, num_levels=stack.sum())), "whole number"),
    ],
)
def test_what_cannot_be_used_is_told(call, message):
    with pytest.raises(InputError, match=message):
        call(jnp.full((2, 16, 16, 3), 0.5))


@pytest.mark.parametrize("solve", [crf.debevec, crf.mitsunaga_nayar])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_levels": 1}, "num_levels 1: expected a whole number"),
        ({"num_levels": 256.0}, "num_levels 256.0: expected a whole number"),
        ({"confidence": np.ones(2)}, r"one shape, got \(4, 2\) and \(2,\)"),
        ({"confidence": np.ones((4, 1))}, r"one shape, got \(4, 2\) and \(4, 1\)"),
        ({"log_times": TWO[:1], "levels": np.ones((4, 1))}, "at least two exposures"),
    ],
)
def test_options_of_one_channel_are_checked(solve, options, message):
    options = {"levels": np.ones((4, 2)), "log_times": TWO, **options}
    with pytest.raises(InputError, match=message):
        solve(options.pop("levels"), options.pop("log_times"), **options)


@pytest.mark.slow
def test_lists_are_arrays():
    stack = np.random.default_rng(0).random((2, 5, 4, 1)).astype(np.float32)
    radiance, g = synthesize(stack, TWO)
    for found, expected in (
        (synthesize(stack.tolist(), TWO.tolist())[0], radiance),
        (merge(stack.tolist(), TWO.tolist(), g.tolist()), radiance),
        (
            crf.debevec([[10, 20], [30, 60]], TWO.tolist()),
            crf.debevec(np.array([[10, 20], [30, 60]]), TWO),
        ),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5)
