"""Asked to stop: a run ends its step, saves it, and leaves."""

import contextlib
import signal
import threading
from collections.abc import Iterator


class Stop:
    """Whether somebody asked for an end.

    Attributes:
      signal: SIGTERM or SIGINT once it came, else None.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def __bool__(self) -> bool:
        return self.signal is not None


@contextlib.contextmanager
def asked_to_stop() -> Iterator[Stop]:
    """Catches SIGTERM (a cluster takes the machine back) and the first SIGINT (Ctrl-C).

    The second SIGINT interrupts at once. Outside of the main thread nothing is caught.

    Yields:
      A `Stop`, false until a signal comes.

    Example:
      >>> with asked_to_stop() as stop:
      ...     signal.raise_signal(signal.SIGTERM)
      ...     bool(stop)
      True
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def note(number, frame) -> None:
        stop.signal = signal.Signals(number)
        signal.signal(signal.SIGINT, before[signal.SIGINT])

    for number in before:
        signal.signal(number, note)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
