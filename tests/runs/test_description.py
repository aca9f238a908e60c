"""What may change when a run goes on."""

import json

import pytest

from hdr_jax.configs import highlights, paper
from hdr_jax.errors import InputError
from hdr_jax.runs import description


@pytest.mark.parametrize(
    ("make", "fields", "free"),
    [
        (paper.get_config, {}, True),
        (paper.get_config, {"cosine_decay": True}, False),
        (highlights.get_config, {}, False),
    ],
)
def test_more_steps_are_the_same_run_unless_the_rate_falls_to_the_last(
    make, fields, free, tmp_path
):
    config = make()
    config.update(fields)
    description.write_config(tmp_path, config)
    config.update(steps=config.steps + 1, log_every=7)
    if free:
        description.check_same_run(tmp_path, config)
    else:
        with pytest.raises(InputError, match="steps was .*, is ") as raised:
            description.check_same_run(tmp_path, config)
        assert "log_every" not in str(raised.value)


def test_going_on_under_other_values_is_asked_for_each_time(tmp_path):
    config = paper.get_config()
    config.force_resume = True
    description.write_config(tmp_path, config)
    found = description.read_config(tmp_path)
    assert not found.force_resume
    found.seed = 5
    with pytest.raises(InputError, match="seed was 0, is 5"):
        description.check_same_run(tmp_path, found)


def test_how_a_model_is_computed_may_change_but_for_its_type(tmp_path):
    """Rematerialisation and the way of convolutions round otherwise; half precision is another."""
    config = paper.get_config()
    with config.model.unlocked():
        config.model.convolution = "auto"
    description.write_config(tmp_path, config)
    config.model.update(remat=not config.model.remat, convolution="xla")
    description.check_same_run(tmp_path, config)
    config.model.dtype = "bfloat16"
    with pytest.raises(InputError, match=r"other values \(model.dtype was [^;]*\)"):
        description.check_same_run(tmp_path, config)


@pytest.mark.parametrize(
    ("make", "name", "values"),
    [
        (highlights.get_config, "average", (0.998, 0.0)),
        (highlights.get_config, "average", (0.0, 0.9)),
        (paper.get_config, "cosine_decay", (False, True)),
    ],
)
def test_what_changes_the_arrays_of_a_checkpoint_is_refused_by_name(make, name, values, tmp_path):
    config = make()
    config[name] = values[0]
    description.write_config(tmp_path, config)
    config.update({name: values[1], "force_resume": True, "b1": 0.7})
    expected = f"{name} was {values[0]}.*, is {values[1]}: .*--config.init_from={tmp_path}"
    with pytest.raises(InputError, match=expected):
        description.check_same_run(tmp_path, config)
    config[name] = values[0]
    description.check_same_run(tmp_path, config)
    if name == "average":  # another average is as large
        config.average = values[0] and 0.9
        description.check_same_run(tmp_path, config)


def test_lists_of_a_configuration_are_the_tuples_that_are_read_back(tmp_path):
    config = paper.get_config()
    with config.unlocked():
        config.own = {"stops": [-0.5, 2.5], "depths": [[1, 2], [3]]}
    description.write_config(tmp_path, config)
    description.check_same_run(tmp_path, config)
    config.own.stops = [-0.5, 3.5]
    with pytest.raises(InputError, match="own.stops was"):
        description.check_same_run(tmp_path, config)


@pytest.mark.parametrize("text", [None, "{"])
def test_the_checkpoint_knows_what_the_file_no_longer_tells(tmp_path, text):
    config = paper.get_config()
    stored = json.loads(json.dumps(config.to_dict()))  # tuples are lists there
    if text:
        (tmp_path / description.FILE).write_text(text)
    assert description.check_same_run(tmp_path, config, lambda: stored) == config.to_dict()
    config.b1 = 0.7
    with pytest.raises(InputError, match="b1 was 0.5, is 0.7"):
        description.check_same_run(tmp_path, config, lambda: stored)


def test_other_scenes_are_another_run(tmp_path):
    config, known = paper.get_config(), {"scenes": 3, "first": "bridge"}
    description.write_data(tmp_path, known)
    description.check_same_data(tmp_path, config, known)
    for other in ({"scenes": 2, "first": "bridge"}, {"scenes": 3, "first": "river"}):
        with pytest.raises(InputError, match="has learned from other scenes"):
            description.check_same_data(tmp_path, config, other)
    config.force_resume = True
    description.check_same_data(tmp_path, config, {"scenes": 2, "first": "bridge"})
    config.force_resume = False
    for damaged in (b"\xff\xfe", b"{"):
        (tmp_path / description.DATA).write_bytes(damaged)
        description.check_same_data(tmp_path, config, known)
