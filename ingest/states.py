"""Which states of the design's table hold now, as metrics."""

from collections.abc import Callable
from functools import partial

from ingest.circuit import KafkaState
from ingest.readiness import Readiness
from ingest.spool.state import Level
from runtime.metrics import INGEST_STATE

_SPOOL_STATES = {Level.HIGH: "spool-high", Level.FULL: "spool-full", Level.FAILED: "spool-failed"}
STATES = ("starting", *(state.value for state in KafkaState), *_SPOOL_STATES.values(), "draining")


def holding(readiness: Readiness, kafka: KafkaState, spool: Level) -> set[str]:
    """Return the states that hold; several may at once."""
    found = {kafka.value}
    if readiness.is_starting:
        found.add("starting")
    if readiness.is_draining:
        found.add("draining")
    if spool in _SPOOL_STATES:
        found.add(_SPOOL_STATES[spool])
    return found


def publish_states(now: Callable[[], set[str]]) -> None:
    """Show the states in the metrics from now on."""

    def value(state: str) -> float:
        return float(state in now())

    for state in STATES:
        INGEST_STATE.labels(state).set_function(partial(value, state))
