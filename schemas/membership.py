"""What is published of a membership: its key, its row and its changes.

The Avro schemas are `schemas/avro/*.avsc` (namespace `segwire`); times are epoch milliseconds. Source: interfaces,
*Topics* and *What a row means*.
"""

from typing import Literal

import msgspec

from schemas.event import Origin, Partner, Status

Cause = Literal["QUALIFIED", "DISQUALIFIED", "EXPIRED", "INACTIVE_USER", "PRIVACY"]
ChangeKind = Literal["ENTERED", "EXITED"]


class SegmentMembershipKey(msgspec.Struct, frozen=True, gc=False):
    """Which membership: key of `segment-membership`, as unframed Avro binary."""

    client_id: str
    destination_id: str
    aam_uuid: str
    segment_id: str


class SegmentMembership(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The present state of one membership: value of `segment-membership`.

    `since` is when it was entered or left; `expires_at` is None where it never does, and on an INACTIVE row.
    `partners` are all partner IDs synced to the user. `version` strictly increases per key.
    """

    client_id: str
    destination_id: str
    aam_uuid: str
    segment_id: str
    status: Status
    since: int
    verified_at: int
    expires_at: int | None
    cause: Cause
    partners: list[Partner]
    regions: list[int]
    version: int


class Previous(msgspec.Struct, frozen=True, gc=False):
    """What a membership was before a change."""

    status: Status
    since: int


class SegmentMembershipChange(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A membership was entered or left: value of `segment-membership-changes`.

    The fields of the row after the change, and what changed, when, from what, and which record caused it. For an
    expiry the origin is the record that had set the membership.
    """

    client_id: str
    destination_id: str
    aam_uuid: str
    segment_id: str
    status: Status
    since: int
    verified_at: int
    expires_at: int | None
    cause: Cause
    partners: list[Partner]
    regions: list[int]
    version: int
    change: ChangeKind
    previous: Previous | None
    changed_at: int
    origin: Origin
