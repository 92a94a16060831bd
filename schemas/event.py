"""`SegmentEvent`: one user of one message, the JSON value of the topic `segment-events`.

Enums are strings, times are epoch milliseconds. Source: interfaces, *Topics*. The JSON Schema for readers in other
languages is `schemas/json/segment-event.schema.json`.
"""

from typing import Literal

import msgspec

from schemas.privacy import PrivacyRequest

Status = Literal["ACTIVE", "INACTIVE"]


class Partner(msgspec.Struct, frozen=True, gc=False):
    """A partner's ID of a user: the data source (ID namespace, may be unknown) and the ID itself."""

    uuid: str
    dpid: int | None = None


class Origin(msgspec.Struct, frozen=True, gc=False):
    """The record a fact came from, and the position of the user in it (0-based)."""

    topic: str
    partition: int
    offset: int
    index: int


class SegmentStatus(msgspec.Struct, frozen=True, gc=False):
    """What a message says of one segment; `verified_at` in epoch ms."""

    segment_id: str
    status: Status
    verified_at: int


class SegmentEvent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One user of one message. `segments` may be empty: the user was seen, nothing was said.

    `received_at` and `process_time` are epoch ms; `destination_id` is empty where the message named none.
    """

    kind: Literal["segments"] = "segments"
    client_id: str
    destination_id: str
    aam_uuid: str
    partner: Partner | None
    regions: list[int]
    segments: list[SegmentStatus]
    process_time: int | None
    received_at: int
    source: str
    origin: Origin


class EventKind(msgspec.Struct, frozen=True, gc=False):
    """Just the kind of an event, to skip kinds that a reader does not know."""

    kind: str


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(SegmentEvent)
_privacy_decoder = msgspec.json.Decoder(PrivacyRequest)
_kind_decoder = msgspec.json.Decoder(EventKind)


def encode_event(event: SegmentEvent) -> bytes:
    """Encode as UTF-8 JSON; every field is present, `kind` included."""
    return _encoder.encode(event)


def decode_event(value: bytes) -> SegmentEvent | PrivacyRequest | None:
    """Decode a record's value; None for a kind that this version does not know.

    Raises:
        msgspec.MsgspecError: it is not an event.
    """
    try:
        return _decoder.decode(value)
    except msgspec.ValidationError:
        # Nearly every event is of the first kind, so the others pay for the second look.
        kind = _kind_decoder.decode(value).kind
        if kind == "privacy":
            return _privacy_decoder.decode(value)
        if kind != "segments":
            return None
        raise
