import pytest

from ingest.circuit import KafkaState
from ingest.lifecycle import GracefulStop
from ingest.readiness import Readiness
from ingest.spool.state import Level
from ingest.states import STATES, holding
from runtime.service import StopSignal
from tests.support.producer import HandClock


def test_the_stop_follows_the_signal_after_the_grace_and_the_drain_is_told_once_at_its_begin() -> None:
    signal, clock, told = StopSignal(), HandClock(), []
    stop = GracefulStop(signal, 2.0, clock, lambda: told.append(clock.now_s))
    clock.now_s = 200.0
    assert not stop.is_set()
    assert told == []
    signal.set()
    assert not stop.is_set()
    clock.now_s = 201.9
    assert not stop.is_set()
    clock.now_s = 202.0
    assert stop.is_set()
    assert told == [200.0]


@pytest.mark.parametrize(
    ("kafka", "spool", "states"),
    [
        (KafkaState.OK, Level.OK, {"kafka-ok"}),
        (KafkaState.SLOW, Level.HIGH, {"kafka-slow", "spool-high"}),
        (KafkaState.DOWN, Level.FULL, {"kafka-down", "spool-full"}),
        (KafkaState.DOWN, Level.FAILED, {"kafka-down", "spool-failed"}),
    ],
)
def test_every_state_that_holds_is_told(kafka: KafkaState, spool: Level, states: set[str]) -> None:
    readiness = Readiness()
    assert holding(readiness, kafka, spool) == states | {"starting"}
    readiness.serving(lambda: None)
    assert holding(readiness, kafka, spool) == states
    readiness.draining()
    assert holding(readiness, kafka, spool) == states | {"draining"}
    assert states | {"starting", "draining"} <= set(STATES)
