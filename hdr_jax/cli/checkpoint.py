"""hdr-jax checkpoint DIR: what the checkpoints of a run are, and whether they are whole."""

import argparse

from hdr_jax.errors import InputError
from hdr_jax.models import fields_of
from hdr_jax.runs.checkpoints import Checkpoints, opened


def run(args: argparse.Namespace) -> int:
    """Reads every checkpoint through and prints what it is; returns the exit code."""
    with opened(args.directory) as (checkpoints, _):
        damaged = [step for step in checkpoints.steps() if not _tell(checkpoints, step)]
    return 2 if damaged else 0


def _tell(checkpoints: Checkpoints, step: int) -> bool:
    """Prints a checkpoint; whether it is whole."""
    files = checkpoints.files(step)
    size = sum(path.stat().st_size for path in files) / 2**20
    reason, config, versions = checkpoints.damage(step), {}, {}
    try:  # no damage to a run, which goes on without these; but the step is not whole
        config, versions = checkpoints.config(step), checkpoints.versions(step)
    except InputError as error:
        reason = reason or f"run: {error}"
    print(f"step {step}: {size:.1f} MiB in {len(files)} files, {reason or 'whole'}")
    if reason:
        return False
    model = checkpoints.model(step)
    fields = ", ".join(f"{name} {value}" for name, value in sorted(fields_of(model).items()))
    print(f"  {type(model).__name__}: {fields}")
    told = {name: config[name] for name in ("dataset", "size", "steps", "seed") if name in config}
    for values in (told, versions):
        if values:
            print("  " + ", ".join(f"{name} {value}" for name, value in values.items()))
    return True
