"""What is published of one user: the rows and changes that a rule tells, in order. Pure."""

from mypy_extensions import i64

from processors.rules.state import UNKNOWN, Destination, UserState
from schemas.event import Origin, Partner, Status
from schemas.membership import (
    Cause,
    ChangeKind,
    Previous,
    SegmentMembership,
    SegmentMembershipChange,
    SegmentMembershipKey,
)


class Turn:
    """How a membership was entered or left."""

    __slots__ = ("change", "changed_at", "origin", "previous")

    def __init__(self, change: ChangeKind, previous: Previous | None, changed_at: int, origin: Origin) -> None:
        self.change: ChangeKind = change
        self.previous = previous
        self.changed_at = changed_at
        self.origin = origin


class Told:
    """A membership as it is published: as a row, as a change, or as both, which then are the same but for `turn`."""

    __slots__ = (
        "active", "cause", "client_id", "destination_id", "expires_at", "is_row", "partners", "regions", "segment",
        "since", "turn", "verified_at", "version",
    )  # fmt: skip

    def __init__(
        self, destination: Destination, position: i64, cause: Cause, expires_at: int | None, user: UserState,
        version: int, is_row: bool, turn: Turn | None,
    ) -> None:  # fmt: skip
        """Tell of the membership at a position as it is now."""
        stamped = destination.stamps[position]
        self.client_id = destination.client_id
        self.destination_id = destination.destination_id
        self.segment = destination.segment(position)
        self.active = stamped & 1 == 1
        self.since = destination.since[position]
        self.verified_at = stamped >> 1
        self.expires_at = expires_at
        self.cause: Cause = cause
        # Never changed in place by a rule, only replaced: so what was told stays as it was.
        self.partners: list[Partner] = user.partners
        self.regions: list[int] = user.regions
        self.version = version
        self.is_row = is_row
        self.turn = turn

    @property
    def segment_id(self) -> str:
        """Return the segment's ID."""
        return self.segment.decode()

    @property
    def status(self) -> Status:
        """Return the status as it is published."""
        return "ACTIVE" if self.active else "INACTIVE"

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
            client_id=self.client_id, destination_id=self.destination_id, aam_uuid=aam_uuid,
            segment_id=self.segment_id, status=self.status, since=self.since, verified_at=self.verified_at,
            expires_at=self.expires_at, cause=self.cause, partners=self.partners, regions=self.regions,
            version=self.version, change=turn.change, previous=turn.previous, changed_at=turn.changed_at,
            origin=turn.origin,
        )  # fmt: skip


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
        self, destination: Destination, position: i64, *, active: bool, since: i64, cause: Cause, version: int,
        changed_at: int, expires_at: int | None = None, origin: Origin | None = None, is_row: bool = True,
    ) -> None:  # fmt: skip
        """Enter or leave the membership at a position. Without `origin` the record that had set it is named."""
        user = self.user
        stamped, before = destination.stamps[position], destination.since[position]
        was_active = stamped & 1 == 1
        previous = None if before == UNKNOWN else Previous("ACTIVE" if was_active else "INACTIVE", before)
        user.active += active - was_active
        destination.stamps[position] = stamped & ~1 | i64(active)
        destination.since[position] = since
        record = user.origin_of(destination.origins[position]) if origin is None else origin
        turn = Turn("ENTERED" if active else "EXITED", previous, changed_at, record)
        self._tell(destination, position, cause, version, expires_at, is_row, turn)

    def row(
        self, destination: Destination, position: i64, *, cause: Cause, version: int, expires_at: int | None = None
    ) -> None:  # fmt: skip
        """Publish the membership as it now is, though it was neither entered nor left."""
        self._tell(destination, position, cause, version, expires_at, True, None)

    def _tell(
        self, destination: Destination, position: i64, cause: Cause, version: int, expires_at: int | None,
        is_row: bool, turn: Turn | None,
    ) -> None:  # fmt: skip
        self.stored = True
        self.told.append(Told(destination, position, cause, expires_at, self.user, version, is_row, turn))
