import structlog

from ingest.refusal_log import RefusalLog
from tests.support.authentication import SetClock


def test_a_flood_of_refusals_is_told_ten_times_a_second_and_counted() -> None:
    clock = SetClock()
    with structlog.testing.capture_logs() as lines:
        log = RefusalLog(clock)
        for _ in range(25):
            log.tell("bad-token", "adobe", "r-1", ("192.0.2.1", 7))
        clock.at_ms += 1000
        log.tell("bad-token", None, "r-2", None)
    assert len(lines) == 11
    assert lines[0]["client"] == "192.0.2.1"
    assert "left_out" not in lines[0]
    assert (lines[-1]["left_out"], lines[-1]["client"], lines[-1]["source"]) == (15, None, None)


def test_what_a_proxy_calls_a_sender_does_not_fill_the_log() -> None:
    with structlog.testing.capture_logs() as lines:
        RefusalLog(SetClock()).tell("bad-token", "adobe", "r-1", ("x" * 10_000, 7))
    assert len(lines[0]["client"]) == 64
