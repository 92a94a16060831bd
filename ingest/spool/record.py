"""One spooled message and its encoding: msgpack, an array that may grow at its end."""

import msgspec

from schemas.headers import Headers

PAYLOAD_BYTES_MAX = 64 << 20


class SpoolRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is to be in Kafka later, as it would have been at once: the receive time and request id are the first.

    `topic` is where it belongs; `headers` are the Kafka record's, complete.
    """

    received_at_ms: int
    request_id: str
    source: str
    topic: str
    headers: Headers
    body: bytes


class Position(msgspec.Struct, frozen=True, order=True, gc=False):
    """Where a record is: segment number, and the bytes [offset, end) of that segment. Orders oldest first.

    `source` is whose it is.
    """

    segment: int
    offset: int
    end: int
    source: str = ""


class Spooled(msgspec.Struct, frozen=True, gc=False):
    """A record that was read back."""

    position: Position
    record: SpoolRecord


class UnreadablePayload(ValueError):  # noqa: N818 - named for what it tells
    """Whole bytes that are no record."""


class RecordHead(msgspec.Struct, array_like=True, gc=False):
    """The part of a record that is wanted of every one; decoding it copies nothing of the rest."""

    received_at_ms: int
    request_id: str
    source: str


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(SpoolRecord)
_head_decoder = msgspec.msgpack.Decoder(RecordHead)
encode_record = _encoder.encode


def decode_record(payload: bytes) -> SpoolRecord:
    """Read a record.

    Raises:
        UnreadablePayload: it is none.
    """
    try:
        return _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreadablePayload(str(error)) from None


def decode_head(payload: bytes) -> RecordHead:
    """Read only when a record was received, and from whom.

    Raises:
        UnreadablePayload: it is no record.
    """
    try:
        return _head_decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreadablePayload(str(error)) from None
