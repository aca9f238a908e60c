"""Models in checkpoints: written alone, read from a run or an import."""

import contextlib
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from hdr_jax.errors import InputError
from hdr_jax.runs.checkpoints._checkpoints import Checkpoints, Model


def save_model(
    directory: str | pathlib.Path,
    model: Model,
    params: Any,
    config: Mapping[str, Any] | None = None,
) -> None:
    """Writes a model alone, as step 0 of a new checkpoint directory.

    Args:
      directory: must hold no checkpoint yet.
      model: unbound.
      params: its parameters.
      config: fields of a configuration that go with the model, such as `edge_weights`.

    Raises:
      InputError: when the directory holds a checkpoint already.

    Example: `save_model("released", *load_released("weights"))`
    """
    with Checkpoints(directory) as checkpoints:
        if checkpoints.latest_step is not None:
            raise InputError(
                f"{directory} holds a checkpoint already (step {checkpoints.latest_step}): choose "
                "another folder, or remove it"
            )
        checkpoints.save(0, model, params, config=config)


def load_model(directory: str | pathlib.Path, step: int | None = None) -> tuple[Model, Any, int]:
    """Reads a model from a run's work directory or from a checkpoint directory.

    Args:
      directory: either of them.
      step: which checkpoint; the newest by default.

    Returns:
      (model, params, step).

    Raises:
      InputError: when there is no checkpoint, or not that one.

    Example: `model, params, step = load_model("runs/quickstart")`
    """
    with opened(directory, step) as (checkpoints, step):
        return *checkpoints.restore_model(step), step


def load_config(directory: str | pathlib.Path, step: int | None = None) -> dict[str, Any]:
    """The configuration that a model was trained with.

    Args:
      directory, step: as `load_model`.

    Returns:
      Its fields; empty where the checkpoint does not tell.

    Raises:
      InputError: as `load_model`.

    Example: `load_config("runs/quickstart").get("edge_weights")`
    """
    with opened(directory, step) as (checkpoints, step):
        return checkpoints.config(step)


def refined(directory: str | pathlib.Path, step: int | None = None) -> bool:
    """Whether a checkpoint's refinement networks have learned.

    Args:
      directory, step: as `load_model`; an empty directory stands for no weights.

    Returns:
      False without weights, and for a run in its first phase that started from such weights; True
      for others, for weights that were trained elsewhere, and where nothing is left to tell.

    Example:
      >>> refined("")
      False
    """
    seen = set()
    while directory:
        try:
            with opened(directory, step) as (checkpoints, found):
                folder, config = checkpoints.folder, checkpoints.config(found) if found else {}
        except InputError:
            return True
        # A run that began with imported weights in its own folder started from that folder.
        if folder in seen or found > config.get("refine_from", -1):
            return True
        seen.add(folder)
        directory, step = config.get("init_from", ""), None
    return False


@contextlib.contextmanager
def opened(
    directory: str | pathlib.Path, step: int | None = None
) -> Iterator[tuple[Checkpoints, int]]:
    """The checkpoints of a directory and a step that is among them.

    Args:
      directory, step: as `load_model`.

    Yields:
      (checkpoints, step).

    Raises:
      InputError: as `load_model`.

    Example: `with opened("runs/quickstart") as (checkpoints, newest): ...`
    """
    given = pathlib.Path(directory).expanduser()
    # A run that was stopped before its first checkpoint does not hide weights imported beside it.
    inside = given / "checkpoints"
    hidden = inside.is_dir() and not holds_weights(inside) and holds_weights(given)
    folder = inside if inside.is_dir() and not hidden else given
    if not folder.is_dir():
        raise InputError(f"no folder {folder}: expected the --workdir of train.py, or a checkpoint")
    with Checkpoints(folder) as checkpoints:
        steps = checkpoints.steps()
        step = steps[-1] if step is None and steps else step
        if step not in steps:
            raise InputError(
                f"no checkpoint{'' if step is None else f' {step}'} in {folder}: found steps "
                f"{steps or 'none'}; train first (train.py) or import released weights"
            )
        yield checkpoints, step


def holds_weights(folder: pathlib.Path) -> bool:
    """Whether a folder itself has checkpoints, which are folders named by their steps.

    Args:
      folder: which is there.

    Returns:
      True where at least one has parameters.
    """
    return any((path / "params").is_dir() for path in folder.iterdir() if path.name.isdecimal())
