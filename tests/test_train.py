"""The training program: one and two devices alike, resumable to the bit, clear errors."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import jax
import numpy as np
import pytest

from configs import paper, quickstart, released, small
from hdr_jax import data, training
from hdr_jax.errors import InputError
from hdr_jax.models import parameter_shapes
from hdr_jax.runs import description
from hdr_jax.runs.checkpoints import Checkpoints, save_model

ROOT = pathlib.Path(__file__).resolve().parents[1]
TINY = dict(
    global_width=4,
    global_levels=1,
    local_width=4,
    local_levels=1,
    refinement_width=4,
    refinement_levels=1,
)


def tiny_config():
    """A run of six steps, three in each phase."""
    config = quickstart.get_config()
    config.model.update(**TINY)
    config.layer.num_samples = 32
    config.update(
        steps=6, refine_from=3, batch_size=2, size=16, log_every=1, eval_every=6, eval_scenes=2,
        checkpoint_every=2, data_dir="",
    )  # fmt: skip
    return config


def tiny_source(count=3, size=20):
    """Scenes of random radiance, photographed at seven exposures."""
    rng = np.random.default_rng(0)
    scenes = []
    for i in range(count):
        hdr = np.exp(rng.uniform(-4, 2, (size, size, 3))).astype(np.float32)
        exposures = np.clip(hdr * np.exp2(np.arange(-3.0, 4.0))[:, None, None, None], 0, 1)
        stack = np.round(255 * exposures ** (1 / 2.2)).astype(np.uint8)
        ev_offset = np.arange(-3, 4, dtype=np.float32)
        scenes.append({"stack": stack, "ev_offset": ev_offset, "hdr": hdr, "scene": f"s{i}"})
    return scenes


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

    from hdr_jax.runs.log import RunLog

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

    import eval as evaluation_program

    result = evaluation_program.evaluate(_with_vdp_size(tmp_path / "whole"), tmp_path / "whole")
    assert len(result["scenes"]) == 3 and np.isfinite(result["mean"]["hdrvdp2_q"])
    assert np.isfinite(result["mean"]["dataset_psnr_mu"])
    assert result["mean"]["dataset_psnr_mu"] != result["mean"]["psnr_mu"]
    assert (tmp_path / "whole/eval/index.html").exists()
    assert (tmp_path / "whole/eval/s0.png").stat().st_size > 1000


def _with_vdp_size(workdir):
    """The configuration of a run, as eval.py finds it; HDR-VDP-2 needs 17 pixels."""
    config = description.read_config(workdir)
    config.size = 32
    return config


@pytest.fixture
def first_state():
    """`train.first_state` of a configuration, a work directory and the set-up to start from."""
    import train as program

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


def test_imported_weights_in_the_work_directory_are_not_ignored(first_state, tmp_path):
    config = tiny_config()
    save_model(tmp_path / "checkpoints", *ones(config))
    state = first_state(config, tmp_path)
    assert all_ones(state) and state.step == 0
    assert config.init_from == str(tmp_path / "checkpoints")


def test_a_run_goes_on_under_its_own_configuration_only(first_state, tmp_path):
    config = tiny_config()
    state = first_state(config, tmp_path)
    config.init_from = "elsewhere"
    description.write_config(tmp_path, config)
    setup = training.Setup.from_config(config)
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        checkpoints.save(4, setup.model, state.params, state.opt_state)
    config.init_from = ""
    assert first_state(config, tmp_path).step == 4
    assert config.init_from == "elsewhere"  # the run's own past
    config.b1 = 0.7
    with pytest.raises(InputError, match="b1 was 0.5, is 0.7"):
        first_state(config, tmp_path)
    config.force_resume = True
    assert first_state(config, tmp_path).step == 4


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_the_run(train, tmp_path):
    config = tiny_config()
    config.learning_rate = 1e30
    config.checkpoint_every = 6
    with pytest.raises(FloatingPointError, match=r"step \d: .*(loss|l1|histogram) = (nan|inf)"):
        train(config, tmp_path)
    assert not list((tmp_path / "checkpoints").glob("[0-9]*"))


def test_hdr_loss_is_0_for_the_true_stack_and_does_not_see_the_scale_of_the_data_set():
    config, scenes = tiny_config(), tiny_source(2, 16)
    batch = {
        key: np.stack([scene[key] for scene in scenes]) for key in ("stack", "ev_offset", "hdr")
    }
    true = batch["stack"].astype(np.float32) / 255
    wrong = (true + np.roll(true, 1, axis=2)) / 2  # another scene; a mere curve would be undone

    def loss(stack, batch=batch, **fields):
        config.update(fields)
        setup = training.Setup.from_config(config)
        return float(training.hdr_loss(setup.objective, stack, batch))

    for align in (False, True):
        assert loss(true, hdr_target="synthesized", hdr_align=align) < 1e-6
        assert loss(wrong, hdr_align=align) > 0.01
    measured = loss(wrong, hdr_target="dataset")
    scaled = {**batch, "hdr": 7 * batch["hdr"]}
    np.testing.assert_allclose(loss(wrong, scaled), measured, rtol=1e-4)
    with pytest.raises(ValueError, match="expected 'synthesized' or 'dataset'"):
        loss(true, hdr_target="neither")


TWO_DEVICES = """
import functools, jax, numpy as np, sys
from flax import jax_utils
sys.path.insert(0, "tests")
from test_train import tiny_config, tiny_source
from hdr_jax import data, training
config = tiny_config()
config.learning_rate = config.refinement_learning_rate = 1e-4  # the paper's
setup = training.Setup.from_config(config)
batch = next(data.batches(tiny_source(), batch_size=2, size=16, seed=0))
state = training.create_state(setup, jax.random.key(0))
for phase in (1, 2):
    results = []
    for count in (1, 2):
        devices = jax.local_devices()[:count]
        step = jax.pmap(functools.partial(training.train_step, setup, phase), in_axes=(0, 0, None),
                        axis_name=training.DEVICES, devices=devices)
        placed = next(data.to_devices([batch], devices))
        new, terms = step(jax_utils.replicate(state, devices), placed, (1, 3))
        results.append(jax.device_get(jax.tree.map(lambda x: x[0], (new, terms))))
    (one, terms_one), (two, terms_two) = results
    for name in terms_one:
        assert abs(terms_one[name] - terms_two[name]) <= 1e-5 * max(1, abs(terms_one[name])), name
    # Adam's first step is the sign of the gradient, also where the gradient is rounding noise (of a
    # bias in front of a norm, say): compare the gradients, and parameters where there is one.
    worst = {"gradient": 0, "parameter": 0}
    for name in training.NETWORKS[:phase + 1]:
        moments = [jax.tree.leaves(s.opt_state[name]) for s in (one, two)]
        params = [jax.tree.leaves(training.by_network(s.params)[name]) for s in (one, two)]
        count = len(params[0])
        gradients = [2 * np.concatenate([x.ravel() for x in m[1:1 + count]]) for m in moments]
        params = [np.concatenate([x.ravel() for x in p]) for p in params]
        scale = np.abs(gradients[0]).max()
        real = np.abs(gradients[0]) > 1e-5 * scale
        assert real.mean() > 0.5
        distance = np.abs(gradients[0] - gradients[1]).max() / scale
        worst["gradient"] = max(worst["gradient"], distance)
        worst["parameter"] = max(worst["parameter"], np.abs(params[0] - params[1])[real].max())
    print(phase, worst)
    assert max(worst.values()) <= 1e-5, worst
"""


@pytest.mark.slow
def test_two_devices_equal_one():
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    result = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-2000:] + result.stdout


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


def test_parameter_counts_of_the_configurations():
    for module, most in ((small, 5e6), (quickstart, 5e6), (paper, None), (released, None)):
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


def test_references_stay_inside_the_stack_and_depend_on_the_step_alone():
    setup = training.Setup.from_config(paper.get_config())
    drawn = [training.draw_references(setup, step) for step in range(200)]
    assert {a for a, _ in drawn} == set(range(7)) and {b for _, b in drawn} == {2, 3, 4}
    assert drawn[17] == training.draw_references(setup, 17)


def test_bad_configurations_are_refused():
    for field, value in (
        ("batch_size", 0),
        ("hdr_target", "x"),
        ("max_reference_offset", 4),
        ("model.dtype", "float33"),
        ("layer.sampling", "nowhere"),
        ("layer.weighting", "top hat"),
    ):
        config = quickstart.get_config()
        config.update_from_flattened_dict({field: value})
        with pytest.raises(InputError, match=field.split(".")[-1]):
            training.Setup.from_config(config)


@pytest.mark.parametrize("room", ["model", "layer", "loss"])
def test_unknown_fields_are_named(room):
    config = quickstart.get_config()
    with config.unlocked():
        config[room].no_such_thing = 1
    with pytest.raises(InputError, match="no_such_thing"):
        training.Setup.from_config(config)


def test_a_missing_field_is_named():
    config = quickstart.get_config()
    del config.edge_weights
    with pytest.raises(InputError, match="edge_weights"):
        training.Setup.from_config(config)


def test_data_of_another_number_of_exposures_is_refused():
    config = tiny_config()
    config.model.num_exposures = 3
    setup = training.Setup.from_config(config)
    with pytest.raises(InputError, match="config.model.num_exposures=7"):
        setup.check_example(tiny_source(1)[0])


HOST = """
import sys
sys.path.insert(0, "tests")
import test_train as tiny
from hdr_jax import data
import train
data.load_source = lambda *_: tiny.tiny_source(5)
config = tiny.tiny_config()
config.update(steps=4, refine_from=2, eval_every=4)
if len(sys.argv) > 2:
    config.hosts.update(coordinator=sys.argv[2], count=2, index=int(sys.argv[3]))
train.train_and_evaluate(config, sys.argv[1])
"""


@pytest.mark.slow
def test_two_hosts_equal_two_devices(tmp_path):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"

    def start(*arguments, **environment):
        command = [sys.executable, "-c", HOST, *map(str, arguments)]
        environment = {**os.environ, "JAX_PLATFORMS": "cpu", **environment}
        return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE)

    hosts = [start(tmp_path / "hosts", address, i) for i in range(2)]
    errors = [process.communicate(timeout=600)[1] for process in hosts]
    assert [process.returncode for process in hosts] == [0, 0], errors
    two = "--xla_force_host_platform_device_count=2"
    devices = start(tmp_path / "devices", XLA_FLAGS=two)
    assert devices.communicate(timeout=600) and devices.returncode == 0
    assert lines(tmp_path / "hosts") == lines(tmp_path / "devices")
    assert len(lines(tmp_path / "hosts")) == 4
