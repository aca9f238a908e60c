"""Programs that are kept as files: what is traced, when, and what a damaged file does."""

import gc
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hdr_jax import crf, exported
from hdr_jax.exposure import expose, srgb


@pytest.fixture
def traced(tmp_path):
    """(a function kept in `tmp_path`, a list that grows whenever it is traced)."""
    traces = []

    @exported.jit
    def power(x, *, exponent, scale=None):
        traces.append(exponent)
        return x**exponent if scale is None else scale(x) ** exponent

    exported.keep_in(tmp_path / "kept")
    yield power, traces
    exported.keep_in(None)


def forget():
    """As a new process begins."""
    exported._programs.clear()
    jax.clear_caches()


def files(folder):
    return sorted((folder / "kept").glob("*"))


def test_a_new_process_traces_nothing(traced, tmp_path):
    power, traces = traced
    x = np.arange(3, dtype=np.float32)
    for _ in range(2):
        np.testing.assert_array_equal(power(x, exponent=2), x**2)
    forget()
    np.testing.assert_array_equal(power(x, exponent=2), x**2)
    assert traces == [2] and len(files(tmp_path)) == 1
    # Another constant, shape or type is another program.
    power(x, exponent=3), power(x[:2], exponent=2), power(x.astype(np.int32), exponent=2)
    assert len(traces) == len(files(tmp_path)) == 4


@pytest.mark.parametrize("damage", [b"", b"no program"])
def test_a_damaged_file_is_made_again(traced, tmp_path, damage):
    power, traces = traced
    power(2.0, exponent=2)
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(damage)
    forget()
    assert power(2.0, exponent=2) == 4 and traces == [2, 2]
    assert files(tmp_path) == [path] and len(path.read_bytes()) == len(whole)


def test_what_cannot_be_kept_works(traced, tmp_path, monkeypatch):
    power, _ = traced
    assert power(2.0, exponent=2, scale=jnp.sqrt) == pytest.approx(2)
    assert jax.grad(lambda x: power(x, exponent=3))(2.0) == 12
    assert jax.vmap(lambda x: power(x, exponent=2))(jnp.arange(3.0)).tolist() == [0, 1, 4]
    assert not files(tmp_path)
    monkeypatch.setitem(sys.modules, "jax._src.export.serialization", None)
    assert power(2.0, exponent=4) == 16 and not files(tmp_path)
    monkeypatch.undo()
    (tmp_path / "file").touch()
    exported.keep_in(tmp_path / "file")
    assert power(3.0, exponent=2) == 9


ELSEWHERE = """
import pathlib, sys
import jax, numpy as np
from hdr_jax import crf, exported
exported.keep_in(pathlib.Path(sys.argv[1]))
rng, log_times = np.random.default_rng(0), np.log([0.5, 1.0, 2.0]).astype(np.float32)
stack = np.clip(rng.random((24, 24, 3)) * np.exp(log_times)[:, None, None, None], 0, 1)
device = jax.devices()[1]
placed = jax.device_put((stack.astype(np.float32), log_times), device)
assert crf.recover(*placed).devices() == {device}
with jax.default_device(device):
    assert crf.recover(stack.astype(np.float32), log_times).devices() == {device}
assert not pathlib.Path(sys.argv[1]).exists()
"""


@pytest.mark.slow
def test_what_lies_on_another_device_stays_there(tmp_path):
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    call = [sys.executable, "-c", ELSEWHERE, str(tmp_path / "kept")]
    subprocess.run(call, check=True, env=environment)


@pytest.mark.slow
def test_a_response_is_the_same(tmp_path):
    """Of the program that another process kept."""
    radiance = np.exp(np.random.default_rng(0).uniform(-5, 1, (24, 20, 1)))
    log_times = np.log([0.5, 1.0, 2.0])
    stack = np.asarray(expose(radiance, log_times, srgb(), num_levels=256))
    np.save(tmp_path / "stack.npy", stack)
    code = (
        "import sys, numpy as np; from hdr_jax import crf, exported;"
        "exported.keep_in(__import__('pathlib').Path(sys.argv[1]) / 'kept');"
        "crf.recover(np.load(sys.argv[1] + '/stack.npy'), np.log([0.5, 1.0, 2.0]))"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    kept = files(tmp_path)
    assert len(kept) >= 3
    expected = crf.recover(stack, log_times)
    exported.keep_in(tmp_path / "kept")
    try:
        np.testing.assert_allclose(crf.recover(stack, log_times), expected, rtol=1e-5, atol=1e-6)
    finally:
        exported.keep_in(None)
    assert files(tmp_path) == kept


def test_an_option_that_xla_does_not_know_is_left_out():
    doubled = jax.jit(lambda x: 2 * x).lower(1.0)
    assert float(exported.quickly_compiled(doubled, {"xla_of_another_year": True})(3.0)) == 6


@pytest.mark.parametrize("collecting", [True, False])
def test_garbage_is_left_alone_for_a_while(collecting):
    was = gc.isenabled()
    try:
        (gc.enable if collecting else gc.disable)()
        with pytest.raises(ZeroDivisionError), exported.without_collection():
            assert not gc.isenabled()
            1 / 0  # noqa: B018
        assert gc.isenabled() == collecting
    finally:
        (gc.enable if was else gc.disable)()
