"""Encode the rows and changes of one user with the constant parts encoded once.

The bytes are those of `schemas.avro_codec`; a property test holds both equal. It stands on the order of the fields: a
row begins with its key, and a change begins with its row. Written out by hand and compiled with the rest of the hot
path, as most of a membership's cost is here.
"""

from collections.abc import Sequence
from typing import Final

from schemas.avro_codec import CHANGE_SCHEMA_ID, MEMBERSHIP_SCHEMA_ID, frame_prefix
from schemas.avro_schema import enum_symbols, load_schema
from schemas.avro_varint import encode_long
from schemas.event import Origin, Partner, Status
from schemas.membership import Cause, ChangeKind, Previous

_CHANGE_SCHEMA = load_schema("SegmentMembershipChange")
_STATUS: Final[dict[str, bytes]] = enum_symbols(_CHANGE_SCHEMA, "status")
_CAUSE: Final[dict[str, bytes]] = enum_symbols(_CHANGE_SCHEMA, "cause")
_CHANGE: Final[dict[str, bytes]] = enum_symbols(_CHANGE_SCHEMA, "change")
_NULL: Final = b"\0"
_PRESENT: Final = b"\2"
_END: Final = b"\0"


class MembershipEncoder:
    """Encodes in steps, from what is constant for a user to what differs per membership.

    `user_prefix` and `user_lists` once per user and destination, `source` once per message, `key` per segment, `body`
    per row, then `row` and, where something changed, `change` of the same body.
    """

    def __init__(
        self, membership_schema_id: int = MEMBERSHIP_SCHEMA_ID, change_schema_id: int = CHANGE_SCHEMA_ID
    ) -> None:
        """Frame rows and changes with these schema IDs."""
        self._row_frame = frame_prefix(membership_schema_id)
        self._change_frame = frame_prefix(change_schema_id)

    def user_prefix(self, client_id: str, destination_id: str, aam_uuid: str) -> bytes:
        """Encode what every key of a user and destination begins with."""
        return _text(client_id) + _text(destination_id) + _text(aam_uuid)

    def user_lists(self, partners: Sequence[Partner], regions: Sequence[int]) -> bytes:
        """Encode a user's partner IDs and regions."""
        of_partners = [_nullable(partner.dpid) + _text(partner.uuid) for partner in partners]
        return _array(of_partners) + _array([encode_long(region) for region in regions])

    def key(self, prefix: bytes, segment_id: str) -> bytes:
        """Return the key of `segment-membership`; `prefix` is of `user_prefix`."""
        return prefix + _text(segment_id)

    def body(
        self,
        key: bytes,
        status: Status,
        since: int,
        verified_at: int,
        expires_at: int | None,
        cause: Cause,
        lists: bytes,
        version: int,
    ) -> bytes:
        """Encode a row without its frame; `key` is of `key`, `lists` of `user_lists`, times are epoch ms."""
        verified = encode_long(verified_at)
        entered = verified if since == verified_at else encode_long(since)
        expires = _nullable(expires_at)
        return b"".join((key, _STATUS[status], entered, verified, expires, _CAUSE[cause], lists, encode_long(version)))

    def row(self, body: bytes) -> bytes:
        """Return the value of `segment-membership`."""
        return self._row_frame + body

    def source(self, changed_at: int, origin: Origin) -> bytes:
        """Encode when something changed, and by which record: mostly the same for all that a message changed."""
        record = _text(origin.topic) + encode_long(origin.partition) + encode_long(origin.offset)
        return encode_long(changed_at) + record + encode_long(origin.index)

    def change(self, body: bytes, change: ChangeKind, previous: Previous | None, source: bytes) -> bytes:
        """Return the value of `segment-membership-changes` for a change to the row `body`; `source` is of `source`."""
        before = _NULL
        if previous is not None:
            before = _PRESENT + _STATUS[previous.status] + encode_long(previous.since)
        return b"".join((self._change_frame, body, _CHANGE[change], before, source))


def _text(text: str) -> bytes:
    raw = text.encode()
    return encode_long(len(raw)) + raw


def _nullable(value: int | None) -> bytes:
    return _NULL if value is None else _PRESENT + encode_long(value)


def _array(items: list[bytes]) -> bytes:
    """Encode an array as one block, or as none where it is empty."""
    if not items:
        return _END
    return encode_long(len(items)) + b"".join(items) + _END
