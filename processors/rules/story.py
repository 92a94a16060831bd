"""What is published of one user: the rows and changes that a rule tells, in order. Pure."""

from typing import NamedTuple

import msgspec

from processors.rules.state import UNKNOWN, Membership, UserState
from schemas.event import Origin, Partner, Status
from schemas.membership import (
    Cause,
    ChangeKind,
    Previous,
    SegmentMembership,
    SegmentMembershipChange,
    SegmentMembershipKey,
)


class Place(NamedTuple):
    """One membership with its names."""

    client_id: str
    destination_id: str
    segment_id: str
    membership: Membership


class Turn(msgspec.Struct, frozen=True, gc=False):
    """How a membership was entered or left."""

    change: ChangeKind
    previous: Previous | None
    changed_at: int
    origin: Origin


class Told(msgspec.Struct, frozen=True, gc=False):
    """A membership as it is published: as a row, as a change, or as both, which then are the same but for `turn`."""

    client_id: str
    destination_id: str
    segment_id: str
    status: Status
    since: int
    verified_at: int
    expires_at: int | None
    cause: Cause
    partners: list[Partner]
    regions: list[int]
    version: int
    is_row: bool
    turn: Turn | None

    def row(self, aam_uuid: str) -> SegmentMembership:
        """Return the row."""
        return SegmentMembership(
            client_id=self.client_id, destination_id=self.destination_id, aam_uuid=aam_uuid,
            segment_id=self.segment_id, status=self.status, since=self.since, verified_at=self.verified_at,
            expires_at=self.expires_at, cause=self.cause, partners=self.partners, regions=self.regions,
            version=self.version,
        )  # fmt: skip

    def change(self, aam_uuid: str, turn: Turn) -> SegmentMembershipChange:
        """Return the change."""
        return SegmentMembershipChange(
            **msgspec.structs.asdict(self.row(aam_uuid)),
            **msgspec.structs.asdict(turn),
        )


class Story:
    """Collects what is published of a user, and whether the user's state has to be stored.

    A key among what is `told` is a tombstone.
    """

    __slots__ = ("aam_uuid", "stored", "synced", "told", "unsynced", "user")

    def __init__(self, user: UserState, aam_uuid: str) -> None:
        """Tell of `user`, whose state the rules change in place."""
        self.user = user
        self.aam_uuid = aam_uuid
        self.told: list[Told | SegmentMembershipKey] = []
        self.synced: list[Partner] = []
        self.unsynced: list[Partner] = []
        self.stored = False

    @property
    def rows(self) -> list[SegmentMembership | SegmentMembershipKey]:
        """What is told, as rows and tombstones."""
        return [
            told if isinstance(told, SegmentMembershipKey) else told.row(self.aam_uuid)
            for told in self.told
            if isinstance(told, SegmentMembershipKey) or told.is_row
        ]

    @property
    def changes(self) -> list[SegmentMembershipChange]:
        """What is told, as changes."""
        return [
            told.change(self.aam_uuid, told.turn)
            for told in self.told
            if isinstance(told, Told) and told.turn is not None
        ]

    def turn(
        self, place: Place, *, active: bool, since: int, cause: Cause, version: int, changed_at: int,
        expires_at: int | None = None, origin: Origin | None = None, is_row: bool = True,
    ) -> None:  # fmt: skip
        """Enter or leave a membership. Without `origin` the record that had set it is named."""
        membership, user = place.membership, self.user
        before = membership.since
        was: Previous | None = None
        if before != UNKNOWN:
            was = Previous("ACTIVE" if membership.active else "INACTIVE", before)
        user.active += active - membership.active
        membership.active, membership.since = active, since
        kind: ChangeKind = "ENTERED" if active else "EXITED"
        turn = Turn(kind, was, changed_at, origin or user.origin_of(membership))
        self._tell(place, cause, version, expires_at, is_row, turn)

    def row(self, place: Place, *, cause: Cause, version: int, expires_at: int | None = None) -> None:
        """Publish the membership as it now is, though it was neither entered nor left."""
        self._tell(place, cause, version, expires_at, True, None)

    def _tell(
        self, place: Place, cause: Cause, version: int, expires_at: int | None, is_row: bool, turn: Turn | None
    ) -> None:  # fmt: skip
        client_id, destination_id, segment_id, membership = place
        status: Status = "ACTIVE" if membership.active else "INACTIVE"
        self.stored = True
        told = Told(
            client_id, destination_id, segment_id, status, membership.since, membership.verified_at, expires_at,
            cause, self.user.partners, self.user.regions, version, is_row, turn,
        )  # fmt: skip
        self.told.append(told)
