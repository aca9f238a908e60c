"""The C library's memory, which a long run uses otherwise than most programs."""

import ctypes
import sys

# Of <malloc.h>: the top of the heap is never given back, no block lies outside of it, one heap.
_MALLOPT = {"M_TRIM_THRESHOLD": (-1, -1), "M_MMAP_MAX": (-4, 0), "M_ARENA_MAX": (-8, 1)}


def keep_memory() -> None:
    """Keeps the memory that a step's arrays leave for those of the next step.

    The C library of Linux gives large blocks back to the system, which clears every page that is
    touched anew: a fifth of the time of a step of the highlight model (2.2 and 2.8 steps a second;
    0.8 GB more memory). A large model would keep twice what it needs, in pieces that fit
    nothing else. To be called before JAX starts its threads.

    Example: `keep_memory()`
    """
    for option, value in _MALLOPT.values():
        _call_c("mallopt", option, value)


def give_back_memory() -> None:
    """Gives memory that nobody uses any more back to the system.

    The C library of Linux keeps what arrays below 32 MB leave, a whole copy of the state of a large
    model, and the compiled step does not use it: its arrays are one block.

    Example: `give_back_memory()`
    """
    _call_c("malloc_trim", 0)


def _call_c(name: str, *arguments: int) -> None:
    """A function of Linux's C library, where that has it: musl has none of these."""
    if sys.platform == "linux":
        getattr(ctypes.CDLL(None), name, lambda *_: None)(*arguments)
