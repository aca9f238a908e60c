"""The configurations that come with the library, one module each; `paper` explains the fields.

On the command line `--config=hdr_jax:quickstart` names one, in Python its `get_config()` makes it:

    from hdr_jax.configs import quickstart

A configuration of your own is a file with such a function, which may start from one of these.
"""

import os
import pathlib

from hdr_jax.errors import InputError, extra

with extra("train"):
    import ml_collections  # noqa: F401 - every configuration needs it

PREFIX = "hdr_jax:"
FOLDER = pathlib.Path(__file__).parent


def names() -> list[str]:
    """The configurations that come with the library.

    Returns:
      Names, sorted.

    Example:
      >>> "quickstart" in names()
      True
    """
    return sorted(path.stem for path in FOLDER.glob("[a-z]*.py"))


def path_of(config: str) -> str:
    """The file of a configuration.

    Args:
      config: "hdr_jax:NAME" for one that comes with the library, or a path.

    Returns:
      A path; the argument, with `~` as the home folder, where it is none of the library's names.

    Raises:
      InputError: for a name that the library does not have.

    Example:
      >>> pathlib.Path(path_of("hdr_jax:paper")).name
      'paper.py'
      >>> path_of("mine.py")
      'mine.py'
    """
    if not config.startswith(PREFIX):
        return os.path.expanduser(config)
    name = config.removeprefix(PREFIX).removesuffix(".py")
    if name not in names():
        raise InputError(
            f"no configuration is named {config}: expected {PREFIX} and one of "
            f"{', '.join(names())}, or the path of a file"
        )
    return str(FOLDER / f"{name}.py")
