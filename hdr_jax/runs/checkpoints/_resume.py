"""Where a run goes on: its newest checkpoint that is whole."""

import pathlib
from typing import Any

import jax
from jax.experimental import multihost_utils

from hdr_jax.errors import InputError
from hdr_jax.runs.checkpoints._checkpoints import Checkpoints, DamagedCheckpoint, Model


def newest_whole(
    checkpoints: Checkpoints, model: Model, params: Any, optimizer: Any
) -> tuple[int, Any, Any]:
    """The newest checkpoint that can be read; damaged ones after it are put aside, with a warning.

    Args:
      checkpoints: of the run, at least one.
      model: which it is to fit.
      params, optimizer: trees of arrays of the shapes and types to read.

    Returns:
      (step, params, optimizer).

    Raises:
      InputError: when none can be read (nothing is moved then), or it does not fit.
    """
    damaged = []
    for step in reversed(checkpoints.steps()):
        try:
            restored = checkpoints.restore(step, model, params, optimizer)
        except DamagedCheckpoint as error:
            damaged.append((step, error))
            continue
        if damaged:
            _put_all_aside(checkpoints, damaged, step)
        return step, *restored
    reasons = "; ".join(str(error) for _, error in damaged)
    raise InputError(
        f"no checkpoint can be read: {reasons}. Restore a copy, or use a new --workdir"
    )


def _put_all_aside(checkpoints: Checkpoints, damaged: list, good: int) -> None:
    """Moves damaged steps away and says so: the first of several hosts, the others wait for it."""
    if jax.process_index() == 0:
        for step, error in damaged:
            place = _put_aside(checkpoints.folder, step)
            print(f"warning: {error}; going on from step {good}, the other is in {place}")
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("damaged checkpoints are put aside")
    checkpoints.reload()


def _put_aside(folder: pathlib.Path, step: int) -> pathlib.Path:
    """Moves a step to `damaged` beside the folder, so that it can be written anew; its place."""
    place = folder.with_name("damaged") / str(step)
    number = 0
    while place.exists():
        number += 1
        place = place.with_name(f"{step}.{number}")
    place.parent.mkdir(exist_ok=True)
    (folder / str(step)).rename(place)
    return place
