"""hdr-jax checkpoint DIR: what the checkpoints of a run are, and whether they are whole."""

import argparse
import pathlib

from hdr_jax.errors import InputError
from hdr_jax.models import fields_of
from hdr_jax.runs.checkpoints import Checkpoints


def run(args: argparse.Namespace) -> int:
    """Reads every checkpoint through and prints what it is; returns the exit code."""
    inside = pathlib.Path(args.directory) / "checkpoints"
    folder = inside if inside.is_dir() else pathlib.Path(args.directory)
    if not folder.is_dir():
        raise InputError(f"no folder {folder}: expected the --workdir of train.py, or a checkpoint")
    with Checkpoints(folder) as checkpoints:
        if not checkpoints.steps():
            raise InputError(f"no checkpoint in {folder}: train first, or import weights")
        damaged = [step for step in checkpoints.steps() if not _tell(checkpoints, folder, step)]
    return 2 if damaged else 0


def _tell(checkpoints: Checkpoints, folder: pathlib.Path, step: int) -> bool:
    """Prints a checkpoint; whether it is whole."""
    files = [path for path in (folder / str(step)).rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 2**20
    reason = checkpoints.damage(step)
    print(f"step {step}: {size:.1f} MiB in {len(files)} files, {reason or 'whole'}")
    if reason:
        return False
    model, _ = checkpoints.restore_model(step)
    config, versions = checkpoints.config(step), checkpoints.versions(step)
    fields = ", ".join(f"{name} {value}" for name, value in sorted(fields_of(model).items()))
    print(f"  {type(model).__name__}: {fields}")
    if config:
        told = {
            name: config[name] for name in ("dataset", "size", "steps", "seed") if name in config
        }
        print("  " + ", ".join(f"{name} {value}" for name, value in told.items()))
    print("  " + ", ".join(f"{name} {value}" for name, value in versions.items()))
    return True
