"""What is published of one user: the rows and changes that a rule tells, in order. Pure."""

from typing import NamedTuple

from processors.rules.state import UNKNOWN, Membership, UserState
from schemas.event import Origin, Partner
from schemas.membership import Cause, Previous, SegmentMembership, SegmentMembershipChange, SegmentMembershipKey


class Place(NamedTuple):
    """One membership with its names."""

    client_id: str
    destination_id: str
    segment_id: str
    membership: Membership


class Story:
    """Collects what is published of a user, and whether the user's state has to be stored.

    A key among the `rows` is a tombstone.
    """

    def __init__(self, user: UserState, aam_uuid: str) -> None:
        """Tell of `user`, whose state the rules change in place."""
        self.user = user
        self.aam_uuid = aam_uuid
        self.rows: list[SegmentMembership | SegmentMembershipKey] = []
        self.changes: list[SegmentMembershipChange] = []
        self.synced: list[Partner] = []
        self.unsynced: list[Partner] = []
        self.stored = False

    def turn(
        self, place: Place, *, active: bool, since: int, cause: Cause, version: int, changed_at: int,
        expires_at: int | None = None, origin: Origin | None = None,
    ) -> None:  # fmt: skip
        """Enter or leave a membership. Without `origin` the record that had set it is named."""
        membership = place.membership
        before = membership.since
        was: Previous | None = None
        if before != UNKNOWN:
            was = Previous("ACTIVE" if membership.active else "INACTIVE", before)
        self.user.active += active - membership.active
        membership.active, membership.since = active, since
        self.stored = True
        self.changes.append(
            SegmentMembershipChange(
                client_id=place.client_id,
                destination_id=place.destination_id,
                aam_uuid=self.aam_uuid,
                segment_id=place.segment_id,
                status="ACTIVE" if active else "INACTIVE",
                since=since,
                verified_at=membership.verified_at,
                expires_at=expires_at,
                cause=cause,
                partners=self.user.partners,
                regions=self.user.regions,
                version=version,
                change="ENTERED" if active else "EXITED",
                previous=was,
                changed_at=changed_at,
                origin=origin or self.user.origin_of(membership),
            )
        )

    def row(self, place: Place, *, cause: Cause, version: int, expires_at: int | None = None) -> None:
        """Publish the membership as it now is."""
        membership = place.membership
        self.stored = True
        self.rows.append(
            SegmentMembership(
                client_id=place.client_id,
                destination_id=place.destination_id,
                aam_uuid=self.aam_uuid,
                segment_id=place.segment_id,
                status="ACTIVE" if membership.active else "INACTIVE",
                since=membership.since,
                verified_at=membership.verified_at,
                expires_at=expires_at,
                cause=cause,
                partners=self.user.partners,
                regions=self.user.regions,
                version=version,
            )
        )
