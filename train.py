"""Trains a model: the door of a checkout to `hdr-jax train`, whose --help says how to call it.

python train.py --config configs/quickstart.py --workdir runs/quickstart

The loop is in hdr_jax/programs/_train.py, its steps in hdr_jax/training.
"""

import sys

from hdr_jax.cli import program

if __name__ == "__main__":  # which sees to Ctrl-C before the libraries load
    sys.exit(program(["train", *sys.argv[1:]]))

from hdr_jax.programs import train_and_evaluate  # noqa: E402

__all__ = ["train_and_evaluate"]
