import pytest

from ingest.admission import AckState, Limits, Verdict, decide

LIMITS = Limits(ack_timeout_ms=2200)


@pytest.mark.parametrize(
    ("state", "elapsed_ms", "verdict"),
    [
        (AckState.ACKNOWLEDGED, 0, Verdict.DURABLE),
        (AckState.ACKNOWLEDGED, 2199.9, Verdict.DURABLE),
        (AckState.ACKNOWLEDGED, 100_000, Verdict.DURABLE),
        (AckState.PENDING, 0, Verdict.WAIT),
        (AckState.PENDING, 2199.9, Verdict.WAIT),
        (AckState.PENDING, 2200, Verdict.NO_DURABLE_STORE),
        (AckState.QUEUE_FULL, 0, Verdict.WAIT),
        (AckState.QUEUE_FULL, 2199.9, Verdict.WAIT),
        (AckState.QUEUE_FULL, 2200, Verdict.NO_DURABLE_STORE),
        (AckState.FAILED, 0, Verdict.NO_DURABLE_STORE),
        (AckState.OVERSIZED, 0, Verdict.TOO_LARGE),
        (AckState.OVERSIZED, 100_000, Verdict.TOO_LARGE),
    ],
)
def test_a_message_is_decided_by_its_state_and_its_age(state: AckState, elapsed_ms: float, verdict: Verdict) -> None:
    assert decide(state, elapsed_ms, LIMITS) is verdict


@pytest.mark.parametrize("state", AckState)
def test_no_message_waits_beyond_the_deadline(state: AckState) -> None:
    assert decide(state, LIMITS.ack_timeout_ms, LIMITS) is not Verdict.WAIT


@pytest.mark.parametrize("state", [state for state in AckState if state is not AckState.ACKNOWLEDGED])
def test_nothing_is_durable_that_is_not_acknowledged(state: AckState) -> None:
    assert all(decide(state, elapsed_ms, LIMITS) is not Verdict.DURABLE for elapsed_ms in (0, 1, 2200, 1e9))
