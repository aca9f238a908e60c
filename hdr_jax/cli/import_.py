"""hdr-jax import DIR: the authors' released PyTorch weights as a checkpoint of this program."""

import argparse

import jax

from hdr_jax import convert
from hdr_jax.runs import checkpoints


def run(args: argparse.Namespace) -> int:
    """Converts, writes and says what was written; returns the exit code."""
    model, params = convert.load_released(args.directory, args.step)
    checkpoints.save_model(args.output, model, params, {"edge_weights": "released"})
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    print(
        f"{args.output}: {count:,} parameters, {model.num_exposures} exposures, widths "
        f"{model.global_width}, {model.local_width}, {model.refinement_width}"
    )
    return 0
