"""Response recovery, lookup and forward response against references, truth and OpenCV."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from jax.test_util import check_grads

from hdr_jax import crf
from hdr_jax.crf import _least_squares
from hdr_jax.exposure import expose, gamma, sigmoid, srgb
from hdr_jax.merge import synthesize
from hdr_jax.sampling import grossberg_nayar, quantiles

LOG_TIMES = np.log(2.0) * np.arange(-3, 4)


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


@pytest.mark.parametrize("platform", ["cpu", "tpu"])
def test_channels_are_factorised_one_by_one_on_a_cpu_alone(platform):
    """The dead-lock of batched LAPACK is a CPU's; accelerators have batched kernels."""
    solve = jax.jit(jax.vmap(_least_squares.ridge))
    traced = solve.trace(jnp.zeros((3, 9, 4)), jnp.zeros((3, 9)))
    program = traced.lower(lowering_platforms=(platform,)).as_text()
    assert ("stablehlo.while" in program) == (platform == "cpu")


def test_batches_of_batches_are_solved():
    rng = np.random.default_rng(10)
    matrix, target = (jnp.asarray(rng.normal(size=s), jnp.float32) for s in ((2, 3, 9, 4), (3, 9)))
    both = jax.vmap(jax.vmap(_least_squares.ridge), (0, None))(matrix, target)
    for i, j in np.ndindex(2, 3):
        one = _least_squares.ridge(matrix[i, j], target[j])
        np.testing.assert_allclose(both[i, j], one, rtol=1e-4, atol=1e-5)


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


def test_samples_are_unbiased_quantiles():
    ramp = jnp.linspace(0, 1, 4096).reshape(1, 64, 64, 1)
    stack = jnp.concatenate([ramp, ramp / 2])
    levels = quantiles(jnp.round(stack * 255) / 255, 64)[0]
    inner = levels[:-1]
    np.testing.assert_allclose(inner[:, 1], inner[:, 0] / 2, atol=0.3)
    biased = grossberg_nayar(stack, 64)[0].astype(jnp.float32)
    assert abs(jnp.mean(levels[:-1, 0] / 2 - levels[:-1, 1])) < 0.02
    assert abs(jnp.mean(biased[1:-1, 0] / 2 - biased[1:-1, 1])) > 0.1


def test_lookup_backward_is_the_derivative_off_the_integers_and_eq_3_on_them():
    g = jnp.asarray(np.sort(np.random.default_rng(0).normal(size=256)).astype(np.float32))
    slope = jax.vmap(jax.grad(crf.lookup), (0, None))
    off = jnp.arange(0, 255) + 0.5
    finite = (crf.lookup(off + 0.25, g) - crf.lookup(off - 0.25, g)) / 0.5
    np.testing.assert_allclose(slope(off, g), finite, atol=1e-5)
    on = slope(jnp.arange(256.0), g)
    np.testing.assert_array_equal(on[1:], g[1:] - g[:-1])
    assert on[0] == g[0]
    np.testing.assert_array_equal(crf.lookup(jnp.arange(256.0), g), g)


def test_lookup_passes_gradients_to_the_table_and_rounds_on_request():
    g = jnp.array([-3.0, -1.0, 0.0, 0.5])
    z = jnp.array([0.25, 1.5, 3.0])
    jacobian = jax.jacrev(crf.lookup, 1)(z, g)
    expected = [[0.75, 0.25, 0, 0], [0, 0.5, 0.5, 0], [0, 0, 0, 1]]
    np.testing.assert_allclose(jacobian, expected)
    np.testing.assert_array_equal(crf.lookup(jnp.array([0.4, 1.6]), g, rounding=True), [-3, 0])


def test_respond_inverts_lookup_per_channel():
    g = jnp.stack([jnp.linspace(-4, 1, 256), jnp.log(jnp.linspace(0.01, 1, 256))])
    levels = jnp.asarray(np.random.default_rng(1).uniform(0, 255, (5, 7, 2)).astype(np.float32))
    np.testing.assert_allclose(crf.respond(crf.lookup(levels, g), g), levels, atol=2e-2)
    with jax.enable_x64(True):
        table = jnp.asarray(np.asarray(g), jnp.float64)
        x = jnp.asarray(np.random.default_rng(2).uniform(-3, 0.5, (6, 2)))
        check_grads(lambda x, g: crf.respond(x, g), (x, table), order=1, modes=["rev"], eps=1e-6)


def test_monotone_equals_pool_adjacent_violators():
    rng = np.random.default_rng(3)
    noisy = np.cumsum(rng.normal(0.1, 1, 100))
    blocks = []  # of (sum, count), merged while they decrease
    for value in noisy:
        blocks.append((value, 1))
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            last, before = blocks.pop(), blocks.pop()
            blocks.append((last[0] + before[0], last[1] + before[1]))
    expected = np.concatenate([[total / count] * count for total, count in blocks])
    with jax.enable_x64(True):
        np.testing.assert_allclose(crf.monotone(jnp.asarray(noisy)), expected, atol=1e-10)


def max_min(g):
    """`monotone` as its formula is printed: max_{i <= z} min_{k >= z} mean(g(i..k))."""
    n = len(g)
    sums = jnp.concatenate([jnp.zeros(1), jnp.cumsum(g)])
    i, k = jnp.arange(n)[:, None], jnp.arange(n)[None]
    means = jnp.where(k >= i, (sums[k + 1] - sums[i]) / jnp.maximum(k - i + 1, 1), jnp.inf)
    lowest = jax.lax.cummin(means, axis=1, reverse=True)
    return jnp.max(jnp.where(k >= i, lowest, -jnp.inf), axis=0)


@pytest.mark.parametrize("drift", [-1.0, 0.0, 0.3, 3.0])
def test_monotone_and_its_slope_are_those_of_the_max_min_formula(drift):
    g = np.cumsum(np.random.default_rng(12).normal(drift, 1, (3, 40)), axis=1)
    with jax.enable_x64(True):
        for curve in jnp.asarray(g):
            np.testing.assert_allclose(crf.monotone(curve), max_min(curve), atol=1e-12)
            slopes = jax.jit(jax.jacrev(crf.monotone))(curve)
            np.testing.assert_allclose(slopes, jax.jacrev(max_min)(curve), atol=1e-12)
        together = jax.vmap(jax.jit(crf.monotone))(jnp.asarray(g))
        np.testing.assert_array_equal(together, crf.monotone(jnp.asarray(g)))


def test_monotone_of_sixteen_bits_needs_little_memory():
    """The table of all means of the formula would take 35 GB."""
    rising = np.log(np.arange(1, 65537)).astype(np.float32)
    np.testing.assert_array_equal(crf.monotone(rising), rising)
    noisy = rising + np.random.default_rng(13).normal(0, 0.1, 65536).astype(np.float32)
    fitted = np.asarray(crf.monotone(noisy))
    assert np.diff(fitted).min() >= 0
    assert np.abs(fitted - rising)[1000:-1000].max() < 0.05
    # The worst order: every level pools all before it.
    falling = np.asarray(crf.monotone(rising[::-1]))
    np.testing.assert_allclose(falling, rising.astype(np.float64).mean(), rtol=1e-4)


@pytest.mark.parametrize("g", [np.log(np.arange(1, 9)), [-3.0, -1.0, 0.0, 0.5]])
def test_slopes_of_respond_are_the_reciprocals_of_those_of_lookup(g):
    """Also at a table's own values: half of it there would be the mean with that of clipping."""
    g = jnp.asarray(g, jnp.float32)
    nodes = jax.vmap(jax.grad(crf.respond), (0, None))(g, g)
    np.testing.assert_allclose(nodes[1:], 1 / jnp.diff(g), rtol=1e-5)
    np.testing.assert_allclose(nodes[0], 1 / (g[1] - g[0]), rtol=1e-5)
    slopes = jax.vmap(jax.grad(crf.lookup), (0, None))(jnp.arange(1.0, len(g)), g)
    np.testing.assert_allclose(nodes[1:] * slopes, 1, rtol=1e-5)
    beyond = jax.vmap(jax.grad(crf.respond), (0, None))(jnp.array([g[0] - 1, g[-1] + 1]), g)
    np.testing.assert_array_equal(beyond, 0)


def test_one_curve_serves_all_channels():
    g = jnp.log(jnp.arange(1.0, 257))
    levels = jnp.asarray(np.random.default_rng(14).uniform(0, 255, (5, 7, 3)), jnp.float32)
    np.testing.assert_array_equal(crf.lookup(levels, g[None]), crf.lookup(levels, g))
    np.testing.assert_array_equal(crf.respond(levels / 50, g[None]), crf.respond(levels / 50, g))
    with pytest.raises(ValueError, match="c, num_levels"):
        crf.lookup(levels, jnp.stack([g, g]))


def test_ridge_and_its_gradient():
    rng = np.random.default_rng(4)
    with jax.enable_x64(True):
        matrix, target = jnp.asarray(rng.normal(size=(9, 4))), jnp.asarray(rng.normal(size=9))
        rows, zeros = np.concatenate([matrix, np.eye(4)]), np.zeros(4)
        expected = np.linalg.lstsq(rows, np.concatenate([target, zeros]), rcond=None)[0]
        np.testing.assert_allclose(_least_squares.ridge(matrix, target), expected, rtol=1e-10)
        check_grads(_least_squares.ridge, (matrix, target), order=1, modes=["rev"])


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
    ],
)
def test_bad_stacks_are_refused(stack, log_times, message):
    with pytest.raises(ValueError, match=message):
        crf.recover(stack, log_times)


def test_unknown_names_are_refused():
    stack = np.zeros((2, 4, 4, 3), np.float32)
    for option in ({"method": "x"}, {"sampling": "x"}, {"weighting": "x"}):
        with pytest.raises(ValueError, match="unknown"):
            crf.recover(stack, np.arange(2.0), **option)
    with pytest.raises(ValueError, match="smoothness"):
        crf.recover(stack, np.arange(2.0), smoothness=0.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_samples": 0}, "num_samples"),
        ({"method": "mitsunaga_nayar", "smoothness": 5.0}, "has no smoothness"),
        ({"method": "mitsunaga_nayar", "solver": "lstsq"}, "has no solver"),
        ({"degree": 3}, "has no degree"),
    ],
)
def test_options_that_would_do_nothing_are_refused(options, message):
    stack = np.random.default_rng(15).random((2, 4, 4, 3), np.float32)
    with pytest.raises(ValueError, match=message):
        crf.recover(stack, np.arange(2.0), **options)
