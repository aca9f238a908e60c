"""The layers: imports point downwards, and the primitives cost no more than JAX."""

import ast
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]

# The table of docs/architecture.md. A module may import its own layer and those above it here.
LAYERS = {
    1: ["errors", "files", "levels", "exposure", "weighting", "color"],
    2: ["crf", "sampling", "merge", "tonemap"],
    3: ["models", "losses", "optim", "metrics"],
    4: ["progress", "images", "synthetic", "data", "convert", "runs", "brackets", "reconstruct"],
    5: ["training"],
    6: ["cli", "__main__"],
}
LAYER_OF = {name: layer for layer, names in LAYERS.items() for name in names}


def module_files():
    """(top module name, path) of every file of the package but its own __init__."""
    for path in sorted((ROOT / "hdr_jax").rglob("*.py")):
        relative = path.relative_to(ROOT / "hdr_jax")
        if relative != pathlib.Path("__init__.py"):
            yield relative.parts[0].removesuffix(".py"), path


def imported(path):
    """Top names imported from hdr_jax, and the roots of other imports, anywhere in a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            root, *rest = node.module.split(".")
            yield from ((root, rest[0] if rest else alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                root, *rest = alias.name.split(".")
                yield root, rest[0] if rest else None


def test_every_module_has_a_layer_and_every_layer_its_modules():
    assert {name for name, _ in module_files()} == set(LAYER_OF)


def test_imports_never_point_upwards():
    upwards = [
        f"{path.relative_to(ROOT)} (layer {LAYER_OF[name]}) imports {target}"
        for name, path in module_files()
        for root, target in imported(path)
        if root == "hdr_jax" and LAYER_OF.get(target, 0) > LAYER_OF[name]
    ]
    assert not upwards


def test_layers_1_and_2_need_jax_and_numpy_only():
    allowed = {"jax", "numpy", "hdr_jax", *sys.stdlib_module_names}
    for name, path in module_files():
        if LAYER_OF[name] <= 2:
            assert {root for root, _ in imported(path)} <= allowed, path


@pytest.mark.parametrize("statement", ["import hdr_jax", "from hdr_jax import crf, merge"])
def test_the_primitives_load_nothing_heavy(statement):
    code = (
        f"import sys; {statement}; "
        "heavy = {'tensorflow', 'flax', 'cv2', 'matplotlib', 'optax', 'tensorflow_datasets'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
