"""The gauges of a spool, read when someone asks."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from ingest.spool.state import Pending, SpoolState
from runtime.clock import Clock
from runtime.metrics import (
    SPOOL_BYTES,
    SPOOL_OLDEST_AGE_SECONDS,
    SPOOL_RECORDS,
    SPOOL_SOURCE_OLDEST_AGE_SECONDS,
    SPOOL_SOURCE_RECORDS,
)

_GAUGES = (SPOOL_BYTES, SPOOL_RECORDS, SPOOL_OLDEST_AGE_SECONDS)
_UNKNOWN = "unknown"


class Stated(Protocol):
    """Something with a name and a state."""

    @property
    def name(self) -> str:
        """The gauges' label."""

    def state(self) -> SpoolState:
        """Return how it is now."""

    def pending(self) -> Mapping[str, Pending]:
        """Return what is pending of each source that has any."""


def publish_gauges(spool: Stated, clock: Clock) -> None:
    """Show a spool in the metrics from now on."""

    def oldest_age_s() -> float:
        oldest_ms = spool.state().oldest_ms
        return 0.0 if oldest_ms is None else max(0, clock.now_ms() - oldest_ms) / 1000

    SPOOL_BYTES.labels(spool.name).set_function(lambda: spool.state().used_bytes)
    SPOOL_RECORDS.labels(spool.name).set_function(lambda: spool.state().pending_records)
    SPOOL_OLDEST_AGE_SECONDS.labels(spool.name).set_function(oldest_age_s)


def withdraw_gauges(spool: Stated) -> None:
    """Show it no longer."""
    for gauge in _GAUGES:
        gauge.remove(spool.name)


class SourceGauges:
    """The gauges of a spool by source: of each from when it is first seen, until they are withdrawn."""

    def __init__(self, spool: Stated, clock: Clock) -> None:
        """Show none yet."""
        self._spool = spool
        self._clock = clock
        self._seen: set[str] = set()

    def show(self, sources: Iterable[str]) -> None:
        """Show these from now on, with nothing too when nothing is pending any more."""
        for source in sources:
            if source not in self._seen:
                self._seen.add(source)
                self._show(source)

    def withdraw(self) -> None:
        """Show none any longer."""
        for source in self._seen:
            SPOOL_SOURCE_RECORDS.remove(self._spool.name, source or _UNKNOWN)
            SPOOL_SOURCE_OLDEST_AGE_SECONDS.remove(self._spool.name, source or _UNKNOWN)
        self._seen.clear()

    def _show(self, source: str) -> None:
        def records() -> float:
            pending = self._spool.pending().get(source)
            return 0.0 if pending is None else pending.records

        def oldest_age_s() -> float:
            pending = self._spool.pending().get(source)
            return 0.0 if pending is None else max(0, self._clock.now_ms() - pending.oldest_ms) / 1000

        SPOOL_SOURCE_RECORDS.labels(self._spool.name, source or _UNKNOWN).set_function(records)
        SPOOL_SOURCE_OLDEST_AGE_SECONDS.labels(self._spool.name, source or _UNKNOWN).set_function(oldest_age_s)
