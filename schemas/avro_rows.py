"""Encode the rows and changes of one user with the constant parts encoded once.

The bytes are those of `schemas.avro_codec`. It stands on the order of the fields: a row begins with its key, and a
change begins with its row.
"""

from collections.abc import Sequence
from functools import lru_cache

from schemas.avro_codec import CHANGE_SCHEMA_ID, MEMBERSHIP_SCHEMA_ID, frame_prefix
from schemas.avro_compile import compile_fields
from schemas.avro_schema import load_schema
from schemas.avro_varint import encode_long
from schemas.event import Origin, Partner, Status
from schemas.membership import Cause, ChangeKind, Previous

_ROW = load_schema("SegmentMembership")
_USER = compile_fields(_ROW, ["client_id", "destination_id", "aam_uuid"])
# Segments are few, and come again and again.
_SEGMENT = lru_cache(maxsize=16_384)(compile_fields(_ROW, ["segment_id"]))
_STATE = compile_fields(_ROW, ["status", "since", "verified_at", "expires_at", "cause"])
_LISTS = compile_fields(_ROW, ["partners", "regions"])
_TURN = compile_fields(load_schema("SegmentMembershipChange"), ["change", "previous"])
_SOURCE = compile_fields(load_schema("SegmentMembershipChange"), ["changed_at", "origin"])


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
        return _USER(client_id, destination_id, aam_uuid)

    def user_lists(self, partners: Sequence[Partner], regions: Sequence[int]) -> bytes:
        """Encode a user's partner IDs and regions."""
        return _LISTS(partners, regions)

    def key(self, prefix: bytes, segment_id: str) -> bytes:
        """Return the key of `segment-membership`; `prefix` is of `user_prefix`."""
        return prefix + _SEGMENT(segment_id)

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
        return key + _STATE(status, since, verified_at, expires_at, cause) + lists + encode_long(version)

    def row(self, body: bytes) -> bytes:
        """Return the value of `segment-membership`."""
        return self._row_frame + body

    def source(self, changed_at: int, origin: Origin) -> bytes:
        """Encode when something changed, and by which record: mostly the same for all that a message changed."""
        return _SOURCE(changed_at, origin)

    def change(self, body: bytes, change: ChangeKind, previous: Previous | None, source: bytes) -> bytes:
        """Return the value of `segment-membership-changes` for a change to the row `body`; `source` is of `source`."""
        return self._change_frame + body + _TURN(change, previous) + source
