"""What an answer means."""

import pytest

from sinks.outbound.verdict import Answer, Verdict, asked_wait_s, verdict


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, "delivered"), (201, "failed"), (204, "failed"), (301, "failed"), (307, "failed"), (400, "refused"),
     (401, "failed"), (403, "failed"), (404, "failed"), (413, "refused"), (422, "refused"), (429, "failed"),
     (500, "failed"), (503, "failed"), (None, "failed")],
)  # fmt: skip
def test_success_is_exactly_200_and_only_some_refusals_are_about_the_message(
    status: int | None, expected: Verdict
) -> None:
    assert verdict(Answer(status, "" if status == 200 else "x", "", 0, 0)) == expected


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [(503, "7", 7.0), (429, " 7 ", 7.0), (503, "Thu, 01 Jan 1970 00:00:10 GMT", 9.0), (503, "99999999999", 3600.0),
     (503, "Thu, 01 Jan 1970 00:00:00 GMT", 0.0), (500, "7", None), (503, None, None), (503, "soon", None),
     (503, "-1", None), (503, "²", None)],
)  # fmt: skip
def test_how_long_a_partner_wants_to_be_left_alone(status: int, text: str | None, expected: float | None) -> None:
    assert asked_wait_s(status, text, 1000) == expected
