"""What all parsers of `hdr-jax` share."""

import argparse


def command(subparsers, name: str, help: str, description: str | None, examples: str):
    """A subparser that keeps the lines of its examples."""
    return subparsers.add_parser(
        name,
        help=help,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
