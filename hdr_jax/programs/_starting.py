"""Where a run starts: the hosts and devices of it, and the state that it goes on from."""

import pathlib
from typing import Any

import jax
import numpy as np

from hdr_jax import training
from hdr_jax.errors import InputError
from hdr_jax.models import Model, check_same_architecture
from hdr_jax.runs import description
from hdr_jax.runs.checkpoints import Checkpoints, DamagedCheckpoint, load_model
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
    state = jax.device_get(training.create_state(setup, jax.random.key(config.seed)))
    if checkpoints.latest_step is not None:
        before = description.check_same_run(workdir, config)
        latest, params, opt_state = newest_whole(checkpoints, setup.model, state)
        config.init_from = before.get("init_from", "") if latest else str(workdir / "checkpoints")
        state = state.replace(step=np.int32(latest), params=params, opt_state=opt_state)
        return training.averaged(state) if latest else training.state_of(setup, params)
    if config.init_from:
        model, params, _ = load_model(config.init_from)
        check_same_architecture(model, setup.model, config.init_from)
        return jax.device_get(training.state_of(setup, params))
    return state


def newest_whole(
    checkpoints: Checkpoints, model: Model, state: training.TrainState
) -> tuple[int, Any, Any]:
    """The newest checkpoint that can be read; damaged ones after it are put aside, with a warning.

    Args:
      checkpoints: of the run, at least one.
      model: which it is to fit.
      state: of the shapes and types to read.

    Returns:
      (step, params, optimiser state).

    Raises:
      InputError: when none can be read (nothing is moved then), or it does not fit.
    """
    damaged = []
    for step in reversed(checkpoints.steps()):
        try:
            restored = checkpoints.restore(step, model, state.params, state.opt_state)
        except DamagedCheckpoint as error:
            damaged.append((step, error))
            continue
        for bad, error in damaged:
            place = checkpoints.put_aside(bad)
            print(f"warning: {error}; going on from step {step}, the other is in {place}")
        return step, *restored
    reasons = "; ".join(str(error) for _, error in damaged)
    raise InputError(
        f"no checkpoint can be read: {reasons}. Restore a copy, or use a new --workdir"
    )


def check_devices(batch_size: int) -> None:
    """Refuses a batch that does not divide over the devices.

    Args:
      batch_size: scenes of a batch.

    Raises:
      InputError: naming the field.
    """
    count = jax.device_count()
    if batch_size % count:
        raise InputError(
            f"got config.batch_size = {batch_size}: expected a multiple of the {count} devices"
        )


def join_hosts(hosts: Fields) -> None:
    """Makes one computation of several hosts; does nothing without a coordinator.

    Args:
      hosts: `coordinator`, address and port of the first host, or "auto" where the cluster tells
        (Slurm, Kubernetes, Cloud TPU); `count` of the hosts; `index` of this one.
    """
    if hosts.coordinator == "auto":
        jax.distributed.initialize()
    elif hosts.coordinator:
        jax.distributed.initialize(hosts.coordinator, hosts.count, hosts.index)
