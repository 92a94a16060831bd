"""When something that fails is tried again: soon at first, then ever later. Pure: the time is an argument."""

import msgspec


class BreakerLimits(msgspec.Struct, frozen=True):
    """How patient a breaker is."""

    failures_max: int = 5
    """So many in a row, and it opens."""
    retry_s: float = 0.2
    """Before the first retry; doubled with each failure in a row."""
    open_s: float = 5.0
    """Before the first trial once it is open; doubled with each trial that fails."""
    open_max_s: float = 30.0
    """No trial is put off longer, unless the other side asked for it."""


class Breaker(msgspec.Struct, frozen=True):
    """What is known of the other side."""

    failures: int = 0
    """In a row, up to now."""
    retry_at_s: float = 0.0
    """When it may be tried again, of the same clock as the events."""
    is_open: bool = False
    """Whether it is given up until a trial succeeds."""
    reason: str | None = None
    """Why the last try failed."""

    def wait_s(self, now_s: float) -> float:
        """Return how long not to try; 0 or less where it may be tried."""
        return self.retry_at_s - now_s


def failed(
    breaker: Breaker, now_s: float, limits: BreakerLimits, reason: str, asked_wait_s: float | None = None
) -> Breaker:
    """Return what is known after a failure; `asked_wait_s` is how long the other side wants to be left alone."""
    failures = breaker.failures + 1
    is_open = failures >= limits.failures_max
    if is_open:
        wait_s = min(limits.open_max_s, _doubled(limits.open_s, failures - limits.failures_max))
    else:
        wait_s = _doubled(limits.retry_s, failures - 1)
    return Breaker(failures, now_s + max(wait_s, asked_wait_s or 0.0), is_open, reason)


def _doubled(first_s: float, times: int) -> float:
    # 2 ** 30 is past every bound already, and keeps the number small.
    return first_s * float(1 << min(times, 30))
