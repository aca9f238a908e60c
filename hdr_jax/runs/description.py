"""What a run is: its configuration in `config.json`, what it learns from in `data.json`, versions.

`config.json` lies in the work directory from the first step on. eval.py reads it, and so does a run
that goes on: with another configuration it would be another run.
"""

import contextlib
import importlib.metadata
import json
import pathlib
import platform
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hdr_jax import __version__
from hdr_jax.errors import InputError, extra
from hdr_jax.files import write_text

with extra("train"):
    import ml_collections

FILE, DATA = "config.json", "data.json"
# Fields in which a run that goes on may differ: what is seen of it and where things lie, and how it
# is computed (the last three), which changes numbers by their rounding. The same bytes as without
# an interruption are therefore promised for equal values of these three.
FREE = (
    "data_dir", "manual_dir", "hosts", "init_from", "force_resume", "log_every", "eval_every",
    "eval_scenes", "eval_split", "val_split", "checkpoint_every", "keep_checkpoints",
    "micro_batches", "model.remat", "model.convolution",
)  # fmt: skip
LIBRARIES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "grain")


def write_config(workdir: str | pathlib.Path, config: ml_collections.ConfigDict) -> None:
    """Writes the configuration of a run.

    Args:
      workdir: folder of the run.
      config: see hdr_jax/configs/paper.py.
    """
    fields = config.to_dict()
    if "force_resume" in fields:
        fields["force_resume"] = False  # asked for once, not for all times to come
    write_text(pathlib.Path(workdir) / FILE, json.dumps(fields, indent=2) + "\n")


def read_config(workdir: str | pathlib.Path) -> ml_collections.ConfigDict | None:
    """The configuration of a run.

    Args:
      workdir: folder of the run.

    Returns:
      The configuration; None where there is none.

    Raises:
      InputError: if the file is damaged.

    Example: `read_config("runs/quickstart").size`
    """
    path = pathlib.Path(workdir) / FILE
    if not path.is_file():
        return None
    try:
        fields = json.loads(path.read_text())
        return ml_collections.ConfigDict(_with_tuples(fields))
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is no configuration ({error}): pass --config FILE, the one of the run"
        ) from error


def check_same_run(
    workdir: str | pathlib.Path,
    config: ml_collections.ConfigDict,
    stored: Callable[[], Mapping[str, Any]] = dict,
) -> Mapping[str, Any]:
    """Refuses to go on with a run under a configuration that would have trained otherwise.

    Args:
      workdir: folder of the run.
      config: which it is to go on with.
      stored: gives the fields that its checkpoints know, where `config.json` is gone or damaged.

    Returns:
      The fields of the run so far; empty where nothing tells them.

    Raises:
      InputError: naming the fields that differ; under `force_resume` only what no checkpoint of the
        run can go on with.
    """
    try:
        found = read_config(workdir)
        before = _with_tuples(stored()) if found is None else found.to_dict()
    except InputError:
        before = _with_tuples(stored())
        if not before:
            raise
    old, new = (dict(dotted(x)) for x in (before, _with_tuples(config.to_dict())))
    _check_optimizer(workdir, old, new)
    free = FREE if _rate_falls(config) else (*FREE, "steps")
    # What only one of them knows was added or removed by another version of this program.
    differing = [
        f"{name} was {old[name]!r}, is {new[name]!r}"
        for name in sorted(old.keys() & new.keys())
        if old[name] != new[name] and not {name, name.partition(".")[0]} & {*free}
    ]
    if differing and not config.force_resume:
        raise InputError(
            f"the run in {workdir} was started with other values ({'; '.join(differing)}): take "
            "those, or another --workdir; --config.force_resume=True goes on with the new ones"
        )
    return before


def check_same_data(
    workdir: str | pathlib.Path, config: ml_collections.ConfigDict, now: Mapping[str, Any]
) -> None:
    """Refuses to go on with a run on other training scenes, which folders do not tell.

    Args:
      workdir: folder of the run.
      config: its configuration.
      now: what is known of the scenes: how many they are, and the first one's name.

    Raises:
      InputError: saying what was there before.
    """
    before: Any = now
    with contextlib.suppress(OSError, UnicodeDecodeError, json.JSONDecodeError):  # gone, damaged
        before = json.loads((pathlib.Path(workdir) / DATA).read_text())
    if before != now and not config.force_resume:
        raise InputError(
            f"the run in {workdir} has learned from other scenes ({before}) than those of "
            f"{config.dataset}, {config.train_split} ({now}): give its --config.manual_dir and "
            "--config.data_dir, or another --workdir; --config.force_resume=True goes on"
        )


def write_data(workdir: str | pathlib.Path, known: Mapping[str, Any]) -> None:
    """Writes what is known of the scenes that a run learns from.

    Args:
      workdir: folder of the run.
      known: as for `check_same_data`.
    """
    write_text(pathlib.Path(workdir) / DATA, json.dumps(known, indent=2) + "\n")


def _check_optimizer(
    workdir: str | pathlib.Path, old: Mapping[str, Any], new: Mapping[str, Any]
) -> None:
    """Refuses, forced or not, what changes which arrays the optimiser of a checkpoint holds."""
    name = "average" if new.get("model.tone") == "highlights" else "cosine_decay"
    if name in old and bool(old[name]) != bool(new.get(name)):  # imported weights have no field
        raise InputError(
            f"{name} was {old[name]!r} in the run in {workdir}, is {new.get(name)!r}: with and "
            "without it a checkpoint holds other arrays. Take the run's value, or begin a new run "
            f"from its weights, in another --workdir, by --config.init_from={workdir}"
        )


def _rate_falls(config: Any) -> bool:
    """Whether the learning rate falls towards the last step: with another one it is another run."""
    return bool(config.get("cosine_decay")) or config.model.get("tone") == "highlights"


def versions() -> dict[str, str]:
    """Versions of this program, of Python and of the libraries that a result depends on.

    Returns:
      {name: version}.

    Example:
      >>> versions()["hdr_jax"] == __version__
      True
    """
    found = {"hdr_jax": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # not all are needed
            found[name] = importlib.metadata.version(name)
    return found


def dotted(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names and values of nested fields.

    Args:
      fields: by name, fields within fields.
      prefix: of all names.

    Yields:
      (name, value).

    Example:
      >>> list(dotted({"model": {"width": 4}, "seed": 0}))
      [('model.width', 4), ('seed', 0)]
    """
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from dotted(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _with_tuples(value: Any) -> Any:
    """What JSON reads as lists were tuples: the only sequences that a configuration holds."""
    if isinstance(value, dict):
        return {name: _with_tuples(inner) for name, inner in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value
