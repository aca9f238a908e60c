"""The training program: one and two devices alike, resumable to the bit, clear errors."""

import json
import os
import pathlib
import platform
import re
import shutil
import signal
import subprocess
import sys
from contextlib import nullcontext

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_run import tiny_config, tiny_source

from hdr_jax import data, programs, training, weights
from hdr_jax.configs import highlights
from hdr_jax.errors import InputError
from hdr_jax.models import parameter_shapes
from hdr_jax.runs import description, hosts, scores
from hdr_jax.runs.checkpoints import Checkpoints, save_model
from hdr_jax.runs.log import RunLog

ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture
def train(monkeypatch):
    """`train_and_evaluate` on the tiny source."""
    import train as program

    monkeypatch.setattr(data, "load_source", lambda *_: tiny_source())
    return program.train_and_evaluate


def lines(workdir, name="metrics.jsonl"):
    return (workdir / name).read_text().splitlines()


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bits(train, tmp_path, monkeypatch):
    config = tiny_config()
    scores = train(config, tmp_path / "whole")
    rows = [json.loads(line) for line in lines(tmp_path / "whole")]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert {"loss", "global_l1", "global_histogram", "local_l1"} <= set(rows[0])
    assert {"refinement_l1", "refinement_hdr", "refinement_cobi"} <= set(rows[-1])
    assert np.isfinite(list(rows[-1].values())).all() and scores["stack_psnr"] > 0
    assert (tmp_path / "whole/validation/step_000006.png").stat().st_size > 1000

    put = RunLog.put

    def killed_at_4(self, step, terms, *, write):
        put(self, step, terms, write=write)
        if step == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(RunLog, "put", killed_at_4)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "killed")
    assert len(lines(tmp_path / "killed")) < 6
    monkeypatch.setattr(RunLog, "put", put)
    train(config, tmp_path / "killed")
    assert lines(tmp_path / "killed") == lines(tmp_path / "whole")
    assert lines(tmp_path / "killed", "validation.jsonl") == lines(
        tmp_path / "whole", "validation.jsonl"
    )
    # Killed after a checkpoint, before its validation: that is made up for, and no other twice.
    validations = lines(tmp_path / "whole", "validation.jsonl")
    (tmp_path / "killed/validation.jsonl").write_text(validations[0] + "\n")
    train(config, tmp_path / "killed")
    assert lines(tmp_path / "killed", "validation.jsonl") == validations
    config.update(steps=4, force_resume=True)
    with pytest.raises(InputError, match="config.steps = 4 for a run that has done 6"):
        train(config, tmp_path / "killed")
    config.update(steps=6, force_resume=False)

    import eval as evaluation_program

    result = evaluation_program.evaluate(_with_vdp_size(tmp_path / "whole"), tmp_path / "whole")
    assert len(result["scenes"]) == 3 and np.isfinite(result["mean"]["hdrvdp2_q"])
    assert np.isfinite(result["mean"]["dataset_psnr_mu"])
    assert result["mean"]["dataset_psnr_mu"] != result["mean"]["psnr_mu"]
    text = (tmp_path / "whole/eval/index.html").read_text(encoding="utf-8")
    found = [json.loads(x) for x in re.findall(r'id="scene-\d">(.*?)</script>', text)]
    assert [scene["name"] for scene in found] == ["s0", "s1", "s2"]
    for scene, row in zip(found, result["scenes"], strict=True):
        assert [len(stack) for stack in scene["stacks"]] == [7, 7] and scene["visibility"]
        assert scene["scores"]["hdrvdp2_q"] == pytest.approx(row["hdrvdp2_q"])
    assert "hdrvdp2_p_map" not in result["scenes"][0]
    assert (tmp_path / "whole/eval/s0.png").stat().st_size > 1000


def _with_vdp_size(workdir):
    """The configuration of a run, as eval.py finds it; HDR-VDP-2 needs 17 pixels."""
    config = description.read_config(workdir)
    config.size = 32
    return config


def test_validation_refines_once_a_step_has_trained_that(monkeypatch):
    """After `refine_from` steps the refinement networks have not learned yet."""
    from hdr_jax.programs import _validation as program

    asked = []

    def eval_step(setup, params, batch, *, refine):
        asked.append(refine)
        return {"stack": batch["stack"] / 255}

    monkeypatch.setattr(training, "eval_step", eval_step)
    monkeypatch.setattr(scores, "scores", lambda outputs, truth: {})
    config = tiny_config()
    setup = training.Setup.from_config(config)
    validation = program.Validation(setup, config, tiny_source(1), {}, None)
    nothing = {direction: {"global": jnp.zeros((1, 1))} for direction in ("up", "down")}
    state = training.TrainState(jnp.zeros(1), nothing, {})
    for done in (config.refine_from, config.refine_from + 1):
        (result,) = validation.judged(done, state)
        assert result.name == "s0"
    assert asked == [False, True]


@pytest.fixture
def first_state():
    """`first_state` of a configuration, a work directory and the set-up to start from."""
    from hdr_jax.programs import _starting as program

    def call(config, workdir):
        setup = training.Setup.from_config(config)
        with Checkpoints(workdir / "checkpoints") as checkpoints:
            return program.first_state(setup, config, checkpoints, workdir)

    return call


def ones(config, **fields):
    """A model, and parameters that are all 1."""
    model = training.Setup.from_config(config).model.clone(**fields)
    return model, jax.tree.map(lambda x: np.ones(x.shape, x.dtype), parameter_shapes(model))


def all_ones(state):
    return all((leaf == 1).all() for leaf in jax.tree.leaves(state.params))


def test_what_a_run_lacks_is_named(tmp_path):
    """Not by a traceback, although it is asked for before anything else."""
    config = tiny_config()
    del config.hosts
    with pytest.raises(InputError, match="lacks a field: .*hosts"):
        programs.train_and_evaluate(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_starts_from_the_weights_that_are_named(first_state, tmp_path):
    config = tiny_config()
    save_model(tmp_path / "other", *ones(config, remat=True))
    assert not all_ones(first_state(config, tmp_path / "random"))
    config.init_from = str(tmp_path / "other")
    state = first_state(config, tmp_path / "run")
    assert all_ones(state) and state.step == 0
    config.model.global_width = 8
    with pytest.raises(InputError, match="global_width = 4 there, 8 in the configuration"):
        first_state(config, tmp_path / "run")


def test_a_run_starts_from_shipped_weights(first_state, tmp_path):
    config = highlights.get_config()
    config.init_from = weights.DEFAULT
    state = first_state(config, tmp_path)
    for one, other in zip(*map(jax.tree.leaves, (state.params, weights.load()[1])), strict=True):
        np.testing.assert_array_equal(one, other)
    config.init_from = "highlights-0"
    with pytest.raises(InputError, match="highlights-0.* expected .*" + weights.DEFAULT):
        first_state(config, tmp_path)


def test_imported_weights_in_the_work_directory_are_not_ignored(first_state, tmp_path):
    config = tiny_config()
    save_model(tmp_path / "checkpoints", *ones(config))
    state = first_state(config, tmp_path)
    assert all_ones(state) and state.step == 0
    assert config.init_from == str(tmp_path / "checkpoints")


def test_weights_imported_beside_the_checkpoints_are_asked_about(first_state, tmp_path):
    config = tiny_config()
    save_model(tmp_path, *ones(config))
    with pytest.raises(InputError, match="holds weights .* --config.init_from="):
        first_state(config, tmp_path)
    config.init_from = str(tmp_path)
    assert all_ones(first_state(config, tmp_path))


def test_a_run_goes_on_under_its_own_configuration_only(first_state, tmp_path, capsys):
    config = tiny_config()
    state = first_state(config, tmp_path)
    config.init_from = "elsewhere"
    description.write_config(tmp_path, config)
    setup = training.Setup.from_config(config)
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        checkpoints.save(4, setup.model, state.params, state.opt_state)
    for given in ("", "elsewhere", "changed"):
        config.init_from = given
        assert first_state(config, tmp_path).step == 4
        assert config.init_from == "elsewhere"  # the run's own past
        warned = "init_from=changed has no effect: the run goes on from step 4"
        assert (warned in capsys.readouterr().out) == (given == "changed")
    config.b1 = 0.7
    with pytest.raises(InputError, match="b1 was 0.5, is 0.7"):
        first_state(config, tmp_path)
    config.force_resume = True
    assert first_state(config, tmp_path).step == 4


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_step_and_saves_it(train, tmp_path, monkeypatch, number):
    config = tiny_config()
    config.update(checkpoint_every=100, refine_from=100)
    put = RunLog.put

    def signalled(self, step, terms, *, write):
        put(self, step, terms, write=write)
        if step == 3:
            signal.raise_signal(number)

    monkeypatch.setattr(RunLog, "put", signalled)
    leaves = pytest.raises(KeyboardInterrupt) if number == signal.SIGINT else nullcontext()
    with leaves:
        train(config, tmp_path)
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        assert checkpoints.steps() == [3]
    assert len(lines(tmp_path)) == 3
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL  # as it was


@pytest.mark.slow
def test_the_curves_are_on_the_disk_before_a_checkpoint_is(train, tmp_path, monkeypatch):
    """A run that goes on from it after a kill leaves no gap in them."""
    save, points = Checkpoints.save, {}

    def looking(self, step, *arguments, **options):
        (path,) = (tmp_path / "tensorboard").iterdir()
        points[step] = path.read_bytes().count(b"metrics/loss")
        save(self, step, *arguments, **options)

    monkeypatch.setattr(Checkpoints, "save", looking)
    train(tiny_config(), tmp_path)
    assert points == {2: 2, 4: 4, 6: 6}


def cut(checkpoint):
    """Cuts its largest file in half."""
    files = [path for path in checkpoint.rglob("*") if path.is_file()]
    largest = max(files, key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[: largest.stat().st_size // 2])


def empty(checkpoint):
    shutil.rmtree(checkpoint)
    checkpoint.mkdir()


DAMAGE = {
    "a truncated file": cut,
    "no optimizer": lambda checkpoint: shutil.rmtree(checkpoint / "optimizer"),
    "an empty folder": empty,
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_checkpoint_is_put_aside(first_state, tmp_path, capsys, name):
    config = tiny_config()
    state = first_state(config, tmp_path)
    description.write_config(tmp_path, config)
    setup = training.Setup.from_config(config)
    for step in (2, 4):
        with Checkpoints(tmp_path / "checkpoints") as checkpoints:
            checkpoints.save(step, setup.model, state.params, state.opt_state)
    DAMAGE[name](tmp_path / "checkpoints/4")
    assert first_state(config, tmp_path).step == 2
    said = capsys.readouterr().out
    assert "checkpoint 4" in said and "going on from step 2" in said
    assert (tmp_path / "damaged/4").is_dir() and not (tmp_path / "checkpoints/4").exists()
    DAMAGE[name](tmp_path / "checkpoints/2")
    with pytest.raises(InputError, match="no checkpoint can be read"):
        first_state(config, tmp_path)
    assert (tmp_path / "checkpoints/2").is_dir()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rate", "every", "told"),
    [
        (1e30, 6, r"step \d: .*(loss|l1|histogram) = (nan|inf)"),
        (1e38, 1, r"step \d: (parameters|validation scenes).* not finite"),  # the loss still was
    ],
)
def test_what_is_not_finite_stops_the_run(train, tmp_path, rate, every, told):
    config = tiny_config()
    config.update(learning_rate=rate, eval_every=every, checkpoint_every=every)
    with pytest.raises(FloatingPointError, match=told):
        train(config, tmp_path)
    assert not list((tmp_path / "checkpoints").glob("[0-9]*"))
    assert len(list((tmp_path / "not_finite").iterdir())) == 1


def test_a_run_leaves_another_one_in_its_folder_alone(train, tmp_path):
    log = tmp_path / "metrics.jsonl"
    log.write_text(row := '{"step": 9, "loss": 1.0}\n')
    with hosts.alone_in(tmp_path), pytest.raises(InputError, match="another process trains in"):
        train(tiny_config(), tmp_path)
    assert log.read_text() == row and not (tmp_path / "config.json").exists()


@pytest.mark.parametrize("program", ["train", "eval"])
def test_a_program_sees_to_interrupts_before_the_libraries_load(program):
    """Which otherwise print a traceback of their own."""
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['{program}.py', '--help']\n"
        "try:\n"
        f"    runpy.run_path('{program}.py', run_name='__main__')\n"
        "finally:\n"
        "    assert 'jax' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--config", "configs/quickstart.py", "--workdir", "x", "--config.stpes=3"], "steps"),
        (["--config", "configs/quickstart.py", "--workdir", "x", "--config.steps=many"], "many"),
        (["--config", "configs/nowhere.py", "--workdir", "x"], "nowhere.py"),
        (["--workdir", "x"], "--config is missing"),
        (["--config", "configs/quickstart.py", "--workdir", "x", "--config.size=30"], "multiple"),
    ],
)
def test_wrong_calls_are_explained_with_exit_code_2(arguments, expected, tmp_path):
    result = subprocess.run(
        [sys.executable, ROOT / "train.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2 and expected in result.stderr, result.stderr[-500:]
    assert "Traceback" not in result.stderr


HELD = """
import resource
import sys
import numpy as np
from hdr_jax.programs import _memory
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
if sys.argv[1] == "keep":
    _memory.keep_memory()
before = resident()
block = np.ones(2**25)
del block
print((resident() - before) / 2**28)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="of GNU's C library alone"
)
@pytest.mark.parametrize(
    ("how", "held"), [("keep", 1), pytest.param("give", 0, marks=pytest.mark.slow)]
)
def test_memory_of_a_step_is_kept_for_the_next(how, held):
    words = [sys.executable, "-c", HELD, how]
    result = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True)
    assert float(result.stdout) == pytest.approx(held, abs=0.1)
