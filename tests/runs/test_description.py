"""config.json: read as it was written, and held against what a run is to go on with."""

import pytest

from configs import quickstart
from hdr_jax.errors import InputError
from hdr_jax.runs import description


@pytest.fixture
def config():
    return quickstart.get_config()


def test_a_configuration_comes_back(config, tmp_path):
    assert description.read_config(tmp_path) is None
    description.write_config(tmp_path, config)
    assert description.read_config(tmp_path).to_dict() == config.to_dict()


def test_the_same_run_goes_on(config, tmp_path):
    assert description.check_same_run(tmp_path, config) == {}
    description.write_config(tmp_path, config)
    config.data_dir, config.eval_every, config.hosts.count = "elsewhere", 7, 2
    assert description.check_same_run(tmp_path, config)["data_dir"] == "data"


def test_another_run_is_refused_with_the_fields(config, tmp_path):
    description.write_config(tmp_path, config)
    config.learning_rate, config.loss.hdr = 0.5, 9.0
    with pytest.raises(
        InputError, match=r"learning_rate was 0.002, is 0.5; loss.hdr was 0.2, is 9"
    ):
        description.check_same_run(tmp_path, config)
    config.force_resume = True
    description.check_same_run(tmp_path, config)


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "config.json").write_text('{"steps": ')
    with pytest.raises(InputError, match="config.json"):
        description.read_config(tmp_path)
