"""How memberships end without being told so."""

import pytest

from processors.rules.departure import expire, next_due
from processors.rules.state import NEVER, UserState
from processors.rules.story import Story
from schemas.event import Partner
from schemas.membership import Previous, SegmentMembership, SegmentMembershipChange
from tests.support.events import SEGMENT, USER, History, active, at, inactive, partner, rows, told_changes, told_rows

EXPIRED = [(SEGMENT, "EXITED", "EXPIRED")]


def _pass_time(history: History, now_ms: int) -> Story:
    story = Story(history.user, USER)
    expire(story, now_ms, history.limits)
    return story


#   day 0             day 1             day 2
#   |--- 1h ----------|-----------------| out, 47 h after
#        entered      clock starts      exits: not a millisecond before
@pytest.mark.parametrize(("now_ms", "told"), [(at(2) - 1, []), (at(2), EXPIRED), (at(400), EXPIRED)])
def test_a_membership_ends_at_the_midnight_of_its_time_to_live_and_never_early(
    now_ms: int, told: list[tuple[str, str, str]]
) -> None:
    history = History(default_ttl_days=1, inactivity_days=1000)
    history.hear(active(at(0, 1)), received_at=at(0, 2))
    assert told_changes(_pass_time(history, now_ms)) == told


def test_an_expiry_names_when_it_was_due_however_late_it_is_noticed() -> None:
    history = History(default_ttl_days=1, inactivity_days=1000)
    history.hear(active(at(0, 1)), received_at=at(0, 2), partner=partner(), regions=[9])
    story = _pass_time(history, at(9, 7))
    (row,), (change,) = rows(story), story.changes
    assert (row.status, row.cause, row.since, row.verified_at) == ("INACTIVE", "EXPIRED", at(2), at(0, 1))
    assert (row.expires_at, row.partners, row.regions) == (None, [partner()], [9])
    assert (change.previous, change.changed_at, change.origin.offset) == (Previous("ACTIVE", at(0, 1)), at(2), 0)
    assert row.version == change.version > rows(history.stories[0])[0].version


def test_a_requalification_restarts_the_clock() -> None:
    history = History(default_ttl_days=1)
    history.hear(active(at(0, 1)), received_at=at(0, 2))
    history.hear(active(at(1, 1)), received_at=at(1, 2))
    assert _pass_time(history, at(3) - 1).changes == []
    assert told_changes(_pass_time(history, at(3))) == EXPIRED


def test_a_membership_of_0_days_never_ends_by_time() -> None:
    history = History(default_ttl_days=0, inactivity_days=36_500)
    history.hear(active(at(0)), received_at=at(0))
    assert _pass_time(history, at(36_000)).changes == []


def test_a_membership_that_was_left_does_not_end_again() -> None:
    history = History(default_ttl_days=1)
    history.hear(active(at(0)), inactive(at(0, 1)), received_at=at(0, 2))
    assert _pass_time(history, at(5)).rows == []


def test_what_ended_is_not_told_twice() -> None:
    history = History(default_ttl_days=1)
    history.hear(active(at(0)), received_at=at(0))
    assert len(_pass_time(history, at(2)).changes) == 1
    assert _pass_time(history, at(2)).changes == []


#          received: day 0                               day 9
#   short  |-- entered --| day 2: due                    |
#   word                                                 | Status 0: already out, so no second exit
def test_what_was_due_before_a_message_came_happens_before_it() -> None:
    history = History(default_ttl_days=1)
    history.hear(active(at(0)), received_at=at(0))
    story = history.hear(inactive(at(8)), received_at=at(9))
    assert told_changes(story) == EXPIRED
    assert story.changes[0].changed_at == at(2)
    again = history.hear(active(at(9)), received_at=at(9, 1))
    assert again.changes[0].previous == Previous("INACTIVE", at(2))


def test_an_expiry_due_at_the_very_time_of_the_message_comes_first() -> None:
    history = History(default_ttl_days=1)
    history.hear(active(at(0)), received_at=at(0))
    story = history.hear(active(at(2)), received_at=at(2))
    assert [change for _, change, _ in told_changes(story)] == ["EXITED", "ENTERED"]


def test_a_message_received_before_the_expiry_keeps_the_membership_however_late_it_is_processed() -> None:
    history = History(default_ttl_days=1)
    history.hear(active(at(0)), received_at=at(0))
    story = history.hear(active(at(1)), received_at=at(2) - 1)
    assert told_changes(story) == []
    assert rows(story)[0].expires_at == at(3)


def test_several_expiries_happen_in_the_order_of_their_time() -> None:
    history = History(default_ttl_days=9, ttl_days={"2nd": 2, "1st": 1, "3rd": 3}, inactivity_days=1000)
    history.hear(*(active(at(0), name) for name in ("3rd", "1st", "usual", "2nd")), received_at=at(0))
    story = history.hear(received_at=at(8))
    assert [(change.segment_id, change.changed_at) for change in story.changes] == [
        ("1st", at(2)), ("2nd", at(3)), ("3rd", at(4)),
    ]  # fmt: skip
    versions = [change.version for change in story.changes]
    assert versions == sorted(set(versions))


#   day 0                         day 9
#   DateTime | 2 days to live |   received
def test_a_qualification_that_is_over_when_it_comes_is_told_whole() -> None:
    history = History(default_ttl_days=1)
    story = history.hear(active(at(0)), received_at=at(9))
    entered, exited = story.changes
    (row,) = rows(story)
    assert [entered.change, exited.change] == ["ENTERED", "EXITED"]
    assert (entered.cause, entered.since, entered.expires_at) == ("QUALIFIED", at(0), at(2))
    assert (exited.cause, exited.since, exited.previous) == ("EXPIRED", at(2), Previous("ACTIVE", at(0)))
    assert (row.status, row.cause, row.since, row.expires_at) == ("INACTIVE", "EXPIRED", at(2), None)
    assert entered.version < exited.version == row.version
    assert entered.origin == exited.origin


def test_a_qualification_that_is_over_at_the_very_time_it_comes_is_over() -> None:
    assert [
        len(History(default_ttl_days=1).hear(active(at(0)), received_at=ms).changes) for ms in (at(2) - 1, at(2))
    ] == [1, 2]


# -- inactivity -------------------------------------------------------------------------------------------------------


def _seen_on_day_0(**limits: int) -> History:
    history = History(**{"default_ttl_days": 0, "inactivity_days": 5, **limits})
    history.hear(active(at(0), "in"), inactive(at(0), "never-in"), received_at=at(0, 12), partner=Partner("a", 1))
    history.hear(active(at(0), "in"), received_at=at(0, 13), destination_id="424", partner=Partner("b", 1))
    return history


#   day 0     1     2     3     4     5     6
#   |seen-----|-----|-----|-----|-----|-----| removed: five days after the day last seen
@pytest.mark.parametrize(("now_ms", "removed"), [(at(6) - 1, False), (at(6), True), (at(9), True)])
def test_an_unseen_user_is_removed_a_whole_number_of_days_later(now_ms: int, removed: bool) -> None:
    history = _seen_on_day_0()
    assert bool(_pass_time(history, now_ms).rows) is removed


def test_the_removal_ends_every_membership_with_its_cause_and_names_every_partner_id() -> None:
    history = _seen_on_day_0()
    story = _pass_time(history, at(9))
    assert told_changes(story) == [("in", "EXITED", "INACTIVE_USER")] * 2
    assert told_rows(story) == [
        (name, "INACTIVE", "INACTIVE_USER") for name in ("in", "never-in", "in")
    ]  # fmt: skip
    everything: list[SegmentMembership | SegmentMembershipChange] = [*rows(story), *story.changes]
    for told in everything:
        assert (told.since, told.expires_at, told.partners) == (at(6), None, [Partner("a", 1), Partner("b", 1)])
    assert {change.changed_at for change in story.changes} == {at(6)}
    assert len({row.version for row in rows(story)}) == 1


def test_any_message_that_names_the_user_counts_as_seen() -> None:
    history = _seen_on_day_0()
    history.hear(received_at=at(3))
    history.hear(active(at(0), "in"), received_at=at(4))
    assert _pass_time(history, at(10) - 1).rows == []
    assert _pass_time(history, at(10)).rows != []


def test_an_expiry_before_the_removal_is_told_as_what_it_was_and_the_row_then_says_both_are_gone() -> None:
    history = _seen_on_day_0(default_ttl_days=1)
    story = _pass_time(history, at(9))
    assert told_changes(story) == [("in", "EXITED", "EXPIRED")] * 2
    assert [cause for _, _, cause in told_rows(story)] == ["EXPIRED"] * 2 + ["INACTIVE_USER"] * 3


def test_an_expiry_at_the_time_of_the_removal_comes_first() -> None:
    history = _seen_on_day_0(default_ttl_days=5)
    assert told_changes(_pass_time(history, at(6))) == [("in", "EXITED", "EXPIRED")] * 2


def test_after_the_removal_nothing_of_the_user_is_kept_but_when_it_was() -> None:
    history = _seen_on_day_0()
    _pass_time(history, at(9))
    user = history.user
    assert (user.destinations, user.partners, user.regions, user.topics, list(user.origins)) == ([], [], [], [], [])
    assert user.active == 0
    assert (user.removed_at, user.seen_day) == (at(6), 0)


@pytest.mark.parametrize(
    ("received_at", "verified_at"),
    [
        (at(5), at(0, 1)),
        (at(5), at(5)),  # a delayed message of before the removal
        (at(6), at(7)),  # a date ahead of its time, in a message that came before
        (at(12), at(6)),
        (at(12), at(2)),
    ],
)
def test_what_was_sent_before_the_removal_never_brings_the_user_back(received_at: int, verified_at: int) -> None:
    history = _seen_on_day_0()
    _pass_time(history, at(9))
    story = history.hear(active(verified_at, "in"), received_at=received_at, partner=Partner("c", 1), regions=[9])
    assert (story.rows, story.changes, story.stored) == ([], [], False)
    assert history.user.partners == []


def test_a_later_qualification_begins_a_new_membership_with_the_versions_still_rising() -> None:
    history = _seen_on_day_0()
    removal = _pass_time(history, at(9))
    story = history.hear(active(at(19), "in"), received_at=at(20), partner=Partner("c", 1))
    (row,), (change,) = rows(story), story.changes
    assert (row.status, row.since, row.partners) == ("ACTIVE", at(19), [Partner("c", 1)])
    assert (change.change, change.previous) == ("ENTERED", None)
    assert row.version > rows(removal)[0].version


def test_only_what_is_later_counts_of_a_message_after_the_removal() -> None:
    history = _seen_on_day_0()
    _pass_time(history, at(9))
    story = history.hear(active(at(1), "in"), active(at(19), "new"), received_at=at(20))
    assert told_changes(story) == [("new", "ENTERED", "QUALIFIED")]


def test_a_removal_due_before_a_message_came_happens_before_it() -> None:
    history = _seen_on_day_0()
    story = history.hear(active(at(20), "in"), received_at=at(20), partner=Partner("c", 1))
    assert told_changes(story) == [("in", "EXITED", "INACTIVE_USER")] * 2 + [("in", "ENTERED", "QUALIFIED")]
    assert [change.changed_at for change in story.changes] == [at(6), at(6), at(20)]
    versions = [row.version for row in rows(story) if row.destination_id == "423" and row.segment_id == "in"]
    assert versions == sorted(set(versions))


def test_versions_rise_across_a_removal_even_when_the_next_message_has_an_earlier_time() -> None:
    history = History(default_ttl_days=0, inactivity_days=5)
    first = history.hear(active(at(9)), received_at=at(0))
    gone = _pass_time(history, at(9))
    back = history.hear(active(at(10)), received_at=at(6) + 1)
    versions = [rows(story)[0].version for story in (first, gone, back)]
    assert versions == sorted(set(versions))


# -- when something is due --------------------------------------------------------------------------------------------


def test_nothing_is_due_for_a_user_of_whom_nothing_is_known() -> None:
    assert next_due(UserState(), History().limits) == NEVER


def test_the_next_thing_due_is_the_earliest_expiry_or_the_removal() -> None:
    history = History(default_ttl_days=2, ttl_days={"long": 50}, inactivity_days=10)
    history.hear(received_at=at(0))
    assert history.user.due_at == next_due(history.user, history.limits) == at(11)
    history.hear(active(at(0), "long"), active(at(0), "usual"), received_at=at(0))
    assert history.user.due_at == next_due(history.user, history.limits) == at(3)
    _pass_time(history, at(3))
    assert history.user.due_at == at(11)


def test_a_refresh_leaves_the_timer_where_it_is_and_the_timer_finds_the_later_time() -> None:
    history = History(default_ttl_days=1)
    history.hear(active(at(0)), received_at=at(0))
    history.hear(active(at(1)), received_at=at(1))
    assert history.user.due_at == at(2)
    assert _pass_time(history, at(2)).rows == []
    assert history.user.due_at == at(3)
