"""Files that are whole or not there."""

import contextlib
import os
import pathlib
import secrets
from collections.abc import Iterator


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """A temporary name beside a file, which takes the file's place when all went well.

    Args:
      path: of the file; its folder must exist.

    Yields:
      A path with the same suffix; what is there afterwards is moved or removed.

    Example:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     with replacing(pathlib.Path(folder) / "a.txt") as temporary:
      ...         _ = temporary.write_text("whole")
      ...     os.listdir(folder)
      ['a.txt']
    """
    path = pathlib.Path(path)
    temporary = path.parent / f".{path.stem}.{secrets.token_hex(4)}{path.suffix}"
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | pathlib.Path, text: str) -> None:
    """Writes a text file, whole or not at all.

    Args:
      path: of the file; its folder must exist.
      text: what it holds.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
