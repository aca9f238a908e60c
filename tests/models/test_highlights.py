"""The exposure formulation: what is known stays, what is clipped gets a gain."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hdr_jax import crf
from hdr_jax.errors import InputError
from hdr_jax.exposure import log_inverse_sigmoid, sigmoid
from hdr_jax.merge import synthesize
from hdr_jax.models import HighlightModel, fields_of, model_from_fields
from hdr_jax.models._gain import MAX_GAIN, from_patches, gain_of, limited, to_patches
from hdr_jax.models._highlights import clip_mask, exposures, linearised

pytestmark = pytest.mark.usefixtures("compiled_quickly")

smooth_gain = jax.jit(gain_of)
MODEL = HighlightModel((8, 16), (1, 1))
apply = jax.jit(MODEL.apply)


@pytest.fixture(scope="module")
def params():
    picture = jnp.ones((1, 16, 24, 3))
    made = jax.jit(MODEL.init)(jax.random.key(0), picture, picture)["params"]
    # Layers that start at nothing are moved, so that every path tells.
    leaves, tree = jax.tree.flatten(made)
    rng = np.random.default_rng(1)
    moved = [x + 0.1 * rng.standard_normal(x.shape, np.float32) for x in leaves]
    return jax.tree.unflatten(tree, moved)


def picture(seed=0, size=(16, 24)):
    levels = np.random.default_rng(seed).integers(0, 256, (1, *size, 3))
    levels[0, 4:9, 6:15] = 255
    return jnp.asarray(levels / 255, jnp.float32)


def test_unclipped_pixels_are_the_photographs_own(params):
    # In one program, which rounds the same curve alike wherever it is read.
    @jax.jit
    def both(image):
        output = apply({"params": params}, image, jnp.ones_like(image))
        return output.log_radiance, linearised(image)

    image = picture()
    found, known = (np.asarray(x) for x in both(image))
    unclipped = np.asarray(image) < 0.97
    np.testing.assert_array_equal(found[unclipped], known[unclipped])
    assert (found >= known).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pixels_of_any_type_are_read(params, dtype):
    most = np.iinfo(dtype).max
    levels = np.rint(np.asarray(picture()) * most).astype(dtype)
    found, expected = (apply({"params": params}, x, picture(1)) for x in (levels, levels / most))
    np.testing.assert_allclose(found.log_radiance, expected.log_radiance, atol=1e-5)
    with pytest.raises(InputError, match="int32"):
        apply({"params": params}, levels.astype(np.int32), picture(1))


def test_the_canonical_table_inverts_the_canonical_response():
    levels = np.arange(1, 256)
    forward = sigmoid()(jnp.exp(log_inverse_sigmoid()[1:]))
    np.testing.assert_allclose(255 * np.asarray(forward), levels, atol=2e-3)


def test_exposures_are_the_response_of_scaled_radiance():
    x = np.log(np.geomspace(1e-2, 50, 60, dtype=np.float32)).reshape(4, 5, 3)
    stack = np.asarray(exposures(jnp.asarray(x), (-3, 0, 2)))
    for plane, ev in zip(stack, (-3, 0, 2), strict=True):
        truth = sigmoid()(jnp.clip(jnp.exp(x) * 2.0**ev, 0, 1))
        np.testing.assert_allclose(plane, truth, atol=1e-3)


def test_a_known_curve_is_used(params):
    image, g = picture(), jnp.log(jnp.maximum(jnp.arange(256), 0.5) / 255)  # linear
    output = apply({"params": params}, image, jnp.ones_like(image), g)
    unclipped = np.asarray(image) < 0.97
    expected = np.maximum(np.asarray(image), 0.5 / 255)
    np.testing.assert_allclose(
        np.exp(np.asarray(output.log_radiance))[unclipped], expected[unclipped], rtol=1e-4
    )


@pytest.mark.slow
def test_the_layer_gives_the_map_back(params):
    """Its exposures, their response recovered and merged: the same map up to a scale."""
    x = jnp.log(jnp.asarray(np.random.default_rng(0).uniform(0.02, 6, (32, 32, 3)), jnp.float32))
    ev = np.arange(-5, 4)
    stack = exposures(x, ev)
    radiance, _ = synthesize(stack, jnp.log(2.0) * jnp.asarray(ev, jnp.float32))
    ratio = np.log(np.asarray(radiance)) - np.asarray(x)
    assert np.std(ratio) < 0.03


@pytest.mark.slow
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_gradients_are_finite_for_black_and_white(params, value):
    image = jnp.full((1, 16, 16, 3), value)

    def loss(params, image):
        return MODEL.apply({"params": params}, image, 9 * image).log_radiance.sum()

    for gradient in jax.tree.leaves(jax.jit(jax.grad(loss, (0, 1)))(params, image)):
        assert np.isfinite(gradient).all()


def test_the_limits_keep_a_slope_and_their_values():
    raw = jnp.linspace(-40, 40, 81)
    expected = np.minimum(np.logaddexp(0, np.asarray(raw, np.float64)), MAX_GAIN)
    np.testing.assert_allclose(limited(raw), expected, atol=1e-5)
    assert (jax.vmap(jax.grad(limited))(raw) >= 0.05).all()


def weighted_mean(x, weight, kernel):
    """sum(kernel weight x) / sum(kernel weight) around each pixel that weighs, x elsewhere."""
    (h, w), reach, found = x.shape[1:3], kernel.shape[0] // 2, x.copy()
    weight = np.broadcast_to(weight, x.shape)
    for _, y, column, c in np.argwhere(weight > 0):
        total = shares = 0.0
        for dy in range(max(-reach, -y), min(reach, h - 1 - y) + 1):
            for dx in range(max(-reach, -column), min(reach, w - 1 - column) + 1):
                share = kernel[dy + reach, dx + reach] * weight[0, y + dy, column + dx, c]
                shares += share
                total += share * x[0, y + dy, column + dx, c]
        found[0, y, column, c] = total / shares
    return found


def test_the_gain_is_the_masked_mean_of_its_neighbours():
    """Against loops; a pattern of two pixels is gone inside of what is clipped."""
    rng, line = np.random.default_rng(0), np.array([1, 2, 1]) / 4
    distance = rng.uniform(0, 6, (1, 7, 9, 2))
    raw, mask = rng.normal(0, 3, (1, 7, 9, 2)), rng.choice([0, 0.4, 1], (1, 7, 9, 2))
    gain = np.minimum(np.logaddexp(0, raw), MAX_GAIN)
    inside = np.clip((distance - 1) / 3, 0, 1)
    gain += inside * (weighted_mean(gain, mask, np.outer(line, line)) - gain)
    # One channel's gain has no chroma.
    found = smooth_gain(*(jnp.asarray(x[..., :1]) for x in (raw, mask, distance)))
    np.testing.assert_allclose(found, gain[..., :1], atol=1e-5)

    all_clip, mean, reaches = (
        mask.min(-1, keepdims=True),
        gain.mean(-1, keepdims=True),
        (1, 2, 4, 8),
    )
    wide = np.ones(1)  # the four binomials are one kernel on a picture that goes on for ever
    for reach in reaches:
        taps = np.zeros(2 * reach + 1)
        taps[::reach] = line
        wide = np.convolve(wide, taps)
    far = ((0, 0), (15, 15), (15, 15), (0, 0))
    chroma, weight = np.pad(gain - mean, far), np.pad(all_clip, far)
    chroma = weighted_mean(chroma, weight, np.outer(wide, wide))[:, 15:-15, 15:-15]
    gain += all_clip * (np.clip(chroma + mean, 0, MAX_GAIN) - gain)
    found = smooth_gain(*(jnp.asarray(x) for x in (raw, mask, distance)))
    np.testing.assert_allclose(found, gain, atol=1e-5)


def test_stripes_and_specks_of_colour_are_gone_inside_of_highlights():
    stripes = jnp.broadcast_to(jnp.arange(10) % 2 * 2.0, (1, 6, 10))[..., None]
    smooth = np.asarray(smooth_gain(stripes, jnp.ones_like(stripes), 4.0))[0, 1:-1, 1:-1]
    assert np.ptp(smooth) < 1e-6 < 1 < np.ptp(np.asarray(limited(stripes)))
    speck = jnp.full((1, 21, 21, 3), 3.0).at[0, 10, 10, 0].set(5.0)
    found = np.asarray(smooth_gain(speck, jnp.ones_like(speck), 4.0))[0]
    assert np.ptp(found, -1).max() < 0.02
    np.testing.assert_allclose(found[10, 10].mean(), 3.2, atol=0.1)  # the luminance stays


def test_the_slope_of_the_gain_is_finite_and_reaches_what_counts():
    mask = jnp.zeros((1, 5, 5, 1)).at[0, 1:3, 1:4].set(0.5)
    slope = jax.grad(lambda raw: (mask * smooth_gain(raw, mask, 2.0)).sum())(jnp.zeros_like(mask))
    assert np.isfinite(slope).all()
    np.testing.assert_array_equal(np.asarray(slope) != 0, np.asarray(mask) > 0)


def test_no_limit_absorbs_the_slope_of_a_highlight():
    """One channel at the limit, the others anywhere: the blurred chroma goes beyond it here."""
    rng = np.random.default_rng(0)
    raw = jnp.asarray(rng.normal(2, 3, (1, 24, 24, 3)), jnp.float32).at[..., 0].set(60.0)
    along = jnp.zeros_like(raw).at[..., 0].set(1.0)
    for x, tangent in ((raw, along), (jnp.full_like(raw, 60.0), jnp.ones_like(raw))):
        gain, slope = jax.jvp(lambda x: smooth_gain(x, jnp.ones_like(x), 0.0), (x,), (tangent,))
        assert float(gain.min()) >= 0 and float(gain.max()) <= MAX_GAIN + 1e-5
        assert float(slope[tangent > 0].min()) >= 0.05 - 1e-6


def test_patches_and_back():
    x = jnp.arange(2 * 8 * 12 * 3.0).reshape(2, 8, 12, 3)
    np.testing.assert_array_equal(from_patches(to_patches(x)), x)
    # A patch's channels are its pixels, row by row.
    np.testing.assert_array_equal(to_patches(x)[0, 0, 1, :6], x[0, 0, 2:4].ravel())


def test_fields_describe_the_model():
    assert model_from_fields(fields_of(MODEL)) == MODEL
    assert hash(model_from_fields(fields_of(MODEL))) == hash(MODEL)


@pytest.mark.parametrize(
    "image, distance, word",
    [
        (np.ones((1, 16, 18, 3)), np.ones((1, 16, 18, 3)), "multiples of 4"),
        (np.ones((1, 16, 16, 3)), np.ones((1, 16, 16, 1)), "rim_distance"),
        (np.ones((16, 16, 3)), np.ones((16, 16, 3)), "expected both"),
    ],
)
def test_errors_say_what_was_expected(params, image, distance, word):
    with pytest.raises(ValueError, match=word):
        MODEL.apply({"params": params}, jnp.asarray(image), jnp.asarray(distance))


def test_the_mask_is_soft_and_per_channel():
    mask = clip_mask(jnp.asarray([0.96, 0.985, 1.0]))
    np.testing.assert_allclose(mask, [0, 0.5, 1], atol=1e-3)


def test_lookup_is_the_crf_primitive():
    image, g = picture(), log_inverse_sigmoid()
    np.testing.assert_allclose(linearised(image), crf.lookup(255 * image, g - g[-1]), atol=1e-6)


def test_levels_are_read_as_pixels_of_their_type():
    levels = np.array([0, 100, 248, 252, 255], np.uint8)[:, None].repeat(3, 1)
    for function in (clip_mask, linearised):
        np.testing.assert_allclose(function(levels), function(levels / np.float32(255)), atol=1e-6)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_white_clips_whole(dtype):
    assert clip_mask(jnp.ones((), dtype)) == 1
