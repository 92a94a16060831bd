"""What is published of one user, as bytes: what rows and changes have in common is encoded once."""

from processors.rules.story import Told, Turn
from schemas.avro_rows import MembershipEncoder
from schemas.event import Origin, Partner


class UserRecords:
    """Encodes what is told of one user."""

    __slots__ = (
        "_changed_at", "_client_id", "_destination_id", "_encoder", "_lists", "_origin", "_partners", "_prefix",
        "_regions", "_source", "_uuid",
    )  # fmt: skip

    def __init__(self, encoder: MembershipEncoder, aam_uuid: str) -> None:
        """Encode with `encoder`."""
        self._encoder = encoder
        self._uuid = aam_uuid
        # What was encoded last, and of what: one message mostly says all of one thing.
        self._client_id: str | None = None
        self._destination_id = ""
        self._prefix = b""
        self._partners: list[Partner] | None = None
        self._regions: list[int] | None = None
        self._lists = b""
        self._origin: Origin | None = None
        self._changed_at = 0
        self._source = b""

    def key(self, told: Told) -> bytes:
        """Return the key of a row."""
        if told.client_id != self._client_id or told.destination_id != self._destination_id:
            self._client_id, self._destination_id = told.client_id, told.destination_id
            self._prefix = self._encoder.user_prefix(told.client_id, told.destination_id, self._uuid)
        return self._encoder.key(self._prefix, told.segment)

    def body(self, key: bytes, told: Told) -> bytes:
        """Return what row and change have in common; `key` is the row's."""
        if told.partners is not self._partners or told.regions is not self._regions:
            self._partners, self._regions = told.partners, told.regions
            self._lists = self._encoder.user_lists(told.partners, told.regions)
        return self._encoder.body(
            key, told.active, told.since, told.verified_at, told.expires_at, told.cause, self._lists, told.version
        )  # fmt: skip

    def row(self, body: bytes) -> bytes:
        """Return the value of a row."""
        return self._encoder.row(body)

    def change(self, body: bytes, turn: Turn) -> bytes:
        """Return the value of a change."""
        if turn.origin is not self._origin or turn.changed_at != self._changed_at:
            self._origin, self._changed_at = turn.origin, turn.changed_at
            self._source = self._encoder.source(turn.changed_at, turn.origin)
        return self._encoder.change(body, turn.change, turn.previous, self._source)
