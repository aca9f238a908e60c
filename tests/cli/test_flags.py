"""The command line of `hdr-jax train` and `eval`, and of their doors train.py and eval.py."""

import importlib
import os
import pathlib
import subprocess
import sys

import pytest

from hdr_jax import cli, configs, training, weights
from hdr_jax.cli import flags
from hdr_jax.configs import highlights, quickstart, shipped
from hdr_jax.errors import InputError
from hdr_jax.runs import description


@pytest.fixture
def workdir(tmp_path):
    config = quickstart.get_config()
    config.steps = 7
    description.write_config(tmp_path, config)
    return str(tmp_path)


def test_the_work_directory_gives_the_configuration(workdir):
    config, folder = flags.parse(None, workdir)
    assert folder == workdir and config.steps == 7
    config, _ = flags.parse(None, workdir, ["--config.steps=9", "--config.loss.hdr=1"])
    assert config.steps == 9 and config.loss.hdr == 1.0 and config.size == 64


def test_a_file_comes_before_the_work_directory(workdir):
    config, _ = flags.parse("configs/quickstart.py", workdir)
    assert config.steps == quickstart.get_config().steps


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config.stpes=3"], "steps"),
        (["--config.steps=many"], "many"),
        (["--config.hosts.cuont=2"], "hosts.count"),
        (["--config.layers.mu=2"], "layers.mu"),
        (["--config.seed.x=2"], "seed.x"),
        (["--config.model.widths[0]=16"], "0"),
        (["stray"], "stray"),
    ],
)
def test_wrong_overrides_are_explained(workdir, arguments, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        flags.parse(None, workdir, arguments)
    told = capsys.readouterr().err
    assert message in told
    assert "no field" not in told or f"{workdir}/config.json" in told


def test_without_a_configuration(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        flags.parse(None, str(tmp_path))
    assert "--config is missing" in capsys.readouterr().err


def test_the_configurations_have_names(workdir):
    for name in configs.names():
        assert flags.parse(f"hdr_jax:{name}", workdir, ["--config.steps=3"])[0].steps == 3
    with pytest.raises(InputError, match="quickstart"):
        flags.parse("hdr_jax:quick", workdir)


START = "from hdr_jax.configs import small\ndef get_config(size=64):\n"
TWO_FIELDS = (
    START
    + """
    config = small.get_config()
    config.lossy, config.learning_rat = 3, 1e-9
    return config
"""
)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("x = 1", "get_config.. that returns"),
        ("def get_config(): return {'size': 64}", "ConfigDict"),
        ("def get_config(:", "SyntaxError.*line 1"),
        (START + "    return sizes", "NameError.*line 3"),
        (TWO_FIELDS, "learning_rat, lossy; near names: learning_rate, loss"),
    ],
)
def test_wrong_files_are_explained(tmp_path, code, message):
    path = tmp_path / "mine.py"
    path.write_text(code)
    with pytest.raises(InputError, match=message):
        flags.parse(str(path), str(tmp_path))


def test_a_file_may_be_given_an_argument(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        START + "    config = small.get_config()\n    config.size = int(size)\n    return config"
    )
    assert (flags.read(f"{path}:32").size, flags.read(str(path)).size) == (32, 64)
    with pytest.raises(InputError, match="no configuration nofile.py.*quickstart"):
        flags.read("nofile.py")


@pytest.mark.parametrize("name", configs.names())
def test_a_checkout_has_the_same_under_its_own_door(name):
    door = importlib.import_module(f"configs.{name}")
    assert door.get_config is importlib.import_module(f"hdr_jax.configs.{name}").get_config


def test_every_door_of_a_checkout_leads_to_a_configuration():
    doors = pathlib.Path(__file__).resolve().parents[2].glob("configs/[a-z]*.py")
    assert sorted(path.stem for path in doors) == configs.names()


def test_the_shipped_models_configuration_is_accepted():
    """Its model is the shipped one; its phases are as long as the training log says."""
    config = shipped.get_config()
    setup = training.Setup.from_config(config)
    assert setup.model == weights.load()[0]
    assert (config.refine_from, config.steps - config.refine_from) == (8021, 473)
    assert config.batch_size == 8
    assert set(config.loss) == set(highlights.get_config().loss)


def test_words_that_are_no_fields_are_refused(capsys):
    assert cli.parsed(["eval", "--workdir", "a", "--config.b", "2"]).fields == ["--config.b", "2"]
    with pytest.raises(SystemExit, match="2"):
        cli.parsed(["merge", "folder", "--config.b=2"])
    assert "unrecognized arguments: --config.b=2" in capsys.readouterr().err


def test_the_home_folder_behind_an_equals_sign_is_found(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("USERPROFILE", "/home/somebody")  # of Windows
    for word in ("-o=~/map.exr", "--output=~/map.exr"):
        assert cli.parsed(["merge", "a", "b", word]).output == "/home/somebody/map.exr"
    assert cli.parsed(["merge", "a", "b", "--output=a~/map.exr"]).output == "a~/map.exr"
    kept = "--config.manual_dir=~/scenes"  # as a run's description tells it
    assert cli.parsed(["train", "--workdir", "a", kept]).fields == [kept]


def test_shells_complete_commands_and_options(tmp_path):
    pytest.importorskip("argcomplete")

    def completed(line):
        asked = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line))}
        asked["_ARGCOMPLETE_STDOUT_FILENAME"] = str(tmp_path / "told")
        command = [sys.executable, "-m", "hdr_jax"]
        subprocess.run(command, env={**os.environ, **asked}, check=True)
        return (tmp_path / "told").read_text().replace("\013", " ").split()

    assert completed("hdr-jax mer") == ["merge"]
    assert "--response" in completed("hdr-jax merge a.jpg --re")
