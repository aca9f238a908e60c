"""hdr-jax train --workdir DIR: trains a model; train.py of a checkout is the same."""

import argparse

from hdr_jax import programs
from hdr_jax.cli import flags


def run(args: argparse.Namespace) -> int:
    """Trains a model; returns the exit code."""
    return flags.run(programs.train_and_evaluate, args)
