"""What happens at a step of a run: its program is compiled or called, its result is kept."""

import functools
import time
from typing import Any

import jax
from flax import jax_utils

from hdr_jax import training
from hdr_jax.exported import without_collection
from hdr_jax.programs._memory import give_back_memory
from hdr_jax.runs.checkpoints import Checkpoints
from hdr_jax.runs.log import RunLog, check_finite
from hdr_jax.training.setup import Fields


class Stepping:
    """The training steps of a run: one program for each phase, compiled when the phase begins.

    Args:
      setup: of the run.
      config: with `refine_from`.
      vgg_params: see `hdr_jax.training.loss_terms`; None for none.
      log: is told how long a program took to compile.

    Example: `state, terms = Stepping(setup, config, None, log)(step, state, batch)`
    """

    def __init__(self, setup: training.Setup, config: Fields, vgg_params: Any, log: RunLog):
        self._setup, self._refine_from, self._log = setup, config.refine_from, log
        self._vgg_params = vgg_params and jax_utils.replicate(vgg_params)
        self._programs: dict[int, Any] = {}

    def __call__(
        self, step: int, state: training.TrainState, batch: dict[str, jax.Array]
    ) -> tuple[training.TrainState, dict[str, jax.Array]]:
        """One optimiser step.

        Args:
          step: its number, from 0.
          state: replicated; given away.
          batch: on the devices.

        Returns:
          (next state, loss terms), see `hdr_jax.training.train_step`.
        """
        phase = 1 if step < self._refine_from else 2
        references = training.draw_references(self._setup, step)
        arguments = state, batch, references, self._vgg_params
        if phase not in self._programs:
            self._programs[phase], seconds = compiled(self._step_of(phase), *arguments)
            self._log.say(f"the step of phase {phase}: {seconds}")
            self._log.restart_clock()
        return self._programs[phase](*arguments)

    def _step_of(self, phase: int) -> Any:
        """`training.train_step` on all devices."""
        return jax.pmap(
            functools.partial(training.train_step, self._setup, phase),
            axis_name=training.DEVICES,
            in_axes=(0, 0, None, None if self._vgg_params is None else 0),
            donate_argnums=0,
        )


def compiled(function: Any, *arguments: Any) -> tuple[Any, str]:
    """The program of a function for arguments like these, made before it runs.

    With several hosts it is the function itself, which compiles when it is called: a program
    compiled by hand would take the arrays of all hosts together.

    Args:
      function: of `jax.jit` or `jax.pmap`.
      arguments: arrays of the shapes, types and places of those to come.

    Returns:
      (the program, to be called with such arguments; how long it took, a text).

    Example:
      >>> program, seconds = compiled(jax.jit(lambda x: x + 1), 1.0)
      >>> float(program(1.0)), seconds.split()[0]
      (2.0, 'traced')
    """
    if jax.process_count() > 1:
        return function, "compiled at its first call, as there are several hosts"
    begin = time.perf_counter()
    with without_collection():
        lowered = function.lower(*arguments)
    then = time.perf_counter()
    program = lowered.compile()
    end = time.perf_counter()
    give_back_memory()  # of the compiler
    return program, f"traced and lowered in {then - begin:.1f} s, compiled in {end - then:.1f} s"


def check_parameters(done: int, state: training.TrainState) -> None:
    """Raises `NotFinite` for parameters, or their average, that are not.

    Args:
      done: number of steps done.
      state: replicated.
    """
    check_finite(done, jax.device_get(training.one_replica(training.averaged(state).params)))


def save(
    checkpoints: Checkpoints,
    setup: training.Setup,
    config: Fields,
    done: int,
    state: training.TrainState,
) -> None:
    """Writes a checkpoint; alone on a CPU from the state's own memory.

    Args:
      checkpoints: of the run.
      setup: of the run.
      config: of the run.
      done: number of steps done.
      state: replicated.
    """
    replica = jax.device_get(training.one_replica(training.averaged(state)))  # views on a CPU
    host = jax.tree.map(lambda x: x.reshape(x.shape[1:]), replica)
    shared = jax.default_backend() == "cpu" and jax.process_count() == 1
    if shared:  # Orbax copies NumPy's arrays, not JAX's
        host = jax.device_put(host, may_alias=True)
    checkpoints.save(done, setup.model, host.params, host.opt_state, config.to_dict())
    if shared:  # the next step could not donate what is being written
        checkpoints.wait()
