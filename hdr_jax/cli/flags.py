"""How train.py and eval.py are called: `--config FILE --workdir DIR --config.field=value`.

Wrong flags, wrong fields and bad data give one clear message and exit code 2.
"""

import difflib
import runpy
import sys
from collections.abc import Callable, Iterator

import ml_collections
from absl import flags
from ml_collections import config_flags


def run(main: Callable[[ml_collections.ConfigDict, str], object], description: str) -> None:
    """Parses the command line, calls `main(config, workdir)` and leaves with an exit code.

    0 after success, 2 for bad input (a ValueError, a missing file, a wrong flag or field), 1 for a
    run that had to stop (a loss that is not finite), 130 after Ctrl-C.

    Args:
      main: what to do.
      description: shown by --help; the script's docstring.
    """
    if {"--help", "-h", "--helpshort", "-help"} & set(sys.argv):
        print(description)
        sys.exit(0)
    config, workdir = parse(sys.argv)
    try:
        main(config, workdir)
    except FloatingPointError as error:
        leave(f"stopped: {error}", 1)
    except KeyboardInterrupt:
        leave("interrupted; the same command goes on from the last checkpoint", 130)
    except (ValueError, FileNotFoundError) as error:
        leave(str(error), 2)


def parse(arguments: list[str]) -> tuple[ml_collections.ConfigDict, str]:
    """The configuration with its overrides, and the work directory.

    Args:
      arguments: the command line with the program's name first.

    Returns:
      (config, workdir). Leaves with exit code 2 when anything is wrong with them.
    """
    values = flags.FlagValues()
    config = config_flags.DEFINE_config_file("config", flag_values=values, lock_config=True)
    workdir = flags.DEFINE_string("workdir", None, "Folder of the run.", flag_values=values)
    try:
        remaining = values(arguments)
        missing = [flag.name for flag in (config, workdir) if flag.value is None]
        if config.value is not None:
            config.value.is_locked  # noqa: B018 - a file that could not be read raises only here
    except AttributeError:
        leave(_unknown_field(arguments), 2)
    except (flags.Error, OSError, TypeError, ValueError, KeyError) as error:
        leave(str(error), 2)
    if missing:
        leave(f"--{missing[0]} is missing; --help shows how to call this", 2)
    if len(remaining) > 1:
        leave(f"unexpected arguments {remaining[1:]}: fields are set by --config.name=value", 2)
    return config.value, workdir.value


def leave(message: str, code: int) -> None:
    """Prints one message to standard error and exits.

    Args:
      message: what was wrong.
      code: exit code.
    """
    print(f"error: {message}", file=sys.stderr)
    sys.exit(code)


def _unknown_field(arguments: list[str]) -> str:
    """Says which override names no field of the configuration, and which fields are near."""
    given, path = [], None
    for i, argument in enumerate(arguments):
        name, _, value = argument.lstrip("-").partition("=")
        if name == "config":
            path = value or arguments[i + 1]
        elif name.startswith("config."):
            given.append(name.removeprefix("config."))
    known = list(_field_names(runpy.run_path(path)["get_config"]()))
    unknown = next((name for name in given if name not in known), given[-1] if given else "?")
    near = difflib.get_close_matches(unknown, known, n=5, cutoff=0.4) or known
    return f"the configuration {path} has no field {unknown!r}; near names: {', '.join(near)}"


def _field_names(config: ml_collections.ConfigDict, prefix: str = "") -> Iterator[str]:
    """Dotted names of all fields."""
    for name, value in config.items():
        if isinstance(value, ml_collections.ConfigDict):
            yield from _field_names(value, f"{prefix}{name}.")
        else:
            yield prefix + name
