import pytest

from schemas.event import Status
from schemas.membership import Previous
from segwire.simulator.compare import compare
from segwire.simulator.differences import Differences
from segwire.simulator.model import Model
from segwire.simulator.published import Published
from tests.support.simulation import DESTINATION, KEY, SEGMENT, USER, change, message, row, statement

ENTERED, EXITED = change(), change("INACTIVE", version=2, since=2000, previous=Previous("ACTIVE", 1000))
LEFT_ROW = row("INACTIVE", version=2, since=2000)


def model_of(*, active: bool = True, acknowledged: bool = True) -> Model:
    model = Model()
    said = message(17, statement(10, active=active))
    (model.acknowledged if acknowledged else model.unacknowledged)(said)
    return model


def published_entered() -> Published:
    published = Published()
    published.take_row(KEY, row())
    published.take_change(ENTERED)
    return published


def published_left() -> Published:
    published = published_entered()
    published.take_row(KEY, LEFT_ROW)
    published.take_change(EXITED)
    return published


def counts(differences: Differences) -> dict[str, int]:
    found = {sort: getattr(differences, sort).count for sort in differences.__struct_fields__}
    return {sort: count for sort, count in found.items() if count}


def test_what_must_be_and_is_makes_no_difference() -> None:
    assert compare(model_of(), published_entered()).total == 0
    assert compare(model_of(active=False), published_left()).total == 0


def test_disqualified_row_of_a_membership_never_entered_makes_no_difference() -> None:
    published = Published()
    published.take_row(KEY, row("INACTIVE"))
    assert compare(model_of(active=False), published).total == 0


def test_acknowledged_membership_without_a_row_is_lost() -> None:
    differences = compare(model_of(), Published())
    assert counts(differences) == {"lost": 1}
    example = differences.lost.examples[0]
    assert (example.destination_id, example.aam_uuid, example.segment_id) == (DESTINATION, USER, SEGMENT)
    assert (example.expected, example.got, example.message) == ("ACTIVE (QUALIFIED) as of 10000", "no row", 17)


def test_inactive_where_active_must_be_is_lost() -> None:
    assert counts(compare(model_of(), published_left())) == {"lost": 1}


def test_active_where_inactive_must_be_is_wrong() -> None:
    assert counts(compare(model_of(active=False), published_entered())) == {"wrong": 1}


@pytest.mark.parametrize(("status", "cause"), [("ACTIVE", "DISQUALIFIED"), ("INACTIVE", "EXPIRED")])
def test_another_cause_is_wrong(status: Status, cause: str) -> None:
    published = published_entered() if status == "ACTIVE" else published_left()
    published.take_row(KEY, row(status, version=3, since=published.rows[KEY].since, cause=cause))
    assert counts(compare(model_of(active=status == "ACTIVE"), published)) == {"wrong": 1}


def test_row_that_no_message_named_is_a_phantom() -> None:
    assert counts(compare(Model(), published_entered())) == {"phantom": 1}


def test_unacknowledged_membership_may_be_there_or_not() -> None:
    model = model_of(acknowledged=False)
    assert compare(model, published_entered()).total == 0
    assert compare(model, Published()).total == 0


def test_unacknowledged_membership_with_a_status_nobody_sent_is_wrong() -> None:
    model = model_of(active=False, acknowledged=False)
    assert counts(compare(model, published_entered())) == {"wrong": 1}


def test_active_row_without_a_change_is_a_gap() -> None:
    published = Published()
    published.take_row(KEY, row())
    assert counts(compare(model_of(), published)) == {"gaps": 1}


def test_change_without_a_row_is_a_gap() -> None:
    published = Published()
    published.take_change(ENTERED)
    assert counts(compare(model_of(acknowledged=False), published)) == {"gaps": 1}


def test_row_that_the_last_change_does_not_explain_is_a_gap() -> None:
    published = published_entered()
    published.take_row(KEY, LEFT_ROW)
    assert counts(compare(model_of(active=False), published)) == {"gaps": 1}


def test_row_older_than_the_last_change_is_a_gap() -> None:
    published = published_left()
    published.take_change(change(version=3, since=3000, previous=Previous("INACTIVE", 2000)))
    assert counts(compare(model_of(active=False), published)) == {"gaps": 1}


def test_row_of_an_older_version_than_the_last_change_is_a_gap() -> None:
    published = Published()
    published.take_row(KEY, row(version=1))
    published.take_change(change(version=2))
    assert counts(compare(model_of(), published)) == {"gaps": 1}


def test_refreshed_row_above_its_last_change_makes_no_difference() -> None:
    published = published_entered()
    published.take_row(KEY, row(version=9))
    assert compare(model_of(), published).total == 0


def test_duplicates_are_carried_over() -> None:
    published = published_entered()
    published.take_change(ENTERED)
    assert counts(compare(model_of(), published)) == {"duplicates": 1}
