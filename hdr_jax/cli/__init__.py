"""The program `hdr-jax` (or `python -m hdr_jax`): one subcommand a module of this package."""

import argparse
import importlib
import re
import sys
import warnings

MINUS_LIST = re.compile(r"-[\d.]+,")  # how such a list begins

# Each has `add_parser(subparsers)` and `run(args) -> exit code`.
COMMANDS = ("merge", "plot", "reconstruct", "score", "data", "import_")


def main(arguments: list[str] | None = None) -> int:
    """Runs a subcommand.

    Args:
      arguments: without the program's name; those of the process by default.

    Returns:
      Exit code: 0, 2 for bad input with one message on standard error, 130 after Ctrl-C.

    Example:
      >>> main(["score", "missing.hdr", "missing.hdr"])
      2
    """
    parser = argparse.ArgumentParser(
        prog="hdr-jax", description="Differentiable high-dynamic-range imaging in JAX."
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = importlib.import_module(f"hdr_jax.cli.{name}")
        module.add_parser(subparsers).set_defaults(run=module.run)
    args = parser.parse_args(_separated(sys.argv[1:] if arguments is None else arguments))
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            return args.run(args)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _separated(words: list[str]) -> list[str]:
    """Words with lists such as -2,0,2 taken apart, which argparse would take for an option."""
    return [
        part for word in words for part in (word.split(",") if MINUS_LIST.match(word) else [word])
    ]


def _show_warning(message, *_, **__) -> None:
    """A warning as one line, without the place in the program that it came from."""
    print(f"warning: {message}", file=sys.stderr)
