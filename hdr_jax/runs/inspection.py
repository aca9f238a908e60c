"""A loss that is not finite: the batch that it came from is kept, and its scenes are named."""

import contextlib
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from hdr_jax import data
from hdr_jax.errors import InputError
from hdr_jax.files import replacing
from hdr_jax.runs.log import NotFinite

FOLDER = "not_finite"


@contextlib.contextmanager
def batch_kept(
    workdir: pathlib.Path,
    source: Sequence[dict],
    config: Any,
    batches_from: Callable[[int], Iterator[data.Batch]],
) -> Iterator[None]:
    """A context of training steps that keeps the batch of a step whose loss is not finite.

    Args:
      workdir: folder of the run; the batch goes to `not_finite/step_000123.npz` there, with the
        names as `scene`. Of several hosts each keeps its own part.
      source: of the batches, see `hdr_jax.data`.
      config: with `batch_size` and `seed`.
      batches_from: number of the first step, from 0 -> batches; they are made once more, so that
        those that are never asked for need not be remembered.

    Raises:
      FloatingPointError: instead of `NotFinite`, naming the scenes and the file.

    Example: `with batch_kept(workdir, source, config, batches_from): log.put(...)`
    """
    try:
        yield
    except NotFinite as error:
        step = error.step - 1
        shard = (jax.process_index(), jax.process_count())
        options = {"batch_size": config.batch_size, "seed": config.seed, "shard": shard}
        try:
            batch = next(batches_from(step))
            chosen = data.scenes_of(len(source), step=step, **options)
            scenes = [data.scene_name(source[i]["scene"]) for i in chosen]
            path = _keep(workdir, error.step, batch, scenes)
        except (OSError, InputError) as reason:
            raise FloatingPointError(f"{error}. Its batch cannot be kept: {reason}") from error
        told = ", ".join(_described(scenes, batch))
        raise FloatingPointError(f"{error}. Its batch, of {told}, is in {path}") from error


def _keep(workdir, step, batch, scenes) -> pathlib.Path:
    """Writes a batch; where it is."""
    host = f"_host_{jax.process_index()}" if jax.process_count() > 1 else ""
    path = workdir / FOLDER / f"step_{step:06d}{host}.npz"
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as temporary:
        np.savez_compressed(temporary, scene=np.asarray(scenes), **batch)
    return path


def _described(scenes, batch) -> Iterator[str]:
    """The names of the scenes, with what of them is not finite before any network sees it."""
    for i, name in enumerate(scenes):
        wrong = [key for key, values in batch.items() if not np.isfinite(values[i]).all()]
        yield f"{name} (not finite already: {', '.join(wrong)})" if wrong else name
