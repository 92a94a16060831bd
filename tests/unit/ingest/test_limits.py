import pytest

from ingest.limits import Limits, Overdue, Waiting, expendable, overdue

LIMITS = Limits(head_timeout_s=1, body_timeout_s=2, idle_timeout_s=3, linger_s=4)


@pytest.mark.parametrize(
    ("waiting", "allowed_s", "reason"),
    [
        (Waiting.HEAD, 1, Overdue.HEAD),
        (Waiting.BODY, 2, Overdue.BODY),
        (Waiting.NEXT, 3, Overdue.IDLE),
        (Waiting.END, 4, Overdue.REFUSED),
    ],
)
def test_each_phase_has_its_limit(waiting: Waiting, allowed_s: float, reason: Overdue) -> None:
    assert overdue(waiting, allowed_s, 0, LIMITS) is None
    assert overdue(waiting, allowed_s + 0.1, 0, LIMITS) is reason


@pytest.mark.parametrize("waiting", Waiting)
def test_who_does_not_read_is_overdue_in_every_phase(waiting: Waiting) -> None:
    assert overdue(waiting, 0, 2.1, LIMITS) is Overdue.READER


def test_our_own_answer_is_waited_for_without_end() -> None:
    assert overdue(Waiting.ANSWER, 1e9, 0, LIMITS) is None


@pytest.mark.parametrize(
    ("waiting", "waited_s", "expected"),
    [
        (Waiting.NEXT, 0, True),
        (Waiting.END, 0, True),
        (Waiting.HEAD, 2.9, False),
        (Waiting.HEAD, 3.1, True),
        (Waiting.BODY, 2.9, False),
        (Waiting.BODY, 3.1, True),
        (Waiting.ANSWER, 1e9, False),
    ],
)
def test_room_is_made_only_of_what_nobody_waits_for(waiting: Waiting, waited_s: float, expected: bool) -> None:
    assert expendable(waiting, waited_s) is expected
