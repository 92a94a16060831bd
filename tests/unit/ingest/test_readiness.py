from ingest.readiness import Readiness


def test_the_reason_follows_the_life_of_the_service() -> None:
    readiness = Readiness()
    assert "starting" in (readiness.reason() or "")
    reasons = [None, "the disk is full"]
    readiness.serving(lambda: reasons[0])
    assert readiness.reason() is None
    reasons.pop(0)
    assert readiness.reason() == "the disk is full"
    readiness.draining()
    assert "draining" in (readiness.reason() or "")


def test_a_drain_that_began_before_the_start_ended_goes_on() -> None:
    readiness = Readiness()
    readiness.draining()
    readiness.serving(lambda: None)
    assert "draining" in (readiness.reason() or "")
