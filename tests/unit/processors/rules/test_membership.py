"""What one event makes of a user's memberships; how they end by themselves is in `test_departure.py`."""

from collections.abc import Sequence

import pytest

from processors.rules.story import Story
from schemas.event import Origin, Partner, SegmentStatus
from schemas.membership import Previous
from tests.support.events import (
    CLIENT,
    DESTINATION,
    SEGMENT,
    TOPIC,
    USER,
    History,
    active,
    at,
    inactive,
    partner,
    rows,
    told_changes,
    told_rows,
)  # fmt: skip

NOON = at(0, 12)
Told = tuple[list[tuple[str, str, str]], list[tuple[str, str, str]]]

NOTHING: Told = ([], [])
ENTERED = ([(SEGMENT, "ACTIVE", "QUALIFIED")], [(SEGMENT, "ENTERED", "QUALIFIED")])
EXITED = ([(SEGMENT, "INACTIVE", "DISQUALIFIED")], [(SEGMENT, "EXITED", "DISQUALIFIED")])
ROW_ALONE: Told = ([(SEGMENT, "INACTIVE", "DISQUALIFIED")], [])


def _told(story: Story) -> Told:
    return told_rows(story), told_changes(story)


def _hear_all(*words: SegmentStatus) -> list[Story]:
    """One event for each word, all received at noon of day 0."""
    history = History()
    return [history.hear(word, received_at=NOON) for word in words]


def test_a_first_qualification_publishes_the_whole_row_and_the_change() -> None:
    history = History()
    story = history.hear(active(at(0, 11)), received_at=NOON, partner=partner(), regions=[9])
    (row,), (change,) = rows(story), story.changes
    assert (row.client_id, row.destination_id, row.aam_uuid, row.segment_id) == (CLIENT, DESTINATION, USER, SEGMENT)
    assert (row.status, row.cause, row.since, row.verified_at) == ("ACTIVE", "QUALIFIED", at(0, 11), at(0, 11))
    assert (row.expires_at, row.partners, row.regions) == (at(121), [partner()], [9])
    assert (change.change, change.previous, change.changed_at) == ("ENTERED", None, NOON)
    assert change.origin == Origin(TOPIC, 3, 0, 0)
    of_row = row.__struct_fields__
    assert [getattr(change, name) for name in of_row] == [getattr(row, name) for name in of_row]


#   DateTime    9h   10h   11h
A, B, C = at(0, 9), at(0, 10), at(0, 11)


@pytest.mark.parametrize(
    ("words", "last"),
    [
        ([active(A), inactive(B)], EXITED),
        ([inactive(A), active(B)], ENTERED),
        ([active(B), inactive(A)], NOTHING),
        ([inactive(B), active(A)], NOTHING),
        ([active(A), inactive(B), active(C)], ENTERED),
        ([active(A), inactive(C), active(B)], NOTHING),
        ([active(C), inactive(A), inactive(B)], NOTHING),
        ([inactive(A), active(C), inactive(B)], NOTHING),
    ],
)
def test_the_latest_date_time_wins_whatever_the_order_of_arrival(words: Sequence[SegmentStatus], last: Told) -> None:
    assert _told(_hear_all(*words)[-1]) == last


def test_at_equal_times_status_0_wins_when_it_comes_last() -> None:
    assert [_told(story) for story in _hear_all(active(B), inactive(B))] == [ENTERED, EXITED]


def test_at_equal_times_status_0_wins_when_it_comes_first() -> None:
    assert [_told(story) for story in _hear_all(inactive(B), active(B))] == [ROW_ALONE, NOTHING]


def test_absence_of_a_segment_never_removes_it() -> None:
    history = History()
    history.hear(active(A, "kept"), received_at=NOON)
    other = history.hear(active(B, "other"), received_at=NOON)
    nothing = history.hear(received_at=NOON)
    assert told_changes(other) == [("other", "ENTERED", "QUALIFIED")]
    assert _told(nothing) == NOTHING
    assert told_changes(history.hear(inactive(C, "kept"), received_at=NOON)) == [("kept", "EXITED", "DISQUALIFIED")]


def test_status_0_of_a_membership_never_entered_publishes_the_row_and_no_change() -> None:
    (story,) = _hear_all(inactive(A))
    assert _told(story) == ROW_ALONE
    (row,) = rows(story)
    assert (row.since, row.verified_at, row.expires_at) == (A, A, None)


def test_a_membership_entered_after_status_0_names_what_was_said_before() -> None:
    _, story = _hear_all(inactive(A), active(B))
    assert story.changes[0].previous == Previous("INACTIVE", A)


def test_status_0_again_with_a_newer_time_publishes_nothing_but_counts() -> None:
    stories = _hear_all(inactive(A), inactive(C), active(B))
    assert [_told(story) for story in stories] == [ROW_ALONE, NOTHING, NOTHING]
    assert stories[1].stored


def test_since_is_the_date_time_of_the_qualification_or_disqualification() -> None:
    stories = _hear_all(active(A), inactive(B))
    assert [(row.since, row.verified_at) for story in stories for row in rows(story)] == [(A, A), (B, B)]


def test_a_row_that_is_inactive_does_not_expire() -> None:
    assert [rows(story)[0].expires_at for story in _hear_all(active(A), inactive(B))] == [at(121), None]


def test_a_chain_of_changes_names_what_was_before_each() -> None:
    stories = _hear_all(active(A), inactive(B), active(C))
    previous = [change.previous for story in stories for change in story.changes]
    assert previous == [None, Previous("ACTIVE", A), Previous("INACTIVE", B)]


def test_each_change_names_the_record_that_caused_it() -> None:
    stories = _hear_all(active(A), inactive(B), active(C))
    assert [story.changes[0].origin.offset for story in stories] == [0, 1, 2]


def test_a_repeat_of_the_same_day_publishes_nothing() -> None:
    first, second = _hear_all(active(A), active(B))
    assert (_told(first), _told(second)) == (ENTERED, NOTHING)


def test_an_equal_repeat_does_not_even_have_to_be_stored() -> None:
    assert [story.stored for story in _hear_all(active(B), active(B), active(A), inactive(A))] == [
        True, False, False, False,
    ]  # fmt: skip


#   day 0        day 1                     day 2
#   |--- A ------|--- 1h ------- 23h ------|---
#        row          row       (none)
def test_a_repeat_with_a_newer_date_time_publishes_the_row_once_a_utc_day_with_the_same_since() -> None:
    history = History()
    history.hear(active(A), received_at=NOON)
    first = history.hear(active(at(1, 1)), received_at=at(1, 2))
    again = history.hear(active(at(1, 23)), received_at=at(1, 23))
    (row,) = rows(first)
    assert (row.status, row.cause, row.since) == ("ACTIVE", "QUALIFIED", A)
    assert (row.verified_at, row.expires_at) == (at(1, 1), at(122))
    assert first.changes == []
    assert _told(again) == NOTHING


def test_a_repeat_never_publishes_the_row_where_there_is_no_time_to_live() -> None:
    history = History(ttl_days={SEGMENT: 0})
    (row,) = rows(history.hear(active(A), received_at=NOON))
    assert row.expires_at is None
    assert _told(history.hear(active(at(5)), received_at=at(5))) == NOTHING


def test_the_exit_after_repeats_names_the_last_that_verified_it_not_the_first() -> None:
    history = History(default_ttl_days=1)
    history.hear(active(A), received_at=NOON)
    history.hear(active(at(1, 1)), received_at=at(1, 2))
    (exit_,) = history.hear(received_at=at(9)).changes
    assert (exit_.origin.offset, exit_.verified_at) == (1, at(1, 1))


def test_versions_rise_with_every_row_of_a_key_repeats_included() -> None:
    history = History()
    words = [active(A), active(at(1)), inactive(at(1, 1)), active(at(1, 2)), inactive(at(9))]
    versions = [rows(history.hear(word, received_at=NOON))[0].version for word in words]
    assert versions == sorted(set(versions))


def test_several_keys_of_one_event_share_a_version() -> None:
    story = History().hear(active(A, "1"), active(B, "2"), inactive(C, "3"), received_at=NOON)
    assert {row.version for row in rows(story)} == {change.version for change in story.changes} == {NOON}


def test_the_same_segment_twice_in_one_message_has_two_versions() -> None:
    story = History().hear(active(A), inactive(B), active(A, "other"), active(C), received_at=NOON)
    of_key = [row.version for row in rows(story) if row.segment_id == SEGMENT]
    assert [kind for _, kind, _ in told_changes(story)] == ["ENTERED", "EXITED", "ENTERED", "ENTERED"]
    assert of_key == sorted(set(of_key))


def test_an_exit_by_expiry_has_a_later_version_than_the_entry_of_the_same_message_for_any_repeat_in_it() -> None:
    #  over on day 2 ------ | received on day 9: the first word is over, the second is not
    story = History(default_ttl_days=1).hear(active(A), active(at(9)), received_at=at(9, 1))
    versions = [change.version for change in story.changes]
    assert told_changes(story) == [
        (SEGMENT, "ENTERED", "QUALIFIED"), (SEGMENT, "EXITED", "EXPIRED"), (SEGMENT, "ENTERED", "QUALIFIED"),
    ]  # fmt: skip
    assert versions == sorted(set(versions))


def test_destinations_are_independent() -> None:
    history = History()
    history.hear(active(A), received_at=NOON)
    other = history.hear(inactive(B), received_at=NOON, destination_id="424")
    assert _told(other) == ROW_ALONE
    assert rows(other)[0].destination_id == "424"
    assert _told(history.hear(active(C), received_at=NOON, client_id="9")) == ENTERED
    assert _told(history.hear(inactive(C), received_at=NOON)) == EXITED


def test_every_partner_id_of_the_user_is_named_whichever_was_active() -> None:
    history = History()
    history.hear(active(A), received_at=NOON, partner=Partner("phone", 20914))
    history.hear(received_at=NOON, partner=Partner("cookie", 12345), destination_id="424")
    story = history.hear(inactive(B), received_at=NOON)
    both = [Partner("phone", 20914), Partner("cookie", 12345)]
    assert rows(story)[0].partners == story.changes[0].partners == both


def test_what_was_told_keeps_the_partner_ids_of_then() -> None:
    history = History()
    told = history.hear(active(A), received_at=NOON, partner=Partner("phone", 20914))
    history.hear(received_at=NOON, partner=Partner("cookie", 12345))
    assert rows(told)[0].partners == [Partner("phone", 20914)]


def test_of_1001_partner_ids_the_first_is_gone() -> None:
    history = History()
    for number in range(1001):
        history.hear(received_at=NOON, partner=Partner(str(number), 1))
    (row,) = rows(history.hear(active(A), received_at=NOON))
    assert row.partners == [Partner(str(number), 1) for number in range(1, 1001)]


def test_the_last_regions_named_are_those_of_the_row() -> None:
    history = History()
    history.hear(received_at=NOON, regions=[9, 6])
    history.hear(received_at=NOON, regions=[3])
    assert rows(history.hear(active(A), received_at=NOON, regions=[]))[0].regions == [3]


def test_a_user_seen_without_segments_is_remembered() -> None:
    history = History()
    assert history.hear(received_at=NOON).stored
    assert not history.hear(received_at=NOON).stored
