"""Where a run starts: its devices, its scenes, the state that it goes on from."""

import contextlib
import functools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from hdr_jax import data, images, training, weights
from hdr_jax.errors import InputError
from hdr_jax.exported import QUICK, quickly_compiled
from hdr_jax.models import HighlightModel, Model, check_same_architecture
from hdr_jax.runs import description
from hdr_jax.runs.checkpoints import Checkpoints, holds_weights, load_model, newest_whole
from hdr_jax.training.setup import Fields

# Options of XLA for a program that runs once: random parameters of the shipped model's size take 3
# in place of 9 s of processor time, those of the published networks 9 in place of 14.
ONCE = {"xla_backend_optimization_level": 1, **QUICK}


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
        past = before.get("init_from", "") if latest else str(workdir / "checkpoints")
        if config.init_from and config.init_from != past and jax.process_index() == 0:
            goes_on = f"goes on from step {latest}" if latest else f"begins with those in {past}"
            print(f"warning: init_from={config.init_from} has no effect: the run {goes_on}")
        config.init_from = past
        if not latest:  # imported weights
            return jax.device_get(training.state_of(setup, found[0]))
        step: Any = np.int32(latest)
        return training.averaged(training.TrainState(step, *found))
    if not config.init_from and holds_weights(workdir):
        raise InputError(
            f"{workdir} holds weights that were imported or stored, and no checkpoint of a run: go "
            f"on from them by --config.init_from={workdir}, or give another --workdir"
        )
    if config.init_from:
        model, params = _weights_of(config.init_from)
        check_same_architecture(model, setup.model, config.init_from)
        return jax.device_get(training.state_of(setup, params))
    return jax.device_get(quickly_compiled(jax.jit(create).lower(), ONCE)())


def _weights_of(source: str) -> tuple[Model, Any]:
    """Of a folder, or by the name of weights that come with the library."""
    if source in weights.names() and not pathlib.Path(source).exists():
        return weights.load(source)
    if not pathlib.Path(source).expanduser().is_dir():
        raise InputError(
            f"got config.init_from = {source!r}: expected the --workdir of train.py, a folder with "
            f"a checkpoint, or the name of weights that come with the library: "
            f"{', '.join(weights.names())}"
        )
    model, params, _ = load_model(source)
    return model, params


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


def edges_of(setup: training.Setup) -> dict[str, Any]:
    """How edge maps of exposures are made.

    Args:
      setup: of the run.

    Returns:
      `channel_weights` for `hdr_jax.data`; None for a `HighlightModel`, which looks at no edges.
    """
    if isinstance(setup.model, HighlightModel):
        return {"channel_weights": None}
    return {"channel_weights": images.edge_weights(setup.edge_weights)}


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
