from processors.visibility import Visibility
from runtime import metrics
from tests.support.loop import Clock


def counted() -> dict[str, float]:
    buckets, total = metrics.MEMBERSHIP_VISIBLE_SECONDS.alone.cumulated()
    return {**dict(buckets), "sum": total}


def risen(before: dict[str, float]) -> dict[str, float]:
    return {bound: round(value - before[bound], 3) for bound, value in counted().items() if value > before[bound]}


def test_each_event_counts_from_its_own_receipt_to_the_commit() -> None:
    before, clock = counted(), Clock()
    visibility = Visibility(clock)
    visibility.received += [clock.now_ms() - 4000, clock.now_ms() - 100, clock.now_ms() - 1000]
    visibility.committed()
    assert risen(before) == {
        "0.1": 1, "0.25": 1, "0.5": 1, "0.75": 1, "1.0": 2, "2.0": 2, "5.0": 3, "10.0": 3, "30.0": 3, "60.0": 3,
        "300.0": 3, "3600.0": 3, "+Inf": 3, "sum": 5.1,
    }  # fmt: skip


def test_what_was_aborted_is_observed_when_it_is_committed_and_once() -> None:
    before, clock = counted(), Clock()
    visibility = Visibility(clock)
    visibility.received.append(clock.now_ms())
    visibility.aborted()
    visibility.committed()
    assert risen(before) == {}


def test_an_endpoint_whose_clock_is_ahead_makes_nothing_negative() -> None:
    before, clock = counted(), Clock()
    visibility = Visibility(clock)
    visibility.received.append(clock.now_ms() + 5000)
    visibility.committed()
    assert risen(before)["0.05"] == 1
    assert "sum" not in risen(before)
