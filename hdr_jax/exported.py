"""Programs that are traced once for all processes.

JAX keeps what XLA compiled between processes, but traces and lowers every function anew in each.
For the recovery of a response that takes longer than all the rest of a merge. A function under
`jit` of this module is traced once: what came of it is kept as a file, by `jax.export`, where
`keep_in` was called, as `hdr-jax` does; elsewhere it is `jax.jit`. Here is also what makes other
programs start sooner: `quickly_compiled`, and tracing `without_collection`.
"""

import contextlib
import functools
import gc
import hashlib
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import jax
from jax import export
from jax.core import Tracer
from jax.stages import Compiled, Lowered

from hdr_jax.errors import InputError
from hdr_jax.files import code_digest, replacing

# Loops by XLA's older generator, which compiles in half the time what then runs a tenth slower.
QUICK = {"xla_cpu_use_fusion_emitters": False}

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


@contextlib.contextmanager
def without_collection() -> Iterator[None]:
    """A block in which Python does not look for garbage, for tracing: a quarter of its time.

    What a trace makes is many objects and little garbage.

    Example:
      >>> with without_collection():
      ...     lowered = jax.jit(lambda x: 2 * x).lower(1.0)
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def quickly_compiled(lowered: Lowered, options: dict[str, Any] = QUICK) -> Compiled:
    """A program compiled with options of XLA, or without where its release does not know one.

    Args:
      lowered: what `jax.jit(function).lower(...)` returns.
      options: by their names.

    Returns:
      The compiled program.

    Example:
      >>> doubled = quickly_compiled(jax.jit(lambda x: 2 * x).lower(1.0))
      >>> float(doubled(3.0))
      6.0
    """
    try:
        return lowered.compile(options)
    except jax.errors.JaxRuntimeError:
        return lowered.compile()


def jit(function: Callable[..., Any], *, options: dict[str, Any] | None = None) -> Callable:
    """`jax.jit` of a function whose positional arguments are arrays and whose others are constants.

    Args:
      function: of trees of arrays, by position, and of hashable constants, by keyword. A number of
        Python in place of an array is one of float32 or int32 where the program is kept.
      options: of XLA, for a program that is kept.

    Returns:
      The compiled function.

    Differentiable as `jax.jit`'s: under a transformation nothing is kept.
    Example:
      >>> power = jit(lambda x, *, exponent: x**exponent)
      >>> float(power(3.0, exponent=2))
      9.0
    """

    @functools.cache
    def jitted(**constants):
        return jax.jit(functools.partial(function, **constants))

    @functools.wraps(function)
    def call(*arrays, **constants):
        for name, value in constants.items():
            if isinstance(value, Tracer):
                raise InputError(
                    f"{function.__name__.strip('_')} got a traced {name}: expected a constant, "
                    "which decides on the program; use static_argnames of jax.jit, or a closure"
                )
        if _folder is None or not _can_be_kept(arrays, constants):
            return jitted(**constants)(*arrays)
        shapes = jax.tree.map(_shape, arrays)
        widest = str(jax.dtypes.canonicalize_dtype(float))  # what constants within are
        key = (_folder, function, tuple(sorted(constants.items())), str(shapes), widest)
        if key not in _programs:
            name = f"{function.__module__}.{function.__qualname__}{key[2:]}"
            path = _folder / hashlib.sha256((_surroundings() + name).encode()).hexdigest()
            _programs[key] = _kept(path, jitted(**constants), shapes, options)
        return _programs[key](*arrays)

    return call


# For a program that runs once in a process, on little.
quick_jit = functools.partial(jit, options=QUICK)


def _can_be_kept(arrays: tuple, constants: dict[str, Any]) -> bool:
    """Whether arrays have values and lie where programs are made for, and constants have names that
    mean the same in every process."""
    plain = (str, int, float, tuple, type(None))
    return all(_is_usual(x) for x in jax.tree.leaves(arrays)) and all(
        isinstance(x, plain) for x in constants.values()
    )


def _is_usual(x: Any) -> bool:
    """Whether an array is no tracer, and on the first device alone."""
    if isinstance(x, Tracer) or jax.config.jax_default_device is not None:  # pyright: ignore[reportAttributeAccessIssue]
        return False
    return not isinstance(x, jax.Array) or x.devices() == {jax.local_devices()[0]}


def _shape(x: Any) -> jax.ShapeDtypeStruct:
    """What a program is made for."""
    aval = jax.typeof(x)  # pyright: ignore[reportAttributeAccessIssue]
    return jax.ShapeDtypeStruct(aval.shape, aval.dtype)


def _kept(
    path: pathlib.Path,
    function: Callable[..., Any],
    shapes: tuple,
    options: dict[str, Any] | None,
) -> Callable[..., Any]:
    """The program of a file, which is written if it is not there or not whole."""
    name = function.__name__
    try:
        program = export.deserialize(bytearray(path.read_bytes()))
        return _called(name, program, shapes, options)
    except Exception:  # whatever a damaged file leads to: it can be made again
        pass
    try:
        with without_collection():
            program = export.export(function)(*shapes)  # pyright: ignore[reportArgumentType]
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(program.serialize())
    except (OSError, ValueError, NotImplementedError, ImportError):
        # A full disk, what cannot be kept, no flatbuffers: everything works, only slower.
        return function
    return _called(name, program, shapes, options)


def _called(
    name: str, program: export.Exported, shapes: tuple, options: dict[str, Any] | None
) -> Callable[..., Any]:
    """The program under the name of its function, for logs and profiles."""

    def run(*arrays):
        return program.call(*arrays)

    run.__name__ = name
    called = jax.jit(run)
    return quickly_compiled(called.lower(*shapes), options) if options else called


def _surroundings() -> str:
    """What else a program depends on: this library's code, JAX and its backend."""
    return f"{code_digest()} {jax.__version__} {jax.default_backend()} "
