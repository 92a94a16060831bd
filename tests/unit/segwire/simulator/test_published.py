import pytest

from schemas.event import Origin
from schemas.membership import Previous, SegmentMembershipChange
from segwire.simulator.published import Published
from tests.support.simulation import KEY, change, row

ENTERED = change(version=1, since=1000)
EXITED = change("INACTIVE", version=2, since=2000, previous=Previous("ACTIVE", 1000))
AGAIN = change(version=3, since=3000, previous=Previous("INACTIVE", 2000))


def after_changes(*changes: SegmentMembershipChange) -> Published:
    published = Published()
    for record in changes:
        published.take_change(record)
    return published


def test_a_chain_of_changes_has_no_finding() -> None:
    published = after_changes(ENTERED, EXITED, AGAIN)
    assert (published.duplicates.count, published.gaps.count) == (0, 0)
    assert published.changes[KEY].status == "ACTIVE"


def test_entering_after_a_row_that_was_never_active_has_no_finding() -> None:
    assert after_changes(change(previous=Previous("INACTIVE", 500))).gaps.count == 0


def test_same_version_again_is_a_duplicate() -> None:
    published = after_changes(ENTERED, ENTERED, EXITED)
    assert (published.duplicates.count, published.gaps.count) == (1, 0)


def test_same_version_for_another_change_is_a_duplicate() -> None:
    other = change("INACTIVE", version=1, previous=Previous("ACTIVE", 1000), origin=Origin("aam-posts", 0, 99, 0))
    assert after_changes(ENTERED, other).duplicates.count == 1


def test_same_change_of_the_same_record_again_is_a_duplicate_under_any_version() -> None:
    again = change(version=3, previous=Previous("INACTIVE", 2000), origin=ENTERED.origin)
    assert after_changes(ENTERED, EXITED, again).duplicates.count == 1


def test_entry_and_expiry_by_one_record_are_two_changes() -> None:
    expired = change(
        "INACTIVE", version=2, previous=Previous("ACTIVE", 1000), origin=ENTERED.origin, cause="EXPIRED", since=1500
    )
    assert after_changes(ENTERED, expired).duplicates.count == 0


def test_two_users_of_one_message_are_two_records() -> None:
    other_index = Origin("aam-posts", 0, 1, 1)
    assert after_changes(ENTERED, change(aam_uuid="2" * 38, origin=other_index)).duplicates.count == 0


@pytest.mark.parametrize(
    "second",
    [
        change(version=2, since=2000, previous=Previous("ACTIVE", 1000)),
        change("INACTIVE", version=2, since=2000),
        change("INACTIVE", version=2, since=2000, previous=Previous("ACTIVE", 999)),
        change("INACTIVE", version=2, since=2000, previous=Previous("INACTIVE", 1000)),
        change("INACTIVE", version=0, since=2000, previous=Previous("ACTIVE", 1000)),
        change("INACTIVE", version=2, since=2000, previous=Previous("ACTIVE", 1000), change="ENTERED"),
    ],
    ids=["entered-twice", "from-nothing", "other-since", "other-status", "version-back", "change-and-status"],
)
def test_a_change_that_does_not_follow_is_a_gap(second: SegmentMembershipChange) -> None:
    published = after_changes(ENTERED, second)
    assert (published.duplicates.count, published.gaps.count) == (0, 1)


@pytest.mark.parametrize(
    "first",
    [change("INACTIVE", previous=Previous("ACTIVE", 500)), change(previous=Previous("ACTIVE", 500))],
    ids=["exited-first", "entered-after-active"],
)
def test_a_first_change_that_needs_one_before_is_a_gap(first: SegmentMembershipChange) -> None:
    assert after_changes(first).gaps.count == 1


def test_a_missing_change_between_two_is_a_gap() -> None:
    assert after_changes(ENTERED, AGAIN).gaps.count == 1


def test_the_latest_row_counts() -> None:
    published = Published()
    published.take_row(KEY, row(version=1))
    published.take_row(KEY, row("INACTIVE", version=2))
    assert published.rows[KEY].status == "INACTIVE"
    assert (published.duplicates.count, published.gaps.count) == (0, 0)


def test_a_row_of_the_same_version_is_a_duplicate() -> None:
    published = Published()
    published.take_row(KEY, row(version=5))
    published.take_row(KEY, row(version=5))
    assert (published.duplicates.count, published.gaps.count) == (1, 0)


def test_a_row_that_goes_back_is_a_gap() -> None:
    published = Published()
    published.take_row(KEY, row(version=5))
    published.take_row(KEY, row(version=4))
    assert (published.duplicates.count, published.gaps.count) == (0, 1)


def test_a_tombstone_removes_the_row() -> None:
    published = Published()
    published.take_row(KEY, row())
    published.take_row(KEY, None)
    assert KEY not in published.rows


def test_examples_are_few_and_the_count_is_whole() -> None:
    published = Published()
    for _ in range(31):
        published.take_row(KEY, row(version=5))
    assert (published.duplicates.count, len(published.duplicates.examples)) == (30, 10)
