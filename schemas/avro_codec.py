"""Avro records of what is published: to bytes and back.

Values are in the Confluent wire format (byte 0, schema ID in 4 bytes, Avro binary); the key of `segment-membership`
is unframed, so that the same key has the same bytes whatever a registry says. Without a registry the IDs are the
manifest's own. Times are epoch milliseconds on both sides.

Source: interfaces, *Framing*.
"""

import io
from collections.abc import Callable
from typing import Any, TypeVar

import fastavro
import msgspec

from schemas.avro_compile import compile_encoder
from schemas.avro_schema import RecordName, load_schema, without_logical_types
from schemas.membership import SegmentMembership, SegmentMembershipChange, SegmentMembershipKey
from schemas.receipts import DeliveryReceipt
from schemas.topics import DELIVERY_RECEIPTS, SEGMENT_MEMBERSHIP, SEGMENT_MEMBERSHIP_CHANGES, Topic

FRAME_BYTES = 5

_Record = TypeVar("_Record")


class AvroDecodeError(ValueError):
    """Bytes that are not the Avro record that was expected."""


def frame_prefix(schema_id: int) -> bytes:
    """Return the five bytes before a value of the schema `schema_id`."""
    return b"\0" + schema_id.to_bytes(4, "big")


def schema_id_of(value: bytes) -> int:
    """Return the schema ID in a value's frame.

    Raises:
        AvroDecodeError: the value has no frame.
    """
    if len(value) < FRAME_BYTES or value[0] != 0:
        raise AvroDecodeError(f"a value must begin with byte 0 and a schema ID of 4 bytes, not with {value[:5]!r}")
    return int.from_bytes(value[1:FRAME_BYTES], "big")


def fixed_schema_id(topic: Topic) -> int:
    """Return the schema ID of a topic's values where there is no registry.

    Raises:
        ValueError: the topic's values are not Avro.
    """
    if topic.value_schema is None:
        raise ValueError(f"the values of the topic {topic.name} are not Avro")
    return topic.value_schema.schema_id


MEMBERSHIP_SCHEMA_ID = fixed_schema_id(SEGMENT_MEMBERSHIP)
CHANGE_SCHEMA_ID = fixed_schema_id(SEGMENT_MEMBERSHIP_CHANGES)
RECEIPT_SCHEMA_ID = fixed_schema_id(DELIVERY_RECEIPTS)


def _decoder(record: RecordName, into: type[_Record]) -> Callable[[bytes], _Record]:
    schema = fastavro.parse_schema(without_logical_types(load_schema(record)))

    def decode(binary: bytes) -> _Record:
        stream = io.BytesIO(binary)
        try:
            decoded: Any = fastavro.schemaless_reader(stream, schema, None)
            result = msgspec.convert(decoded, into)
        except (EOFError, IndexError, ValueError, TypeError, OverflowError, MemoryError) as error:
            raise AvroDecodeError(f"{len(binary)} bytes are no {record}: {error}") from error
        if stream.tell() != len(binary):
            raise AvroDecodeError(f"{len(binary) - stream.tell()} bytes follow a {record}")
        return result

    return decode


_encode_key = compile_encoder(load_schema("SegmentMembershipKey"))
_encode_membership = compile_encoder(load_schema("SegmentMembership"))
_encode_change = compile_encoder(load_schema("SegmentMembershipChange"))
_encode_receipt = compile_encoder(load_schema("DeliveryReceipt"))
_decode_key = _decoder("SegmentMembershipKey", SegmentMembershipKey)
_decode_membership = _decoder("SegmentMembership", SegmentMembership)
_decode_change = _decoder("SegmentMembershipChange", SegmentMembershipChange)
_decode_receipt = _decoder("DeliveryReceipt", DeliveryReceipt)


def encode_key(key: SegmentMembershipKey) -> bytes:
    """Encode a key of `segment-membership`, unframed."""
    return _encode_key(key)


def decode_key(key: bytes) -> SegmentMembershipKey:
    """Decode a key of `segment-membership`.

    Raises:
        AvroDecodeError: it is none.
    """
    return _decode_key(key)


def encode_membership(row: SegmentMembership, schema_id: int = MEMBERSHIP_SCHEMA_ID) -> bytes:
    """Encode a value of `segment-membership`, framed with `schema_id`."""
    return frame_prefix(schema_id) + _encode_membership(row)


def decode_membership(value: bytes) -> SegmentMembership:
    """Decode a value of `segment-membership`; the frame's schema ID is not looked up.

    Raises:
        AvroDecodeError: it is none.
    """
    schema_id_of(value)
    return _decode_membership(value[FRAME_BYTES:])


def encode_change(change: SegmentMembershipChange, schema_id: int = CHANGE_SCHEMA_ID) -> bytes:
    """Encode a value of `segment-membership-changes`, framed with `schema_id`."""
    return frame_prefix(schema_id) + _encode_change(change)


def decode_change(value: bytes) -> SegmentMembershipChange:
    """Decode a value of `segment-membership-changes`; the frame's schema ID is not looked up.

    Raises:
        AvroDecodeError: it is none.
    """
    schema_id_of(value)
    return _decode_change(value[FRAME_BYTES:])


def encode_receipt(receipt: DeliveryReceipt, schema_id: int = RECEIPT_SCHEMA_ID) -> bytes:
    """Encode a value of `delivery-receipts`, framed with `schema_id`."""
    return frame_prefix(schema_id) + _encode_receipt(receipt)


def decode_receipt(value: bytes) -> DeliveryReceipt:
    """Decode a value of `delivery-receipts`; the frame's schema ID is not looked up.

    Raises:
        AvroDecodeError: it is none.
    """
    schema_id_of(value)
    return _decode_receipt(value[FRAME_BYTES:])
