"""Which users have a partner ID: so that a removal by partner ID finds them without a search. Pure.

Source: design, *Privacy*; spec §3.
"""

import msgspec

from schemas.privacy import IdentityRecord, PrivacyRequest

VERSION = b"\x01"
MAX_USERS = 1000


class PartnerState(msgspec.Struct, array_like=True, gc=False):
    """One partner ID: its users, and the last request to remove whoever has it (`removed_at`, epoch ms; 0: none)."""

    offset: int = -1
    users: list[str] = []
    removed_at: int = 0
    request_id: str = ""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(PartnerState)


def encode_partner_state(state: PartnerState) -> bytes:
    """Encode a state as it is stored and written to the changelog."""
    return VERSION + _encoder.encode(state)


def decode_partner_state(value: bytes) -> PartnerState:
    """Decode a stored state.

    Raises:
        ValueError: it was written by a newer release.
    """
    if value[:1] != VERSION:
        raise ValueError(f"stored partner state has version {value[:1].hex()}, this release knows {VERSION.hex()}")
    return _decoder.decode(memoryview(value)[1:])


def apply_identity(state: PartnerState, record: IdentityRecord) -> list[PrivacyRequest]:
    """Apply one record to a partner ID's state, in place; return the removals that follow.

    A sync from before a request may arrive after it: that user is removed, too.
    """
    if record.kind == "privacy":
        if record.at > state.removed_at:
            state.removed_at, state.request_id = record.at, record.request_id or ""
        return [_removal(state, user) for user in state.users]
    user = record.aam_uuid
    if user is None:
        return []
    if record.kind == "unsynced":
        state.users = [other for other in state.users if other != user]
        return []
    if user not in state.users:
        state.users = [*state.users, user][-MAX_USERS:]
    return [_removal(state, user)] if record.at <= state.removed_at else []


def _removal(state: PartnerState, user: str) -> PrivacyRequest:
    return PrivacyRequest(aam_uuid=user, requested_at=state.removed_at, request_id=state.request_id)
