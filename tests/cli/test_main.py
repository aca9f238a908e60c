"""The program: light to ask for help, and clear about whose fault an error is."""

import gc
import pathlib
import signal
import subprocess
import sys

import pytest

from hdr_jax import __version__, cli
from hdr_jax.cli import compiled, plot
from hdr_jax.errors import InputError

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_help_loads_nothing_but_the_parsers():
    code = (
        "import sys\n"
        "from hdr_jax import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'jax', 'numpy', 'cv2', 'tqdm'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("error", [InputError("bad file"), FileNotFoundError("no file")])
def test_input_that_cannot_be_used_is_one_line_and_exit_code_2(error, monkeypatch, capsys):
    def run(args):
        raise error

    monkeypatch.setattr(plot, "run", run)
    assert cli.main(["plot", "a.csv"]) == 2
    assert capsys.readouterr().err == f"error: {error}\n"


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"hdr-jax {__version__}\n"


def test_a_reader_that_leaves_is_no_error():
    page = str(ROOT / "docs/quickstart.png")
    call = [sys.executable, "-m", "hdr_jax", "info", page]
    with subprocess.Popen(
        call, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        errors = process.stderr.read()
    assert (process.returncode, errors) == (141, b"")


@pytest.mark.parametrize("error", [ValueError("operands"), KeyError("x"), ZeroDivisionError()])
def test_a_defect_shows_its_traceback(error, monkeypatch):
    def run(args):
        raise error

    monkeypatch.setattr(plot, "run", run)
    with pytest.raises(type(error)):
        cli.main(["plot", "a.csv"])


def test_a_process_of_its_own_looks_for_garbage_while_it_works_only(monkeypatch):
    seen = []
    interrupt = signal.getsignal(signal.SIGINT)  # ignored in the background of a shell

    def run(args):
        seen.append(gc.isenabled())
        assert signal.getsignal(signal.SIGINT) is interrupt
        return 3

    monkeypatch.setattr(plot, "run", run)
    frozen = gc.get_freeze_count()
    try:
        assert cli.program(["plot", "a.csv"]) == 3
        assert seen == [True] and gc.get_freeze_count() > frozen
    finally:
        gc.unfreeze()
        gc.enable()


@pytest.fixture
def jax_config():
    """JAX's settings without a cache; what is set is undone."""
    import jax

    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    jax.config.update(names[0], None)
    yield jax.config
    for name, value in before.items():
        jax.config.update(name, value)


def test_compiled_programs_are_kept_where_the_environment_says(jax_config, tmp_path, monkeypatch):
    monkeypatch.setenv(compiled.VARIABLE, "off")
    compiled.keep_compiled()
    assert jax_config.jax_compilation_cache_dir is None
    monkeypatch.setenv(compiled.VARIABLE, str(tmp_path / "kept"))
    compiled.keep_compiled()
    assert jax_config.jax_compilation_cache_dir == str(tmp_path / "kept")
    monkeypatch.setenv(compiled.VARIABLE, str(tmp_path / "other"))
    compiled.keep_compiled()  # JAX's own setting goes first
    assert jax_config.jax_compilation_cache_dir == str(tmp_path / "kept")


def test_compiled_programs_lie_in_the_cache_of_the_user(jax_config, tmp_path, monkeypatch):
    monkeypatch.delenv(compiled.VARIABLE, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compiled.keep_compiled()
    assert jax_config.jax_compilation_cache_dir == str(tmp_path / "hdr_jax")


def test_a_cache_that_cannot_be_made_is_done_without(jax_config, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(compiled.VARIABLE, str(tmp_path / "file/folder"))
    compiled.keep_compiled()
    assert jax_config.jax_compilation_cache_dir is None


@pytest.mark.parametrize("error", [RuntimeError("no home"), OSError(30, "Read-only file system")])
def test_nobodys_home_and_a_cache_that_cannot_be_written(jax_config, tmp_path, monkeypatch, error):
    def fails(*_, **__):
        raise error

    monkeypatch.delenv(compiled.VARIABLE, raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if isinstance(error, RuntimeError):
        monkeypatch.setattr(pathlib.Path, "home", fails)
    else:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        monkeypatch.setattr(compiled.tempfile, "TemporaryFile", fails)
    compiled.keep_compiled()
    assert jax_config.jax_compilation_cache_dir is None


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers of signals")
def test_a_signal_that_python_ignores_is_not_lost():
    """As within what it calls when it removes an object: the exception goes no further there."""
    code = (
        "import signal, sys, time, weakref\n"
        "from hdr_jax import cli\n"
        "class Thing: pass\n"
        "def main(arguments=None, *, alone=False):\n"
        "    thing = Thing()\n"
        "    kept = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGTERM))\n"
        "    del thing\n"
        "    time.sleep(30)\n"
        "cli.main = main\n"
        "sys.exit(cli.program([]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=25
    )
    assert done.returncode == 128 + signal.SIGTERM
    assert "Exception ignored" in done.stderr  # the first one
