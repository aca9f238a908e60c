"""The parsers of `hdr-jax`; nothing but argparse is loaded to give help or to refuse arguments."""

import argparse

from hdr_jax import __version__
from hdr_jax.cli.parsers._maps import add_info, add_plot, add_score
from hdr_jax.cli.parsers._photographs import PICTURES_FIRST, add_merge, add_reconstruct
from hdr_jax.cli.parsers._programs import PROGRAMS, add_programs
from hdr_jax.cli.parsers._runs import add_checkpoint, add_data, add_import
from hdr_jax.cli.parsers._view import add_view

__all__ = ["PICTURES_FIRST", "PROGRAMS", "parser"]

# In the order in which the help lists them; each adds its parser to the subparsers.
COMMANDS = (
    add_merge,
    add_info,
    add_plot,
    add_view,
    add_reconstruct,
    add_score,
    add_data,
    add_import,
    add_checkpoint,
    add_programs,
)


def parser() -> argparse.ArgumentParser:
    """The parser of the program; `command` of its result names the subcommand.

    Returns:
      A parser with one subparser for each command.

    Example:
      >>> parser().parse_args(["plot", "a.csv"]).command
      'plot'
    """
    whole = argparse.ArgumentParser(
        prog="hdr-jax", description="Differentiable high-dynamic-range imaging in JAX."
    )
    whole.add_argument("--version", action="version", version=f"hdr-jax {__version__}")
    subparsers = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add_command in COMMANDS:
        add_command(subparsers)
    return whole
