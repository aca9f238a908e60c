"""Files that are whole or not there, and what may stand in them."""

import contextlib
import errno
import functools
import hashlib
import math
import os
import pathlib
import secrets
import tempfile
from collections.abc import Iterator
from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


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
    path = path.resolve() if path.is_symlink() else path  # a link stays, what it names is replaced
    # Of the name a part: systems allow 255 bytes.
    temporary = path.parent / f".{path.stem[:48]}.{secrets.token_hex(4)}{path.suffix}"
    try:
        with named(path):
            yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@functools.cache
def code_digest() -> str:
    """A digest of this library's own text, which tells two checkouts of one version apart.

    Returns:
      12 hexadecimal digits.

    Example:
      >>> len(code_digest())
      12
    """
    root, digest = pathlib.Path(__file__).parent, hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


@contextlib.contextmanager
def named(path: str | os.PathLike) -> Iterator[None]:
    """A context in which a file is written; its path is added to errors that lack it (a full disk).

    Args:
      path: of the file.

    Raises:
      OSError: with the path.

    Example:
      >>> with named("a.txt"):
      ...     raise OSError(28, "No space left on device")
      Traceback (most recent call last):
      OSError: [Errno 28] No space left on device: 'a.txt'
    """
    try:
        yield
    except OSError as error:
        if error.filename or not error.errno:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


@contextlib.contextmanager
def temporary_space() -> Iterator[None]:
    """A context in which a temporary file is written; where its disk is full, the error says so.

    Raises:
      OSError: with the folder of temporary files, and how to choose another.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (None, *DISK_FULL):
            raise
        raise OSError(  # NumPy's tells neither file nor reason
            f"{tempfile.gettempdir()} has no room for temporary files ({error}); set TMPDIR to a "
            "folder that has more"
        ) from error


def took_lock(file: IO, *, wait: bool = False) -> bool:
    """Takes the lock of an open file, which its process holds until the file is closed.

    Args:
      file: open for writing.
      wait: for the process that has it.

    Returns:
      False where another one has it; True also where the system or its file system knows no locks.

    Example:
      >>> import tempfile
      >>> with tempfile.NamedTemporaryFile() as file, open(file.name, "w") as again:
      ...     took_lock(file), took_lock(again)
      (True, False)
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        pass  # a file system without locks
    return True


def write_text(path: str | pathlib.Path, text: str) -> None:
    """Writes a text file, whole or not at all.

    Args:
      path: of the file; its folder must exist.
      text: what it holds.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def json_number(value: float) -> float | str:
    """A number as JSON can hold it, which knows neither infinities nor NaN.

    Args:
      value: scalar.

    Returns:
      The number, or its name.

    Example:
      >>> json_number(1.5), json_number(float("inf"))
      (1.5, 'inf')
    """
    return float(value) if math.isfinite(value) else str(float(value))
