"""How far a restore is, and how long it takes yet: told in logs and metrics."""

from collections.abc import Collection

import structlog

from runtime import metrics
from runtime.clock import Clock

_TELL_S = 5.0

_log = structlog.get_logger()


class Progress:
    """Goes by the records read since there was last nothing to restore."""

    def __init__(self, clock: Clock, processor: str) -> None:
        """Begin with nothing to restore."""
        self._clock = clock
        self._labels = {"processor": processor}
        self._began_s: float | None = None
        self._told_at_s = float("-inf")
        self._records = 0

    def read(self, records: int, remaining: int, partitions: Collection[int]) -> None:
        """Note that `records` were read, with `remaining` left of `partitions`."""
        now_s = self._clock.monotonic_s()
        if self._began_s is None:
            self._began_s, self._records = now_s, 0
        self._records += records
        metrics.RESTORED_RECORDS.labels(**self._labels).inc(records)
        eta_s = self._eta_s(remaining, now_s - self._began_s)
        self._set(remaining, eta_s)
        if remaining and now_s - self._told_at_s >= _TELL_S:
            self._told_at_s = now_s
            _log.info(
                "restore_progress", remaining_records=remaining, eta_s=round(eta_s, 1), partitions=sorted(partitions)
            )  # fmt: skip

    def left(self, remaining: int) -> None:
        """Note that `remaining` are left, as partitions are done or were taken away."""
        if remaining:
            metrics.RESTORE_REMAINING.labels(**self._labels).set(remaining)
        else:
            self._began_s = None
            self._set(0, 0.0)

    def _eta_s(self, remaining: int, taken_s: float) -> float:
        """Return the seconds left; before anything was read nobody knows, and nothing is said."""
        return remaining * taken_s / self._records if self._records else 0.0

    def _set(self, remaining: int, eta_s: float) -> None:
        metrics.RESTORE_REMAINING.labels(**self._labels).set(remaining)
        metrics.RESTORE_ETA_SECONDS.labels(**self._labels).set(eta_s)
