"""The command line of train.py and eval.py."""

import pytest

from configs import quickstart
from hdr_jax.cli import flags
from hdr_jax.runs import description


@pytest.fixture
def workdir(tmp_path):
    config = quickstart.get_config()
    config.steps = 7
    description.write_config(tmp_path, config)
    return str(tmp_path)


def test_the_work_directory_gives_the_configuration(workdir):
    config, folder = flags.parse(["eval.py", "--workdir", workdir])
    assert folder == workdir and config.steps == 7
    config, _ = flags.parse(
        ["eval.py", f"--workdir={workdir}", "--config.steps=9", "--config.loss.hdr=1"]
    )
    assert config.steps == 9 and config.loss.hdr == 1.0 and config.size == 64


def test_a_file_comes_before_the_work_directory(workdir):
    arguments = ["eval.py", "--config", "configs/quickstart.py", "--workdir", workdir]
    assert flags.parse(arguments)[0].steps == quickstart.get_config().steps


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config.stpes=3"], "steps"),
        (["--config.steps=many"], "many"),
        (["stray"], "stray"),
    ],
)
def test_wrong_overrides_are_explained(workdir, arguments, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        flags.parse(["eval.py", "--workdir", workdir, *arguments])
    assert message in capsys.readouterr().err


def test_without_a_configuration(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        flags.parse(["eval.py", "--workdir", str(tmp_path)])
    assert "--config is missing" in capsys.readouterr().err
