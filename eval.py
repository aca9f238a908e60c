"""Evaluates a run: the door of a checkout to `hdr-jax eval`, whose --help says how to call it.

python eval.py --workdir runs/quickstart

The program is hdr_jax/programs/_evaluate.py.
"""

import sys

from hdr_jax.cli import program

if __name__ == "__main__":  # which sees to Ctrl-C before the libraries load
    sys.exit(program(["eval", *sys.argv[1:]]))

from hdr_jax.programs import evaluate  # noqa: E402

__all__ = ["evaluate"]
