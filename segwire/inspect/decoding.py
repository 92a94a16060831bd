"""Records as JSON: every key and value readable, digit for digit."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from confluent_kafka import Message

from schemas.avro_codec import AvroDecodeError, decode_change, decode_key, decode_membership, decode_receipt
from schemas.content import BadEncoding, TooLarge, inflate
from schemas.headers import CONTENT_ENCODING, header_text
from schemas.topics import Topic

RawHeaders = list[tuple[str, bytes | str | None]]

# A body is held to this much once inflated; more is shown as base64, as it came.
_INFLATED_BYTES_MAX = 64 << 20
_AVRO: Mapping[str, Callable[[bytes], msgspec.Struct]] = {
    "SegmentMembershipKey": decode_key,
    "SegmentMembership": decode_membership,
    "SegmentMembershipChange": decode_change,
    "DeliveryReceipt": decode_receipt,
}
_encoder = msgspec.json.Encoder()


class RecordView(msgspec.Struct, frozen=True):
    """One record as `segwire topics read` prints it; `timestamp` in epoch ms, a tombstone's value is None."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: Any
    value: Any
    headers: dict[str, Any]


def view_record(topic: Topic, message: Message) -> RecordView:
    """Decode a record by what the manifest says of its topic."""
    headers = raw_headers(message)
    return RecordView(
        topic=str(message.topic()),
        partition=int(message.partition() or 0),
        offset=int(message.offset() or 0),
        timestamp=message.timestamp()[1],
        key=_readable_key(topic, message.key()),
        value=_readable_value(topic, message.value(), header_text(headers, CONTENT_ENCODING)),
        headers={name: _text(value) for name, value in headers},
    )


def encode_line(view: RecordView) -> str:
    """Write a record as one line of JSON."""
    return _encoder.encode(view).decode()


def raw_headers(message: Message) -> RawHeaders:
    """Return a record's headers, none as an empty list."""
    found = message.headers() or []
    return list(found.items()) if isinstance(found, dict) else found


def readable_bytes(value: bytes, encoding: str | None = None) -> Any:
    """Return bytes as JSON where they are JSON (inflated where `encoding` says gzip), else `{"base64": …}`."""
    try:
        content = inflate(value, encoding, _INFLATED_BYTES_MAX)
        json.loads(content.decode("utf-8"), parse_constant=_refuse, parse_int=str, parse_float=str)
    except (ValueError, RecursionError, BadEncoding, TooLarge):
        return {"base64": base64.b64encode(value).decode()}
    # The sender's own text goes on, so that no number loses a digit. Outside strings a line break is mere space.
    return msgspec.Raw(content.replace(b"\r", b" ").replace(b"\n", b" "))


def _readable_key(topic: Topic, key: bytes | None) -> Any:
    if topic.key_schema is not None and key is not None:
        return _decoded(topic.key_schema.record, key)
    return _text(key)


def _readable_value(topic: Topic, value: bytes | None, encoding: str | None) -> Any:
    if value is None:
        return None
    if topic.value_schema is not None:
        return _decoded(topic.value_schema.record, value)
    return readable_bytes(value, encoding)


def _decoded(record: str, value: bytes) -> Any:
    try:
        return _AVRO[record](value)
    except AvroDecodeError as error:
        return {"base64": base64.b64encode(value).decode(), "error": str(error)}


def _text(value: bytes | str | None) -> Any:
    if value is None or isinstance(value, str):
        return value
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
