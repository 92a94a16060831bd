from collections.abc import Sequence

import pytest

from segwire.simulator.model import Expectation, Model
from tests.support.simulation import KEY, message, statement

IN, OUT = True, False
ACTIVE, INACTIVE, NO_ROW = "active", "inactive", "no row"


def expected_after(certain: Sequence[tuple[int, bool]], possible: Sequence[tuple[int, bool]] = ()) -> Expectation:
    model = Model()
    for number, (at_s, active) in enumerate(certain):
        model.acknowledged(message(number, statement(at_s, active=active)))
    for number, (at_s, active) in enumerate(possible, 100):
        model.unacknowledged(message(number, statement(at_s, active=active)))
    return dict(model.expectations())[KEY]


def allowed(expected: Expectation) -> set[str]:
    ways = {ACTIVE: expected.may_be_active, INACTIVE: expected.may_be_inactive, NO_ROW: expected.may_be_absent}
    return {way for way, is_allowed in ways.items() if is_allowed}


@pytest.mark.parametrize(
    ("certain", "expected"),
    [
        ([(10, IN)], ACTIVE),
        ([(10, OUT)], INACTIVE),
        ([(10, IN), (20, OUT)], INACTIVE),
        ([(20, OUT), (10, IN)], INACTIVE),
        ([(10, OUT), (20, IN)], ACTIVE),
        ([(20, IN), (10, OUT)], ACTIVE),
        ([(10, IN), (10, IN)], ACTIVE),
        ([(10, IN), (10, OUT)], INACTIVE),
        ([(10, OUT), (10, IN)], INACTIVE),
        ([(10, IN), (10, OUT), (11, IN)], ACTIVE),
    ],
)
def test_latest_date_decides_and_status_0_wins_a_tie(certain: list[tuple[int, bool]], expected: str) -> None:
    assert allowed(expected_after(certain)) == {expected}


@pytest.mark.parametrize(
    ("certain", "possible", "expected"),
    [
        ([], [(10, IN)], {ACTIVE, NO_ROW}),
        ([], [(10, OUT)], {INACTIVE, NO_ROW}),
        ([], [(10, IN), (20, OUT)], {ACTIVE, INACTIVE, NO_ROW}),
        ([(10, IN)], [(20, OUT)], {ACTIVE, INACTIVE}),
        ([(10, IN)], [(20, IN)], {ACTIVE}),
        ([(10, IN)], [(9, OUT)], {ACTIVE}),
        ([(10, IN)], [(10, OUT)], {ACTIVE, INACTIVE}),
        ([(10, OUT)], [(10, IN)], {INACTIVE}),
        ([(10, OUT)], [(9, IN), (11, IN)], {ACTIVE, INACTIVE}),
        ([(10, IN)], [(20, OUT), (30, IN)], {ACTIVE, INACTIVE}),
    ],
)
def test_an_unacknowledged_message_counts_or_not(
    certain: list[tuple[int, bool]], possible: list[tuple[int, bool]], expected: set[str]
) -> None:
    assert allowed(expected_after(certain, possible)) == expected


def test_a_message_that_says_both_counts_whole_or_not_at_all() -> None:
    model = Model()
    model.unacknowledged(message(0, statement(10, active=False), statement(10, active=True)))
    assert allowed(dict(model.expectations())[KEY]) == {INACTIVE, NO_ROW}


def test_absence_never_removes() -> None:
    model = Model()
    model.acknowledged(message(0, statement(10)))
    model.acknowledged(message(1, statement(20, segment_id="other")))
    assert allowed(dict(model.expectations())[KEY]) == {ACTIVE}


def test_destinations_users_and_segments_are_apart() -> None:
    model = Model()
    model.acknowledged(message(0, statement(10), destination_id="1"))
    model.acknowledged(message(1, statement(20, active=False), destination_id="2"))
    model.acknowledged(message(2, statement(20, active=False, aam_uuid="2" * 38), destination_id="1"))
    found = {key[:2]: allowed(expected) for key, expected in model.expectations()}
    assert found == {("1", "1" * 38): {ACTIVE}, ("2", "1" * 38): {INACTIVE}, ("1", "2" * 38): {INACTIVE}}


def test_the_deciding_message_and_its_date_are_named() -> None:
    expected = expected_after([(10, IN), (30, OUT), (20, IN)])
    assert (expected.message, expected.at_s) == (1, 30)


def test_what_must_be_published_is_counted_without_what_only_may() -> None:
    model = Model()
    model.acknowledged(message(0, statement(10)))
    model.unacknowledged(message(1, statement(10, segment_id="other")))
    assert len(model) == 1
    assert KEY in model
    assert ("423", "1" * 38, "other") in model
    assert ("423", "1" * 38, "third") not in model
