"""When a dead child is started again: a bounded exponential backoff. Pure: the time is an argument."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RestartPolicy:
    """How patient the supervisor is."""

    first_delay_ms: int = 250
    delay_max_ms: int = 15_000
    quick_failures_max: int = 10
    unproven_failures_max: int = 3
    healthy_after_ms: int = 60_000

    def delay_ms(self, quick_failures: int) -> int:
        """Return the wait before the next start after so many quick failures in a row (at least 1)."""
        # 2 ** 30 is past every bound already, and keeps the number small.
        return min(self.first_delay_ms << min(quick_failures - 1, 30), self.delay_max_ms)


class RestartHistory:
    """How one child fared so far; a life of `healthy_after_ms` forgives what was before."""

    def __init__(self, policy: RestartPolicy) -> None:
        """Begin without a failure."""
        self._policy = policy
        self.quick_failures = 0
        self.restarts = 0

    def ended(self, started_ms: int, ended_ms: int, *, proven: bool) -> int | None:
        """Take note of an unwanted end; return when (same clock) to start again, None to give up.

        One that was never ready (not `proven`) is given up sooner: it is set up wrongly rather than unlucky.
        """
        if ended_ms - started_ms >= self._policy.healthy_after_ms:
            self.quick_failures = 0
        self.quick_failures += 1
        limit = self._policy.quick_failures_max if proven else self._policy.unproven_failures_max
        if self.quick_failures >= limit:
            return None
        self.restarts += 1
        return ended_ms + self._policy.delay_ms(self.quick_failures)
