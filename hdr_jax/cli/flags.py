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
from collections.abc import Callable, Sequence
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
      file: path of a configuration, or `hdr_jax:NAME`; by default the one in the work directory.
      workdir: folder of the run.
      fields: the overrides, `--config.field=value`.

    Returns:
      (config, workdir). Leaves with exit code 2 when anything is wrong with them.
    """
    values, path = flags.FlagValues(), None
    try:
        path = None if file is None else path_of(file)
        words = ["hdr-jax", *([f"--config={path}"] if path else []), *fields]
        config = _config_flag(path, workdir, words, values)
        remaining = values(words)[1:]
        if config.value is not None:
            config.value.is_locked  # noqa: B018 - a file that could not be read raises only here
    except AttributeError:
        leave(_unknown_field(path, workdir, fields), 2)
    except (flags.Error, OSError, TypeError, ValueError, KeyError) as error:  # of a file, a value
        leave(str(error), 2)
    if config.value is None or workdir is None:
        missing = "config" if config.value is None else "workdir"
        leave(f"--{missing} is missing; --help shows how to call this", 2)
    if remaining:
        leave(f"unexpected arguments {remaining}: fields are set by --config.name=value", 2)
    return config.value, workdir


def leave(message: str, code: int) -> NoReturn:
    """Prints one message to standard error and exits.

    Args:
      message: what was wrong.
      code: exit code.
    """
    print(f"error: {message}", file=sys.stderr)
    sys.exit(code)


def _config_flag(
    path: str | None, workdir: str | None, words: list[str], values: flags.FlagValues
) -> flags.FlagHolder:
    """The flag --config FILE; without a file the configuration that lies in the work directory."""
    options = {"flag_values": values, "lock_config": True, "sys_argv": words}
    config = description.read_config(workdir) if workdir and not path else None
    if config is None:
        return config_flags.DEFINE_config_file("config", **options)
    return config_flags.DEFINE_config_dict("config", config, **options)


def _unknown_field(path: str | None, workdir: str | None, fields: Sequence[str]) -> str:
    """Says which override names no field of the configuration, and which fields are near."""
    if path is None:
        config: Any = description.read_config(workdir or "")
        path = str(pathlib.Path(workdir or "") / description.FILE)
    else:
        # FILE:ARGUMENT, as ml_collections reads it; a drive's letter is no file.
        file, _, argument = path.rpartition(":") if ":" in path[2:] else (path, "", "")
        config = runpy.run_path(file)["get_config"](*([argument] if argument else []))
    known = [name for name, _ in description.dotted(config.to_dict())]
    names = [word.lstrip("-").partition("=")[0] for word in fields]
    given = [name.removeprefix("config.") for name in names if name.startswith("config.")]
    unknown = next((name for name in given if name not in known), given[-1] if given else "?")
    near = difflib.get_close_matches(unknown, known, n=5, cutoff=0.4) or known
    return f"the configuration {path} has no field {unknown!r}; near names: {', '.join(near)}"
