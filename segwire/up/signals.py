"""How `up` is stopped: SIGTERM, Ctrl-C, or a terminal that closes."""

import os
import signal
import threading
from types import FrameType


class StopRequested(BaseException):
    """Raised out of what blocks while `up` is starting; as KeyboardInterrupt, no error of the program."""


class Stop:
    """Asked for by a signal; a second one ends `up` at once, and its children with it."""

    def __init__(self) -> None:
        """Start unset; `install` connects it to the signals."""
        self._event = threading.Event()
        self._interrupts = True

    def install(self) -> None:
        """Handle the signals from now on, by raising `StopRequested`. Main thread only."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def wait(self, timeout_s: float) -> bool:
        """Wait up to `timeout_s` for a signal, return whether one came."""
        return self._event.wait(timeout_s)

    def defer(self) -> None:
        """Raise no more: whoever waits is told."""
        self._interrupts = False

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._event.is_set():
            os._exit(128 + number)
        self._event.set()
        if self._interrupts:
            raise StopRequested
