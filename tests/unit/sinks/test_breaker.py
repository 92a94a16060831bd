"""When something that fails is tried again."""

from itertools import pairwise

import pytest

from sinks.breaker import Breaker, BreakerLimits, failed

LIMITS = BreakerLimits(failures_max=3, retry_s=0.5, open_s=4, open_max_s=10)


def after(failures: int, asked_wait_s: float | None = None) -> Breaker:
    breaker = Breaker()
    for _ in range(failures):
        breaker = failed(breaker, 100.0, LIMITS, "refused", asked_wait_s)
    return breaker


@pytest.mark.parametrize(
    ("failures", "is_open", "wait_s"),
    [
        (0, False, -100.0),
        (1, False, 0.5),
        (2, False, 1.0),
        (3, True, 4.0),
        (4, True, 8.0),
        (5, True, 10.0),
        (500, True, 10.0),
    ],
)
def test_it_waits_longer_with_each_failure_and_opens(failures: int, is_open: bool, wait_s: float) -> None:
    breaker = after(failures)
    assert (breaker.is_open, breaker.wait_s(100.0)) == (is_open, wait_s)


def test_what_the_other_side_asks_for_is_honoured_even_past_our_own_limit() -> None:
    assert after(1, asked_wait_s=60).wait_s(100.0) == 60
    assert after(5, asked_wait_s=2).wait_s(100.0) == 10


def test_time_passes() -> None:
    breaker = after(3)
    waits = [breaker.wait_s(now_s) for now_s in (100.0, 102.0, 104.0, 105.0)]
    assert waits == [4, 2, 0, -1]
    assert all(later < earlier for earlier, later in pairwise(waits))


def test_it_says_why() -> None:
    assert after(1).reason == "refused"
    assert Breaker().reason is None
