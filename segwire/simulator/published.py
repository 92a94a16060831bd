"""What the topics say, taken record by record in log order; each key's story is checked as it grows."""

import msgspec

from schemas.event import Status
from schemas.membership import Cause, SegmentMembership, SegmentMembershipChange
from segwire.simulator.differences import Difference
from segwire.simulator.model import Key


class Row(msgspec.Struct, frozen=True, gc=False):
    """What `segment-membership` says of a key now."""

    status: Status
    cause: Cause
    since: int
    version: int


class LastChange(msgspec.Struct, frozen=True, gc=False):
    """Where a key's change log stands. `seen` marks each change by the record and kind it came from."""

    status: Status
    since: int
    version: int
    seen: tuple[int, ...]


class Published:
    """Rows and changes of one client.

    `duplicates` and `gaps` hold what no later record can mend.
    """

    def __init__(self) -> None:
        """Start with nothing published."""
        self.rows: dict[Key, Row] = {}
        self.changes: dict[Key, LastChange] = {}
        self.duplicates = Difference()
        self.gaps = Difference()

    def take_row(self, key: Key, row: SegmentMembership | None) -> None:
        """Take a record of the compacted topic; None is a tombstone."""
        if row is None:
            self.rows.pop(key, None)
            return
        before = self.rows.get(key)
        if before is not None and row.version == before.version:
            self.duplicates.add(key, expected=f"one row of version {row.version}", got="a second")
        elif before is not None and row.version < before.version:
            self.gaps.add(key, expected=f"a row of a version above {before.version}", got=f"version {row.version}")
        self.rows[key] = Row(row.status, row.cause, row.since, row.version)

    def take_change(self, change: SegmentMembershipChange) -> None:
        """Take a record of the change log."""
        key = (change.destination_id, change.aam_uuid, change.segment_id)
        before = self.changes.get(key)
        mark = hash((change.change, change.origin.partition, change.origin.offset, change.origin.index))
        if before is not None and (change.version == before.version or mark in before.seen):
            self.duplicates.add(key, expected="each change once", got=f"{_named(change)} again")
            return
        if (expected := _follows(before, change)) is not None:
            self.gaps.add(key, expected=expected, got=_named(change))
        seen = (mark,) if before is None else (*before.seen, mark)
        version = change.version if before is None else max(change.version, before.version)
        self.changes[key] = LastChange(change.status, change.since, version, seen)


def _named(change: SegmentMembershipChange) -> str:
    before = change.previous
    previous = "nothing" if before is None else f"{before.status} since {before.since}"
    return f"{change.change} ({change.cause}) of version {change.version} after {previous}"


def _follows(before: LastChange | None, change: SegmentMembershipChange) -> str | None:
    """Return what should have come instead; None where the change fits the one before."""
    previous = change.previous
    if (change.change == "ENTERED") != (change.status == "ACTIVE"):
        return "ENTERED with ACTIVE, EXITED with INACTIVE"
    if before is None:
        if change.change == "EXITED":
            return "ENTERED first"
        never_in = previous is None or previous.status == "INACTIVE"
        return None if never_in else "a first change from nothing or INACTIVE"
    if change.version < before.version:
        return f"a version above {before.version}"
    if change.status == before.status:
        return "EXITED" if before.status == "ACTIVE" else "ENTERED"
    if previous is None or (previous.status, previous.since) != (before.status, before.since):
        return f"a change from {before.status} since {before.since}"
    return None
