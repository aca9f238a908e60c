"""Programs that are traced once for all processes.

JAX keeps what XLA compiled between processes, but traces and lowers every function anew in each.
For the recovery of a response that takes longer than all the rest of a merge. A function under
`jit` of this module is traced once: what came of it is kept as a file, by `jax.export`, where
`keep_in` was called, as `hdr-jax` does; elsewhere it is `jax.jit`.
"""

import functools
import hashlib
import os
import pathlib
import tempfile
from collections.abc import Callable
from typing import Any

import jax
from jax import export
from jax.core import Tracer

_folder: pathlib.Path | None = None
_programs: dict[tuple, Callable[..., Any]] = {}


def keep_in(folder: pathlib.Path | None) -> None:
    """Keeps programs as files from now on.

    Args:
      folder: where; it is made when there is something to keep. None keeps none.

    Example:
      >>> keep_in(None)
    """
    global _folder
    _folder = folder


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """`jax.jit` of a function whose positional arguments are arrays and whose others are constants.

    Args:
      function: of trees of arrays, by position, and of hashable constants, by keyword.

    Returns:
      The compiled function.

    Differentiable as `jax.jit`'s: under a transformation nothing is kept.
    Example:
      >>> power = jit(lambda x, *, exponent: x**exponent)
      >>> float(power(3.0, exponent=2))
      9.0
    """

    @functools.cache
    def compiled(**constants):
        return jax.jit(functools.partial(function, **constants))

    @functools.wraps(function)
    def call(*arrays, **constants):
        leaves = jax.tree.leaves(arrays)
        plain = all(isinstance(x, (str, int, float, tuple, type(None))) for x in constants.values())
        if _folder is None or not plain or any(isinstance(x, Tracer) for x in leaves):
            return compiled(**constants)(*arrays)
        shapes = jax.tree.map(_shape, arrays)
        key = (_folder, function, tuple(sorted(constants.items())), str(shapes))
        if key not in _programs:
            name = f"{function.__module__}.{function.__qualname__}{key[2:]}"
            path = _folder / hashlib.sha256((_surroundings() + name).encode()).hexdigest()
            _programs[key] = _kept(path, compiled(**constants), shapes)
        return _programs[key](*arrays)

    return call


def _shape(x: Any) -> jax.ShapeDtypeStruct:
    """What a program is made for."""
    aval = jax.typeof(x)  # pyright: ignore[reportAttributeAccessIssue]
    return jax.ShapeDtypeStruct(aval.shape, aval.dtype)


def _kept(path: pathlib.Path, function: Callable[..., Any], shapes: tuple) -> Callable[..., Any]:
    """The program of a file, which is written if it is not there or not whole."""
    name = function.__name__
    try:
        return _called(name, export.deserialize(bytearray(path.read_bytes())))
    except Exception:  # whatever a damaged file leads to: it can be made again
        pass
    try:
        program = export.export(function)(*shapes)  # pyright: ignore[reportArgumentType]
        _write(path, bytes(program.serialize()))
    except (OSError, ValueError, NotImplementedError, ImportError):
        # A full disk, what cannot be kept, no flatbuffers: everything works, only slower.
        return function
    return _called(name, program)


def _called(name: str, program: export.Exported) -> Callable[..., Any]:
    """The program under the name of its function, for logs and profiles."""

    def run(*arrays):
        return program.call(*arrays)

    run.__name__ = name
    return jax.jit(run)


def _write(path: pathlib.Path, data: bytes) -> None:
    """Writes under another name first: processes that read meanwhile see all or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
    os.replace(file.name, path)


@functools.cache
def _surroundings() -> str:
    """What else a program depends on: this library's code, JAX, its backend and its options."""
    root = pathlib.Path(__file__).parent
    sources = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        sources.update(path.read_bytes())
    wide = jax.dtypes.canonicalize_dtype(float)
    return f"{sources.hexdigest()} {jax.__version__} {jax.default_backend()} {wide} "
