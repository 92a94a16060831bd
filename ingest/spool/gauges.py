"""The gauges of a spool, read when someone asks."""

from typing import Protocol

from ingest.spool.state import SpoolState
from runtime.clock import Clock
from runtime.metrics import SPOOL_BYTES, SPOOL_OLDEST_AGE_SECONDS, SPOOL_RECORDS

_GAUGES = (SPOOL_BYTES, SPOOL_RECORDS, SPOOL_OLDEST_AGE_SECONDS)


class Stated(Protocol):
    """Something with a name and a state."""

    @property
    def name(self) -> str:
        """The gauges' label."""

    def state(self) -> SpoolState:
        """Return how it is now."""


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
