"""The wall clock, injected: nothing else in the project asks for the time."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time; a test gives its own."""

    def now_ms(self) -> int:
        """Return the wall clock as epoch milliseconds."""

    def monotonic_s(self) -> float:
        """Return a clock that never goes back, in seconds from an arbitrary point."""


class SystemClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        """Return the wall clock as epoch milliseconds."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Return the monotonic clock in seconds."""
        return time.monotonic()
