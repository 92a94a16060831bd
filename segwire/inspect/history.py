"""A user's history from the rows and changes published of them. Pure.

Source: interfaces, *What scripts read*.
"""

import msgspec

from schemas.event import Origin, Status
from schemas.membership import Cause, ChangeKind, SegmentMembership, SegmentMembershipChange, SegmentMembershipKey


class ExplainedChange(msgspec.Struct, frozen=True):
    """One entry or exit; `changed_at` in epoch ms, `origin` the record that caused it."""

    change: ChangeKind
    cause: Cause
    changed_at: int
    version: int
    origin: Origin


class ExplainedMembership(msgspec.Struct, frozen=True):
    """One membership as it is now, with its changes, newest first."""

    client_id: str
    destination_id: str
    segment_id: str
    status: Status
    cause: Cause
    changes: list[ExplainedChange]


class ExplainedUser(msgspec.Struct, frozen=True):
    """What is published of a user."""

    aam_uuid: str
    memberships: list[ExplainedMembership]


class UserRecords(msgspec.Struct, frozen=True):
    """The user's present rows by key, and their changes in the order of the log."""

    rows: dict[SegmentMembershipKey, SegmentMembership]
    changes: list[SegmentMembershipChange]


def explain(aam_uuid: str, records: UserRecords) -> ExplainedUser | None:
    """Put rows and changes together, one membership each, those the user is in first; None for an unknown user.

    A membership whose row is gone (after a removal) is told from its changes; one whose changes are past their
    retention, or that was never entered, has none.
    """
    by_key: dict[SegmentMembershipKey, list[SegmentMembershipChange]] = {key: [] for key in records.rows}
    for change in records.changes:
        by_key.setdefault(key_of(change), []).append(change)
    memberships = []
    for key, changes in by_key.items():
        changes.sort(key=lambda change: change.version, reverse=True)
        now = records.rows.get(key) or changes[0]
        memberships.append(
            ExplainedMembership(
                client_id=key.client_id,
                destination_id=key.destination_id,
                segment_id=key.segment_id,
                status=now.status,
                cause=now.cause,
                changes=[_explained(change) for change in changes],
            )
        )
    memberships.sort(key=lambda m: (m.status != "ACTIVE", m.client_id, m.destination_id, m.segment_id))
    return ExplainedUser(aam_uuid, memberships) if memberships else None


def key_of(record: SegmentMembership | SegmentMembershipChange) -> SegmentMembershipKey:
    """Return which membership a row or change is of."""
    return SegmentMembershipKey(record.client_id, record.destination_id, record.aam_uuid, record.segment_id)


def _explained(change: SegmentMembershipChange) -> ExplainedChange:
    return ExplainedChange(change.change, change.cause, change.changed_at, change.version, change.origin)
