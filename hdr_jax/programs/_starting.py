"""Where a run starts: its devices, the state that it goes on from, its compiled programs."""

import contextlib
import ctypes
import functools
import pathlib
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from hdr_jax import data, training
from hdr_jax.errors import InputError
from hdr_jax.exported import without_collection
from hdr_jax.models import check_same_architecture
from hdr_jax.runs import description
from hdr_jax.runs.checkpoints import Checkpoints, load_model, newest_whole
from hdr_jax.training.setup import Fields


def first_state(
    setup: training.Setup,
    config: Fields,
    checkpoints: Checkpoints,
    workdir: pathlib.Path,
) -> training.TrainState:
    """The state to start from: the newest checkpoint, the weights of `init_from`, or random ones.

    Args:
      setup: of the run.
      config: with `seed`, `init_from` (set to the checkpoints' folder where those begin with
        imported weights) and `force_resume`.
      checkpoints: of the run.
      workdir: its folder.

    Returns:
      The state, on the host.

    Raises:
      InputError: when the checkpoint is of another model, or the run of another configuration.
    """
    create = functools.partial(training.create_state, setup, jax.random.key(config.seed))
    if checkpoints.latest_step is not None:
        before = description.check_same_run(workdir, config, lambda: _stored(checkpoints))
        # Zeros that nobody reads take no memory: the system gives pages when they are written to.
        like = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), jax.eval_shape(create))
        latest, *found = newest_whole(checkpoints, setup.model, like.params, like.opt_state)
        config.init_from = before.get("init_from", "") if latest else str(workdir / "checkpoints")
        if not latest:  # imported weights
            return jax.device_get(training.state_of(setup, found[0]))
        step: Any = np.int32(latest)
        return training.averaged(training.TrainState(step, *found))
    if config.init_from:
        model, params, _ = load_model(config.init_from)
        check_same_architecture(model, setup.model, config.init_from)
        return jax.device_get(training.state_of(setup, params))
    return jax.device_get(create())


def _stored(checkpoints: Checkpoints) -> Mapping[str, Any]:
    """The configuration that the newest whole checkpoint knows; empty where none does."""
    for step in reversed(checkpoints.steps()):
        with contextlib.suppress(InputError):
            return checkpoints.config(step)
    return {}


class CheckedScenes(Sequence[dict]):
    """A source of which every scene must have the exposures that the model is for.

    Args:
      setup: of the run, see `Setup.check_example`.
      source: see `hdr_jax.data`. Its first scene is read at once.

    Raises:
      InputError: for the first scene; for others when they are read.

    Example: `scenes = CheckedScenes(setup, data.load_source("vds", "train"))`
    """

    def __init__(self, setup: training.Setup, source: Sequence[dict]):
        self._setup, self._source = setup, source
        _ = self[0]

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, i: Any) -> Any:
        example = self._source[i]
        with data.scene_named(example):
            self._setup.check_example(example)
        return example


def check_devices(batch_size: int, micro_batches: int) -> None:
    """Refuses a batch that does not divide over the devices.

    Args:
      batch_size: scenes of a batch.
      micro_batches: parts in which a device takes its scenes.

    Raises:
      InputError: naming the field.
    """
    count = jax.device_count() * micro_batches
    if batch_size % count:
        raise InputError(
            f"got config.batch_size = {batch_size}: expected a multiple of {count} "
            f"({jax.device_count()} devices x config.micro_batches)"
        )


def compiled(function: Any, *arguments: Any) -> tuple[Any, str]:
    """The program of a function for arguments like these, made before it runs.

    Args:
      function: of `jax.jit` or `jax.pmap`.
      arguments: arrays of the shapes, types and places of those to come.

    Returns:
      (the program, to be called with such arguments; how long it took, a text).

    Example:
      >>> program, seconds = compiled(jax.jit(lambda x: x + 1), np.float32(1))
      >>> float(program(np.float32(1))), seconds.split()[0]
      (2.0, 'traced')
    """
    begin = time.perf_counter()
    with without_collection():
        lowered = function.lower(*arguments)
    then = time.perf_counter()
    program = lowered.compile()
    end = time.perf_counter()
    give_back_memory()  # of the compiler
    return program, f"traced and lowered in {then - begin:.1f} s, compiled in {end - then:.1f} s"


# Of <malloc.h>: the top of the heap is never given back, no block lies outside of it, one heap.
_MALLOPT = {"M_TRIM_THRESHOLD": (-1, -1), "M_MMAP_MAX": (-4, 0), "M_ARENA_MAX": (-8, 1)}


def keep_memory() -> None:
    """Keeps the memory that a step's arrays leave for those of the next step.

    The C library of Linux gives large blocks back to the system, which clears every page that is
    touched anew: a fifth of the time of a step of the highlight model (2.2 and 2.8 steps a second;
    0.8 GB more memory). A large model would keep twice what it needs, in pieces that fit
    nothing else. To be called before JAX starts its threads.

    Example: `keep_memory()`
    """
    for option, value in _MALLOPT.values():
        _call_c("mallopt", option, value)


def give_back_memory() -> None:
    """Gives memory that nobody uses any more back to the system.

    The C library of Linux keeps what arrays below 32 MB leave, a whole copy of the state of a large
    model, and the compiled step does not use it: its arrays are one block.

    Example: `give_back_memory()`
    """
    _call_c("malloc_trim", 0)


def _call_c(name: str, *arguments: int) -> None:
    """A function of Linux's C library, where that has it: musl has none of these."""
    if sys.platform == "linux":
        getattr(ctypes.CDLL(None), name, lambda *_: None)(*arguments)
