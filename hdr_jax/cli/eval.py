"""hdr-jax eval --workdir DIR: evaluates a run; eval.py of a checkout is the same."""

import argparse

from hdr_jax import programs
from hdr_jax.cli import flags


def run(args: argparse.Namespace) -> int:
    """Evaluates a run; returns the exit code."""
    return flags.run(programs.evaluate, args)
