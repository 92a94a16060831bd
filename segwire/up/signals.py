"""How `up` is stopped: SIGTERM, Ctrl-C, or a terminal that closes."""

import os
import select
import signal
from types import FrameType


class StopRequested(Exception):  # noqa: N818 - no error
    """Raised by a step of the start that was told to stop."""


class Stop:
    """Asked for by a signal; a second one ends `up` at once, and its children with it.

    The handler neither raises nor takes a lock: it runs between any two steps of the main thread, which may hold one
    (of a `Popen`, of a `threading.Event`).
    """

    def __init__(self) -> None:
        """Start unset; `install` connects it to the signals."""
        self._reader, self._writer = os.pipe()
        self._asked = False

    def install(self) -> None:
        """Handle the signals from now on. Main thread only."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def wait(self, timeout_s: float) -> bool:
        """Wait up to `timeout_s` for a signal, return whether one came."""
        if not self._asked:
            select.select([self._reader], [], [], timeout_s)
        return self._asked

    def check(self, wait_s: float = 0.0) -> None:
        """Wait as `wait` does.

        Raises:
            StopRequested: a signal came.
        """
        if self.wait(wait_s):
            raise StopRequested

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._asked:
            os._exit(128 + number)
        self._asked = True
        os.write(self._writer, b"!")
