"""Calls the program inside of the tests' process."""

from hdr_jax import cli


def call(*arguments) -> int:
    """Exit code of the program; argparse leaves by `SystemExit`."""
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as exit:
        return exit.code
