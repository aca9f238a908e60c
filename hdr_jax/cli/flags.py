"""How `hdr-jax train` and `eval` are called: `--config FILE --workdir DIR --config.field=value`.

FILE is a path or the name of a configuration that comes with the library, `hdr_jax:quickstart`;
without it the configuration is the one that lies in the work directory.

Wrong flags, wrong fields and bad data give one clear message and exit code 2.
"""

import argparse
import difflib
import os
import pathlib
import runpy
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from hdr_jax.configs import PREFIX, names, path_of
from hdr_jax.errors import InputError, extra
from hdr_jax.runs import description

with extra("train"):
    import ml_collections
    from absl import flags
    from ml_collections import config_flags

    from hdr_jax.configs import highlights, paper


def run(main: Callable[[ml_collections.ConfigDict, str], object], args: argparse.Namespace) -> int:
    """Calls `main(config, workdir)` as the command line says.

    Args:
      main: what to do.
      args: with `config`, `workdir`, and the other words as `fields`.

    Returns:
      Exit code: 0, 1 for a run that had to stop (a loss that is not finite), 130 after Ctrl-C. A
      wrong flag or field leaves with 2; what `main` raises otherwise goes on.
    """
    config, workdir = parse(args.config, args.workdir, args.fields)
    try:
        main(config, workdir)
    except FloatingPointError as error:
        print(f"error: stopped: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 0


def parse(
    file: str | None, workdir: str | None, fields: Sequence[str] = ()
) -> tuple[ml_collections.ConfigDict, str]:
    """The configuration with its overrides, and the work directory.

    Args:
      file: path of a configuration, `PATH:ARGUMENT` for a `get_config` that takes one, or
        `hdr_jax:NAME`; by default the one in the work directory.
      workdir: folder of the run.
      fields: the overrides, `--config.field=value`.

    Returns:
      (config, workdir). Leaves with exit code 2 when anything is wrong with the overrides.

    Raises:
      InputError: for a configuration that is not there or that cannot be read.
    """
    if workdir is None:
        leave("--workdir is missing; --help shows how to call this")
    workdir = os.path.expanduser(workdir)  # shells leave the ~ of --workdir=~/runs
    source = str(pathlib.Path(workdir) / description.FILE) if file is None else path_of(file)
    config = description.read_config(workdir) if file is None else read(source)
    if config is None:
        leave(f"{workdir} is no folder of a run, and --config is missing; --help shows more")
    values, words = flags.FlagValues(), ["hdr-jax", *fields]
    try:
        chosen = config_flags.DEFINE_config_dict(
            "config", config, flag_values=values, lock_config=True, sys_argv=words
        )
        remaining = values(words)[1:]
    except (AttributeError, KeyError):
        leave(_unknown_field(config, source, fields))
    except (flags.Error, IndexError, TypeError, ValueError) as error:  # of a value
        leave(str(error))
    if remaining:
        leave(f"unexpected arguments {remaining}: fields are set by --config.name=value")
    return chosen.value, workdir


def read(path: str) -> ml_collections.ConfigDict:
    """The configuration of a file.

    Args:
      path: of Python code with a function `get_config()`, or `PATH:ARGUMENT`.

    Returns:
      What `get_config` returns.

    Raises:
      InputError: for a missing file, code that fails, and fields that nothing reads.

    Example: `config = read("configs/quickstart.py")`
    """
    # A drive's letter is no file.
    file, _, argument = path.rpartition(":") if ":" in path[2:] else (path, "", "")
    if not pathlib.Path(file).is_file():
        raise InputError(
            f"no configuration {file}: expected a file with a function get_config(), or {PREFIX} "
            f"and one of {', '.join(names())}"
        )
    try:
        function = runpy.run_path(file).get("get_config")
        config = function(*([argument] if argument else [])) if callable(function) else None
    except Exception as error:  # of the code in the file
        frames = traceback.extract_tb(error.__traceback__)
        lines = [f" (line {frame.lineno})" for frame in frames if frame.filename == file]
        raise InputError(
            f"{path}: {type(error).__name__}: {error}{lines[-1] if lines else ''}"
        ) from error
    if not isinstance(config, ml_collections.ConfigDict):
        raise InputError(
            f"{path}: expected a function get_config() that returns an ml_collections.ConfigDict, "
            "for instance that of hdr_jax.configs.small with some fields changed"
        )
    known = {*paper.get_config(), *highlights.get_config()}
    if unread := sorted(set(config) - known):
        near = [difflib.get_close_matches(name, known, n=1, cutoff=0.4) for name in unread]
        raise InputError(
            f"{path}: nothing reads the field(s) {', '.join(unread)}; near names: "
            f"{', '.join(sum(near, [])) or ', '.join(sorted(known))}"
        )
    return config


def leave(message: str) -> NoReturn:
    """Prints one message to standard error and exits with code 2.

    Args:
      message: what was wrong.
    """
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def _unknown_field(config: Any, source: str, fields: Sequence[str]) -> str:
    """Says which override names no field of the configuration, and which fields are near."""
    known = [name for name, _ in description.dotted(config.to_dict())]
    words = [word.lstrip("-").partition("=")[0] for word in fields]
    given = [name.removeprefix("config.") for name in words if name.startswith("config.")]
    unknown = next((name for name in given if name not in known), given[-1] if given else "?")
    near = difflib.get_close_matches(unknown, known, n=5, cutoff=0.4) or known
    return f"the configuration {source} has no field {unknown!r}; near names: {', '.join(near)}"
