"""Recovery from pictures as they are: frames, motion, holes, noise, 16 bits, far exposures."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from hdr_jax import crf
from hdr_jax.crf._agreement import _median, _weighted_median
from hdr_jax.crf._samples import _any_in_batch
from hdr_jax.exposure import expose, gamma, sigmoid, srgb

pytestmark = pytest.mark.usefixtures("compiled_quickly")

EV = np.arange(-3.0, 4.0)
LOG_TIMES = np.log(2.0) * EV
SHAPE = (96, 128)
LEVELS = slice(10, 246)


def scene(seed=0, stops=12.0, shape=SHAPE):
    """Radiance [h, w, 3] of smooth hills of colour over so many stops, with a little texture."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]] / max(shape)
    hills = np.zeros((*shape, 3))
    for _ in range(6):
        wave, phase = rng.uniform(-9, 9, 2), rng.uniform(0, 6.3, 3)
        hills += np.sin((wave[0] * y + wave[1] * x)[..., None] + phase / 5 + phase[0])
    hills = (hills - hills.min((0, 1))) / np.ptp(hills, (0, 1))
    texture = 0.1 * rng.standard_normal((*shape, 3))
    return np.exp2(stops * (hills - 0.6) + texture).astype(np.float32)


def photographed(response, seed=0, **options):
    """Stack uint8 [7, h, w, 3] with noise."""
    options = {"read_noise": 0.001, "shot_noise": 0.004, "key": jax.random.key(seed)} | options
    stack = expose(jnp.asarray(scene(seed)), LOG_TIMES, response, **options)
    return np.rint(np.asarray(stack) * 255).astype(np.uint8)


def curve(response):
    """True ln f^-1 at the 256 levels."""
    exposures = np.geomspace(1e-6, 1, 200_001)
    values = np.asarray(response(jnp.asarray(exposures)))
    return np.log(np.interp(np.arange(256) / 255, values, exposures))


def errors(g, response):
    """RMS of g [c, 256] over LEVELS, each channel without its mean difference."""
    difference = (np.asarray(g) - curve(response))[:, LEVELS]
    return np.sqrt(np.mean((difference - difference.mean(1, keepdims=True)) ** 2, axis=1))


def framed(share, fill):
    """Damage: a frame over a share of the pixels, the same in all exposures."""

    def damage(stack):
        h, w = stack.shape[1:3]
        wide = round((h + w - np.sqrt((h + w) ** 2 - 4 * share * h * w)) / 4)
        inside = np.zeros((h, w), bool)
        inside[wide : h - wide, wide : w - wide] = True
        return np.where(inside[None, ..., None], stack, fill).astype(stack.dtype)

    return damage


def moving(fill):
    """Damage: a square over a tenth of every exposure, at another place in each."""

    def damage(stack):
        h, w = stack.shape[1:3]
        side = round(np.sqrt(0.1 * h * w))
        for j, picture in enumerate(stack):
            y, x = (h - side) // 2, j * (w - side) // (len(stack) - 1)
            picture[y : y + side, x : x + side] = fill(picture, y, x, side)
        return stack

    return damage


PATTERN = np.random.default_rng(8).integers(0, 256, (*SHAPE, 3))
DAMAGE = {
    "nothing": lambda stack: stack,
    "coloured frame of 5 %": framed(0.05, np.array([20, 40, 200])),
    "coloured frame of 10 %": framed(0.10, np.array([90, 180, 130])),
    "white frame of 10 %": framed(0.10, 255),
    "black frame of 10 %": framed(0.10, 0),
    "patterned frame of 10 %": framed(0.10, PATTERN),
    "light square that moves": moving(lambda *_: 235),
    "grey square that moves": moving(lambda *_: 90),
    "patterned square that moves": moving(lambda _, y, x, n: PATTERN[:n, :n]),
    "part of the scene that moves": moving(lambda picture, y, x, n: picture[-n:, :n].copy()),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_disobeys_the_response_does_not_bend_it(name):
    for seed, response in enumerate((sigmoid(), srgb())):
        stack = DAMAGE[name](photographed(response, seed))
        assert errors(crf.recover(stack, LOG_TIMES), response).max() < 0.02


def test_quantiles_are_bent_by_the_same_frame():
    stack = DAMAGE["coloured frame of 10 %"](photographed(sigmoid()))
    g = crf.recover(stack, LOG_TIMES, sampling="quantiles")
    assert errors(g, sigmoid()).max() > 0.1


def test_one_picture_out_of_register_does_no_harm():
    stack = photographed(sigmoid())
    stack[2] = np.roll(stack[2], 3, axis=1)
    assert errors(crf.recover(stack, LOG_TIMES), sigmoid()).max() < 0.03


@pytest.mark.parametrize("pixels", [2, 6, 25])
def test_pictures_out_of_register_are_sampled_by_quantiles(pixels):
    stack = photographed(sigmoid())
    rng = np.random.default_rng(pixels)
    for j in range(len(stack)):
        angle = rng.uniform(0, 2 * np.pi)
        shift = (round(pixels * np.sin(angle)), round(pixels * np.cos(angle)))
        stack[j] = np.roll(stack[j], shift, axis=(0, 1))
    g = crf.recover(stack, LOG_TIMES)
    assert errors(g, sigmoid()).max() < 0.02
    quantiles = np.asarray(crf.recover(stack, LOG_TIMES, sampling="quantiles"))
    np.testing.assert_allclose(g[:, LEVELS], quantiles[:, LEVELS], atol=0.02)


def test_the_order_of_the_exposures_does_not_matter():
    stack = DAMAGE["light square that moves"](photographed(srgb()))
    order = np.array([3, 0, 6, 1, 5, 2, 4])
    g = crf.recover(stack, LOG_TIMES)
    np.testing.assert_allclose(crf.recover(stack[order], LOG_TIMES[order]), g, atol=1e-4)


def test_holes_have_no_weight():
    stack, valid = photographed(srgb()), np.ones((len(EV), *SHAPE), bool)
    for j, side in ((1, np.s_[:, :30]), (4, np.s_[:, -20:]), (6, np.s_[:15])):
        stack[j][side], valid[j][side] = 0, False
    assert errors(crf.recover(stack, LOG_TIMES, valid=valid), srgb()).max() < 0.02
    other = stack.copy()
    other[~valid] = PATTERN[0, 0]
    g = crf.recover(stack, LOG_TIMES, valid=valid)
    np.testing.assert_array_equal(crf.recover(other, LOG_TIMES, valid=valid), g)


def test_noisy_whites_do_not_raise_the_end_of_the_curve():
    """Levels of 252 to 255 in what clips are noise; the largest exposure stays where it is."""
    stack = photographed(sigmoid()).astype(np.int64)
    rng = np.random.default_rng(3)
    clipped = stack == 255
    stack[clipped] -= np.minimum(np.abs(rng.normal(0, 1.2, clipped.sum())), 3).astype(int)
    g = np.asarray(crf.recover(stack.astype(np.uint8), LOG_TIMES))
    true = curve(sigmoid())
    rise = (g[:, 255] - g[:, 200]) - (true[255] - true[200])
    assert np.abs(rise).max() < 0.2 * np.log(2)


def test_rough_whites_do_not_raise_the_end_of_the_curve():
    """Where a part of a window clips, its mean level is not the level of its mean radiance."""
    rough = np.exp(0.3 * np.random.default_rng(0).standard_normal((*SHAPE, 1)))
    for seed, response in enumerate((sigmoid(), srgb())):
        stack = expose(jnp.asarray(scene(seed) * rough, jnp.float32), LOG_TIMES, response)
        g = np.asarray(crf.recover(np.rint(255 * np.asarray(stack)).astype(np.uint8), LOG_TIMES))
        true = curve(response)
        rise = (g[:, 255] - g[:, 128]) - (true[255] - true[128])
        assert np.abs(rise).max() < 0.05  # 0.11 to 0.17 with such windows


@pytest.mark.parametrize("stops", [10, 12])
def test_linear_pictures_of_16_bits(stops):
    """Recovered and merged within 0.02 stops, where an exposure has 0.1 % to 90 % of the range."""
    from hdr_jax.merge import merge

    radiance = scene(stops=stops, shape=(64, 96))
    radiance /= radiance.max()
    log_times = np.log([1.0, 4.0, 16.0])
    exposure = radiance * np.exp(log_times)[:, None, None, None]
    stack = np.rint(65535 * np.minimum(exposure, 1)).astype(np.uint16)
    g = crf.monotone(crf.recover(stack, log_times))
    assert g.shape == (3, 4096)
    ratio = np.log2(np.asarray(merge(stack, log_times, g, extremes_once=True)) / radiance)
    ratio[~((exposure > 0.001) & (exposure < 0.9)).any(0)] = np.nan
    assert np.sqrt(np.nanmean((ratio - np.nanmedian(ratio, (0, 1))) ** 2)) < 0.02


def test_blank_exposures_are_said_to_be_that():
    with pytest.warns(UserWarning, match="no sample can be used"):
        crf.recover(np.ones((3, 32, 32, 3), np.float32), np.log([1.0, 2, 4]))


@pytest.mark.parametrize(("gap", "warned"), [(4.0, False), (8.0, True), (10.0, True)])
def test_exposures_too_far_apart_are_said(gap, warned):
    log_times = np.log(2.0) * np.array([-gap / 2, gap / 2])
    stack = expose(jnp.asarray(scene(stops=16)), log_times, srgb(), num_levels=256)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        crf.recover(stack, log_times)
    said = [str(warning.message) for warning in caught]
    assert any(f"{gap:.1f} stops apart" in message for message in said) == warned


@pytest.mark.slow
def test_gradient_of_the_robust_recovery():
    """Against finite differences, with a frame that is left out: its pixels have no gradient."""
    with jax.enable_x64(True):
        radiance = jnp.asarray(scene(shape=(48, 64)), jnp.float64)
        log_times = jnp.log(jnp.array([0.25, 1.0, 4.0]))
        stack = jnp.clip(expose(radiance, log_times, gamma()), 0.02, 0.98)
        stack = stack.at[:, :3].set(jnp.array([0.7, 0.2, 0.4]))
        options = {"num_samples": 40, "num_levels": 16}

        @jax.jit
        def loss(stack):
            return jnp.sum(crf.recover(stack, log_times, **options) ** 2)

        quantiles = crf.recover(stack, log_times, sampling="quantiles", **options)
        assert np.abs(crf.recover(stack, log_times, **options) - quantiles).max() > 0.05
        gradient = jax.grad(loss)(stack)
        assert jnp.any(gradient != 0) and jnp.all(jnp.isfinite(gradient))
        assert jnp.all(gradient[:, :2] == 0)
        check_grads(loss, (stack,), order=1, modes=["rev"], eps=1e-7, rtol=1e-3)


@pytest.mark.slow
def test_vmap_over_scenes():
    """Of them one can be followed and one must be sampled by quantiles."""
    followed = DAMAGE["light square that moves"](photographed(srgb(), 0))
    apart = np.stack([np.roll(x, 6 * j, axis=1) for j, x in enumerate(photographed(srgb(), 1))])
    stacks = jnp.asarray([followed, apart]).astype(jnp.float32) / 255

    def bend(stack):
        g = crf.recover(stack, LOG_TIMES)
        return jnp.sum(g**2), g

    slope = jax.value_and_grad(bend, has_aux=True)
    (_, together), gradients = jax.jit(jax.vmap(slope))(stacks)
    alone = jax.jit(slope)
    for stack, g, gradient in zip(stacks, together, gradients, strict=True):
        (_, g_alone), gradient_alone = alone(stack)
        np.testing.assert_allclose(g, g_alone, atol=1e-3)
        largest = float(jnp.abs(gradient_alone).max())
        np.testing.assert_allclose(gradient, gradient_alone, atol=1e-2 * largest)


def test_a_condition_of_a_batch_stays_one():
    """Under `vmap`, twice too: a branch that no member needs is not computed."""
    computed = []

    def either(needed):
        def costly():
            jax.debug.callback(lambda: computed.append(True))
            return 1

        return jax.lax.cond(_any_in_batch(needed), costly, lambda: 0)

    both = jax.jit(jax.vmap(jax.vmap(either)))
    assert not both(jnp.zeros((2, 3), bool)).any() and not computed
    assert both(jnp.zeros((2, 3), bool).at[1, 2].set(True)).all()
    jax.effects_barrier()
    assert computed


@pytest.mark.parametrize("count", [0, 1, 2, 7, 300])
def test_medians_against_numpy(count):
    rng = np.random.default_rng(count)
    values = rng.integers(0, 9, (100, 3)).astype(np.float32)
    chosen = np.arange(values.size).reshape(values.shape) < count
    expected = np.median(values[chosen]) if count else 0
    assert _median(jnp.asarray(values), jnp.asarray(chosen)) == expected
    # Of whole weights the weighted median is the lower median of repeated values.
    weights = rng.integers(0, 4, values.shape)
    weights[:, 0] += 1
    rows = [np.sort(np.repeat(*row)) for row in zip(values, weights, strict=True)]
    lower = [row[(len(row) - 1) // 2] for row in rows]
    found = _weighted_median(jnp.asarray(values), jnp.asarray(weights, jnp.float32))
    np.testing.assert_array_equal(found[:, 0], lower)


@pytest.mark.slow
@jax.enable_x64(True)  # in float32 what is darkest is known to 1e-3 alone, by a polynomial
def test_confidence_is_a_factor_on_the_weights():
    rng = np.random.default_rng(6)
    log_radiance = rng.uniform(-5, 1, 60)
    levels = np.rint(255 * np.clip(np.exp(log_radiance[:, None] + LOG_TIMES), 0, 1) ** (1 / 2.2))
    levels[:20] = rng.integers(0, 256, (20, 7))
    believed = (np.arange(60) >= 20)[:, None] * np.ones(7)
    for method in (crf.debevec, crf.mitsunaga_nayar):
        g = method(levels, LOG_TIMES, confidence=believed)
        np.testing.assert_allclose(g, method(levels[20:], LOG_TIMES), atol=1e-9)
    doubled = crf.debevec(np.concatenate([levels, levels[:1]]), LOG_TIMES)
    twice = np.where(np.arange(60) == 0, np.sqrt(2), 1)[:, None] * np.ones(7)
    np.testing.assert_allclose(crf.debevec(levels, LOG_TIMES, confidence=twice), doubled, atol=1e-9)


@pytest.mark.slow
def test_a_curve_of_many_levels_is_the_logarithm_for_a_linear_camera():
    rng = np.random.default_rng(7)
    exposure = np.exp(rng.uniform(-9, 0, (400, 1)) + np.log([1.0, 4.0, 16.0]))
    g = np.asarray(
        crf.debevec(4095 * np.minimum(exposure, 1), np.log([1.0, 4, 16]), num_levels=4096)
    )
    z = np.arange(4, 4000)
    # 400 samples for 4096 levels: in the dark a curve may miss a sample by 0.04.
    np.testing.assert_allclose(g[z], np.log(z / 2048), atol=0.04)
    assert g[2048] == 0
