"""Reading and writing PyTorch files, and the released networks' values."""

import json
import os
import pathlib
import pickle
import shutil
import struct
import subprocess
import sys
import time
import tracemalloc
import zipfile
from collections import OrderedDict

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from torch_files import (
    FLOATS,
    MAGIC,
    VALUES,
    Call,
    Named,
    Reference,
    containers,
    legacy_bytes,
    pickled,
    rebuild,
    tar_bytes,
    zip_bytes,
)

from hdr_jax import convert
from hdr_jax.cli import import_, parsers
from hdr_jax.convert._released import CLASSES, SUFFIXES, released_keys
from hdr_jax.models import ExposureStackModel

TENSORS = {
    "weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "half": np.linspace(-1, 1, 5).astype(np.float16),
    "double": np.array([1e-300, 2.5]),
    "steps": np.array(7, np.int64),
    "bytes": np.arange(6, dtype=np.uint8),
    "flags": np.array([True, False, True]),
    "empty": np.zeros((0, 3), np.float32),
}


@pytest.mark.parametrize("container", ["zip", "legacy", "tar"])
def test_the_three_containers(tmp_path, container):
    path = tmp_path / "net.ckpt"
    path.write_bytes(containers()[container])
    read = convert.load_state_dict(path)
    assert list(read) == ["w", "t"]
    np.testing.assert_array_equal(read["w"], VALUES[1:7].reshape(2, 3))
    np.testing.assert_array_equal(read["t"], VALUES[1:7].reshape(2, 3).T)
    assert not read["w"].flags.writeable


@pytest.mark.parametrize("container", ["zip", "legacy", "tar"])
def test_truncated_files(tmp_path, container):
    raw, path = containers()[container], tmp_path / "net.ckpt"
    # A tar archive ends in blocks of zeros that may be missing.
    last = raw.rstrip(b"\0") if container == "tar" else raw
    for length in sorted({0, 1, 3, 100, *range(0, len(last) - 1, 37), len(last) - 1}):
        path.write_bytes(raw[:length])
        with pytest.raises(ValueError, match=r"net\.ckpt: .*(truncated|no PyTorch file)"):
            convert.load_state_dict(path)


@pytest.mark.parametrize("container", ["zip", "legacy", "tar"])
def test_damaged_files_give_values_or_a_clear_error(tmp_path, container):
    raw, path = np.frombuffer(containers()[container], np.uint8), tmp_path / "net.ckpt"
    rng, refused = np.random.default_rng(0), 0
    used = np.flatnonzero(raw)  # mostly not the padding
    for _ in range(300):
        damaged = raw.copy()
        places = rng.choice(used, rng.integers(1, 4))
        damaged[places] = rng.integers(0, 256, len(places))
        path.write_bytes(damaged.tobytes())
        try:
            for value in convert.load_state_dict(path).values():
                value.sum()
        except ValueError as error:
            refused += 1
            assert str(path) in str(error)
    assert refused > 20


HOSTILE = {
    "reduce": lambda marker: Call(Named("os", "system"), f"touch {marker}"),
    "posix": lambda marker: Call(Named("posix", "system"), f"touch {marker}"),
    "eval": lambda marker: Call(Named("builtins", "eval"), f"open({str(marker)!r}, 'w')"),
    "dotted": lambda marker: Call(Named("collections", "OrderedDict.fromkeys"), str(marker)),
    "module": lambda marker: Call(Named("torch.nn.modules.linear", "Linear"), 3, 3),
    "torch.load": lambda marker: Call(Named("torch.serialization", "load"), str(marker)),
    "numpy": lambda marker: Call(Named("numpy.core.multiarray", "_reconstruct"), 1, (0,), b"b"),
}


@pytest.mark.parametrize("container", ["zip", "legacy", "tar", "bare"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_pickles_are_refused(tmp_path, container, kind):
    marker, path = tmp_path / "was_run", tmp_path / "net.ckpt"
    attack = HOSTILE[kind](marker)
    writers = dict(zip=zip_bytes, legacy=legacy_bytes, tar=tar_bytes, bare=pickled)
    path.write_bytes(writers[container](OrderedDict(w=attack) if container != "bare" else attack))
    asked = f"{attack.function.module}.{attack.function.name}"
    with pytest.raises(ValueError, match=f"refused: the file asks for '{asked}'"):
        convert.load_state_dict(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    "opcodes",
    [
        b"(S'touch MARKER'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'touch MARKER'\no.",  # OBJ
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0ctouch MARKER\x85R.",  # STACK_GLOBAL
        b"\x80\x02cos\nsystem\n)\x81.",  # NEWOBJ
        b"\x80\x02ccopyreg\nadd_extension\nX\x02\x00\x00\x00osX\x06\x00\x00\x00systemK\x01\x87R.",
    ],
)
def test_hostile_opcodes_are_refused(tmp_path, opcodes):
    marker, path = tmp_path / "was_run", tmp_path / "net.ckpt"
    opcodes = opcodes.replace(b"touch MARKER", b"touch was_run")
    path.write_bytes(b"".join(MAGIC) + opcodes)
    before = os.getcwd()
    os.chdir(tmp_path)
    try:
        with pytest.raises(ValueError, match="refused: the file asks for '(os|copyreg)"):
            convert.load_state_dict(path)
    finally:
        os.chdir(before)
    assert not marker.exists()


def test_admitted_names_cannot_be_turned_to_other_uses(tmp_path):
    path = tmp_path / "net.ckpt"
    reference = Reference(("storage", FLOATS, "k", "cpu", 12))
    for content, message in [
        (OrderedDict(w=rebuild(reference, 9, (2, 3), (3, 1))), "reaches past"),
        (OrderedDict(w=rebuild(reference, -1, (2, 3), (3, 1))), "damaged"),
        (OrderedDict(w=rebuild(reference, 0, (2, 3), (-3, 1))), "damaged"),
        (OrderedDict(w=rebuild(reference, 0, (10**6, 10**6), (0, 0))), "repeats"),
        (OrderedDict(w=rebuild("k", 0, (2, 3), (3, 1))), "damaged"),
        (OrderedDict(w=FLOATS), "is a StorageType"),
        (OrderedDict(w=reference), "is a View"),
        (OrderedDict({3: rebuild(reference, 0, (2,), (1,))}), "entry '3'"),
        (Call(FLOATS, 3), "damaged"),
        ([1, 2], "holds a list"),
        (rebuild(reference, 0, (2,), (1,)), "holds a Tensor"),
    ]:
        path.write_bytes(zip_bytes(content, [("k", VALUES)]))
        with pytest.raises(ValueError, match=message):
            convert.load_state_dict(path)
    path.write_bytes(zip_bytes(OrderedDict(w=rebuild(reference, 0, (2,), (1,)))))
    with pytest.raises(ValueError, match="storage 'k' is missing"):
        convert.load_state_dict(path)


def test_a_damaged_memo_takes_no_memory(tmp_path):
    path = tmp_path / "net.ckpt"
    numbered = pickled({})[:-1] + b"r" + struct.pack("<I", 2**22) + b"."
    path.write_bytes(b"".join([*MAGIC, numbered, pickled([])]))
    tracemalloc.start()
    try:
        assert convert.load_state_dict(path) == {}
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_other_files(tmp_path):
    path = tmp_path / "net.ckpt"
    for raw in (b"", b"hello", b"\x89PNG\r\n\x1a\n" * 20, pickle.dumps([1]), b"\0" * 2000):
        path.write_bytes(raw)
        with pytest.raises(ValueError, match="no PyTorch file"):
            convert.load_state_dict(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/b", "c")
    with pytest.raises(ValueError, match=r"without data\.pkl"):
        convert.load_state_dict(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", pickled(OrderedDict()))
        archive.writestr("a/data/0", bytes(10**7))
    with pytest.raises(ValueError, match="compressed"):
        convert.load_state_dict(path)
    with pytest.raises(FileNotFoundError):
        convert.load_state_dict(tmp_path / "absent.ckpt")


def test_saved_state_dict_is_read_back_exactly(tmp_path):
    path = tmp_path / "net.pth"
    convert.save_state_dict(path, TENSORS)
    read = convert.load_state_dict(path)
    assert list(read) == list(TENSORS)
    for name, value in TENSORS.items():
        assert (read[name].dtype, read[name].shape) == (value.dtype, value.shape)
        np.testing.assert_array_equal(read[name], value)
    convert.save_state_dict(path, {"turned": TENSORS["weight"].T, "big": np.array([1.5], ">f4")})
    np.testing.assert_array_equal(convert.load_state_dict(path)["turned"], TENSORS["weight"].T)
    assert convert.load_state_dict(path)["big"] == 1.5


def test_writing_leaves_no_partial_file(tmp_path):
    with pytest.raises(ValueError, match="no storage for elements of type complex64"):
        convert.save_state_dict(tmp_path / "x.pth", {"z": np.ones(2, np.complex64)})
    with pytest.raises(FileNotFoundError):
        convert.save_state_dict(tmp_path / "absent" / "x.pth", TENSORS)
    assert not list(tmp_path.iterdir())


def test_released_names_and_shapes(shared):
    """The key tables at the released widths, no parameter allocated."""
    path = shared / "fixtures/released/state_dict_keys.json"
    released = json.loads(path.read_text())["networks"]
    sizes = {"global": (32, 5), "local": (16, 4), "refinement": (16, 5)}
    for (_, name), suffix in SUFFIXES.items():
        flat = flatten_dict(CLASSES[name](*sizes[name]).parameter_shapes())
        shapes = {path: leaf.shape for path, leaf in flat.items()}
        keys = released_keys(name, shapes)
        expected = {key: tuple(shape) for key, shape in released[suffix]["keys"].items()}
        assert keys.keys() == expected.keys()
        for key, (path, entry) in keys.items():
            shape = shapes[path] if entry is None else shapes[path][1:]
            if path[-1] == "kernel":
                shape = tuple(shape[i] for i in (3, 2, 0, 1))
            assert shape == expected[key], key


@pytest.fixture(scope="module")
def released(shared):
    """The narrow released networks: (model, params, folder)."""
    folder = shared / "fixtures/released"
    return *convert.load_released(folder, "narrow"), folder


def channels_last(x):
    return jnp.asarray(np.moveaxis(x, -3, -1))


def run_networks(model, params):
    """The six networks by the released suffix: (state, inputs [b, h, w, c], entry) -> same."""
    compiled = {
        name: jax.jit(lambda p, s, x, e, net=net: net.apply({"params": p}, s, x, e))
        for name, net in model.networks().items()
    }

    def run(suffix, state, x, entry):
        (direction, name), x = next(k for k, v in SUFFIXES.items() if v == suffix), channels_last(x)
        gray = jnp.broadcast_to(x[..., :1], (*x.shape[:3], 3))
        inputs = {
            "global": (x,), "local": (gray, x[..., 1:]),
            "refinement": (x[..., :3], x[..., 3:6], x[..., 6:]),
        }[name]  # fmt: skip
        if state is None:
            state = model.networks()[name].initial_state(*x.shape[:3])
        entries = (entry, 0 if direction == "up" else entry)
        return compiled[name](params[direction][name], state, inputs, entries)

    return run


def test_single_forward_of_the_released_networks(released):
    model, params, folder = released
    run, compared = run_networks(model, params), 0
    with np.load(folder / "nets_single_forward.npz") as file:
        data = dict(file)
    inputs = {"g": data["gen_in"], "s": data["struct_in"], "c": data["combine_in"]}
    for key, expected in data.items():
        if not key.endswith(("_out", "_hidden")):
            continue
        suffix, entry = key.split("_")[0], int(key.split("style")[1][0]) if "style" in key else 0
        state, output = run(suffix, None, inputs[key[0]], entry)
        got = (state if key.endswith("_hidden") else output)[: len(expected)]
        np.testing.assert_allclose(got, channels_last(expected), rtol=0, atol=2e-5, err_msg=key)
        compared += 1
    assert compared == 22


def test_two_steps_of_the_released_networks(released):
    model, params, folder = released
    run = run_networks(model, params)
    with np.load(folder / "nets_two_step.npz") as file:
        data = dict(file)
    for suffix, entries in dict(gu=(3, 4), gd=(2, 1), su=(3, 4), sd=(2, 1)).items():
        state, x = None, data["gen_in" if suffix[0] == "g" else "struct_in"]
        for step, entry in enumerate(entries, 1):
            state, output = run(suffix, state, x, entry)
            for got, part in ((output, "out"), (state, "h")):
                key = f"{suffix}_{part}{step}"
                expected = channels_last(data[key])
                np.testing.assert_allclose(got, expected, rtol=0, atol=2e-5, err_msg=key)
            made = data[f"{suffix}_out{step}"]  # the next step is fed this image, or these edges
            x = made if suffix[0] == "g" else np.concatenate([x[:, :1], made], 1)


def test_stack_of_the_released_networks(released):
    model, params, folder = released
    with np.load(folder / "stack_gen_b1.npz") as file:
        data = {key: channels_last(x) if x.ndim else int(x) for key, x in file.items()}
    got = jax.jit(model.apply)(
        {"params": params}, (data["ref_img"] + 1) / 2, data["ref_edge"],
        reference_index=data["ref_index"],
    )  # fmt: skip
    for x, key in ((2 * got.stack - 1, "pred"), (2 * got.global_stack - 1, "pred_int")):
        np.testing.assert_allclose(x, data[key], rtol=0, atol=2e-4, err_msg=key)
    np.testing.assert_allclose(got.edges, data["pred_edge"], rtol=0, atol=2e-4)


def test_released_widths_are_read_off_the_files(released):
    model = released[0]
    assert (model.num_exposures, model.global_levels, model.local_levels) == (7, 5, 4)
    assert model.global_width == model.local_width == model.refinement_width == 4


def test_export_and_import_are_exact(released, tmp_path):
    model, params, folder = released
    convert.export_released(tmp_path, params, "again")
    for suffix in SUFFIXES.values():
        original = convert.load_state_dict(folder / f"narrow-{suffix}.ckpt")
        written = convert.load_state_dict(tmp_path / f"again-{suffix}.ckpt")
        assert original.keys() == written.keys()
        for key, value in original.items():
            np.testing.assert_array_equal(written[key], value)
    again, params_again = convert.load_released(tmp_path, "again")
    assert again == model
    chex.assert_trees_all_equal(params_again, params)


@pytest.fixture(scope="module")
def tiny_files(tmp_path_factory):
    """Exported files of a tiny model, to be damaged."""
    image, edge_map = jnp.ones((1, 2, 2, 3)), jnp.ones((1, 2, 2, 1))
    model = ExposureStackModel(3, 2, 1, 2, 1, 2, 1)
    params = jax.jit(model.init)(jax.random.key(0), image, edge_map, reference_index=1)["params"]
    folder = tmp_path_factory.mktemp("tiny")
    convert.export_released(folder, params)
    return folder


def copy(folder, target, **changed):
    """The files copied, those in `changed` with their tensors passed through a function."""
    for path in folder.iterdir():
        tensors = convert.load_state_dict(path)
        suffix = path.stem.split("-")[1]
        convert.save_state_dict(target / path.name, changed.get(suffix, dict)(tensors))


def test_wrong_tensors_are_listed(tiny_files, tmp_path):
    def spoil(tensors):
        tensors = dict(tensors)
        tensors.pop("out_conv.conv.bias")
        tensors["extra"] = np.zeros(3, np.float32)
        tensors["up_layers.1.conv2.conv.weight"] = np.zeros((5, 2, 3, 3), np.float32)
        return tensors

    copy(tiny_files, tmp_path, gd=spoil)
    with pytest.raises(ValueError) as caught:
        convert.load_released(tmp_path)
    for part in (
        "80000-gd.ckpt", "missing out_conv.conv.bias (3,)", "surplus extra (3,)",
        "up_layers.1.conv2.conv.weight is (5, 2, 3, 3), expected (2, 2, 3, 3)",
    ):  # fmt: skip
        assert part in str(caught.value)


@pytest.mark.parametrize("wrong", [np.float32("nan"), np.int64(1)])
def test_weights_that_are_no_finite_floats_are_refused(tiny_files, tmp_path, wrong):
    folder = shutil.copytree(tiny_files, tmp_path / "files")
    tensors = convert.load_state_dict(folder / "80000-gd.ckpt")
    tensors["out_conv.conv.bias"] = np.full_like(tensors["out_conv.conv.bias"], wrong, wrong.dtype)
    convert.save_state_dict(folder / "80000-gd.ckpt", tensors)
    with pytest.raises(ValueError, match="out_conv.conv.bias holds (NaN or infinity|int64)"):
        convert.load_released(folder)


def test_weights_of_data_parallel_are_read(tiny_files, tmp_path):
    folder = shutil.copytree(tiny_files, tmp_path / "files")
    for path in folder.glob("*.ckpt"):
        tensors = convert.load_state_dict(path)
        convert.save_state_dict(path, {f"module.{key}": x for key, x in tensors.items()})
    found, expected = (convert.load_released(place)[1] for place in (folder, tiny_files))
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_parameters_that_lack_a_network_are_not_exported(tmp_path):
    with pytest.raises(ValueError, match="without up/global"):
        convert.export_released(tmp_path / "new", {"a": 1})
    assert not (tmp_path / "new").exists()


def test_files_that_do_not_belong_together_are_refused(tiny_files, tmp_path):
    with pytest.raises(ValueError, match="missing 1-gu.ckpt"):
        convert.load_released(tiny_files, 1)
    for path in tiny_files.iterdir():  # a global network under the local one's name
        name = path.name.replace("-su", "-gu")
        (tmp_path / path.name).write_bytes((tiny_files / name).read_bytes())
    with pytest.raises(ValueError, match="80000-su.ckpt: .*missing final_conv.conv.weight"):
        convert.load_released(tmp_path)
    convert.save_state_dict(tmp_path / "80000-gu.ckpt", {"w": np.zeros(3, np.float32)})
    with pytest.raises(ValueError, match="no released global network"):
        convert.load_released(tmp_path)


def test_import_command_writes_a_checkpoint(tiny_files, tmp_path, capsys):
    from hdr_jax.runs import checkpoints

    args = parsers.parser().parse_args(["import", str(tiny_files), "-o", str(tmp_path / "run")])
    assert import_.run(args) == 0
    assert "3 exposures" in capsys.readouterr().out
    model, params, _ = checkpoints.load_model(tmp_path / "run")
    expected_model, expected = convert.load_released(tiny_files)
    assert model == expected_model
    assert checkpoints.load_config(tmp_path / "run") == {"edge_weights": "released"}
    chex.assert_trees_all_equal(params, expected)


_MEASURE = """
import sys, time
from memory import peak_kib
from hdr_jax.convert._released import _load_network
import pathlib, jax
jax.numpy.zeros(3).block_until_ready()
before = peak_kib()
start = time.time()
network, params = _load_network(pathlib.Path(sys.argv[1]), "global")
jax.block_until_ready(params)
after = peak_kib()
print(sum(x.size for x in jax.tree.leaves(params)), time.time() - start, (after - before) * 1024)
"""


@pytest.mark.slow
def test_a_hundred_million_parameters(tmp_path):
    """Under 30 s and under three times the file's size in memory."""
    flat = flatten_dict(CLASSES["global"](32, 5).parameter_shapes())
    keys = released_keys("global", {path: leaf.shape for path, leaf in flat.items()})
    tensors = {}
    for key, (path, entry) in keys.items():
        shape = flat[path].shape if entry is None else flat[path].shape[1:]
        shape = tuple(shape[i] for i in (3, 2, 0, 1)) if len(shape) == 4 else shape
        tensors[key] = np.full(shape, 0.5, np.float32)
    path, start = tmp_path / "1-gu.ckpt", time.time()
    convert.save_state_dict(path, tensors)
    written, size = time.time() - start, path.stat().st_size
    del tensors
    result = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(path)],
        env={**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[1])},
        check=True,
        capture_output=True,
        text=True,
    )
    count, seconds, memory = map(float, result.stdout.split())
    print(f"written {written:.1f} s, read {seconds:.1f} s, memory {memory / size:.2f} x the file")
    assert count == 98918403
    assert seconds < 30
    assert memory < 3 * size
