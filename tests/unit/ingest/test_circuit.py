import pytest

from ingest.circuit import Circuit, CircuitLimits, Event, KafkaState, after

OK, SLOW, DOWN = KafkaState
LIMITS = CircuitLimits(timeouts_max=3, silence_ms=750, calm_ms=1000)
NEW = Circuit()
RELIED_UPON = Circuit(OK, None, is_new=False)

Heard = tuple[float, Event]


def play(circuit: Circuit, *heard: Heard) -> Circuit:
    for now_s, event in heard:
        circuit = after(circuit, event, now_s, LIMITS, "the reason")
    return circuit


@pytest.mark.parametrize(
    ("begins", "heard", "state"),
    [
        # The start: down until Kafka was reached once, then relied upon at once.
        (NEW, [], DOWN),
        (NEW, [(0, Event.PASSED), (9, Event.PASSED)], DOWN),
        (NEW, [(1, Event.FAILED), (2, Event.PROBED)], OK),
        # Troubles.
        (RELIED_UPON, [(0, Event.TIMED_OUT)], SLOW),
        (RELIED_UPON, [(0, Event.CROWDED)], SLOW),
        (RELIED_UPON, [(0, Event.FAILED)], DOWN),
        (RELIED_UPON, [(0, Event.TIMED_OUT)] * 2, SLOW),
        (RELIED_UPON, [(0, Event.TIMED_OUT)] * 3, DOWN),
        (RELIED_UPON, [(0, Event.TIMED_OUT)] * 2 + [(0, Event.ACKNOWLEDGED), (0, Event.TIMED_OUT)], SLOW),
        (RELIED_UPON, [(0, Event.CROWDED)] * 9, SLOW),
        # Slow and silent is down, if anything is wanted.
        (RELIED_UPON, [(5, Event.TIMED_OUT), (5.7, Event.PASSED_WAITING)], SLOW),
        (RELIED_UPON, [(5, Event.TIMED_OUT), (5.8, Event.PASSED_WAITING)], DOWN),
        (RELIED_UPON, [(5, Event.TIMED_OUT), (5.5, Event.ACKNOWLEDGED), (5.8, Event.PASSED_WAITING)], SLOW),
        # Slow and calm is ok.
        (RELIED_UPON, [(5, Event.TIMED_OUT), (5.9, Event.PASSED)], SLOW),
        (RELIED_UPON, [(5, Event.TIMED_OUT), (6, Event.PASSED)], OK),
        (RELIED_UPON, [(5, Event.TIMED_OUT), (5.9, Event.ACKNOWLEDGED), (6, Event.PASSED_WAITING)], OK),
        (RELIED_UPON, [(5, Event.TIMED_OUT), (6, Event.ACKNOWLEDGED)], OK),
        (RELIED_UPON, [(5, Event.TIMED_OUT), (5.9, Event.CROWDED), (6, Event.ACKNOWLEDGED)], SLOW),
        # Down comes back on trial.
        (RELIED_UPON, [(5, Event.FAILED), (9, Event.PASSED), (9, Event.TIMED_OUT), (9, Event.CROWDED)], DOWN),
        (RELIED_UPON, [(5, Event.FAILED), (9, Event.PROBED)], SLOW),
        (RELIED_UPON, [(5, Event.FAILED), (9, Event.ACKNOWLEDGED)], SLOW),
        (RELIED_UPON, [(5, Event.FAILED), (9, Event.PROBED), (10, Event.PASSED)], OK),
        (RELIED_UPON, [(5, Event.FAILED), (9, Event.PROBED), (9.8, Event.PASSED_WAITING)], DOWN),
        (RELIED_UPON, [(5, Event.FAILED), (9, Event.PROBED), (9.5, Event.FAILED)], DOWN),
        # What is well stays well.
        (RELIED_UPON, [(0, Event.ACKNOWLEDGED), (1, Event.PROBED), (99, Event.PASSED_WAITING)], OK),
    ],
)
def test_kafka_is_relied_upon_as_the_design_says(begins: Circuit, heard: list[Heard], state: KafkaState) -> None:
    assert play(begins, *heard).state is state


def test_the_reason_is_known_exactly_while_kafka_is_not_relied_upon() -> None:
    assert NEW.reason is not None
    slow = play(RELIED_UPON, (5, Event.TIMED_OUT))
    assert slow.reason == "the reason"
    assert play(slow, (5.9, Event.ACKNOWLEDGED), (6.5, Event.PASSED_WAITING)).reason is None
    assert play(slow, (5.8, Event.PASSED_WAITING)).reason == "Kafka acknowledged nothing for 750 ms"
