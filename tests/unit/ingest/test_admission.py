from itertools import product

import pytest

from ingest.admission import AckState, Limits, SpoolStep, Step, Verdict, decide
from ingest.circuit import KafkaState

OK, SLOW, DOWN = KafkaState
NOT_SENT, PENDING, QUEUE_FULL, FAILED, ACKNOWLEDGED, OVERSIZED = AckState
NOT_TRIED, WRITING, STORED, REFUSED = SpoolStep
LIMITS = Limits(ack_wait_ms=750, ack_timeout_ms=2200)
EVERYTHING = list(product(KafkaState, AckState, SpoolStep, (0.0, 749.9, 750.0, 2199.9, 2200.0, 1e9)))


@pytest.mark.parametrize(
    ("kafka", "ack", "spool", "elapsed_ms", "next_step"),
    [
        # Kafka ok: it alone, as long as it acknowledges in time.
        (OK, NOT_SENT, NOT_TRIED, 0, Step.PRODUCE),
        (OK, PENDING, NOT_TRIED, 0, Step.WAIT),
        (OK, PENDING, NOT_TRIED, 749.9, Step.WAIT),
        (OK, PENDING, NOT_TRIED, 750, Step.SPOOL),
        (OK, QUEUE_FULL, NOT_TRIED, 0, Step.SPOOL),
        (OK, FAILED, NOT_TRIED, 0, Step.SPOOL),
        # Kafka slow: both, without a wait.
        (SLOW, NOT_SENT, NOT_TRIED, 0, Step.PRODUCE),
        (SLOW, PENDING, NOT_TRIED, 0, Step.SPOOL),
        (SLOW, PENDING, WRITING, 10, Step.WAIT),
        # Kafka down: the spool alone, also for what was sent before.
        (DOWN, NOT_SENT, NOT_TRIED, 0, Step.SPOOL),
        (DOWN, PENDING, NOT_TRIED, 300, Step.SPOOL),
        (DOWN, NOT_SENT, WRITING, 10, Step.WAIT),
        # A disk that hangs: Kafka is tried even if it is down.
        (DOWN, NOT_SENT, WRITING, 750, Step.PRODUCE),
        (DOWN, PENDING, WRITING, 800, Step.WAIT),
        # A spool that refuses leaves Kafka, until the end.
        (DOWN, NOT_SENT, REFUSED, 0, Step.PRODUCE),
        (DOWN, QUEUE_FULL, REFUSED, 100, Step.PRODUCE),
        (DOWN, FAILED, REFUSED, 100, Step.PRODUCE),
        (OK, PENDING, REFUSED, 2199.9, Step.WAIT),
        (OK, PENDING, REFUSED, 2200, Verdict.NO_DURABLE_STORE),
        (DOWN, NOT_SENT, WRITING, 2200, Verdict.NO_DURABLE_STORE),
        # One store is enough, however late it is heard.
        (OK, ACKNOWLEDGED, NOT_TRIED, 100_000, Verdict.DURABLE),
        (DOWN, FAILED, STORED, 100_000, Verdict.DURABLE),
        (OK, OVERSIZED, NOT_TRIED, 0, Verdict.TOO_LARGE),
    ],
)
def test_what_is_next_for_a_message(
    kafka: KafkaState, ack: AckState, spool: SpoolStep, elapsed_ms: float, next_step: Step | Verdict
) -> None:
    assert decide(kafka, ack, spool, elapsed_ms, LIMITS) is next_step


def test_200_is_said_exactly_of_what_a_store_has() -> None:
    for kafka, ack, spool, elapsed_ms in EVERYTHING:
        is_stored = ack is ACKNOWLEDGED or spool is STORED
        assert (decide(kafka, ack, spool, elapsed_ms, LIMITS) is Verdict.DURABLE) == is_stored


def test_no_message_waits_beyond_the_deadline() -> None:
    for kafka, ack, spool, elapsed_ms in EVERYTHING:
        if elapsed_ms >= LIMITS.ack_timeout_ms:
            assert isinstance(decide(kafka, ack, spool, elapsed_ms, LIMITS), Verdict)


def test_503_is_said_only_after_both_stores_had_their_time() -> None:
    for kafka, ack, spool, elapsed_ms in EVERYTHING:
        if decide(kafka, ack, spool, elapsed_ms, LIMITS) is Verdict.NO_DURABLE_STORE:
            assert elapsed_ms >= LIMITS.ack_timeout_ms


def test_a_message_is_spooled_at_most_once() -> None:
    for kafka, ack, spool, elapsed_ms in EVERYTHING:
        if decide(kafka, ack, spool, elapsed_ms, LIMITS) is Step.SPOOL:
            assert spool is NOT_TRIED


def test_a_message_is_never_handed_to_kafka_twice_at_a_time() -> None:
    for kafka, ack, spool, elapsed_ms in EVERYTHING:
        if decide(kafka, ack, spool, elapsed_ms, LIMITS) is Step.PRODUCE:
            assert ack in {NOT_SENT, QUEUE_FULL, FAILED}
