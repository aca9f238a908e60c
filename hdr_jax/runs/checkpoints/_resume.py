"""Where a run goes on: its newest checkpoint that is whole."""

import pathlib
from typing import Any

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
        for bad, error in damaged:
            place = put_aside(checkpoints, bad)
            print(f"warning: {error}; going on from step {step}, the other is in {place}")
        return step, *restored
    reasons = "; ".join(str(error) for _, error in damaged)
    raise InputError(
        f"no checkpoint can be read: {reasons}. Restore a copy, or use a new --workdir"
    )


def put_aside(checkpoints: Checkpoints, step: int) -> pathlib.Path:
    """Moves a damaged step out of the way, so that it can be written anew.

    Args:
      checkpoints: of the run.
      step: one of them.

    Returns:
      Where it is now: `damaged` beside the checkpoints' folder.
    """
    folder = checkpoints.folder
    place = folder.with_name("damaged") / str(step)
    number = 0
    while place.exists():
        number += 1
        place = place.with_name(f"{step}.{number}")
    place.parent.mkdir(exist_ok=True)
    (folder / str(step)).rename(place)
    checkpoints.reload()
    return place
