"""Removal on request, what follows it, and what never undoes it. Source: spec §3 (d); *What a row means*."""

import pytest

from processors.rules.departure import expire
from processors.rules.privacy import apply_privacy
from processors.rules.story import Story
from schemas.event import Origin
from schemas.membership import SegmentMembershipKey
from schemas.privacy import PrivacyRequest
from tests.support.events import (
    CLIENT,
    DESTINATION,
    USER,
    History,
    active,
    at,
    inactive,
    partner,
    rows,
    told_changes,
    told_rows,
)

REQUEST_ORIGIN = Origin("segment-events", 3, 77, 0)


def _known_user() -> History:
    history = History(tombstone_after_days=7, marker_days=30)
    history.hear(active(at(0), "in"), inactive(at(0), "never-in"), received_at=at(0), partner=partner("a", 1))
    history.hear(received_at=at(0), partner=partner("b", 2))
    return history


def _remove(history: History, at_ms: int) -> Story:
    request = PrivacyRequest(aam_uuid=USER, requested_at=at_ms, request_id="r")
    return apply_privacy(history.user, request, REQUEST_ORIGIN, history.limits)


def _pass_time(history: History, at_ms: int) -> Story:
    story = Story(history.user, USER)
    expire(story, at_ms, history.limits)
    return story


def test_every_membership_ends_with_the_cause_and_names_every_partner_id() -> None:
    story = _remove(_known_user(), at(1))
    assert told_changes(story) == [("in", "EXITED", "PRIVACY")]
    assert told_rows(story) == [("in", "INACTIVE", "PRIVACY"), ("never-in", "INACTIVE", "PRIVACY")]
    assert all(row.partners == [partner("a", 1), partner("b", 2)] and row.since == at(1) for row in rows(story))
    assert (story.changes[0].since, story.changes[0].changed_at, story.changes[0].origin) == (
        at(1),
        at(1),
        REQUEST_ORIGIN,
    )


def test_the_state_goes_but_for_when_and_what_is_to_be_deleted() -> None:
    history = _known_user()
    story = _remove(history, at(1))
    assert (history.user.destinations, history.user.partners, history.user.alive) == ([], [], False)
    assert history.user.removed_at == at(1)
    assert story.unsynced == [partner("a", 1), partner("b", 2)]


def test_what_was_due_before_the_request_happens_before_it() -> None:
    history = History(default_ttl_days=1)
    history.hear(active(at(0)), received_at=at(0))
    assert told_changes(_remove(history, at(5))) == [("14356", "EXITED", "EXPIRED")]


@pytest.mark.parametrize("repeated_at", [at(1), at(0.5)])
def test_a_request_no_later_than_the_last_changes_nothing(repeated_at: int) -> None:
    history = _known_user()
    _remove(history, at(1))
    story = _remove(history, repeated_at)
    assert (story.rows, story.changes, story.stored) == ([], [], False)


def test_a_message_of_before_the_request_does_not_bring_the_user_back() -> None:
    history = _known_user()
    _remove(history, at(1))
    story = history.hear(active(at(0.9)), received_at=at(2), partner=partner("a", 1))
    assert (story.rows, story.changes, story.stored) == ([], [], False)
    assert not history.user.alive


def test_a_later_qualification_starts_anew_with_a_higher_version() -> None:
    history = _known_user()
    removal = _remove(history, at(1))
    story = history.hear(active(at(2), "in"), received_at=at(2))
    assert told_changes(story) == [("in", "ENTERED", "QUALIFIED")]
    assert story.changes[0].previous is None
    assert story.changes[0].version > removal.changes[0].version


def test_rows_are_deleted_after_the_configured_days_and_not_before() -> None:
    history = _known_user()
    _remove(history, at(1))
    assert _pass_time(history, at(8) - 1).rows == []
    deleted = [SegmentMembershipKey(CLIENT, DESTINATION, USER, segment_id) for segment_id in ("in", "never-in")]
    assert _pass_time(history, at(8)).rows == deleted


def test_a_row_that_lives_again_is_not_deleted() -> None:
    history = _known_user()
    _remove(history, at(1))
    history.hear(active(at(2), "in"), received_at=at(2))
    assert _pass_time(history, at(8)).rows == [SegmentMembershipKey(CLIENT, DESTINATION, USER, "never-in")]


def test_two_removals_delete_a_row_once() -> None:
    history = _known_user()
    _remove(history, at(1))
    history.hear(active(at(2), "in"), received_at=at(2))
    _remove(history, at(3))
    keys = [row for row in _pass_time(history, at(11)).rows if isinstance(row, SegmentMembershipKey)]
    assert sorted(key.segment_id for key in keys) == ["in", "never-in"]


def test_at_once_means_the_rows_first_and_then_their_deletion() -> None:
    history = History(tombstone_after_days=0)
    history.hear(active(at(0), "in"), received_at=at(0))
    _remove(history, at(1))
    assert history.user.due_at == at(1)
    assert _pass_time(history, at(1)).rows == [SegmentMembershipKey(CLIENT, DESTINATION, USER, "in")]


def test_the_marker_of_a_removal_ends_and_then_nothing_is_left() -> None:
    history = _known_user()
    _remove(history, at(1))
    _pass_time(history, at(8))
    assert history.user.due_at == at(31)
    _pass_time(history, at(31) - 1)
    assert not history.user.blank
    _pass_time(history, at(31))
    assert history.user.blank


def test_the_marker_of_a_user_who_is_back_stays() -> None:
    history = _known_user()
    _remove(history, at(1))
    history.hear(active(at(2), "in"), received_at=at(2))
    _pass_time(history, at(40))
    assert history.user.removed_at == at(1)


def test_a_removal_of_a_user_nobody_knows_is_remembered() -> None:
    history = History()
    story = _remove(history, at(1))
    assert (story.rows, story.changes, story.stored) == ([], [], True)
    assert history.hear(active(at(0)), received_at=at(1)).rows == []


@pytest.mark.parametrize("at_once", [True, False])
def test_rows_are_deleted_before_another_removal_however_late_that_is_noticed(at_once: bool) -> None:
    """Removed, back with one segment, then unseen: the other row is deleted in its turn, not after the second."""
    history = History(tombstone_after_days=7, marker_days=30, inactivity_days=10, default_ttl_days=0)
    history.hear(active(at(0), "left"), active(at(0), "kept"), received_at=at(0))
    _remove(history, at(1))
    history.hear(active(at(2), "kept"), received_at=at(2))
    in_time = _pass_time(history, at(8)).rows if at_once else []
    late = _pass_time(history, at(13))
    told = [*in_time, *late.rows]
    left = SegmentMembershipKey(CLIENT, DESTINATION, USER, "left")
    assert [row for row in told if isinstance(row, SegmentMembershipKey)] == [left]
    assert told_rows(late) == [("kept", "INACTIVE", "INACTIVE_USER")]
    assert told.index(left) == 0
    assert history.user.tombstone_at == at(20)
