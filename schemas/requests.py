"""What a sink is asked to deliver again: the headers of the private topic `sink-requests`. Source: ADR 10."""

from typing import Literal

import msgspec

from schemas.headers import header_text
from schemas.redriven import RawHeaders

RequestKind = Literal["redrive", "backfill", "progress"]

REDRIVE: RequestKind = "redrive"
BACKFILL: RequestKind = "backfill"
PROGRESS: RequestKind = "progress"

_SINK, _KIND = "sink", "kind"
# Not the names that a dead letter has for where its own record was: a request may become one.
_TOPIC, _PARTITION, _OFFSET = "record-topic", "record-partition", "record-offset"
OF_A_REQUEST = frozenset({_SINK, _KIND, _TOPIC, _PARTITION, _OFFSET})


class Backfill(msgspec.Struct, frozen=True):
    """A request to deliver the present membership: of these segments, of all where there are none.

    One record in each partition. `requested_at` is epoch ms.
    """

    request_id: str
    requested_at: int
    segments: list[str] = []


class BackfillProgress(msgspec.Struct, frozen=True):
    """How far a sink is in one partition: `users` of `total` were gone through so far; `at` is epoch ms."""

    request_id: str
    partition: int
    users: int
    total: int
    done: bool
    at: int


_encoder = msgspec.json.Encoder()
_backfill_decoder = msgspec.json.Decoder(Backfill)
_progress_decoder = msgspec.json.Decoder(BackfillProgress)


def request_headers(
    sink: str, kind: RequestKind, origin: tuple[str, int, int] | None = None
) -> list[tuple[str, bytes]]:  # fmt: skip
    """Return the headers of a request to `sink`; `origin` is where the record came from that is delivered again."""
    headers = [(_SINK, sink.encode()), (_KIND, kind.encode())]
    if origin is not None:
        topic, partition, offset = origin
        headers += [(_TOPIC, topic.encode()), (_PARTITION, b"%d" % partition), (_OFFSET, b"%d" % offset)]
    return headers


def request_origin(headers: RawHeaders | None) -> tuple[str, int, int] | None:
    """Return topic, partition and offset of the record that is to be delivered again, None where that is not said."""
    topic, partition, offset = (header_text(headers, name) for name in (_TOPIC, _PARTITION, _OFFSET))
    if topic is None or partition is None or offset is None or not (partition + offset).isdecimal():
        return None
    return topic, int(partition), int(offset)


def is_request(headers: RawHeaders | None, sink: str, kind: RequestKind) -> bool:
    """Tell whether a record is a request of this kind to this sink."""
    return header_text(headers, _SINK) == sink and header_text(headers, _KIND) == kind


def encode_request(value: Backfill | BackfillProgress) -> bytes:
    """Encode a request to backfill, or how far one is."""
    return _encoder.encode(value)


def decode_backfill(value: bytes) -> Backfill:
    """Decode a request to backfill.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    return _backfill_decoder.decode(value)


def decode_progress(value: bytes) -> BackfillProgress:
    """Decode how far a backfill is.

    Raises:
        msgspec.MsgspecError: it is none of these.
    """
    return _progress_decoder.decode(value)
