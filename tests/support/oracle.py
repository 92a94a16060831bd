"""What a reader of the specification expects to be published: written apart from the rules, and simple, not quick.

It keeps whole histories, counts time in calendar dates, and knows nothing of stored states, timers or versions.
Source: wire format, sections 2 and 3; interfaces, *What a row means*.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from schemas.event import Origin, Partner, SegmentEvent, SegmentStatus
from schemas.membership import SegmentMembership, SegmentMembershipChange

PARTNERS_MAX = 1000


class Key(NamedTuple):
    """Which membership."""

    client_id: str
    destination_id: str
    aam_uuid: str
    segment_id: str


class Row(NamedTuple):
    """A published row without its version."""

    key: Key
    status: str
    since: int
    verified_at: int
    expires_at: int | None
    cause: str
    partners: tuple[Partner, ...]
    regions: tuple[int, ...]


class Change(NamedTuple):
    """A published change without its version."""

    row: Row
    change: str
    previous: tuple[str, int] | None
    changed_at: int
    origin: Origin


def row_of(published: SegmentMembership | SegmentMembershipChange) -> Row:
    """Return what is compared of a row or of the row in a change."""
    key = Key(published.client_id, published.destination_id, published.aam_uuid, published.segment_id)
    return Row(
        key, published.status, published.since, published.verified_at, published.expires_at, published.cause,
        tuple(published.partners), tuple(published.regions),
    )  # fmt: skip


def change_of(published: SegmentMembershipChange) -> Change:
    """Return what is compared of a change."""
    previous = None if published.previous is None else (published.previous.status, published.previous.since)
    return Change(row_of(published), published.change, previous, published.changed_at, published.origin)


def rows_by_key(rows: Iterable[Row]) -> dict[Key, list[Row]]:
    """Return the rows of each key, in order."""
    found: dict[Key, list[Row]] = {}
    for row in rows:
        found.setdefault(row.key, []).append(row)
    return found


def changes_by_key(changes: Iterable[Change]) -> dict[Key, list[Change]]:
    """Return the changes of each key, in order."""
    found: dict[Key, list[Change]] = {}
    for change in changes:
        found.setdefault(change.row.key, []).append(change)
    return found


@dataclass
class _Membership:
    """`since` is None until something was published."""

    verified_at: int
    origin: Origin
    status: str = "INACTIVE"
    since: int | None = None


@dataclass
class User:
    """What is remembered of a user."""

    memberships: dict[Key, _Membership] = field(default_factory=dict)
    partners: list[Partner] = field(default_factory=list)
    regions: tuple[int, ...] = ()
    seen: date | None = None
    removed_at: int | None = None


class Oracle:
    """Hears events in the order in which they are processed, and says what has to be published."""

    def __init__(self, *, default_ttl_days: int, inactivity_days: int, ttl_days: Mapping[str, int]) -> None:
        self._default_ttl_days = default_ttl_days
        self._inactivity_days = inactivity_days
        self._ttl_days = ttl_days
        self._users: dict[str, User] = {}
        self.rows: list[Row] = []
        self.changes: list[Change] = []

    def hear_all(self, events: Iterable[SegmentEvent]) -> None:
        for event in events:
            self.hear(event)

    def hear(self, event: SegmentEvent) -> None:
        user = self._users.setdefault(event.aam_uuid, User())
        self.pass_time(event.aam_uuid, event.received_at)
        removed_at = user.removed_at
        segments = event.segments
        if removed_at is not None:
            segments = [said for said in segments if said.verified_at > removed_at]
            if event.received_at <= removed_at or (event.segments and not segments):
                return
        seen = _date(event.received_at)
        user.seen = seen if user.seen is None else max(seen, user.seen)
        if event.partner is not None and event.partner not in user.partners:
            user.partners.append(event.partner)
            if len(user.partners) > PARTNERS_MAX:
                user.partners.pop(0)
        if event.regions:
            user.regions = tuple(event.regions)
        for said in segments:
            self._hear_segment(user, event, said)

    def pass_time(self, aam_uuid: str, now_ms: int) -> None:
        """Let happen what is due for a user by `now_ms`, the earliest first."""
        user = self._users.setdefault(aam_uuid, User())
        while True:
            ends = []
            for key, known in user.memberships.items():
                expires_at = self._expires_at(key.segment_id, known.verified_at)
                if known.status == "ACTIVE" and expires_at is not None:
                    ends.append((expires_at, 0, key))
            if user.seen is not None:
                gone = _midnight(user.seen + timedelta(days=1 + self._inactivity_days))
                ends.append((gone, 1, Key("", "", "", "")))
            due = [end for end in ends if end[0] <= now_ms]
            if not due:
                return
            at_ms, is_removal, key = min(due)
            if is_removal:
                self._remove(user, at_ms)
            else:
                self._turn(user, key, "EXPIRED", since=at_ms, changed_at=at_ms)
                self._publish(user, key, "EXPIRED")

    def last_rows(self) -> dict[Key, Row]:
        """Return the last row of each key."""
        return {row.key: row for row in self.rows}

    def _hear_segment(self, user: User, event: SegmentEvent, said: SegmentStatus) -> None:
        key = Key(event.client_id, event.destination_id, event.aam_uuid, said.segment_id)
        known = user.memberships.get(key)
        if known is None:
            known = user.memberships[key] = _Membership(said.verified_at, event.origin)
        elif not _wins(said, known):
            return
        before = self._expires_at(said.segment_id, known.verified_at)
        known.verified_at = said.verified_at
        expires_at = self._expires_at(said.segment_id, said.verified_at)
        if said.status == "INACTIVE":
            self._hear_inactive(user, key, event)
        elif known.status == "ACTIVE":
            known.origin = event.origin
            if before != expires_at:
                self._publish(user, key, "QUALIFIED")
        else:
            known.origin = event.origin
            self._turn(user, key, "QUALIFIED", since=said.verified_at, changed_at=event.received_at)
            cause = "QUALIFIED"
            if expires_at is not None and expires_at <= event.received_at:
                cause = "EXPIRED"
                self._turn(user, key, cause, since=expires_at, changed_at=event.received_at)
            self._publish(user, key, cause)

    def _hear_inactive(self, user: User, key: Key, event: SegmentEvent) -> None:
        known = user.memberships[key]
        if known.status == "ACTIVE":
            known.origin = event.origin
            self._turn(user, key, "DISQUALIFIED", since=known.verified_at, changed_at=event.received_at)
            self._publish(user, key, "DISQUALIFIED")
        elif known.since is None:
            known.since = known.verified_at
            self._publish(user, key, "DISQUALIFIED")

    def _remove(self, user: User, at_ms: int) -> None:
        for key, known in user.memberships.items():
            if known.status == "ACTIVE":
                self._turn(user, key, "INACTIVE_USER", since=at_ms, changed_at=at_ms)
            known.since = at_ms
            self._publish(user, key, "INACTIVE_USER")
        user.memberships, user.partners, user.regions, user.seen = {}, [], (), None
        user.removed_at = at_ms

    def _turn(self, user: User, key: Key, cause: str, *, since: int, changed_at: int) -> None:
        known = user.memberships[key]
        previous = None if known.since is None else (known.status, known.since)
        known.status = "ACTIVE" if cause == "QUALIFIED" else "INACTIVE"
        known.since = since
        change = "ENTERED" if cause == "QUALIFIED" else "EXITED"
        self.changes.append(Change(self._row(user, key, cause), change, previous, changed_at, known.origin))

    def _publish(self, user: User, key: Key, cause: str) -> None:
        self.rows.append(self._row(user, key, cause))

    def _row(self, user: User, key: Key, cause: str) -> Row:
        known = user.memberships[key]
        assert known.since is not None
        expires_at = self._expires_at(key.segment_id, known.verified_at) if known.status == "ACTIVE" else None
        return Row(
            key, known.status, known.since, known.verified_at, expires_at, cause, tuple(user.partners), user.regions
        )  # fmt: skip

    def _expires_at(self, segment_id: str, verified_at: int) -> int | None:
        """The clock starts at the next UTC midnight after the qualification, and runs N x 24 h."""
        days = self._ttl_days.get(segment_id, self._default_ttl_days)
        return None if days == 0 else _midnight(_date(verified_at) + timedelta(days=1 + days))


def _wins(said: SegmentStatus, known: _Membership) -> bool:
    """The later word wins; of two of the same time Status 0."""
    if said.verified_at == known.verified_at:
        return said.status == "INACTIVE" and known.status == "ACTIVE"
    return said.verified_at > known.verified_at


def _date(at_ms: int) -> date:
    return datetime.fromtimestamp(at_ms / 1000, UTC).date()


def _midnight(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp()) * 1000
