"""Shards: what a data set is prepared in, by one process or several, and read from again.

A shard holds the examples of a few neighbouring scenes. Its file is there whole or not at all,
beside a note of what it was made from: a build that was stopped goes on with the shards that are
missing. Which scenes make a shard follows from the scenes alone, so that the files are the same
however many processes write them. (Beam, TFDS's own way, gathers every shard in memory, and begins
anew after a stop.)
"""

import concurrent.futures
import dataclasses
import functools
import itertools
import json
import multiprocessing
import os
import pathlib
import shutil
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import cv2
import tensorflow_datasets as tfds
from tensorflow_datasets.core import example_serializer, writer

from hdr_jax import files, progress
from hdr_jax.errors import InputError
from tfds_builders import manual

SCENES, MOST_SHARDS = 8, 256
"""Scenes of a shard, unless there were more than so many shards of a split."""


@dataclasses.dataclass(frozen=True)
class Shard:
    """A shard that is or is to be written.

    Attributes:
      path: of its records.
      scenes: that it is made from.
      origin: a text that changes when their files or the builder's options do.
    """

    path: pathlib.Path
    scenes: tuple[manual.SceneFiles, ...]
    origin: str

    @property
    def note(self) -> pathlib.Path:
        """File of what was made, written after the records."""
        return self.path.with_suffix(".json")


@dataclasses.dataclass(frozen=True)
class Made:
    """What a shard holds.

    Attributes:
      examples: how many.
      num_bytes: of the examples.
      file_bytes: of the file.
      skipped: error messages of damaged scenes that were left out.
    """

    examples: int
    num_bytes: int
    file_bytes: int
    skipped: list[str]


def cut(
    folder: pathlib.Path, split: str, scenes: Sequence[manual.SceneFiles], origin_of
) -> list[Shard]:
    """The shards of a split.

    Args:
      folder: they are written to.
      split: its name.
      scenes: of the split, in the order of its examples.
      origin_of: from the scenes of a shard to their `Shard.origin`.

    Returns:
      At least one shard; SCENES scenes each or more.
    """
    count = max(1, min(MOST_SHARDS, -(-len(scenes) // SCENES)))
    bounds = [len(scenes) * k // count for k in range(count + 1)]
    parts = [tuple(scenes[start:stop]) for start, stop in itertools.pairwise(bounds)]
    return [
        Shard(folder / f"{split}-{k:05d}.records", part, origin_of(part))
        for k, part in enumerate(parts)
    ]


def made_before(shard: Shard) -> Made | None:
    """What a shard holds that an earlier call wrote whole from the same files, or None."""
    try:
        note = json.loads(shard.note.read_text(encoding="utf-8"))
        same = note.pop("origin") == shard.origin
        made = Made(**note)
        return made if same and shard.path.stat().st_size == made.file_bytes else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(shard: Shard, builder: Any, file_format: tfds.core.FileFormat) -> Made:
    """Writes one shard.

    Args:
      shard: to write.
      builder: a `base.ManualBuilder`, whose examples it holds.
      file_format: of the records.

    Returns:
      What was made.

    Raises:
      InputError: for a damaged scene, unless the builder skips them.
    """
    features, sizes, skipped = builder.info.features, [], []
    serializer = example_serializer.ExampleSerializer(features.get_serialized_info())

    def records() -> Iterator[tuple[str, bytes]]:
        for key, example in builder.examples_of(shard.scenes, skipped):
            message = serializer.get_tf_example(features.encode_example(example))
            # Otherwise the order of the features differs from process to process.
            record = message.SerializeToString(deterministic=True)
            sizes.append(len(record))
            yield key, record

    shard.path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(shard.path) as temporary:
        writer.ExampleWriter(file_format).write(os.fspath(temporary), records())
        file_bytes = temporary.stat().st_size
    made = Made(len(sizes), sum(sizes), file_bytes, skipped)
    note = {"origin": shard.origin, **dataclasses.asdict(made)}
    files.write_text(shard.note, json.dumps(note))
    return made


def write_all(
    shards: Sequence[Shard], builder: Any, file_format: tfds.core.FileFormat, processes: int
) -> list[Made]:
    """Writes the shards that are not there yet.

    Args:
      shards: of all splits.
      builder: see `write`.
      file_format: see `write`.
      processes: that write them; with 1 it is this one.

    Returns:
      What each shard holds.

    Raises:
      InputError: for a damaged scene, or when a process was killed; what is written stays.
    """
    made = {shard: found for shard in shards if (found := made_before(shard))}
    missing = [shard for shard in shards if shard not in made]
    task = functools.partial(write, builder=builder, file_format=file_format)
    with progress.bar("preparing", sum(len(shard.scenes) for shard in missing)) as advance:
        for shard, written in _each(task, missing, min(processes, len(missing))):
            made[shard] = written
            advance(len(shard.scenes))
    return [made[shard] for shard in shards]


def _each(task, shards: Sequence[Shard], processes: int) -> Iterator[tuple[Shard, Made]]:
    """(shard, what was made), as they are finished."""
    if processes <= 1:
        yield from ((shard, task(shard)) for shard in shards)
        return
    # A fork would copy JAX's threads, locked as they happen to be.
    spawn = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(processes, spawn, _start_process)
    futures = {pool.submit(task, shard): shard for shard in shards}
    try:
        for future in concurrent.futures.as_completed(futures):
            yield futures[future], future.result()
    except concurrent.futures.process.BrokenProcessPool as error:
        raise InputError(
            f"one of {processes} processes was killed, likely for want of memory. What is prepared "
            "is kept: call again with fewer processes"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)  # a shard that is begun is finished


def _start_process() -> None:
    """Of a process that writes shards: it leaves Ctrl-C to its parent, and ends with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)  # there is a process for each core
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that is killed cannot say so."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def place(shard: Shard, target: str | os.PathLike) -> None:
    """Puts the records of a shard where TFDS looks for them; they stay where they were, too."""
    try:
        os.link(shard.path, target)
    except OSError:  # a file system without links
        shutil.copyfile(shard.path, target)


class Records:
    """Serialized examples of a split by number; an error names the file that is damaged.

    Args:
      records: of TFDS, by number.
      instructions: TFDS's list of the files with the numbers of examples that are taken from each.
    """

    def __init__(self, records: Any, instructions: Iterable[Any]):
        self._records = records
        self._ends = list(itertools.accumulate((part.take for part in instructions), initial=0))
        self._files = [os.fspath(part.filename) for part in instructions]

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, key: int) -> bytes:
        try:
            return self._records[key]
        except RuntimeError as error:
            which = sum(end <= key for end in self._ends) - 1
            raise InputError(
                f"{self._files[which]} is damaged ({str(error)[:100]}). Restore a copy of it, or "
                "delete its folder and prepare the data set again"
            ) from error

    def __getitems__(self, keys: Sequence[int]) -> Sequence[bytes]:
        return [self[key] for key in keys]
