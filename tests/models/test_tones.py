"""The recursion on log exposures: what is known stays exact, what is added stays in bounds."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import jax_utils
from tiny_run import tiny_config, tiny_source

from hdr_jax import data, images, training
from hdr_jax.errors import InputError
from hdr_jax.exposure import LN2, gamma, sigmoid
from hdr_jax.models import ExposureStackModel, fields_of, initial_parameters, model_from_fields
from hdr_jax.models._highlights import linearised
from hdr_jax.models._tones import REACH, TONES, rim_distance
from hdr_jax.synthetic import Camera

SIZES = dict(
    global_width=4, global_levels=1, local_width=4, local_levels=1,
    refinement_width=4, refinement_levels=1,
)  # fmt: skip
STOPS = (-4.0, -2.0, -1.0, 0.0, 1.0)  # neither even nor symmetrical
quick_jit = partial(jax.jit, compiler_options={"xla_backend_optimization_level": "0"})


def model(**fields):
    """Five exposures, widths of 4, one level."""
    return ExposureStackModel(
        **{**SIZES, "tone": "exposure", "num_exposures": 5, "ev_offsets": STOPS, **fields}
    )


def photograph(h=10, w=14):
    """Levels over the whole range, with a patch of white and one of black."""
    levels = np.random.default_rng(0).integers(0, 256, (1, h, w, 3))
    levels[0, 2:7, 3:9], levels[0, 7:, 9:] = 255, 0
    return jnp.asarray(levels / 255, jnp.float32), jnp.asarray(levels[..., :1] > 99, jnp.float32)


@pytest.fixture(scope="module")
def params():
    made = initial_parameters(model(), jax.random.key(0))
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda x: x + jnp.asarray(rng.normal(0, 0.2, x.shape), jnp.float32), made)


@pytest.fixture(scope="module")
def run(params):
    """The model by reference; one program."""
    image, edges = photograph()
    program = quick_jit(
        lambda r: model().apply({"params": params}, image, edges, reference_index=r)
    )
    return lambda r: program(jnp.asarray(r))


def unclipped(image):
    """Pixels whose radiance the photograph tells."""
    return (image > 0.03) & (image < 0.97)


@pytest.mark.slow
@pytest.mark.parametrize("r", [0, 3])
def test_unclipped_pixels_are_f_of_the_scaled_exposure_and_others_stay_in_bounds(run, r):
    """f and its inverse in closed form: the canonical sigmoid, read at 256 levels."""
    (image, _), output = photograph(), run(r)
    known = np.asarray(linearised(image), np.float64)
    np.testing.assert_allclose(sigmoid()(np.exp(known)), np.maximum(image, 0.5 / 255), atol=2e-6)
    stack = np.asarray(output.stack)
    for t, ev in enumerate(STOPS):
        expected = sigmoid()(np.minimum(np.exp(known) * 2.0 ** (ev - STOPS[r]), 1))
        inside = np.asarray(unclipped(image))
        # Between two levels the table is straight where the sigmoid is not quite.
        np.testing.assert_allclose(stack[:, t][inside], expected[inside], atol=1.5e-3)
        low = linearised(image) + LN2 * (ev - STOPS[r])
        exact = TONES["exposure"].picture(low)
        np.testing.assert_allclose(stack[:, t][inside], exact[inside], atol=1e-6)
        if t < r:
            assert (stack[:, t] >= exact - 1e-6).all() and (stack[:, t] <= 1).all()
            assert (stack[:, t] - exact)[:, 3:6, 4:8].min() > 1e-4  # clipped: something was added
    np.testing.assert_array_equal(stack[:, r], image)
    np.testing.assert_array_equal(output.linked_stack, output.stack)
    assert not np.array_equal(output.stack, output.global_stack)


def test_a_step_by_hand():
    """From -1 to -3 EV: half of the step's gain where all is clipped, none elsewhere."""
    tone, image = TONES["exposure"], jnp.array([[[[1.0, 0.5, 0.0]]]])
    start = tone.start(image)
    down = tone.move(jnp.zeros((1, 1, 1, 3)), start, None, (0, 0, -2.0))
    x = np.asarray(start)[0, 0, 0, :3]
    np.testing.assert_allclose(down[0, 0, 0, :3], x - 2 * LN2 + [LN2, 0, 0], rtol=1e-6)
    refined = tone.move(jnp.full((1, 1, 1, 3), 9.0), start, down, (0, 0, -2.0))
    np.testing.assert_allclose(refined[0, 0, 0, 0], 0, atol=1e-3)  # still white
    up = tone.move(jnp.full((1, 1, 1, 3), -9.0), start, None, (0, 0, 1.0))
    np.testing.assert_allclose(up[0, 0, 0, :3], x + LN2 - [0, 0, LN2], rtol=1e-6)


@pytest.mark.slow
def test_one_model_serves_any_range(params):
    longer = model().with_exposures(tuple(float(ev) for ev in range(-7, 4)))
    image, edges = photograph()
    output = quick_jit(longer.apply)({"params": params}, image, edges)
    assert output.stack.shape == (1, 11, 10, 14, 3) and longer.middle == 7
    assert [int(longer.entries(7 - k, False)[0]) for k in range(7)] == [0, 1, 2, 3, 3, 3, 3]
    assert [int(longer.entries(7 + k, True)[0]) for k in range(3)] == [0, 1, 2]
    assert float(model().entries(1, False)[2]) == -2
    # Nothing rises above white on the way down: every exposure tells its gain.
    assert (np.diff(np.asarray(output.stack)[:, :8], axis=1) >= -1e-6).all()


@pytest.mark.slow
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_gradients_are_finite_at_black_and_white(params, value):
    image = jnp.full((1, 4, 6, 3), value)
    truth = jnp.full((1, 5, 4, 6, 3), value)

    @quick_jit
    def gradient(params):
        def loss(params):
            walked = model().apply({"params": params}, image, image[..., :1], gradients="routed")
            return jnp.sum(walked.linked_stack**2) + jnp.sum(walked.stack)

        def taught(params):
            given = dict(true_stack=truth, true_edges=truth[..., :1], gradients="own")
            return jnp.sum(model().apply({"params": params}, image, image[..., :1], **given).stack)

        return jax.grad(lambda p: loss(p) + taught(p))(params)

    leaves = jax.tree.leaves(gradient(params))
    assert all(np.isfinite(x).all() for x in leaves)
    assert max(float(jnp.abs(x).max()) for x in leaves) > 1e-3


@pytest.mark.slow
def test_a_known_curve_is_used(params):
    image, edges = photograph()
    z = jnp.maximum(jnp.arange(256), 0.5) / 255
    output = quick_jit(model().apply)({"params": params}, image, edges, g=2.2 * jnp.log(z))
    inside = np.asarray(unclipped(image))
    expected = gamma(2.2)(np.asarray(image)[inside] ** 2.2 / 4)
    np.testing.assert_allclose(np.asarray(output.stack)[:, 1][inside], expected, atol=2e-3)


@pytest.mark.slow
def test_without_memory_steps_do_not_see_the_state(params):
    image, edges = photograph()
    stacks = [
        quick_jit(model(memory=memory).apply)({"params": params}, image, edges).stack
        for memory in (True, False)
    ]
    first = np.array([2, 4])  # made by the first step of either direction
    np.testing.assert_allclose(stacks[0][:, first], stacks[1][:, first], atol=1e-6)
    assert np.abs(np.asarray(stacks[0] - stacks[1])).max() > 1e-4


def test_rim_distance_is_that_of_opencv():
    picture = np.random.default_rng(0).random((30, 150, 3)).astype(np.float32)
    picture[3:28, 5:148, :2], picture[:, :, 2] = 1, np.linspace(0.9, 1.1, 150).clip(0, 1)
    expected = np.minimum(images.rim_distance(picture), REACH)
    assert expected.max() > 60
    np.testing.assert_allclose(rim_distance(jnp.asarray(picture)), expected, atol=2e-4)


def test_a_carry_is_float32_whatever_the_default():
    with jax.enable_x64():
        image = jnp.ones((1, 4, 4, 3), jnp.float32)
        assert TONES["exposure"].start(image).dtype == jnp.float32


def lit_scenes():
    """Two scenes whose bright patch is all that the canonical camera does not see at EV 0."""
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        hdr = rng.uniform(0.1, 0.3, (16, 16, 3)).astype(np.float32)
        hdr[3:12, 4:13] = 6.0
        stops = np.arange(-3, 4)
        stack = Camera().photograph(hdr, stops, rng)
        yield {"stack": stack, "ev_offset": stops.astype(np.float32), "hdr": hdr, "scene": name}


@pytest.mark.slow
@pytest.mark.long
def test_trains_through_the_layer_and_every_network_learns():
    """The HDR term against the data set's own radiance falls."""
    config = tiny_config()
    config.model.update(tone="exposure")
    config.update(hdr_target="dataset", refine_from=0, learning_rate=1e-2)
    config.refinement_learning_rate = 1e-2
    config.loss.update(contextual=0.0, global_histogram=0.0, hdr=1.0)
    setup = training.Setup.from_config(config)
    setup.check_example(tiny_source(1)[0])
    batch = next(data.batches(list(lit_scenes()), batch_size=2, size=16, seed=0))
    start = training.create_state(setup, jax.random.key(0))
    step = jax.pmap(
        partial(training.train_step, setup, 2), axis_name=training.DEVICES, in_axes=(0, 0, None)
    )
    placed = next(data.to_devices([batch], jax.local_devices()[:1]))
    state, losses = jax.pmap(lambda x: x)(jax_utils.replicate(start)), []
    for _ in range(12):
        state, terms = step(state, placed, (2, 3))
        losses.append(float(terms["refinement_hdr"][0]))
    assert np.isfinite(losses).all() and losses[-1] < 0.95 * losses[0]
    before = training.by_network(start.params)
    for name, trees in training.by_network(jax_utils.unreplicate(state).params).items():
        moved = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), trees, before[name])
        assert max(jax.tree.leaves(moved)) > 1e-3, name


def test_data_of_other_stops_is_refused():
    config = tiny_config()
    config.model.update(tone="exposure")
    config.model.ev_offsets = (-6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0)
    with pytest.raises(InputError, match="ev_offsets"):
        training.Setup.from_config(config).check_example(tiny_source(1)[0])


def test_fields_come_back():
    fields = fields_of(model())
    again = model_from_fields(fields)
    assert fields["tone"] == "exposure" and again == model_from_fields(fields_of(again))
    assert again.ev_offsets == STOPS and hash(again) == hash(model_from_fields(fields))


@pytest.mark.parametrize(
    ("fields", "options", "message"),
    [
        ({"tone": "sepia"}, {}, "tone 'sepia'"),
        ({"ev_offsets": (-1.0, 1.0)}, {}, "expected 5 increasing stops"),
        ({"ev_offsets": (0.0, -1.0, 1.0, 2.0, 3.0)}, {}, "increasing"),
        ({"tone": "image", "ev_offsets": None}, {"g": np.zeros(256)}, "knows no response"),
    ],
)
def test_bad_options_are_refused(fields, options, message):
    image = jnp.zeros((1, 8, 8, 3))
    with pytest.raises(InputError, match=message):
        model(**fields).apply({}, image, image[..., :1], **options)
