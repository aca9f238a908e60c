"""How `hdr-jax train` and `eval` are called: `--config FILE --workdir DIR --config.field=value`.

FILE is a path or the name of a configuration that comes with the library, `hdr_jax:quickstart`;
without it the configuration is the one that lies in the work directory.

Wrong flags, wrong fields and bad data give one clear message and exit code 2.
"""

import argparse
import difflib
import pathlib
import runpy
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from hdr_jax.configs import path_of
from hdr_jax.errors import extra
from hdr_jax.runs import description

with extra("train"):
    import ml_collections
    from absl import flags
    from ml_collections import config_flags


def run(main: Callable[[ml_collections.ConfigDict, str], object], args: argparse.Namespace) -> int:
    """Calls `main(config, workdir)` as the command line says.

    Args:
      main: what to do.
      args: with `config`, `workdir`, and the other words as `fields`.

    Returns:
      Exit code: 0, 1 for a run that had to stop (a loss that is not finite), 130 after Ctrl-C. A
      wrong flag or field leaves with 2; what `main` raises otherwise goes on.
    """
    given = (("config", args.config), ("workdir", args.workdir))
    words = [f"--{name}={value}" for name, value in given if value is not None]
    config, workdir = parse([f"hdr-jax {args.command}", *words, *args.fields])
    try:
        main(config, workdir)
    except FloatingPointError as error:
        print(f"error: stopped: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 0


def parse(arguments: list[str]) -> tuple[ml_collections.ConfigDict, str]:
    """The configuration with its overrides, and the work directory.

    Args:
      arguments: the command line with the program's name first.

    Returns:
      (config, workdir). Leaves with exit code 2 when anything is wrong with them.
    """
    values = flags.FlagValues()
    workdir = flags.DEFINE_string("workdir", None, "Folder of the run.", flag_values=values)
    try:
        arguments = _with_paths(arguments)
        config = _config_flag(arguments, values)
        remaining = values(arguments)
        if config.value is not None:
            config.value.is_locked  # noqa: B018 - a file that could not be read raises only here
    except AttributeError:
        leave(_unknown_field(arguments), 2)
    except (flags.Error, OSError, TypeError, ValueError, KeyError) as error:  # of a file, a value
        leave(str(error), 2)
    if config.value is None or workdir.value is None:
        missing = config.name if config.value is None else workdir.name
        leave(f"--{missing} is missing; --help shows how to call this", 2)
    if len(remaining) > 1:
        leave(f"unexpected arguments {remaining[1:]}: fields are set by --config.name=value", 2)
    return config.value, workdir.value


def leave(message: str, code: int) -> NoReturn:
    """Prints one message to standard error and exits.

    Args:
      message: what was wrong.
      code: exit code.
    """
    print(f"error: {message}", file=sys.stderr)
    sys.exit(code)


def _with_paths(arguments: list[str]) -> list[str]:
    """The command line with the library's name of a configuration replaced by that file's path."""
    given = _given(arguments, "config")
    if given is None:
        return arguments
    path = path_of(given)
    return [word.replace(given, path) if word.endswith(given) else word for word in arguments]


def _config_flag(arguments: list[str], values: flags.FlagValues) -> flags.FlagHolder:
    """The flag --config FILE; without it the configuration that lies in the work directory."""
    options = {"flag_values": values, "lock_config": True, "sys_argv": arguments}
    workdir = _given(arguments, "workdir")
    if workdir and _given(arguments, "config") is None:
        config = description.read_config(workdir)
        if config is not None:
            return config_flags.DEFINE_config_dict("config", config, **options)
    return config_flags.DEFINE_config_file("config", **options)


def _given(arguments: list[str], name: str) -> str | None:
    """The value of a flag on the command line."""
    for i, argument in enumerate(arguments):
        flag, equals, value = argument.partition("=")
        if flag in (f"--{name}", f"-{name}"):
            return value if equals else next(iter(arguments[i + 1 :]), None)
    return None


def _unknown_field(arguments: list[str]) -> str:
    """Says which override names no field of the configuration, and which fields are near."""
    path = _given(arguments, "config")
    if path is None:
        path = pathlib.Path(_given(arguments, "workdir") or "") / description.FILE
        config: Any = description.read_config(path.parent)
    else:
        config = runpy.run_path(path)["get_config"]()
    names = [argument.lstrip("-").partition("=")[0] for argument in arguments]
    given = [name.removeprefix("config.") for name in names if name.startswith("config.")]
    known = list(_field_names(config))
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
