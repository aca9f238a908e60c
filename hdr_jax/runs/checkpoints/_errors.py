"""What goes wrong with checkpoints, in words."""

import contextlib
import logging
import os
import pathlib
import re
from collections.abc import Iterator

from hdr_jax.errors import InputError

# Orbax prints what its threads raise, and raises it again where they are waited for.
logging.getLogger("absl").addFilter(lambda record: "_SignalingThread" not in record.getMessage())


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


def first_line(error: Exception) -> str:
    """The start of an error's text.

    Args:
      error: any.

    Returns:
      At most 200 characters; the error's name where it has no text.
    """
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
