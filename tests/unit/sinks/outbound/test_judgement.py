"""What is parked, and what waits."""

from sinks.outbound.judgement import REFUSED_IN_A_ROW_MAX, judge
from sinks.outbound.sender import Attempts
from sinks.outbound.verdict import Answer

OK = Attempts((Answer(200, "", "", 0, 5),))
DOWN = Attempts((Answer(500, "status-500", "500", 0, 5), Answer(500, "status-500", "500 again", 0, 5)))
REFUSED = Attempts((Answer(400, "status-400", "400", 0, 5),) * 2)
NOT_NOW = Attempts((Answer(503, "status-503", "503", 0, 5, asked_wait_s=9.0),))
UNSENT = Attempts(())


def test_what_fails_while_others_pass_is_done_with() -> None:
    judgement = judge([OK, DOWN, REFUSED], 0)
    assert (set(judgement.done), judgement.failure) == ({0, 1, 2}, None)


def test_while_nothing_passes_everything_that_fails_waits() -> None:
    judgement = judge([DOWN, DOWN, UNSENT], 0)
    assert (set(judgement.done), judgement.failure) == (set(), "500 again")


def test_what_is_refused_is_done_with_also_where_nothing_passes() -> None:
    judgement = judge([REFUSED, DOWN], 0)
    assert (set(judgement.done), judgement.refused_in_a_row) == ({0}, 1)


def test_a_partner_that_refuses_everything_is_not_fed_any_more() -> None:
    judgement = judge([REFUSED] * 3, REFUSED_IN_A_ROW_MAX - 1)
    assert (set(judgement.done), judgement.failure) == ({0}, "400")
    assert judge([REFUSED, OK], REFUSED_IN_A_ROW_MAX + 9).refused_in_a_row == 0


def test_what_is_asked_to_wait_waits_though_others_pass() -> None:
    judgement = judge([OK, NOT_NOW], 0)
    assert (set(judgement.done), judgement.asked_wait_s, judgement.failure) == ({0}, 9.0, "503")


def test_what_was_not_sent_for_want_of_time_waits_without_a_failure() -> None:
    judgement = judge([OK, UNSENT], 0)
    assert (set(judgement.done), judgement.failure) == ({0}, None)
