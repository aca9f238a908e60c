"""The program `hdr-jax` (or `python -m hdr_jax`): one subcommand a module of this package."""

import argparse
import gc
import importlib
import io
import os
import re
import signal
import sys
import threading
import warnings

from hdr_jax.cli import parsers
from hdr_jax.errors import InputError, MissingExtra

# How lists and fractions begin that argparse takes for an option: -2,0,2 and -4/3.
MINUS_LIST = re.compile(r"-[\d.]+,|-[\d.]+/[\d.]+(,|$)")
# The home folder behind an equals sign, which most shells leave as it is.
IN_HOME = re.compile(r"(?!--config)(-[-\w]+=)(~.*)", re.DOTALL)
INSIST_AFTER = 1.0  # seconds, in which temporary files are removed
# Each module has `run(args) -> exit code`.
MODULES = {"import": "import_"}  # where the name of a command is no name of a module


def program(arguments: list[str] | None = None) -> int:
    """`main` as all that its process does, which begins and ends sooner.

    What is imported is no garbage. Where Python looks for none among it, at the start and in the
    end, a merge of five photographs takes 1.6 in place of 2.1 s.

    Args:
      arguments: as for `main`.

    Returns:
      Its exit code.
    """
    gc.disable()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files may be no text
    if threading.current_thread() is threading.main_thread():
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            # While libraries load, which make other errors of it, Ctrl-C just ends the process.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number and signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores it
                signal.signal(number, _leave)
    try:
        return main(arguments, alone=True)
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)  # left already
        gc.freeze()


def _leave(number: int, frame) -> None:
    """Ends the program as Ctrl-C does, so that no temporary file stays.

    Where Python ignores exceptions, as in what it calls when it removes an object, this one is
    lost: a second later it is raised once more.
    """
    del frame
    if hasattr(signal, "setitimer"):  # Windows has none
        signal.signal(signal.SIGALRM, lambda *_: _leave(number, None))
        signal.setitimer(signal.ITIMER_REAL, INSIST_AFTER)
    raise SystemExit(128 + number)


def main(arguments: list[str] | None = None, *, alone: bool = False) -> int:
    """Runs a subcommand.

    Args:
      arguments: without the program's name; those of the process by default.
      alone: whether nothing else happens in this process, see `program`.

    Returns:
      Exit code: 0, 2 for input that cannot be used with one message on standard error, 130 after
      Ctrl-C, 141 where nobody reads on. Any other error is a defect of the program and shows its
      traceback (exit code 1).

    Example:
      >>> main(["score", "missing.hdr", "missing.hdr"])
      2
    """
    args = parsed(sys.argv[1:] if arguments is None else arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            command = MODULES.get(args.command, args.command)
            module = importlib.import_module(f"hdr_jax.cli.{command}")
            importlib.import_module("hdr_jax.cli.compiled").keep_compiled()
            if alone:
                gc.freeze()
                gc.enable()
                if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
                    signal.signal(signal.SIGINT, signal.default_int_handler)
            code = module.run(args)
            sys.stdout.flush()  # here, where a reader that has left is no error
            return code
    except BrokenPipeError:  # who reads what is printed has left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as of a process that SIGPIPE ends
    except (InputError, MissingExtra, OSError) as error:  # OSError: no file, a full disk
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def parsed(words: list[str]) -> argparse.Namespace:
    """The arguments of a command line, as `argparse` leaves with exit code 2 for wrong ones.

    Args:
      words: without the program's name.

    Returns:
      The arguments; `fields` holds the words of a configuration, which train and eval alone take.

    Example:
      >>> parsed(["train", "--workdir", "runs/a", "--config.steps=9"]).fields
      ['--config.steps=9']
    """
    parser = parsers.parser()
    if "_ARGCOMPLETE" in os.environ:  # the shell asks what may come next, and gets only that
        importlib.import_module("argcomplete").autocomplete(parser)
    words = [IN_HOME.sub(_at_home, word) for word in _separated(words)]
    args, args.fields = parser.parse_known_args(words)
    if args.fields and args.command not in parsers.PROGRAMS:
        parser.error(f"unrecognized arguments: {' '.join(args.fields)}")
    return args


def _separated(words: list[str]) -> list[str]:
    """Words with lists such as -2,0,2 and fractions such as -4/3, which argparse would take for
    options, taken apart and begun by a blank, behind which it looks for none."""
    return [
        part
        for word in words
        for part in ([f" {x}" for x in word.split(",")] if MINUS_LIST.match(word) else [word])
    ]


def _at_home(option: re.Match) -> str:
    """An option's word with the home folder spelled out."""
    return option[1] + os.path.expanduser(option[2])


def _show_warning(message, *_, **__) -> None:
    """A warning as one line, without the place in the program that it came from."""
    print(f"warning: {message}", file=sys.stderr)
