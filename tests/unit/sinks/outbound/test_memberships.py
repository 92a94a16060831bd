"""Rows applied to a user's state."""

from schemas.event import Partner
from sinks.outbound.memberships import apply_row, apply_tombstone, drop_deleted
from sinks.outbound.state import UserState
from tests.support.outbound import DPID, NOW_MS, NOW_S, key_of, row, user_of

DAY_MS = 86_400_000


def at_s(user: UserState, segment_id: str = "1") -> tuple[bool, int]:
    segment = user.segments[segment_id]
    return segment.active, segment.at_s


def test_an_older_row_that_comes_again_changes_nothing() -> None:
    user = user_of(row("1", 2, "INACTIVE"), row("1", 1))
    assert at_s(user) == (False, NOW_S)


def test_an_exit_bears_the_time_of_the_exit_and_not_of_the_qualification() -> None:
    expired = row("1", 2, "INACTIVE", NOW_MS + DAY_MS, cause="EXPIRED", verified_at=NOW_MS)
    assert at_s(user_of(row("1", 1), expired)) == (False, NOW_S + DAY_MS // 1000)


def test_a_segment_that_is_entered_again_within_a_second_is_told_as_of_the_next() -> None:
    within = [row("1", 1), row("1", 2, "INACTIVE", NOW_MS + 100), row("1", 3, "ACTIVE", NOW_MS + 900)]
    assert at_s(user_of(*within)) == (True, NOW_S + 1)
    assert at_s(user_of(*within[:2])) == (False, NOW_S)


def test_a_user_is_in_a_segment_while_any_of_its_destinations_says_so() -> None:
    user = user_of(row("1", 1), row("1", 2, destination_id="other"), row("1", 3, "INACTIVE", NOW_MS + 5000))
    assert at_s(user) == (True, NOW_S)
    apply_row(user, row("1", 4, "INACTIVE", NOW_MS + 2000, destination_id="other"), DPID)
    assert at_s(user) == (False, NOW_S + 2)


def test_only_ids_of_the_destinations_data_source_are_kept_and_the_newest_row_says_which() -> None:
    partners = [Partner("b", DPID), Partner("c", None), Partner("d", 20915)]
    user = user_of(row("1", 1, partners=[Partner("a", DPID)]), row("2", 2, partners=partners, regions=[3]))
    assert (user.partners, user.regions) == (["b"], [3])
    nobody = UserState()
    apply_row(nobody, row("1", 1, partners=partners), None)
    assert nobody.partners == ["c"]


def test_a_deleted_row_is_forgotten_once_it_was_told() -> None:
    user = user_of(row("1", 1, "INACTIVE"), row("2", 2))
    apply_tombstone(user, key_of(row("1", 1)))
    assert at_s(user) == (False, NOW_S)
    drop_deleted(user)
    assert list(user.segments) == ["2"]


def test_a_deleted_row_that_was_active_counts_as_left_a_second_after_what_is_known() -> None:
    user = user_of(row("1", 1))
    apply_tombstone(user, key_of(row("1", 1)))
    assert at_s(user) == (False, NOW_S + 1)


def test_a_deleted_row_of_which_nothing_is_known_is_passed_over() -> None:
    user = user_of(row("1", 1))
    apply_tombstone(user, key_of(row("1", 1, destination_id="other")))
    apply_tombstone(user, key_of(row("2", 1)))
    assert at_s(user) == (True, NOW_S)
