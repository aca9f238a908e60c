"""hdr-jax import DIR: the authors' released PyTorch weights as a checkpoint of this program."""

import argparse

EXAMPLE = """example:
  hdr-jax import weights/ --step 80000 -o runs/released

DIR holds 80000-gu.ckpt, 80000-gd.ckpt, 80000-su.ckpt, 80000-sd.ckpt, 80000-cbu.ckpt and
80000-cbd.ckpt. PyTorch is not needed, and no code of the files is run."""


def add_parser(subparsers) -> argparse.ArgumentParser:
    """Adds the subcommand to the parsers of `hdr-jax`."""
    parser = subparsers.add_parser(
        "import",
        help="turn the released PyTorch weights into a checkpoint",
        description="Reads the released program's six files and writes an Orbax checkpoint.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("directory", metavar="DIR", help="folder with the six .ckpt files")
    parser.add_argument("--step", default="80000", help="prefix of their names, default 80000")
    parser.add_argument(
        "-o", "--output", metavar="CKPT", required=True, help="folder of the new checkpoint"
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Converts, writes and says what was written; returns the exit code."""
    import jax

    from hdr_jax import convert
    from hdr_jax.runs import checkpoints

    model, params = convert.load_released(args.directory, args.step)
    checkpoints.save_model(args.output, model, params, {"edge_weights": "released"})
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    print(
        f"{args.output}: {count:,} parameters, {model.num_exposures} exposures, widths "
        f"{model.global_width}, {model.local_width}, {model.refinement_width}"
    )
    return 0
