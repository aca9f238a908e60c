"""Asked to stop: a run ends its step, saves it, and leaves; several hosts after the same step."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

import jax
from jax.experimental import multihost_utils


class Stop:
    """Whether somebody asked for an end.

    Attributes:
      signal: SIGTERM or SIGINT once it came, else None.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def after(self, step: int) -> bool:
        """Whether the run is to end with a step; to be asked after every one.

        Args:
          step: number of steps done.

        Returns:
          True once a signal came; with several hosts, whichever of them it reached, for the same
          step on all of them.
        """
        if jax.process_count() == 1:
            return self.signal is not None
        if multihost_utils.reached_preemption_sync_point(step):
            self.signal = self.signal or signal.SIGTERM
            return True
        return False


@contextlib.contextmanager
def asked_to_stop() -> Iterator[Stop]:
    """Catches SIGTERM (a cluster takes the machine back) and the first SIGINT (Ctrl-C).

    The second SIGINT interrupts at once. Outside of the main thread nothing is caught. With several
    hosts JAX catches SIGTERM and tells the others; SIGINT is passed on to it.

    Yields:
      A `Stop`.

    Example:
      >>> with asked_to_stop() as stop:
      ...     signal.raise_signal(signal.SIGTERM)
      ...     stop.after(1)
      True
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    alone = jax.process_count() == 1
    caught = (signal.SIGTERM, signal.SIGINT) if alone else (signal.SIGINT,)
    before = {number: signal.getsignal(number) for number in caught}

    def note(number, frame) -> None:
        stop.signal = signal.Signals(number)
        signal.signal(signal.SIGINT, before[signal.SIGINT])
        if not alone:
            os.kill(os.getpid(), signal.SIGTERM)

    for number in before:
        signal.signal(number, note)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
