"""Curves for TensorBoard, written by the thread that makes them.

tensorboardX's own SummaryWriter writes in a thread that dies of a full disk, after which the next
values wait for it for ever; its file format is used here without it.
"""

import pathlib
import time
from collections.abc import Mapping

from hdr_jax.errors import extra
from hdr_jax.files import named

with extra("train"):
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import (
        Event,  # pyright: ignore[reportAttributeAccessIssue]
        SessionLog,  # pyright: ignore[reportAttributeAccessIssue]
    )
    from tensorboardX.summary import scalar

FLUSH_EVERY = 30  # seconds


class Board:
    """An event file.

    Args:
      folder: where it goes; made when it is not there.
      first: step from which on what earlier files hold is dropped.

    Raises:
      OSError: naming the folder, on a full disk; so do the methods.

    Example: `Board(workdir / "tensorboard", 0).add("metrics", 1, {"loss": 0.5})`
    """

    def __init__(self, folder: pathlib.Path, first: int):
        self._folder, self._flushed = folder, time.monotonic()
        folder.mkdir(exist_ok=True)
        self._file = EventsWriter(str(folder / "events"))
        start = SessionLog(status=SessionLog.START)
        self._write(Event(wall_time=time.time(), step=first, session_log=start))

    def add(self, group: str, step: int, values: Mapping[str, float]) -> None:
        """Adds a point to each of several curves.

        Args:
          group: first part of their names.
          step: number of steps done.
          values: by the other part.
        """
        for name, value in values.items():
            summary = scalar(f"{group}/{name}", value)
            self._write(Event(wall_time=time.time(), step=step, summary=summary))
        if time.monotonic() - self._flushed > FLUSH_EVERY:
            self.flush()

    def flush(self) -> None:
        """Brings the points so far to the disk, which is waited for."""
        with named(self._folder):
            self._file.flush()
        self._flushed = time.monotonic()

    def close(self) -> None:
        """Writes what is left."""
        with named(self._folder):
            self._file.close()

    def _write(self, event: Event) -> None:
        with named(self._folder):
            self._file.write_event(event)
