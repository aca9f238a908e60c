"""What a training run writes while it goes: metrics, TensorBoard, the progress bar.

Lines of `metrics.jsonl` and `validation.jsonl` hold no times, so that two runs of one configuration
write the same bytes. The speed goes to the progress bar and to TensorBoard.
"""

import contextlib
import itertools
import json
import math
import pathlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from hdr_jax.errors import extra
from hdr_jax.files import named, write_text
from hdr_jax.runs import description

with extra("train"):
    import tqdm

    from hdr_jax.runs.board import Board

METRICS, VALIDATIONS = "metrics.jsonl", "validation.jsonl"
TENSORBOARD = "tensorboard"


class NotFinite(FloatingPointError):
    """A loss term that is not finite.

    Attributes:
      step: number of steps done with the one that it was found in.
    """

    def __init__(self, step: int, terms: str):
        self.step = step
        super().__init__(
            f"step {step}: {terms}. Nothing of this step was saved; go on from the last checkpoint "
            "with a lower --config.learning_rate and --config.force_resume=True, or look at the "
            "data"
        )


def check_finite(step: int, tree: Any, what: str = "parameters") -> None:
    """Raises `NotFinite` for numbers that are not, which a loss tells only a step later.

    Args:
      step: number of steps done.
      tree: of NumPy arrays.
      what: what the numbers are, for the message.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        if not np.isfinite(leaf).all():
            raise NotFinite(step, f"{what}{jax.tree_util.keystr(path)} are not finite")


class RunLog:
    """The numbers of a run. Opening it drops what lies beyond the step it goes on from; all, at 0.

    Loss terms are read one step late, while the device works on the next one.

    Args:
      workdir: folder of the run.
      first: step that the run goes on from.
      last: step that it ends with.
      scenes_per_step: for the speed.
      quiet: write and show nothing (on all hosts but the first), only watch the terms.

    Attributes:
      workdir: as given.

    Example: `with RunLog("runs/a", 0, 100, 4) as log: log.put(1, {"loss": 0.5}, write=True)`
    """

    def __init__(
        self,
        workdir: pathlib.Path,
        first: int,
        last: int,
        scenes_per_step: int,
        *,
        quiet: bool = False,
    ):
        self.workdir, self._scenes_per_step, self._quiet = workdir, scenes_per_step, quiet
        # What was written before any step was kept may be of another configuration.
        kept = first if first else -1
        for name in () if quiet else (METRICS, VALIDATIONS):
            _drop_lines_beyond(workdir / name, kept)
        self._board = None if quiet else Board(workdir / TENSORBOARD, kept + 1)
        self._bar = tqdm.tqdm(
            initial=first, total=last, unit="step", dynamic_ncols=True, disable=quiet
        )
        self._pending: tuple[int, Mapping[str, Any], bool] | None = None
        self._since = (time.perf_counter(), first)
        self._shown_speed: dict[str, str] = {}

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(self, kind, *exception) -> None:
        if kind is None:
            self.flush()
        self._bar.close()
        # What ended the run says more than that its curves cannot be written either.
        with contextlib.nullcontext() if kind is None else contextlib.suppress(OSError):
            if self._board:
                self._board.close()

    def put(self, step: int, terms: Mapping[str, Any], *, write: bool) -> None:
        """Takes the terms of a step just dispatched, and reads those of the one before.

        Args:
          step: number of steps done.
          terms: {"loss": total, name: term}, scalars or one copy for each device.
          write: whether they become a line of metrics.jsonl.

        Raises:
          NotFinite: when a term of the step before is not finite.
        """
        self.flush()
        self._pending = (step, terms, write)

    def flush(self) -> None:
        """Reads the terms that are pending.

        Raises:
          NotFinite: naming step and term, when one is not finite.
        """
        if self._pending is None:
            return
        step, terms, write = self._pending
        self._pending = None
        values = {name: float(np.ravel(np.asarray(value))[0]) for name, value in terms.items()}
        wrong = [f"{name} = {value}" for name, value in values.items() if not math.isfinite(value)]
        if wrong:
            raise NotFinite(step, ", ".join(wrong))
        self._bar.update(step - self._bar.n)
        if write and not self._quiet:
            self._speed(step)
            self.write(METRICS, step, values)
        postfix = {"loss": f"{values['loss']:.4f}", **self._shown_speed}
        self._bar.set_postfix(postfix, refresh=False)

    def write(self, name: str, step: int, values: Mapping[str, float]) -> None:
        """Appends a line to one of the files and to TensorBoard.

        Args:
          name: METRICS or VALIDATIONS.
          step: number of steps done.
          values: finite or not, by name.

        Raises:
          OSError: naming the file, on a full disk.
        """
        if self._board:
            self._board.add(name.split(".")[0], step, values)
        if name == VALIDATIONS:  # is not made again once its line is there
            self.flush_curves()
        path = self.workdir / name
        with named(path), open(path, "a") as file:
            # JSON knows no infinity, as of the PSNR of equal pictures.
            known = {name: x if math.isfinite(x) else None for name, x in values.items()}
            file.write(json.dumps({"step": step, **known}) + "\n")

    def flush_curves(self) -> None:
        """Brings TensorBoard's points to the disk, for a step that no run will do again.

        Raises:
          OSError: naming the folder, on a full disk.
        """
        if self._board:
            self._board.flush()

    def holds(self, name: str, step: int) -> bool:
        """Whether a file has the line of a step.

        Args:
          name: METRICS or VALIDATIONS.
          step: number of steps done.

        Returns:
          True when it has.
        """
        return any(row["step"] == step for _, row in _lines(self.workdir / name))

    def say(self, text: str) -> None:
        """Prints a line above the progress bar.

        Args:
          text: the line.
        """
        self._bar.write(text)

    def restart_clock(self) -> None:
        """Leaves the time since the last line (a validation, say) out of the speed."""
        dispatched = self._pending[0] if self._pending else self._bar.n
        self._since = (time.perf_counter(), dispatched)

    def _speed(self, step: int) -> None:
        """Scenes a second since the last line, to the bar and to TensorBoard."""
        now, (then, before) = time.perf_counter(), self._since
        if step <= before:  # of a step that was done before the clock was restarted
            return
        speed = (step - before) * self._scenes_per_step / (now - then)
        self._shown_speed = {"scenes/s": f"{speed:.1f}"}
        if self._board:
            self._board.add("metrics", step, {"scenes_per_second": speed})
        self._since = (now, step)


def put_aside(workdir: pathlib.Path, every: int) -> None:
    """Keeps the numbers of a run whose checkpoints are gone from being lost to the one that begins.

    Args:
      workdir: folder of the run, which has no checkpoint.
      every: number of steps after which there was one. A run ended before is just begun again.
    """
    if not any(row["step"] >= every for _, row in _lines(workdir / METRICS)):
        return
    numbers = itertools.count(1)
    place = next(path for i in numbers if not (path := workdir / f"before/{i}").exists())
    place.mkdir(parents=True)
    for name in (METRICS, VALIDATIONS, TENSORBOARD, description.FILE):
        if (workdir / name).exists():
            (workdir / name).replace(place / name)
    print(f"warning: {workdir} has no checkpoint: begun again, the log so far is put in {place}")


def _drop_lines_beyond(path: pathlib.Path, step: int) -> None:
    """Keeps the lines of a JSON-lines file up to `step`; damaged ones go too."""
    if path.exists():
        write_text(path, "".join(f"{line}\n" for line, row in _lines(path) if row["step"] <= step))


def _lines(path: pathlib.Path) -> Iterator[tuple[str, dict]]:
    """The lines of a log with what they hold; not those that a crash cut short or damaged."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    for line in text.splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            row = json.loads(line)
            if isinstance(row, dict) and isinstance(row.get("step"), int):
                yield line, row
