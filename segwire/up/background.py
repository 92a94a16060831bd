"""Work that blocks, done in a thread of its own so that the main thread still hears signals."""

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from segwire.up.signals import Stop

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")
_POLL_S = 0.02


class Work(Protocol[T_co]):
    """Work under way."""

    def done(self) -> bool:
        """Tell whether it ended."""

    def result(self) -> T_co:
        """Return what it returned, or raise what it raised; only when done."""


class Background(Generic[T]):
    """A function that runs in a daemon thread from now on."""

    def __init__(self, work: Callable[[], T]) -> None:
        """Start it."""
        self._work = work
        self._results: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="background", daemon=True)
        self._thread.start()

    def done(self) -> bool:
        """Tell whether it ended."""
        return not self._thread.is_alive()

    def result(self) -> T:
        """Return what it returned, or raise what it raised; only when done."""
        if self._error is not None:
            raise self._error
        return self._results[0]

    def join(self, timeout_s: float) -> bool:
        """Wait for its end; return False where it still runs after `timeout_s`."""
        self._thread.join(timeout_s)
        return self.done()

    def _run(self) -> None:
        try:
            self._results.append(self._work())
        except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
            self._error = error


def wait_for(work: Work[T], stop: Stop) -> T:
    """Return the result of work when it is done.

    Raises:
        StopRequested: the stop was asked for first; the work still runs.
    """
    while not work.done():
        stop.check(_POLL_S)
    return work.result()
