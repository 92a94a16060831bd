"""What is published of one user, as bytes: what rows and changes have in common is encoded once."""

from collections.abc import Sequence

from processors.rules.story import Told, Turn
from schemas.avro_rows import MembershipEncoder
from schemas.event import Origin, Partner


class UserRecords:
    """Encodes what is told of one user."""

    __slots__ = ("_destination", "_encoder", "_lists", "_of_lists", "_of_source", "_prefix", "_source", "_uuid")

    def __init__(self, encoder: MembershipEncoder, aam_uuid: str) -> None:
        """Encode with `encoder`."""
        self._encoder = encoder
        self._uuid = aam_uuid
        # What was encoded last, and of what: one message mostly says all of one thing.
        self._destination: tuple[str, str] | None = None
        self._prefix = b""
        self._of_lists: tuple[Sequence[Partner], Sequence[int]] | None = None
        self._lists = b""
        self._of_source: tuple[int, Origin] | None = None
        self._source = b""

    def body(self, told: Told) -> tuple[bytes, bytes]:
        """Return the key of a row, and what row and change have in common."""
        encoder, destination = self._encoder, (told.client_id, told.destination_id)
        if destination != self._destination:
            self._destination, self._prefix = destination, encoder.user_prefix(*destination, self._uuid)
        of_lists = self._of_lists
        if of_lists is None or of_lists[0] is not told.partners or of_lists[1] is not told.regions:
            self._of_lists = (told.partners, told.regions)
            self._lists = encoder.user_lists(told.partners, told.regions)
        key = encoder.key(self._prefix, told.segment_id)
        return key, encoder.body(
            key, told.status, told.since, told.verified_at, told.expires_at, told.cause, self._lists, told.version
        )  # fmt: skip

    def row(self, body: bytes) -> bytes:
        """Return the value of a row."""
        return self._encoder.row(body)

    def change(self, body: bytes, turn: Turn) -> bytes:
        """Return the value of a change."""
        of_source = self._of_source
        if of_source is None or of_source[0] != turn.changed_at or of_source[1] is not turn.origin:
            self._of_source = (turn.changed_at, turn.origin)
            self._source = self._encoder.source(turn.changed_at, turn.origin)
        return self._encoder.change(body, turn.change, turn.previous, self._source)
