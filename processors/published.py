"""What is published of one user, as bytes: what rows and changes have in common is encoded once."""

from collections.abc import Sequence

from schemas.avro_rows import MembershipEncoder
from schemas.event import Partner
from schemas.membership import SegmentMembership, SegmentMembershipChange


class UserRecords:
    """Encodes the rows and changes of one user, one after the other."""

    __slots__ = ("_bodies", "_encoder", "_lists", "_partners", "_prefixes", "_regions")

    def __init__(self, encoder: MembershipEncoder) -> None:
        """Encode with `encoder`."""
        self._encoder = encoder
        self._prefixes: dict[tuple[str, str], bytes] = {}
        self._partners: Sequence[Partner] | None = None
        self._regions: Sequence[int] | None = None
        self._lists = b""
        self._bodies: dict[tuple[str, str, str, int], tuple[bytes, bytes]] = {}

    def row(self, row: SegmentMembership) -> tuple[bytes, bytes]:
        """Return key and value of a row."""
        key, body = self._body(row)
        return key, self._encoder.row(body)

    def change(self, change: SegmentMembershipChange) -> bytes:
        """Return the value of a change."""
        _, body = self._body(change)
        return self._encoder.change(body, change.change, change.previous, change.changed_at, change.origin)

    def _body(self, row: SegmentMembership | SegmentMembershipChange) -> tuple[bytes, bytes]:
        """Return key and body; a change has that of its row, which is the one of the same key and version (I4)."""
        place = (row.client_id, row.destination_id, row.segment_id, row.version)
        known = self._bodies.get(place)
        if known is None:
            key = self._encoder.key(self._prefix(row), row.segment_id)
            body = self._encoder.body(
                key, row.status, row.since, row.verified_at, row.expires_at, row.cause, self._user_lists(row),
                row.version,
            )  # fmt: skip
            known = self._bodies[place] = (key, body)
        return known

    def _prefix(self, row: SegmentMembership | SegmentMembershipChange) -> bytes:
        place = (row.client_id, row.destination_id)
        prefix = self._prefixes.get(place)
        if prefix is None:
            prefix = self._prefixes[place] = self._encoder.user_prefix(*place, row.aam_uuid)
        return prefix

    def _user_lists(self, row: SegmentMembership | SegmentMembershipChange) -> bytes:
        if row.partners is not self._partners or row.regions is not self._regions:
            self._partners, self._regions = row.partners, row.regions
            self._lists = self._encoder.user_lists(row.partners, row.regions)
        return self._lists
