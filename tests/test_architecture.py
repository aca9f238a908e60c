"""The layers: imports point downwards, and the primitives cost no more than JAX."""

import ast
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/architecture.md"

# A module may import its own layer and those above it here; docs/architecture.md shows the same.
LAYERS = {
    1: [
        "checks", "errors", "files", "levels", "exposure", "weighting", "color", "exported", "rows",
        "shards", "xla_cpu",
    ],
    2: ["crf", "sampling", "log_mean", "merge", "tonemap"],
    3: ["models", "losses", "optim", "metrics"],
    4: [
        "progress", "images", "synthetic", "data", "convert", "runs", "brackets", "weights",
        "reconstruct", "page", "tfds_builders",
    ],
    5: ["configs", "training"],
    6: ["programs", "cli", "__main__", "train", "eval"],
}  # fmt: skip
LAYER_OF = {name: layer for layer, names in LAYERS.items() for name in names}
STEPS_ALONE = {"jax", "numpy", "flax", "optax", "ml_collections", "hdr_jax"}


def module_files():
    """(room, path) of every file of the program but its tests and the package's own __init__."""
    yield from (("train", ROOT / "train.py"), ("eval", ROOT / "eval.py"))
    for path in sorted((ROOT / "tfds_builders").rglob("*.py")):
        if not path.name.endswith("_test.py"):
            yield "tfds_builders", path
    for path in sorted((ROOT / "hdr_jax").rglob("*.py")):
        relative = path.relative_to(ROOT / "hdr_jax")
        if relative != pathlib.Path("__init__.py"):
            yield relative.parts[0].removesuffix(".py"), path


def imported(path):
    """Roots and first rooms of all imports, anywhere in a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            root, *rest = node.module.split(".")
            yield from ((root, rest[0] if rest else alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                root, *rest = alias.name.split(".")
                yield root, rest[0] if rest else None


def rooms_imported(path):
    """The rooms of this program that a file imports from."""
    for root, target in imported(path):
        room = target if root == "hdr_jax" else root
        if room in LAYER_OF:
            yield room


def test_every_room_has_a_layer_and_every_layer_its_rooms():
    assert {name for name, _ in module_files()} == set(LAYER_OF)


def test_the_page_shows_the_same_layers():
    rows = re.findall(r"^\| (\d) [^|]*\| ([^|]*)\|", PAGE.read_text(), re.MULTILINE)
    shown = {int(layer): set(re.findall(r"`([^`]+)`", rooms)) for layer, rooms in rows}
    assert shown == {layer: set(rooms) for layer, rooms in LAYERS.items()}


def test_imports_never_point_upwards():
    upwards = [
        f"{path.relative_to(ROOT)} (layer {LAYER_OF[name]}) imports {room}"
        for name, path in module_files()
        for room in rooms_imported(path)
        if LAYER_OF[room] > LAYER_OF[name]
    ]
    assert not upwards


def test_no_two_rooms_import_each_other():
    arrows = {
        (name, room) for name, path in module_files() for room in rooms_imported(path)
    }  # fmt: skip
    assert not {(a, b) for a, b in arrows if a < b and (b, a) in arrows}


def test_nobody_reaches_behind_another_rooms_door():
    behind = [
        f"{path.relative_to(ROOT)} imports {node.module}.{alias.name}"
        for name, path in module_files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hdr_jax.")
        for alias in node.names
        if node.module.split(".")[1] != name
        and any(part.startswith("_") for part in f"{node.module}.{alias.name}".split("."))
    ]
    assert not behind


def test_files_behind_a_door_are_private():
    by_module = {"cli", "configs", "runs", "tfds_builders"}  # rooms without a door
    public = [
        path.relative_to(ROOT)
        for room, path in module_files()
        if path.parts[-2] == room and not path.name.startswith("_") and room not in by_module
    ]
    assert public == [pathlib.Path("hdr_jax/training/setup.py")]


def test_layers_1_and_2_need_jax_and_numpy_only():
    allowed = {"jax", "numpy", "hdr_jax", *sys.stdlib_module_names}
    for name, path in module_files():
        if LAYER_OF[name] <= 2:
            assert {root for root, _ in imported(path)} <= allowed, path


def test_training_reads_and_writes_no_files():
    allowed = (STEPS_ALONE | set(sys.stdlib_module_names)) - {"pathlib", "os", "io", "json"}
    below = {room for layer in (1, 2, 3) for room in LAYERS[layer]} | {"training"}
    for name, path in module_files():
        if name == "training":
            assert {root for root, _ in imported(path)} <= allowed, path
            assert set(rooms_imported(path)) <= below, path


def test_the_primitives_load_nothing_heavy():
    code = (
        "import sys; from hdr_jax import color, crf, exposure, merge, metrics, sampling, tonemap; "
        "heavy = {'tensorflow', 'flax', 'cv2', 'matplotlib', 'optax', 'tensorflow_datasets'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
