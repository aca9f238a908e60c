"""Checkpoints on disk, by Orbax: of a run, and of a model alone.

A checkpoint directory holds one numbered folder for each step, with the items `params` (the model's
parameters), `model` (its fields as JSON) and, where training goes on from it, `optimizer`. Saving
is asynchronous and atomic: a step is there whole or not at all.
"""

import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp

from hdr_jax.models import ExposureStackModel


class Checkpoints:
    """The checkpoints of a run, the newest `keep` of them.

    Args:
      directory: of the checkpoints; made when it is not there.
      keep: how many steps are kept; None keeps all.

    Example: `with Checkpoints("runs/a/checkpoints") as checkpoints: checkpoints.save(0, ...)`
    """

    def __init__(self, directory: str | pathlib.Path, keep: int | None = None):
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, create=True)
        self._manager = ocp.CheckpointManager(pathlib.Path(directory).resolve(), options=options)

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *exception) -> None:
        self._manager.close()  # waits for what is being written

    @property
    def latest_step(self) -> int | None:
        """The newest complete step, or None."""
        return self._manager.latest_step()

    def save(self, step: int, params: Any, optimizer: Any, model: dict[str, Any]) -> None:
        """Saves a step in the background; does nothing if it is there already.

        Args:
          step: number of training steps done.
          params: of the model.
          optimizer: whatever else training needs to go on.
          model: fields of `ExposureStackModel` that JSON can hold, `dtype` by name.
        """
        if step in self._manager.all_steps():
            return
        items = {
            "params": ocp.args.StandardSave(params),
            "model": ocp.args.JsonSave(model),
        }
        if optimizer is not None:
            items["optimizer"] = ocp.args.StandardSave(optimizer)
        self._manager.save(step, args=ocp.args.Composite(**items))

    def restore(self, step: int, params: Any, optimizer: Any) -> tuple[Any, Any]:
        """Parameters and optimiser of a step.

        Args:
          step: one that was saved.
          params, optimizer: trees of arrays of the shapes and types to read.

        Returns:
          (params, optimizer).

        Raises:
          ValueError: when the checkpoint has another structure or other shapes.
        """
        items = ocp.args.Composite(
            params=ocp.args.StandardRestore(params),
            optimizer=ocp.args.StandardRestore(optimizer),
        )
        try:
            restored = self._manager.restore(step, args=items)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"checkpoint {step} in {self._manager.directory} does not fit this configuration: "
                "was it written with other config.model fields? Use another --workdir, or the "
                f"fields of its `model` item ({_first_line(error)})"
            ) from error
        return restored["params"], restored["optimizer"]

    def restore_model(self, step: int) -> tuple[ExposureStackModel, Any]:
        """The model and the parameters of a step; no template needed.

        Args:
          step: one that was saved.

        Returns:
          (model, params).
        """
        fields = self._manager.restore(step, args=ocp.args.Composite(model=ocp.args.JsonRestore()))
        model = model_from_fields(fields["model"])
        side = model.multiple
        inputs = jnp.zeros((1, side, side, 3)), jnp.zeros((1, side, side, 1))
        shapes = jax.eval_shape(
            lambda key: model.init(key, *inputs, reference_index=0)["params"], jax.random.key(0)
        )
        # Named explicitly, so that a checkpoint written on other devices is read onto this one.
        device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
        template = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=device), shapes
        )
        items = ocp.args.Composite(params=ocp.args.StandardRestore(template))
        return model, self._manager.restore(step, args=items)["params"]


def model_from_fields(fields: dict[str, Any]) -> ExposureStackModel:
    """The model of JSON-able fields.

    Args:
      fields: of `ExposureStackModel`, `dtype` by name.

    Returns:
      The unbound module.

    Raises:
      ValueError: for a field that the model does not have.

    Example:
      >>> model_from_fields({"global_width": 8, "dtype": "bfloat16"}).global_width
      8
    """
    known = set(ExposureStackModel.__dataclass_fields__) - {"parent", "name"}
    unknown = sorted(set(fields) - known)
    if unknown:
        raise ValueError(f"unknown model fields {unknown}: expected some of {sorted(known)}")
    return ExposureStackModel(**{**fields, "dtype": jnp.dtype(fields.get("dtype", "float32"))})


def save_model(directory: str | pathlib.Path, model: dict[str, Any], params: Any) -> None:
    """Writes a model alone, as step 0 of a new checkpoint directory.

    Args:
      directory: must hold no checkpoint yet.
      model: fields of `ExposureStackModel`, `dtype` by name.
      params: its parameters.

    Raises:
      ValueError: when the directory holds a checkpoint already.

    Example: `save_model("released", {"global_width": 32}, params)`
    """
    with Checkpoints(directory) as checkpoints:
        if checkpoints.latest_step is not None:
            raise ValueError(
                f"{directory} holds a checkpoint already (step {checkpoints.latest_step}): choose "
                "another folder, or remove it"
            )
        checkpoints.save(0, params, None, model)


def load_model(
    directory: str | pathlib.Path, step: int | None = None
) -> tuple[ExposureStackModel, Any, int]:
    """Reads a model from a run's work directory or from a checkpoint directory.

    Args:
      directory: either of them.
      step: which checkpoint; the newest by default.

    Returns:
      (model, params, step).

    Raises:
      ValueError: when there is no checkpoint, or not that one.

    Example: `model, params, step = load_model("runs/quickstart")`
    """
    directory = pathlib.Path(directory)
    inside = directory / "checkpoints"
    folder = inside if inside.is_dir() else directory
    if not folder.is_dir():
        raise ValueError(f"no folder {folder}: expected the --workdir of train.py, or a checkpoint")
    with Checkpoints(folder) as checkpoints:
        steps = sorted(checkpoints._manager.all_steps())
        step = steps[-1] if step is None and steps else step
        if step not in steps:
            raise ValueError(
                f"no checkpoint {'' if step is None else step} in {folder}: found steps "
                f"{steps or 'none'}; train first (train.py) or import released weights"
            )
        return *checkpoints.restore_model(step), step


def _first_line(error: Exception) -> str:
    """The start of an error's text."""
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
