"""Ctrl-C, and the signal with which a scheduler ends a job, between two steps."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

__all__ = ["ignore_signals", "noted_signals"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def noted_signals() -> Iterator[Callable[[], bool]]:
    """Yields whether a signal has come; the second one acts as usual.

    Outside the main thread, where no signal arrives, it never has.
    """
    came = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield came.is_set
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, frame: FrameType | None) -> None:
        came.set()
        restore()

    for number in SIGNALS:
        signal.signal(number, note)
    try:
        yield came.is_set
    finally:
        restore()


def ignore_signals() -> None:
    """For processes that end when their parent does: a terminal tells all of them at once."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
