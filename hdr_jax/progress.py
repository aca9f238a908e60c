"""Progress of long work.

A *progress* is called with a name and the number of steps, and gives a context in which a function
is called after every step: `with progress("merging", 3) as advance: ...`.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from hdr_jax.errors import extra

with extra("photographs"):
    import tqdm

Progress = Callable[[str, int], AbstractContextManager[Callable[[], object]]]


@contextlib.contextmanager
def bar(name: str, total: int = 1) -> Iterator[Callable[[], object]]:
    """A bar on a terminal, which leaves nothing behind.

    Args:
      name: what is done.
      total: number of steps.

    Yields:
      What is to be called after every step.

    Example:
      >>> with bar("counting", 2) as advance:
      ...     for _ in range(2):
      ...         _ = advance()
    """
    with tqdm.tqdm(total=total, desc=name, leave=False, dynamic_ncols=True, disable=None) as shown:
        yield shown.update


@contextlib.contextmanager
def silent(name: str, total: int = 1) -> Iterator[Callable[[], object]]:
    """Shows nothing.

    Args:
      name: what is done.
      total: number of steps.

    Yields:
      What is to be called after every step.
    """
    del name, total
    yield lambda: None
