"""The checkpoints of a run: saving, reading, reading through."""

import contextlib
import functools
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from hdr_jax.errors import InputError, extra
from hdr_jax.runs.checkpoints._errors import DamagedCheckpoint, first_line, stragglers_dropped, told
from hdr_jax.runs.description import versions

with extra("train"):
    import orbax.checkpoint as ocp

    from hdr_jax.models import (
        Model,
        check_same_architecture,
        fields_of,
        model_from_fields,
        parameter_shapes,
    )


class Checkpoints:
    """The checkpoints of a run, the newest `keep` of them.

    Args:
      directory: of the checkpoints; made when it is not there.
      keep: how many steps are kept; None keeps all.

    Example: `with Checkpoints("runs/a/checkpoints") as checkpoints: checkpoints.save(0, ...)`
    """

    def __init__(self, directory: str | pathlib.Path, keep: int | None = None):
        # Made in the background, a folder that cannot be made is waited for until a time limit.
        writing = ocp.AsyncOptions(create_directories_asynchronously=False)
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, create=True, async_options=writing)
        # A large model is packed by the gigabyte, or what is packed takes as much as the model.
        # Orbax wants a handler for every item as soon as one is given.
        arrays = functools.partial(ocp.StandardCheckpointHandler, save_concurrent_gb=1)
        handlers = {name: arrays() for name in ("params", "optimizer")}
        handlers |= {name: ocp.JsonCheckpointHandler() for name in ("model", "run")}
        place = pathlib.Path(directory).expanduser().resolve()
        with told(place):
            self._manager = ocp.CheckpointManager(place, options=options, item_handlers=handlers)
        self._stragglers = stragglers_dropped()

    def __enter__(self) -> "Checkpoints":
        self._stragglers.__enter__()
        return self

    def __exit__(self, *exception) -> None:
        try:
            with told(self.folder):
                self._manager.close()  # waits for what is being written
        finally:
            self._stragglers.__exit__(None, None, None)

    @property
    def folder(self) -> pathlib.Path:
        """Where they lie, absolute."""
        return pathlib.Path(self._manager.directory)

    @property
    def latest_step(self) -> int | None:
        """The newest complete step, or None."""
        return self._manager.latest_step()

    def save(
        self,
        step: int,
        model: Model,
        params: Any,
        optimizer: Any = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        """Saves a step in the background; does nothing if it is there already.

        NumPy's arrays are copied first; JAX's are written from where they lie, and one that is
        donated meanwhile is copied then.

        Args:
          step: number of training steps done.
          model: unbound.
          params: of the model.
          optimizer: whatever else training needs to go on.
          config: of the run, as JSON can hold it; stored with the versions of the libraries.

        Raises:
          OSError: when this step, or the one that was being written, cannot be written.
        """
        if step in self._manager.all_steps():
            return
        items = {
            "params": ocp.args.StandardSave(params),
            "model": ocp.args.JsonSave(fields_of(model)),
            "run": ocp.args.JsonSave({"config": dict(config or {}), "versions": versions()}),
        }
        if optimizer is not None:
            items["optimizer"] = ocp.args.StandardSave(optimizer)
        with told(self.folder):  # also of the step before, whose writing may have failed since
            self._manager.save(step, args=ocp.args.Composite(**items))

    def wait(self) -> None:
        """Until what is being written is whole.

        Raises:
          OSError: when it cannot be written.
        """
        with told(self.folder):
            self._manager.wait_until_finished()

    def restore(self, step: int, model: Model, params: Any, optimizer: Any) -> tuple[Any, Any]:
        """Parameters and optimiser of a step.

        Args:
          step: one that was saved.
          model: which they are to fit.
          params, optimizer: trees of arrays of the shapes and types to read.

        Returns:
          (params, optimizer); the optimizer that was given where the checkpoint holds none, as
          imported weights do.

        Raises:
          DamagedCheckpoint: when a part of it is missing or cannot be read.
          InputError: when the checkpoint is of another model or has other shapes.
        """
        place = f"checkpoint {step} in {self.folder}"
        reason = self._missing(step)
        if reason:
            raise DamagedCheckpoint(f"{place} is damaged ({reason})")
        check_same_architecture(self.model(step), model, place)
        template = {"params": params}
        if self._has(step, "optimizer"):
            template["optimizer"] = optimizer
        items = {name: ocp.args.StandardRestore(tree) for name, tree in template.items()}
        try:
            restored = self._read(step, **items)
        except Exception as error:  # Orbax has no error of its own for what cannot be read
            reason = self.damage(step)
            if reason:
                raise DamagedCheckpoint(f"{place} is damaged ({reason})") from error
            raise InputError(
                f"{place} does not fit this configuration ({first_line(error)}): use another "
                "--workdir, or the configuration of the run"
            ) from error
        for name, tree in template.items():
            if jax.tree.map(np.shape, restored[name]) != jax.tree.map(np.shape, tree):
                raise InputError(f"{place}: its {name} have other shapes than this configuration's")
        return restored["params"], restored.get("optimizer", optimizer)

    def damage(self, step: int) -> str:
        """Reads a step through, whatever it is of.

        Args:
          step: one that was saved.

        Returns:
          What is wrong with it; empty where it is whole.
        """
        missing = self._missing(step)
        if missing:
            return missing
        for name in filter(lambda name: self._has(step, name), ("params", "optimizer")):
            try:
                self._read(step, **{name: ocp.args.StandardRestore()})
            except Exception as error:
                return f"{name}: {first_line(error)}"
        return ""

    def _missing(self, step: int) -> str:
        """What a step lacks; a run's weights alone can only be an import, at step 0."""
        wanted = ("params", "model", "optimizer") if step else ("params", "model")
        lacking = [name for name in wanted if not self._has(step, name)]
        if lacking:
            return f"it has no {' and no '.join(lacking)}"
        try:
            self.model(step)
        except Exception as error:
            return f"model: {first_line(error)}"
        return ""

    def restore_model(self, step: int) -> tuple[Model, Any]:
        """The model and the parameters of a step; no template needed.

        Args:
          step: one that was saved.

        Returns:
          (model, params).
        """
        model = self.model(step)
        # Named explicitly, so that a checkpoint written on other devices is read onto this one.
        device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
        template = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=device),
            parameter_shapes(model),
        )
        with self._reading(step):
            return model, self._read(step, params=ocp.args.StandardRestore(template))["params"]

    def model(self, step: int) -> Model:
        """The model of a step, without its parameters.

        Args:
          step: one that was saved.

        Returns:
          The model, unbound.
        """
        with self._reading(step):
            return model_from_fields(self._json(step, "model"))

    def files(self, step: int) -> list[pathlib.Path]:
        """The files of a step.

        Args:
          step: one that was saved.

        Returns:
          Their paths.
        """
        return [path for path in (self.folder / str(step)).rglob("*") if path.is_file()]

    def config(self, step: int) -> dict[str, Any]:
        """The configuration that a step was trained with.

        Args:
          step: one that was saved.

        Returns:
          Its fields; empty where the checkpoint does not tell.
        """
        return self._json(step, "run").get("config", {}) if self._has(step, "run") else {}

    def versions(self, step: int) -> dict[str, str]:
        """The versions of the libraries that wrote a step.

        Args:
          step: one that was saved.

        Returns:
          {name: version}; empty where the checkpoint does not tell.
        """
        return self._json(step, "run").get("versions", {}) if self._has(step, "run") else {}

    def steps(self) -> list[int]:
        """All complete steps, in order."""
        return sorted(self._manager.all_steps())

    def reload(self) -> None:
        """Looks again for what is there, after steps were moved."""
        self._manager.reload()

    def _has(self, step: int, item: str) -> bool:
        """Whether an item of a step was saved."""
        return (self.folder / str(step) / item).is_dir()

    def _json(self, step: int, item: str) -> dict[str, Any]:
        """An item that is plain fields."""
        with self._reading(step):
            return dict(self._read(step, **{item: ocp.args.JsonRestore()})[item])

    def _read(self, step: int, **items) -> Any:
        """Items of a step by name, each as Orbax's arguments say."""
        return self._manager.restore(step, args=ocp.args.Composite(**items))

    @contextlib.contextmanager
    def _reading(self, step: int) -> Iterator[None]:
        """Whatever is raised is damage: Orbax has no error of its own for what cannot be read."""
        try:
            yield
        except InputError:
            raise
        except Exception as error:
            place = f"checkpoint {step} in {self._manager.directory}"
            raise DamagedCheckpoint(f"{place} is damaged ({first_line(error)})") from error
