"""The five sending rules, each with its negation. Source: wire format, section 6."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from schemas.event import Partner
from sinks.outbound.mapping import Mapping
from sinks.outbound.memberships import apply_row, apply_tombstone
from sinks.outbound.rules import Decision, Mode, batch_due_ms, decide, settle
from sinks.outbound.state import NEVER, UserState
from tests.support.outbound import DAY_MS, DPID, NOW_MS, NOW_S, key_of, mapping, row, user_of

BOTH = mapping(s1="one", s2="two")
ONE = mapping(s1="one")
LATER_MS = NOW_MS + 3 * DAY_MS


def told(user: UserState, by: Mapping = BOTH, at_ms: int = NOW_MS) -> UserState:
    """Return the user after the partner has acknowledged what there was to say."""
    decision = decide(user, by, at_ms, "realtime")
    assert decision is not None
    settle(user, decision, by, at_ms)
    return user


def sent(decision: Decision | None) -> dict[str, int]:
    """Return what is sent, as statuses by value."""
    return {} if decision is None else {entry.value: int(entry.active) for entry in decision.entries}


def seen(user: UserState, *rows: object) -> UserState:
    for each in rows:
        apply_row(user, each, DPID)  # type: ignore[arg-type]
    return user


def known() -> UserState:
    """A user in segment 1 and out of segment 2, of whom the partner knows all."""
    return told(user_of(row("1", 1), row("2", 2, "INACTIVE")))


class Case(NamedTuple):
    """What happened to a user, and what is sent for which reasons when the user is seen then."""

    name: str
    user: Callable[[], UserState]
    by: Mapping
    now_ms: int
    reasons: tuple[str, ...]
    sent: dict[str, int]


def new_partner(user: UserState) -> UserState:
    return seen(user, row("1", 9, partners=[Partner("cookie-1", DPID), Partner("cookie-2", DPID)]))


def foreign_partner(user: UserState) -> UserState:
    return seen(user, row("1", 9, partners=[Partner("cookie-1", DPID), Partner("IDFA", 20915)]))


CASES = [
    Case("1: a new segment", lambda: seen(known(), row("2", 3, at_ms=NOW_MS + 1000)), BOTH, NOW_MS,
         ("new-segment",), {"one": 1, "two": 1}),
    Case("1: a new segment leaves those out that were left before", lambda: seen(known(), row("3", 3)),
         mapping(s1="one", s2="two", s3="three"), NOW_MS, ("new-segment", "mapping-changed"), {"one": 1, "three": 1}),
    Case("1 not: a segment that is not mapped", lambda: seen(known(), row("3", 3)), BOTH, NOW_MS, (), {}),
    Case("1 not: the same segment again", lambda: seen(known(), row("1", 3, at_ms=NOW_MS + 9)), BOTH, NOW_MS, (), {}),
    Case("2: disqualified", lambda: seen(known(), row("1", 3, "INACTIVE")), BOTH, NOW_MS,
         ("disqualified",), {"one": 0, "two": 0}),
    Case("2: Status 0 for a segment never entered",
         lambda: seen(told(user_of(row("1", 1))), row("2", 3, "INACTIVE")), BOTH, NOW_MS,
         ("disqualified",), {"one": 1, "two": 0}),
    Case("2 not: disqualified again", lambda: seen(known(), row("2", 3, "INACTIVE")), BOTH, NOW_MS, (), {}),
    Case("2 not: disqualified from a segment that is not mapped", lambda: seen(known(), row("3", 3, "INACTIVE")), BOTH,
         NOW_MS, (), {}),
    Case("3: the mapping has another segment, which the user left", known, mapping(s1="one", s2="two", s3="three"),
         NOW_MS, ("mapping-changed",), {"one": 1}),
    Case("3: the mapping has another value", known, mapping(s1="uno", s2="two"), NOW_MS,
         ("new-segment", "mapping-changed"), {"uno": 1}),
    Case("3 not: the same mapping", known, mapping(s2="two", s1="one"), NOW_MS, (), {}),
    Case("4: another ID of the destination's data source", lambda: new_partner(known()), BOTH, NOW_MS,
         ("partners-changed",), {"one": 1}),
    Case("4 not: another ID of a foreign data source", lambda: foreign_partner(known()), BOTH, NOW_MS, (), {}),
    Case("5: nothing for three days", known, BOTH, LATER_MS, ("three-days",), {"one": 1}),
    Case("5 not: something less than three days ago", known, BOTH, LATER_MS - 1, (), {}),
    Case("nobody is told of a user in no mapped segment", lambda: user_of(row("3", 1)), BOTH, NOW_MS, (), {}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_five_rules_in_real_time(case: Case) -> None:
    decision = decide(case.user(), case.by, case.now_ms, "realtime")
    assert (() if decision is None else decision.reasons) == case.reasons
    assert sent(decision) == case.sent


def test_what_was_not_acknowledged_is_sent_again_when_the_user_is_seen() -> None:
    user = user_of(row("1", 1))
    first = decide(user, BOTH, NOW_MS, "realtime")
    assert first == decide(seen(user, row("3", 2)), BOTH, NOW_MS + 1, "realtime")


def test_who_was_told_of_a_user_hears_of_the_exit_though_the_mapping_has_ended() -> None:
    user = seen(told(user_of(row("1", 1))), row("1", 2, "INACTIVE", NOW_MS + 5000))
    assert sent(decide(user, mapping(s2="two"), NOW_MS + 5000, "realtime")) == {"one": 0}
    assert sent(decide(user, mapping(s1="uno"), NOW_MS + 5000, "realtime")) == {"uno": 0, "one": 0}


def test_a_segment_whose_mapping_has_ended_is_not_sent_while_the_user_is_in_it() -> None:
    user = seen(told(user_of(row("1", 1), row("2", 2))), row("1", 3, at_ms=NOW_MS + 1000))
    assert sent(decide(user, mapping(s2="two"), NOW_MS, "realtime")) == {"two": 1}


def test_an_exit_is_told_though_the_partner_is_not_known_to_have_heard_of_the_entry() -> None:
    """The process that told of the entry was killed before it could note that, and the exit came meanwhile."""
    user = seen(known(), row("2", 3, "ACTIVE", NOW_MS + 1000), row("2", 4, "INACTIVE", NOW_MS + 2000))
    assert sent(decide(user, BOTH, NOW_MS + 2000, "realtime")) == {"one": 1, "two": 0}


def test_two_segments_of_one_value_are_active_while_one_is() -> None:
    both = mapping(s1="x", s2="x")
    user = told(user_of(row("1", 1), row("2", 2)), both)
    assert decide(seen(user, row("1", 3, "INACTIVE", NOW_MS + 1000)), both, NOW_MS, "realtime") is None
    assert sent(decide(seen(user, row("2", 4, "INACTIVE", NOW_MS + 2000)), both, NOW_MS, "realtime")) == {"x": 0}


def test_a_value_never_goes_back_in_time_when_another_segment_stands_behind_it() -> None:
    user = told(user_of(row("1", 1, "INACTIVE", NOW_MS)), ONE)
    seen(user, row("2", 2, "ACTIVE", NOW_MS - 60_000))
    decision = decide(user, mapping(s1="one", s2="one"), NOW_MS, "realtime")
    assert decision is not None
    assert [(entry.active, entry.at_s) for entry in decision.entries] == [(True, NOW_S + 2)]


def test_a_row_that_was_deleted_unheard_is_told_as_an_exit_and_forgotten() -> None:
    user = told(user_of(row("1", 1)), ONE)
    apply_tombstone(user, key_of(row("1", 1)))
    decision = decide(user, ONE, NOW_MS + 7000, "realtime")
    assert decision is not None
    assert [(entry.value, entry.active, entry.at_s) for entry in decision.entries] == [("one", False, NOW_S + 1)]
    settle(user, decision, ONE, NOW_MS + 7000)
    assert user.blank


BATCH = [
    ("what changed alone", lambda: seen(known(), row("2", 3, at_ms=NOW_MS + 1000)), BOTH, NOW_MS, {"two": 1}),
    ("an exit alone", lambda: seen(told(user_of(row("1", 1), row("2", 2))), row("1", 3, "INACTIVE")), BOTH, NOW_MS,
     {"one": 0}),
    ("also what came back, as a kill may have cut off the telling of it",
     lambda: seen(known(), row("2", 3), row("2", 4, "INACTIVE")), BOTH, NOW_MS, {"two": 0}),
    ("nothing where nothing turned", lambda: seen(known(), row("1", 3, at_ms=NOW_MS + 9)), BOTH, NOW_MS, {}),
    ("everything to a new ID", lambda: new_partner(known()), BOTH, NOW_MS, {"one": 1}),
    ("everything after three days", known, BOTH, LATER_MS, {"one": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("user", "by", "now_ms", "expected"), [case[1:] for case in BATCH], ids=[c[0] for c in BATCH])
def test_a_batch_says(user: Callable[[], UserState], by: Mapping, now_ms: int, expected: dict[str, int]) -> None:
    assert sent(decide(user(), by, now_ms, "batch")) == expected


def test_a_batch_is_due_at_midnight_and_at_most_once_in_24_hours() -> None:
    midnight_ms = NOW_MS // DAY_MS * DAY_MS
    user = UserState()
    assert batch_due_ms(user, midnight_ms, news=True) == midnight_ms + DAY_MS
    assert batch_due_ms(user, midnight_ms + DAY_MS - 1, news=True) == midnight_ms + DAY_MS
    assert batch_due_ms(user, midnight_ms, news=False) == NEVER
    late = UserState(told_at=midnight_ms + 7000)
    assert batch_due_ms(late, midnight_ms + 8000, news=True) == midnight_ms + DAY_MS + 7000


def test_a_batch_that_is_due_is_not_put_off_by_more_news() -> None:
    user = UserState(due_at=NOW_MS)
    assert batch_due_ms(user, NOW_MS + DAY_MS, news=True) == NOW_MS


@pytest.mark.parametrize("mode", ["realtime", "batch"])
def test_what_was_acknowledged_is_no_news(mode: Mode) -> None:
    assert decide(known(), BOTH, NOW_MS + 1, mode) is None
