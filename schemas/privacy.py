"""Removals and partner-ID syncs: the JSON values that travel beside the segment events.

`PrivacyRequest` is an event of the topic `segment-events`, keyed by user; the others are values of the topic
`identity`, keyed by partner ID. Source: interfaces, *Topics*; spec §3.
"""

from typing import Literal

import msgspec


class PrivacyRequest(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Remove this user: nothing that was received or verified until `requested_at` (epoch ms) counts any more."""

    kind: Literal["privacy"] = "privacy"
    aam_uuid: str
    requested_at: int
    request_id: str


class IdentityRecord(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What is said of a partner ID.

    `synced` and `unsynced`: the user `aam_uuid` has it, or no longer has it, as of `at` (epoch ms); a user's removal
    says `unsynced`. `privacy`: remove every user that has it, requested at `at`.
    """

    kind: Literal["synced", "unsynced", "privacy"]
    dpid: int | None
    partner_uuid: str
    at: int
    aam_uuid: str | None = None
    request_id: str | None = None


_identity_decoder = msgspec.json.Decoder(IdentityRecord)
_encoder = msgspec.json.Encoder()


def identity_key(dpid: int | None, partner_uuid: str) -> bytes:
    """Return the key of a partner ID in the topic `identity`: `DPID|ID`, the first bar divides."""
    return f"{'' if dpid is None else dpid}|{partner_uuid}".encode()


def encode_identity(record: IdentityRecord) -> bytes:
    """Encode a value of the topic `identity`."""
    return _encoder.encode(record)


def decode_identity(value: bytes) -> IdentityRecord:
    """Decode a value of the topic `identity`.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    return _identity_decoder.decode(value)


def encode_privacy_request(request: PrivacyRequest) -> bytes:
    """Encode a removal as an event of the topic `segment-events`."""
    return _encoder.encode(request)
