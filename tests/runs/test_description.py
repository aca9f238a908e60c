"""What may change when a run goes on."""

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
