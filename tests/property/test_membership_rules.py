"""The rules of a membership, held against an independent reading of the specification, on random histories."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from hypothesis import given, target
from hypothesis import strategies as st

from processors.rules.departure import expire
from processors.rules.expiry import TimeLimits
from processors.rules.membership import apply_event
from processors.rules.present import present_rows
from processors.rules.state import UserState
from processors.rules.state_codec import decode_state, encode_state
from processors.rules.story import Story
from schemas.event import Origin, Partner, SegmentEvent, SegmentStatus
from schemas.membership import SegmentMembership, SegmentMembershipChange
from tests.support.events import DAY_0, DAY_MS, HOUR_MS, USER, event
from tests.support.oracle import Key, Oracle, change_of, changes_by_key, row_of, rows_by_key
from tests.support.outbound import key_of

SEGMENTS = ("short", "for-ever", "usual")
LIMITS = TimeLimits(default_ttl_days=9, ttl_days={"short": 1, "for-ever": 0}, inactivity_days=6)
YEARS = TimeLimits(default_ttl_days=120, ttl_days={"short": 7, "for-ever": 0}, inactivity_days=120)

_OF_A_DAY_MS = st.sampled_from([0, 1000, HOUR_MS, 12 * HOUR_MS, DAY_MS - 1000, DAY_MS - 1])


@st.composite
def times(draw: st.DrawFn, days: int) -> int:
    """Some time of a day: midnights and their neighbours often."""
    return DAY_0 + draw(st.integers(0, days)) * DAY_MS + draw(_OF_A_DAY_MS)


@st.composite
def events(draw: st.DrawFn, days: int, *, back_days: int, ahead_days: int = 0) -> SegmentEvent:
    """A message about the user; what it says was verified up to `back_days` before it came."""
    received_at = draw(times(days))
    verified = st.integers(-ahead_days, back_days).flatmap(
        lambda back: _OF_A_DAY_MS.map(lambda of_day: received_at // DAY_MS * DAY_MS - back * DAY_MS + of_day)
    )
    segments = st.builds(
        SegmentStatus, st.sampled_from(SEGMENTS), st.sampled_from(["ACTIVE", "ACTIVE", "INACTIVE"]), verified
    )
    return event(
        *draw(st.lists(segments, max_size=4)),
        received_at=received_at,
        destination_id=draw(st.sampled_from(["423", "424"])),
        partner=draw(st.sampled_from([None, Partner("a", 1), Partner("b", None)])),
        regions=draw(st.sampled_from([[], [9], [4, 6]])),
        origin=Origin("aam-posts", draw(st.integers(0, 2)), draw(st.integers(0, 9999)), 0),
    )


def histories(
    days: int, *, back_days: int = 4, ahead_days: int = 0, size: int = 25
) -> st.SearchStrategy[list[SegmentEvent]]:
    return st.lists(events(days, back_days=back_days, ahead_days=ahead_days), min_size=1, max_size=size)


def by_arrival(history: Iterable[SegmentEvent]) -> list[SegmentEvent]:
    return sorted(history, key=lambda told: told.received_at)


class Published:
    """Everything that the rules publish of the one user."""

    def __init__(self, limits: TimeLimits) -> None:
        self.limits = limits
        self.user = UserState()
        self.rows: list[SegmentMembership] = []
        self.changes: list[SegmentMembershipChange] = []

    def hear(self, told: SegmentEvent) -> Story:
        return self._take(apply_event(self.user, told, self.limits))

    def hear_all(self, history: Iterable[SegmentEvent]) -> "Published":
        for told in history:
            self.hear(told)
        return self

    def pass_time(self, now_ms: int) -> None:
        """Fire the user's timer where it is due, as the processor does."""
        if self.user.due_at <= now_ms:
            story = Story(self.user, USER)
            expire(story, now_ms, self.limits)
            self._take(story)

    def memberships(self) -> dict[tuple[str, str], tuple[bool, int]]:
        return {
            (destination.destination_id, name): (destination.active(position), destination.verified_at(position))
            for destination in self.user.destinations
            for position, name in enumerate(destination.segment_ids)
        }

    def _take(self, story: Story) -> Story:
        # What is kept goes through its stored form between any two events.
        self.user = decode_state(encode_state(self.user))
        self.rows += [row for row in story.rows if isinstance(row, SegmentMembership)]
        self.changes += story.changes
        return story


def _oracle(limits: TimeLimits) -> Oracle:
    return Oracle(
        default_ttl_days=limits.default_ttl_days, inactivity_days=limits.inactivity_days, ttl_days=limits.ttl_days
    )


def _agree(history: Sequence[SegmentEvent], limits: TimeLimits, end_ms: int) -> None:
    published, oracle = Published(limits), _oracle(limits)
    for told in history:
        published.hear(told)
        oracle.hear(told)
    published.pass_time(end_ms)
    oracle.pass_time(USER, end_ms)
    target(len({change.row.cause for change in oracle.changes}), label="causes")
    # Key by key: nothing is promised of the order between keys.
    assert rows_by_key(map(row_of, published.rows)) == rows_by_key(oracle.rows)
    assert changes_by_key(map(change_of, published.changes)) == changes_by_key(oracle.changes)


@given(histories(30, back_days=9, ahead_days=1))
def test_what_is_published_is_what_the_specification_says(history: list[SegmentEvent]) -> None:
    _agree(by_arrival(history), LIMITS, DAY_0 + 60 * DAY_MS)


@given(histories(30, back_days=9, ahead_days=1))
def test_so_it_is_whatever_the_order_of_arrival(history: list[SegmentEvent]) -> None:
    _agree(history, LIMITS, DAY_0 + 60 * DAY_MS)


@given(histories(3 * 365, back_days=20))
def test_so_it_is_over_years_with_the_usual_limits(history: list[SegmentEvent]) -> None:
    _agree(by_arrival(history), YEARS, DAY_0 + 5 * 365 * DAY_MS)


@given(st.data())
def test_any_order_and_any_repetition_give_the_same_memberships(data: st.DataObject) -> None:
    # Within the time after which an unseen user is removed: a removal is something that happened in between.
    history = data.draw(histories(LIMITS.inactivity_days - 1))
    repeated = history + data.draw(st.lists(st.sampled_from(history), max_size=15))
    shuffled = data.draw(st.permutations(repeated))
    end_ms = max(told.received_at for told in history) + data.draw(st.integers(0, 6)) * HOUR_MS
    straight, mixed = Published(LIMITS).hear_all(history), Published(LIMITS).hear_all(shuffled)
    straight.pass_time(end_ms)
    mixed.pass_time(end_ms)
    assert straight.memberships() == mixed.memberships()
    assert straight.memberships() == _last_writers(history, end_ms)


def _last_writers(history: list[SegmentEvent], end_ms: int) -> dict[tuple[str, str], tuple[bool, int]]:
    """The strongest word about each membership: the latest, and of two at the same time Status 0."""
    strongest: dict[tuple[str, str], tuple[int, bool]] = {}
    for told in history:
        for word in told.segments:
            key = (told.destination_id, word.segment_id)
            strongest[key] = max(strongest.get(key, (0, False)), (word.verified_at, word.status == "INACTIVE"))
    result = {}
    for (destination, name), (verified_at, left) in strongest.items():
        expires_at = LIMITS.expires_at(name, verified_at)
        lives = expires_at is None or expires_at > end_ms
        result[destination, name] = (lives and not left, verified_at)
    return result


@given(st.data())
def test_the_story_is_the_same_however_often_timers_fire_between_messages(data: st.DataObject) -> None:
    history = by_arrival(data.draw(histories(30, back_days=9)))
    end_ms = DAY_0 + 60 * DAY_MS
    never = Published(LIMITS).hear_all(history)
    often = Published(LIMITS)
    for told, following in pairwise([*history, None]):
        assert told is not None
        often.hear(told)
        until = end_ms if following is None else following.received_at
        for now_ms in sorted(data.draw(st.lists(st.integers(told.received_at, until), max_size=3))):
            often.pass_time(now_ms)
    never.pass_time(end_ms)
    often.pass_time(end_ms)
    assert often.changes == never.changes
    assert often.rows == never.rows


@given(histories(40, back_days=9, ahead_days=1))
def test_the_changes_of_a_key_alternate_and_chain_and_their_versions_rise(history: list[SegmentEvent]) -> None:
    published = Published(LIMITS).hear_all(history)
    published.pass_time(DAY_0 + 80 * DAY_MS)
    rows: dict[Key, list[SegmentMembership]] = {}
    changes: dict[Key, list[SegmentMembershipChange]] = {}
    for row in published.rows:
        rows.setdefault(row_of(row).key, []).append(row)
    for change in published.changes:
        changes.setdefault(row_of(change).key, []).append(change)
    for of_key in rows.values():
        assert all(earlier.version < later.version for earlier, later in pairwise(of_key))
    for key, log in changes.items():
        assert [change.change for change in log] == [("ENTERED", "EXITED")[n % 2] for n in range(len(log))]
        assert all(earlier.version < later.version for earlier, later in pairwise(log))
        _check_chain(rows[key], log)
        last = rows[key][-1]
        assert (last.status, last.version >= log[-1].version) == (log[-1].status, True)


def _check_chain(rows: list[SegmentMembership], log: list[SegmentMembershipChange]) -> None:
    """Each change names what was before it: the change before, a row that was no change, or nothing."""
    told = sorted([(row.version, row.status, row.since, row.cause) for row in rows])
    for earlier, later in pairwise([None, *log]):
        assert later is not None
        known: tuple[str, int] | None = None if earlier is None else (earlier.status, earlier.since)
        for version, status, since, cause in told:
            if version < later.version and (earlier is None or version >= earlier.version):
                known = None if cause == "INACTIVE_USER" else (status, since)
        if earlier is not None and later.change == "EXITED":
            known = (earlier.status, earlier.since)
        previous = None if later.previous is None else (later.previous.status, later.previous.since)
        assert previous == known


@given(histories(30, back_days=9, ahead_days=1))
def test_the_same_message_again_publishes_nothing_and_stores_nothing(history: list[SegmentEvent]) -> None:
    published = Published(LIMITS)
    for told in history:
        published.hear(told)
        again = published.hear(told)
        assert (again.rows, again.changes, again.stored) == ([], [], False)


@given(histories(30, back_days=9, ahead_days=1))
def test_rows_of_the_present_are_the_last_that_were_published(history: list[SegmentEvent]) -> None:
    published = Published(LIMITS).hear_all(by_arrival(history))
    present = {key_of(told): told for told in _present(published)}
    last = {key_of(row): row for row in published.rows}
    assert present.keys() == {key for key, row in last.items() if row.status == "ACTIVE"}
    for key, row in present.items():
        was = last[key]
        assert (row.status, row.since, row.expires_at, row.cause) == (was.status, was.since, was.expires_at, was.cause)
        # A repeat is not published, unless the membership lasts longer by it; nor are partner IDs by themselves.
        assert row.verified_at >= was.verified_at
        assert max(each.version for each in published.rows) == row.version


def _present(published: Published) -> list[SegmentMembership]:
    return [told.row(USER) for told in present_rows(published.user, published.limits)]
