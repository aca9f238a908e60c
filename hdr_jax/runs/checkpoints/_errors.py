"""What goes wrong with checkpoints, in words."""

import asyncio
import contextlib
import logging
import os
import pathlib
import re
from collections.abc import Iterator
from typing import Any

from hdr_jax.errors import InputError


def _is_news(record: logging.LogRecord) -> bool:
    """Orbax prints what its threads raise, and raises it again where they are waited for."""
    trace = record.exc_info and "orbax" in record.pathname
    return not trace and "_SignalingThread" not in record.getMessage()


logging.getLogger("absl").addFilter(_is_news)


class DamagedCheckpoint(InputError):
    """A checkpoint that cannot be read whole."""


@contextlib.contextmanager
def told(folder: pathlib.Path) -> Iterator[None]:
    """What the file system says to Orbax, in one line.

    Args:
      folder: of the checkpoints.

    Raises:
      OSError: for what cannot be written.
    """
    try:
        yield
    except (OSError, ValueError) as error:
        # TensorStore's errors are ValueErrors with the number in their text.
        number = re.search(r"os_error_code='(\d+)'", str(error))
        if not number and not isinstance(error, OSError):
            raise
        reason = os.strerror(int(number[1])) if number else first_line(error)
        raise OSError(
            f"a checkpoint cannot be written to {folder} ({reason}); those that are complete stay "
            "whole, and the same command goes on from the newest"
        ) from error


@contextlib.contextmanager
def stragglers_dropped() -> Iterator[None]:
    """Reads and writes that end after Orbax has given up are let go without a word.

    Where one array of many cannot be read or written, Orbax closes its event loop while others are
    still under way; each of these then finds the loop closed and prints a trace, as does each that
    fails too.
    """
    original = asyncio.new_event_loop

    def new_event_loop():
        loop: Any = original()
        call = loop.call_soon_threadsafe

        def unless_closed(*args, **options):
            try:
                return call(*args, **options)
            except RuntimeError:
                if not loop.is_closed():
                    raise

        loop.call_soon_threadsafe = unless_closed
        loop.set_exception_handler(lambda *_: None)  # what is waited for is raised all the same
        return loop

    asyncio.new_event_loop = new_event_loop  # what Orbax asks for a loop
    try:
        yield
    finally:
        asyncio.new_event_loop = original


def first_line(error: Exception) -> str:
    """The start of an error's text.

    Args:
      error: any.

    Returns:
      At most 200 characters; the error's name where it has no text.
    """
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
