"""Encode the rows and changes of one user with the constant parts encoded once.

The bytes are those of `schemas.avro_codec`; a property test holds both equal. It stands on the order of the fields: a
row begins with its key, and a change begins with its row. Written out by hand and compiled with the rest of the hot
path, as most of a membership's cost is here.
"""

from collections.abc import Sequence
from typing import Final

from librt.strings import BytesWriter
from mypy_extensions import i64, u8

from schemas.avro_codec import CHANGE_SCHEMA_ID, MEMBERSHIP_SCHEMA_ID, frame_prefix
from schemas.avro_schema import enum_symbols, load_schema
from schemas.avro_varint import write_long
from schemas.event import Origin, Partner
from schemas.membership import Cause, ChangeKind, Previous

_CHANGE_SCHEMA = load_schema("SegmentMembershipChange")
_STATUS: Final[dict[str, bytes]] = enum_symbols(_CHANGE_SCHEMA, "status")
_ACTIVE: Final[u8] = _STATUS["ACTIVE"][0]
_INACTIVE: Final[u8] = _STATUS["INACTIVE"][0]
_CAUSE: Final[dict[str, bytes]] = enum_symbols(_CHANGE_SCHEMA, "cause")
_CHANGE: Final[dict[str, bytes]] = enum_symbols(_CHANGE_SCHEMA, "change")
_NULL: Final = 0
_PRESENT: Final = 2
_END: Final = 0


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
        prefix = BytesWriter()
        _write_text(prefix, client_id)
        _write_text(prefix, destination_id)
        _write_text(prefix, aam_uuid)
        return prefix.getvalue()

    def user_lists(self, partners: Sequence[Partner], regions: Sequence[int]) -> bytes:
        """Encode a user's partner IDs and regions."""
        lists = BytesWriter()
        if partners:  # an array is one block, or none where it is empty
            write_long(lists, len(partners))
            for partner in partners:
                _write_nullable(lists, partner.dpid)
                _write_text(lists, partner.uuid)
        lists.append(_END)
        if regions:
            write_long(lists, len(regions))
            for region in regions:
                write_long(lists, region)
        lists.append(_END)
        return lists.getvalue()

    def key(self, prefix: bytes, segment: bytes) -> bytes:
        """Return the key of `segment-membership`; `prefix` is of `user_prefix`, `segment` the ID in UTF-8."""
        key = BytesWriter()
        key.write(prefix)
        write_long(key, len(segment))
        key.write(segment)
        return key.getvalue()

    def body(
        self,
        key: bytes,
        active: bool,
        since: i64,
        verified_at: i64,
        expires_at: int | None,
        cause: Cause,
        lists: bytes,
        version: i64,
    ) -> bytes:
        """Encode a row without its frame; `key` is of `key`, `lists` of `user_lists`, times are epoch ms."""
        body = BytesWriter()
        body.write(key)
        body.append(_ACTIVE if active else _INACTIVE)
        write_long(body, since)
        write_long(body, verified_at)
        _write_nullable(body, expires_at)
        body.write(_CAUSE[cause])
        body.write(lists)
        write_long(body, version)
        return body.getvalue()

    def row(self, body: bytes) -> bytes:
        """Return the value of `segment-membership`."""
        return self._row_frame + body

    def source(self, changed_at: int, origin: Origin) -> bytes:
        """Encode when something changed, and by which record: mostly the same for all that a message changed."""
        source = BytesWriter()
        write_long(source, changed_at)
        _write_text(source, origin.topic)
        write_long(source, origin.partition)
        write_long(source, origin.offset)
        write_long(source, origin.index)
        return source.getvalue()

    def change(self, body: bytes, change: ChangeKind, previous: Previous | None, source: bytes) -> bytes:
        """Return the value of `segment-membership-changes` for a change to the row `body`; `source` is of `source`."""
        value = BytesWriter()
        value.write(self._change_frame)
        value.write(body)
        value.write(_CHANGE[change])
        if previous is None:
            value.append(_NULL)
        else:
            value.append(_PRESENT)
            value.append(_ACTIVE if previous.status == "ACTIVE" else _INACTIVE)
            write_long(value, previous.since)
        value.write(source)
        return value.getvalue()


def _write_text(to: BytesWriter, text: str) -> None:
    raw = text.encode()
    write_long(to, len(raw))
    to.write(raw)


def _write_nullable(to: BytesWriter, value: int | None) -> None:
    if value is None:
        to.append(_NULL)
    else:
        to.append(_PRESENT)
        write_long(to, value)
