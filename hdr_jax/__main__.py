"""`python -m hdr_jax`: the same as the program `hdr-jax`."""

import sys

from hdr_jax.cli import program

if __name__ == "__main__":
    sys.exit(program())
