"""A configuration resolved once: what it gives, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_run import tiny_config, tiny_source

from configs import paper, quickstart, released, small
from hdr_jax import training
from hdr_jax.errors import InputError


def test_parameter_counts_of_the_configurations():
    for module, most in ((small, 5e6), (paper, None), (released, None)):
        setup = training.Setup.from_config(module.get_config())
        state = jax.eval_shape(
            lambda key, setup=setup: training.create_state(setup, key), jax.random.key(0)
        )
        counts = {
            name: sum(leaf.size for leaf in jax.tree.leaves(tree["up"]))
            for name, tree in training.by_network(state.params).items()
        }
        if most:
            assert 2 * sum(counts.values()) <= most
        else:
            expected = {"global": 98_918_403, "local": 6_188_815, "refinement": 11_007_971}
            assert counts == expected


def test_the_released_values_come_with_the_released_edges():
    names = [training.Setup.from_config(c.get_config()).edge_weights for c in (paper, released)]
    assert names == ["rgb", "released"]


def steps_taken(optimizer, gradients):
    """How far a parameter goes at each step."""
    update, params = jax.jit(optimizer.update), {"w": jnp.zeros(len(gradients[0]))}
    state, taken = optimizer.init(params), []
    for gradient in gradients:
        updates, state = update({"w": jnp.asarray(gradient)}, state, params)
        taken.append(updates["w"])
    return np.array(taken)


@pytest.mark.parametrize("cosine_decay", [False, True])
def test_refinement_networks_have_a_rate_of_their_own(cosine_decay):
    """It falls to 0 over the steps in which they learn."""
    config = small.get_config()
    config.update(learning_rate=0.5, refinement_learning_rate=0.125, cosine_decay=cosine_decay)
    config.update(steps=6, refine_from=2)
    optimizers = training.Setup.from_config(config).optimizers
    for name, rate, steps in (("global", 0.5, 6), ("local", 0.5, 6), ("refinement", 0.125, 4)):
        (found,) = -steps_taken(optimizers[name], np.ones((steps, 1), np.float32)).T
        fall = (1 + np.cos(np.pi * np.arange(steps) / steps)) / 2 if cosine_decay else 1.0
        np.testing.assert_allclose(found, rate * fall, rtol=1e-4)  # of equal gradients Adam's rate


def test_longer_gradients_are_shortened():
    """And shorter ones left: Adam would not notice, were all of them of one length."""
    config = quickstart.get_config()
    config.update(clip_norm=2.0, steps=100, refine_from=100)
    optimizer = training.Setup.from_config(config).optimizers["highlights"]
    short, long, cut = ([0.3, 0.4], [30.0, -40.0], [1.2, -1.6])
    found = steps_taken(optimizer, [short, long, short])
    np.testing.assert_allclose(found, steps_taken(optimizer, [short, cut, short]), rtol=1e-5)
    full = steps_taken(optimizer, [cut, cut, cut])
    assert np.abs(found[1:] / full[1:] - 1).max() > 0.1


def test_references_stay_inside_the_stack_and_depend_on_the_step_alone():
    setup = training.Setup.from_config(paper.get_config())
    drawn = [training.draw_references(setup, step) for step in range(200)]
    assert {a for a, _ in drawn} == set(range(7)) and {b for _, b in drawn} == {2, 3, 4}
    assert drawn[17] == training.draw_references(setup, 17)


def test_bad_configurations_are_refused():
    for field, value in (
        ("batch_size", 0),
        ("keep_checkpoints", 0),
        ("mu", 0.0),
        ("refine_from", -1),
        ("loss.hdr", float("nan")),
        ("model.convolution", "fft"),
        ("model.local_width", 0),
        ("model.global_levels", -1),
        ("model.dtype", "int32"),
        ("hdr_target", "x"),
        ("max_reference_offset", 4),
        ("model.dtype", "float33"),
        ("layer.sampling", "nowhere"),
        ("layer.weighting", "top hat"),
        ("learning_rate", -1.0),
        ("model.dtype", "float64"),
        ("average", 0.9),
    ):
        config = small.get_config()
        config.update_from_flattened_dict({field: value})
        with pytest.raises(InputError, match=field.split(".")[-1]):
            training.Setup.from_config(config)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"clip_norm": 0.0}, "clip_norm"),
        ({"model.depths": (1,)}, "model.depths"),
        ({"model.widths": (8, 0)}, "model.depths"),
        ({"model.widths": (8.5, 8)}, "model.depths"),
        ({"seed": -1}, "seed"),
        ({"metering_stops": float("nan")}, "metering_stops"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"refinement_learning_rate": float("nan")}, "refinement_learning_rate"),
        ({"b1": 1.5}, "b1"),
        ({"weight_decay": -0.1}, "weight_decay"),
        ({"ev_offsets": (0.0, 0.0)}, "ev_offsets"),
        ({"size": 16}, "size"),
        ({"size": 64, "photographs.aspect": 0.25}, "size"),
        ({"photographs.aspect": float("nan")}, "photographs.aspect"),
        ({"photographs.aspect": 0.0}, "photographs.aspect"),
        ({"loss.gain_l1": 0.0, "loss.gradient_l1": 0.0, "loss.hdr": 0.0}, "refine_from"),
    ],
)
def test_bad_highlight_configurations_are_refused(fields, named):
    config = quickstart.get_config()
    config.update_from_flattened_dict(fields)
    with pytest.raises(InputError, match=f"got config.{named} = "):
        training.Setup.from_config(config)


def with_field(config, name, value):
    """A configuration with a value of any type in a field, such as loss.hdr."""
    room, _, field = name.rpartition(".")
    with config.ignore_type():
        (config[room] if room else config)[field] = value
    return config


@pytest.mark.parametrize("module", [small, quickstart])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, None) for name in (
            "steps", "learning_rate", "weight_decay", "size", "seed", "average", "refine_from",
            "loss.hdr", "mu", "b1", "metering_stops", "max_reference_offset", "log_every",
        )),
        ("steps", 2.5),
        ("size", "64"),
        ("mu", float("inf")),
        ("dataset", None),
        ("val_split", 3),
        ("force_resume", "no"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_refused_by_name(module, name, value):
    """As a configuration file of one's own may have it."""
    config = with_field(module.get_config(), name, value)
    with pytest.raises(InputError, match=f"got config.{name} = {value!r}: expected"):
        training.Setup.from_config(config)


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (small, "model.local_width", None),
        (small, "model.num_exposures", None),
        (quickstart, "model.widths", None),
        (quickstart, "clip_norm", None),
        *((quickstart, "ev_offsets", value) for value in (
            None, 2.0, (0.0, float("nan")), (0.0, float("inf")), (0.0, "2"), ("0", "2"),
        )),
    ],
)  # fmt: skip
def test_numbers_of_one_kind_of_model_are_refused_by_name(module, name, value):
    config = with_field(module.get_config(), name, value)
    with pytest.raises(InputError, match=f"got config.{name} = "):
        training.Setup.from_config(config)


@pytest.mark.parametrize("module", [small, quickstart])
@pytest.mark.parametrize("room", ["model", "layer", "loss"])
def test_unknown_fields_are_named(module, room):
    config = module.get_config()
    with config.unlocked():
        config[room].no_such_thing = 1
    with pytest.raises(InputError, match="no_such_thing"):
        training.Setup.from_config(config)


def test_a_missing_field_is_named():
    config = small.get_config()
    del config.edge_weights
    with pytest.raises(InputError, match="edge_weights"):
        training.Setup.from_config(config)


def test_data_of_another_number_of_exposures_is_refused():
    config = tiny_config()
    config.model.num_exposures = 3
    setup = training.Setup.from_config(config)
    with pytest.raises(InputError, match="config.model.num_exposures=7"):
        setup.check_example(tiny_source(1)[0])


def test_the_networks_start_from_ev_0():
    setup = training.Setup.from_config(tiny_config())
    scene = tiny_source(1)[0]
    with pytest.raises(InputError, match=r"-2.0, .*, 4.0\] stops: expected EV 0 as number 3"):
        setup.check_example(scene | {"ev_offset": scene["ev_offset"] + 1})
