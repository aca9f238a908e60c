"""Merging and the synthesis layer: references, properties, degenerate pictures."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference

from hdr_jax import crf
from hdr_jax.errors import InputError
from hdr_jax.exposure import expose, gamma, sigmoid
from hdr_jax.log_mean import log_mean, with_constant_weights
from hdr_jax.merge import merge, synthesize
from hdr_jax.weighting import extremes_counted_once, hat, noise
from hdr_jax.xla_cpu import lines

LOG_TIMES = np.log(2.0) * np.arange(-3, 4)


def gamma_table(exponent=2.2):
    """True ln f^-1 of a gamma curve at 256 levels."""
    return np.log(np.maximum(np.arange(256), 0.5) / 255) * exponent


def random_scene(seed=0, shape=(9, 13, 3)):
    return np.exp(np.random.default_rng(seed).uniform(-5, 1.5, shape)).astype(np.float32)


def test_merge_equals_the_loops():
    stack = np.asarray(expose(random_scene(), LOG_TIMES, gamma()) * 255).round().astype(np.uint8)
    g = np.stack([gamma_table(), gamma_table(2.0), gamma_table(1.8)])
    expected = reference.merge(stack, LOG_TIMES, g)
    radiance = np.asarray(merge(stack, LOG_TIMES, jnp.asarray(g, jnp.float32)))
    merged = np.isfinite(expected)
    assert merged.mean() > 0.95
    np.testing.assert_allclose(radiance[merged], expected[merged], rtol=2e-4)


def test_merge_agrees_with_opencv():
    cv2 = pytest.importorskip("cv2")
    # Grey, because OpenCV averages the weights over the channels.
    grey = np.repeat(random_scene(1, (30, 40, 1)), 3, axis=-1)
    stack = np.asarray(expose(grey, LOG_TIMES, gamma()) * 255).round().astype(np.uint8)
    times = np.exp(LOG_TIMES).astype(np.float32)
    g = np.stack([gamma_table()] * 3).astype(np.float32)
    ours = np.log(np.asarray(merge(stack, LOG_TIMES, g)))
    theirs = np.log(cv2.createMergeDebevec().process(list(stack), times, np.exp(g.T)[:, None]))
    # OpenCV's hat is one level wider: compare where the ends of the scale do not matter.
    inside = ((stack > 20) & (stack < 235)).sum(0) >= 2
    assert np.median(np.abs(ours - theirs)[inside]) < 5e-3


def test_radiance_scales_with_exposure_and_ignores_order():
    stack = expose(random_scene(2), LOG_TIMES, sigmoid())
    g = jnp.asarray(np.stack([gamma_table()] * 3), jnp.float32)
    radiance = merge(stack, LOG_TIMES, g)
    doubled = merge(stack, LOG_TIMES + np.log(2), g)
    np.testing.assert_allclose(doubled, radiance / 2, rtol=1e-4)
    order = np.array([5, 2, 0, 6, 1, 4, 3])
    np.testing.assert_allclose(merge(stack[order], LOG_TIMES[order], g), radiance, rtol=1e-4)


def test_true_radiance_is_recovered_up_to_one_scale():
    radiance = np.clip(random_scene(3, (24, 24, 3)), 0.02, 4)
    stack = expose(radiance, LOG_TIMES, gamma(), num_levels=256)
    merged, g = synthesize(stack, LOG_TIMES, smoothness=2.0)
    ratio = np.log(np.asarray(merged) / radiance)
    assert np.std(ratio) < 0.03
    assert float(jnp.max(g[:, 128])) == 0


def test_lost_pixels_come_from_the_exposure_that_knows_most():
    g = jnp.asarray(np.stack([gamma_table()] * 3), jnp.float32)
    log_times = np.log([0.5, 1.0, 2.0])
    stack = np.zeros((3, 1, 3, 3), np.uint8)
    stack[:, 0, 0] = 255  # white everywhere
    stack[:, 0, 1] = 0  # black everywhere
    stack[:, 0, 2] = [[255, 100, 0], [255, 137, 0], [255, 188, 0]]  # red lost, green known, blue 0
    radiance = merge(stack, log_times, g)[0]
    np.testing.assert_allclose(radiance[0], np.exp(g[0, 255] - g.max()) / 0.5, rtol=1e-5)
    np.testing.assert_allclose(radiance[1], np.exp(g[0, 0] - g.max()) / 2.0, rtol=1e-5)
    np.testing.assert_allclose(radiance[2, 1], np.exp(g[0, 100] - g.max()) / 0.5, rtol=1e-5)
    np.testing.assert_allclose(radiance[2, 2], np.exp(g[0, 0] - g.max()) / 2.0, rtol=1e-5)


@pytest.mark.parametrize("levels", [(0, 255), (0, 0, 255, 255)])
def test_of_two_middle_exposures_the_longer_says_whether_a_lost_pixel_is_bright(levels):
    log_times, g = np.log([0.5, 1.0, 2.0, 4.0][: len(levels)]), gamma_table()
    stack = np.array(levels, np.uint8).reshape(-1, 1, 1, 1)
    for order in (slice(None), slice(None, None, -1)):
        radiance = merge(stack[order], log_times[order], g)
        np.testing.assert_allclose(radiance, np.exp([[[g[0] - g[255]]]]) / 0.5, rtol=1e-5)


def test_what_is_white_in_all_exposures_has_the_median_of_the_channels():
    g = gamma_table() + np.array([[2.0], [0.0], [0.5]])
    stack = np.full((2, 1, 2, 3), 255, np.uint8)
    stack[0, 0, 1, 1] = 128  # one channel is known
    radiance = merge(stack, np.log([0.25, 1.0]), g, extremes_once=True)[0]
    np.testing.assert_allclose(radiance[0], np.full(3, np.exp(0.5 - 2) / 0.25), rtol=1e-5)
    ends = np.exp([0, g[1, 128] - 2, 0.5 - 2]) / 0.25
    np.testing.assert_allclose(radiance[1], ends, rtol=1e-5)


def test_no_seam_at_the_ends_of_the_scale():
    """Radiance rises without a jump while a pixel passes from black to white in every exposure."""
    true = np.exp(np.linspace(-9, 4, 4000)).reshape(1, -1, 1).astype(np.float32)
    stack = expose(true, LOG_TIMES, gamma(), num_levels=256)
    g = jnp.asarray(gamma_table(), jnp.float32)
    log_radiance = np.log(np.asarray(merge(stack, LOG_TIMES, g)))[0, :, 0]
    step = np.diff(log_radiance)
    # The darkest levels are log 2.2 * ln 2 apart; nothing else may jump further, or far down.
    assert step.max() < 2.2 * np.log(2) + 1e-3
    assert step.min() > -0.05


DEGENERATE = {
    "black": np.zeros((7, 6, 5, 3), np.uint8),
    "white": np.full((7, 6, 5, 3), 255, np.uint8),
    "clipped channel": np.stack(
        [
            np.full((7, 6, 5), 255),
            np.random.default_rng(0).integers(0, 256, (7, 6, 5)),
            np.zeros((7, 6, 5)),
        ],
        -1,
    ).astype(np.uint8),
    "two exposures": np.random.default_rng(1).integers(0, 256, (2, 5, 7, 3)).astype(np.uint8),
    "sixteen exposures": np.random.default_rng(2).integers(0, 256, (16, 5, 7, 3)).astype(np.uint8),
    "16-bit": np.random.default_rng(3).integers(0, 65536, (3, 5, 7, 3)).astype(np.uint16),
    "one channel": np.random.default_rng(4).integers(0, 256, (3, 5, 7, 1)).astype(np.uint8),
    "beyond the range": np.random.default_rng(5).uniform(-1, 2, (3, 5, 7, 3)).astype(np.float32),
}


# Each shape is a program of its own, and those with the gradient through the solve are the largest.
OTHER_SHAPES = ("sixteen exposures", "16-bit", "one channel", "two exposures", "beyond the range")
CASES = [
    pytest.param(full, name, marks=[pytest.mark.slow] * (name in OTHER_SHAPES))
    for full in (False, True)
    for name in DEGENERATE
]


@pytest.mark.parametrize(("full", "name"), CASES)
def test_values_and_gradients_are_finite(full, name):
    stack = DEGENERATE[name]
    log_times = np.log(2.0) * np.arange(len(stack))
    real = stack if stack.dtype.kind == "f" else stack / np.iinfo(stack.dtype).max
    options = {"response_gradient": full, "weight_gradient": full}

    @jax.jit
    def loss(stack):
        radiance, g = synthesize(stack, log_times, **options)
        return jnp.mean(jnp.log1p(radiance)), (radiance, g)

    (_, (radiance, g)), gradient = jax.value_and_grad(loss, has_aux=True)(jnp.asarray(real))
    assert jnp.all(jnp.isfinite(radiance)) and jnp.all(radiance > 0)
    assert jnp.all(jnp.isfinite(g)) and jnp.all(jnp.isfinite(gradient))


@pytest.mark.slow
def test_integers_are_read_by_their_type():
    real = np.asarray(expose(random_scene(6, (40, 50, 3)), LOG_TIMES, gamma(), num_levels=256))
    radiance, _ = synthesize(real, LOG_TIMES)
    for dtype in (np.uint8, np.uint16):
        stack = np.round(real * np.iinfo(dtype).max).astype(dtype)
        read, g = synthesize(stack, LOG_TIMES)
        # Curves of other lengths have their zero at another level: the same map in another unit.
        assert g.shape[-1] == (256 if dtype == np.uint8 else 4096)
        unit = np.median(np.asarray(read) / radiance) if dtype == np.uint16 else 1
        np.testing.assert_allclose(np.asarray(read) / unit, radiance, rtol=5e-3)


@pytest.mark.parametrize("confident", [False, True])
@pytest.mark.parametrize(
    "weighting, rounding", [("hat", False), ("hat", True), ("noise", False), ("uniform", False)]
)
def test_the_written_gradient_is_the_derived_one(confident, weighting, rounding):
    """Of the stack, the times and g; with pixels black, white and clipped, in any order."""
    rng = np.random.default_rng(3)
    order = np.array([2, 0, 3, 1])
    log_times = jnp.asarray(LOG_TIMES[:4][order], jnp.float32)
    stack = np.array(expose(random_scene(1), log_times, gamma()))
    stack[:, 0], stack[:, 1], stack[:, 2, ::2] = 0, 1, 1
    stack[order[0], 3] = rng.uniform(-0.1, 1.1, stack[0, 3].shape)
    trust = rng.random(stack.shape[:3]).round(1).repeat(3, axis=-1).astype(np.float32)
    trust = jnp.asarray(trust) if confident else None
    g = jnp.asarray(np.stack([gamma_table()] * 3), jnp.float32)
    cotangent = lines(jnp.asarray(rng.normal(size=stack.shape[1:]), jnp.float32))

    def written(*given):
        return jnp.sum(cotangent * with_constant_weights(*given, trust, weighting, rounding).value)

    def derived(*given):
        mean = log_mean(*given, trust, weighting=weighting, rounding=rounding)
        return jnp.sum(cotangent * mean.value)

    given = jnp.asarray(stack), log_times, g
    results = [jax.jit(jax.grad(f, argnums=(0, 1, 2)))(*given) for f in (written, derived)]
    for one, other in zip(*results, strict=True):
        assert np.any(other)
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * np.abs(other).max())


def test_an_integer_stack_has_the_gradient_of_its_floats():
    log_times = jnp.asarray(LOG_TIMES[:3], jnp.float32)
    floats = np.asarray(expose(random_scene(2), log_times, gamma()))
    stack = np.rint(255 * floats).astype(np.uint8)
    g = jnp.asarray(gamma_table(), jnp.float32)
    slope = jax.grad(lambda g, stack: jnp.log(merge(stack, log_times, g)).sum())
    expected = slope(g, jnp.asarray(stack / 255, jnp.float32))
    np.testing.assert_allclose(
        slope(g, jnp.asarray(stack)), expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max()
    )


def test_the_gradient_is_eq_3_with_the_factor_of_the_level_unit():
    """d loss / d pixel = w / sum(w) * E * (g(Z) - g(Z - 1)) * 255 for a constant table."""
    g = jnp.asarray(gamma_table(), jnp.float32)
    z = np.array([100, 150])
    log_times = np.log([1.0, 2.0])
    stack = jnp.asarray(z / 255, jnp.float32).reshape(2, 1, 1, 1)
    radiance = merge(stack, log_times, g)[0, 0, 0]
    gradient = jax.grad(lambda s: merge(s, log_times, g)[0, 0, 0])(stack).ravel()
    w = np.array([reference.hat(level) for level in z])
    expected = w / w.sum() * float(radiance) * np.asarray(g[z] - g[z - 1]) * 255
    np.testing.assert_allclose(gradient, expected, rtol=1e-3)


def test_eq_3_holds_at_black_and_white():
    """Not half of it: a pixel at the end of the scale is not clipped yet."""
    g = jnp.asarray(gamma_table(), jnp.float32)
    stack = jnp.asarray([0.0, 1.0], jnp.float32).reshape(2, 1, 1, 1)
    radiance = lambda s: merge(s, np.log([1.0, 2.0]), g, weighting="uniform")[0, 0, 0]  # noqa: E731
    slopes = jax.grad(radiance)(stack).ravel()
    expected = float(radiance(stack)) / 2 * 255 * np.array([g[0], g[255] - g[254]])
    np.testing.assert_allclose(slopes, expected, rtol=1e-4)
    outside = jax.grad(lambda s: radiance(s))(jnp.array([-0.1, 1.1]).reshape(2, 1, 1, 1))
    np.testing.assert_array_equal(outside, 0)


def test_one_curve_serves_all_channels():
    stack = expose(random_scene(), LOG_TIMES, gamma())
    g = jnp.asarray(gamma_table(), jnp.float32)
    expected = merge(stack, LOG_TIMES, g)
    np.testing.assert_array_equal(merge(stack, LOG_TIMES, g[None]), expected)
    np.testing.assert_array_equal(merge(stack, LOG_TIMES, np.stack([g] * 3)), expected)
    for shape in ((2, 256), (1, 3, 256), ()):
        with pytest.raises(ValueError, match="num_levels"):
            merge(stack, LOG_TIMES, np.zeros(shape, np.float32))


def test_levels_as_floats_are_refused():
    stack = np.random.default_rng(0).uniform(0, 255, (3, 4, 5, 3))
    with pytest.raises(ValueError, match="divide by 255"):
        merge(stack, np.log([1.0, 2.0, 4.0]), gamma_table())
    with pytest.raises(ValueError, match="divide by 255"):
        synthesize(stack, np.log([1.0, 2.0, 4.0]))


def test_half_precision_is_promoted():
    stack = expose(random_scene(), LOG_TIMES, gamma()).astype(jnp.bfloat16)
    g = jnp.asarray(gamma_table(), jnp.float32)
    radiance = merge(stack, LOG_TIMES, g)
    np.testing.assert_array_equal(radiance, merge(stack.astype(jnp.float32), LOG_TIMES, g))
    assert merge(stack, LOG_TIMES, g.astype(jnp.bfloat16)).dtype == jnp.float32


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("weighting", "weight_gradient"),
    [
        ("hat", False),
        pytest.param("noise", True, marks=SLOW),
        pytest.param("hat", True, marks=SLOW),
        pytest.param("noise", False, marks=SLOW),
    ],
)
def test_types_that_differ_have_gradients(weighting, weight_gradient):
    """As where x64 is on: g of NumPy, pixels of float32."""
    options = {"weighting": weighting, "weight_gradient": weight_gradient}

    @jax.jit
    def slopes(*given):
        return jax.grad(lambda *x: jnp.log(merge(*x, **options)).sum(), argnums=(0, 1, 2))(*given)

    with jax.enable_x64(True):
        stack = expose(jnp.asarray(random_scene(3)), LOG_TIMES[:3], gamma()).astype(jnp.float64)
        expected = slopes(stack, LOG_TIMES[:3], gamma_table())
        for narrow in ((0,), (0, 1), (2,)):
            given = [jnp.asarray(x) for x in (stack, LOG_TIMES[:3], gamma_table())]
            for k in narrow:
                given[k] = given[k].astype(jnp.float32)
            found = slopes(*given)
            assert [x.dtype for x in found] == [x.dtype for x in given]
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-2, atol=1e-3 * np.abs(other).max())


def test_a_weight_function_sees_pictures():
    """A pixel may weigh as its worst channel, or a channel less than the others."""

    def worst(levels, num_levels):
        return jnp.broadcast_to(hat(levels, num_levels).min(-1, keepdims=True), levels.shape)

    def less_blue(levels, num_levels):
        return hat(levels, num_levels) * jnp.array([1, 1, 0.5]).reshape(
            (1,) * (levels.ndim - 1) + (3,)
        )

    stack = expose(random_scene(5), LOG_TIMES[:3], gamma())
    g = jnp.asarray(np.stack([gamma_table()] * 3), jnp.float32)
    x = crf.lookup(stack * 255, g) - LOG_TIMES[:3, None, None, None]
    for weighting in (worst, less_blue):
        w = weighting(stack * 255, 256)
        total = w.sum(0)
        expected = jnp.exp((w * x).sum(0) / jnp.where(total > 0, total, 1) - g.max())
        for given in (stack, np.asarray(stack)):
            found = merge(given, LOG_TIMES[:3], g, weighting=weighting)
            sure = np.asarray((total > 1e-3).all(-1))
            assert sure.sum() > 20
            np.testing.assert_allclose(found[sure], expected[sure], rtol=1e-4)


@pytest.mark.parametrize("dtype", [bool, pytest.param(jnp.int32, marks=SLOW)])
@pytest.mark.parametrize("weight_gradient", [False, pytest.param(True, marks=SLOW)])
def test_weights_may_be_bools_or_integers(dtype, weight_gradient):
    """Of bools a sum would be one of them, and divide by nothing."""
    stack, g = expose(random_scene(7), LOG_TIMES[2:5], gamma()), gamma_table()
    usable = lambda z, n: (z > 5) & (z < n - 6)  # noqa: E731

    def value_and_slope(stack, kind):
        weighting = lambda z, n: usable(z, n).astype(kind)  # noqa: E731
        options = {"weighting": weighting, "weight_gradient": weight_gradient}
        return jax.value_and_grad(lambda x: merge(x, LOG_TIMES[2:5], g, **options).sum())(stack)

    (value, slope), (expected, slope_expected) = (
        value_and_slope(stack, kind) for kind in (dtype, jnp.float32)
    )
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    np.testing.assert_allclose(slope, slope_expected, rtol=1e-5, atol=1e-6)


def test_two_levels_merge_by_noise():
    stack = np.random.default_rng(8).random((3, 4, 5, 1), np.float32)
    merged = merge(stack, LOG_TIMES[2:5], jnp.array([-1.0, 0.0]), weighting="noise")
    assert bool(jnp.isfinite(merged).all())


def test_a_confidence_is_checked():
    stack = np.asarray(expose(random_scene(6), LOG_TIMES[:3], gamma()))
    trust = np.random.default_rng(7).random(stack.shape[:3]).astype(np.float32)
    expected = merge(jnp.asarray(stack), LOG_TIMES[:3], gamma_table(), confidence=trust)
    for pixels in (stack, jnp.asarray(stack)):
        found = merge(pixels, LOG_TIMES[:3], gamma_table(), confidence=trust.tolist())
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    for wrong in (np.nan, -1, 2):
        with pytest.raises(InputError, match=r"confidence .* expected \[0, 1\]"):
            merge(
                stack, LOG_TIMES[:3], gamma_table(), confidence=np.where(trust > 0.9, wrong, trust)
            )
    with pytest.raises(InputError, match="stack"):
        merge(stack[..., 0], LOG_TIMES[:3], gamma_table(), confidence=trust)


@pytest.mark.slow
def test_vmap_over_scenes():
    stacks = jnp.stack([expose(random_scene(s), LOG_TIMES, gamma()) for s in range(2)])
    radiance, g = jax.vmap(lambda s: synthesize(s, LOG_TIMES))(stacks)
    alone, g_alone = synthesize(stacks[1], LOG_TIMES)
    np.testing.assert_allclose(radiance[1], alone, rtol=1e-3)
    np.testing.assert_allclose(g[1], g_alone, atol=1e-3)


def test_uniform_weights_give_the_plain_mean():
    stack = expose(random_scene(4), LOG_TIMES, gamma())
    g = jnp.asarray(np.stack([gamma_table()] * 3), jnp.float32)
    radiance = merge(stack, LOG_TIMES, g, weighting="uniform")
    x = crf.lookup(stack * 255, g) - LOG_TIMES[:, None, None, None]
    np.testing.assert_allclose(jnp.log(radiance), x.mean(0) - g.max(), atol=1e-4)


def test_noise_near_white_and_black_leaves_no_specks():
    times = np.log(np.array([1 / 16, 1.0, 16.0]))
    truth = np.full((40, 50, 3), 15.0, np.float32)
    truth[20:] = 2e-5
    stack = np.asarray(expose(truth, times, gamma()))
    # A clipped level is sometimes one less than white, and a black one sometimes one or two more.
    rng = np.random.default_rng(0)
    stack = np.clip(np.rint(stack * 255 + rng.normal(0, 0.7, stack.shape)), 0, 255) / 255
    g = jnp.asarray(np.stack([gamma_table()] * 3), jnp.float32)
    plain, once = (np.asarray(merge(stack, times, g, extremes_once=flag)) for flag in (False, True))
    stops = [np.abs(np.log2(radiance / truth)) for radiance in (plain, once)]
    assert stops[0][:20].max() > 1 and stops[1][:20].max() < 0.1
    # In the dark the longest exposure alone still has its own noise, but not that of the others.
    assert stops[1][20:].mean() < 0.9 * stops[0][20:].mean()


def test_a_little_less_than_white_in_a_longer_exposure_is_white():
    values = jnp.array([[0.96, 0.96, 0.94], [0.9, 0.84, 0.9], [1.0, 1.0, 0.9]])
    counts = jax.jit(extremes_counted_once)(values, jnp.log(jnp.array([1.0, 4.0, 2.0])))
    np.testing.assert_array_equal(counts, [[1, 1, 1], [0, 1, 1], [0, 0, 1]])


def test_weights_by_noise_against_float64():
    g = np.stack([gamma_table(), np.log((np.arange(256) + 0.5) / 255.5)])
    x, z = np.exp(g - g[:, 255:]), np.arange(256) / 255
    slope = np.stack([np.gradient(row) for row in g])
    rounding = np.linspace(-0.5, 0.5, 100_001).var()  # of a level that may be half a one off
    variance = (0.01**2 * x + 0.001**2) / x**2 + slope**2 * rounding
    expected = np.where(z > 0, np.clip((0.98 - z) / 0.08, 0, 1), 0) / variance
    expected /= expected.max(1, keepdims=True)
    weights = jax.jit(lambda g: noise(g, shot_noise=0.01, read_noise=0.001))
    found = weights(jnp.asarray(g, jnp.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_extremes_once_changes_nothing_where_exposures_agree():
    stack = np.asarray(expose(random_scene(5), LOG_TIMES, gamma(), num_levels=256))
    g = jnp.asarray(np.stack([gamma_table()] * 3), jnp.float32)
    order = np.array([4, 1, 0, 6, 2, 5, 3])
    once = merge(stack[order], LOG_TIMES[order], g, extremes_once=True)
    np.testing.assert_allclose(once, merge(stack, LOG_TIMES, g), rtol=1e-4)
