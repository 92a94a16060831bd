"""A user's state as bytes, and its stored versions.

Stored as one version byte and msgpack arrays: small, and quick to read. A new version gets a new byte, and a decoder
for the old one stays.
"""

import msgspec

from processors.rules.state import UserState, UserSummary
from processors.rules.state_v1 import VERSION_1, decode_v1

VERSION = b"\x02"


class StateVersionError(ValueError):
    """A stored state has a version that this release does not know."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(UserState).decode
_decode_summary = msgspec.msgpack.Decoder(UserSummary).decode


def encode_state(state: UserState) -> bytes:
    """Encode a state as it is stored and written to the changelog. What no membership names as its origin goes."""
    _drop_unused_origins(state)
    return VERSION + _encode(state)


def decode_state(value: bytes) -> UserState:
    """Decode a stored state of any known version.

    Raises:
        StateVersionError: it was written by a newer release.
    """
    version = value[:1]
    if version == VERSION:
        return _decode(memoryview(value)[1:])
    if version == VERSION_1:
        return decode_v1(value)
    raise _unknown(version)


def decode_summary(value: bytes) -> UserSummary:
    """Decode the first fields of a stored state of any known version; they are the same in all.

    Raises:
        StateVersionError: it was written by a newer release.
    """
    if value[:1] not in (VERSION, VERSION_1):
        raise _unknown(value[:1])
    return _decode_summary(memoryview(value)[1:])


def _drop_unused_origins(state: UserState) -> None:
    """Keep the origins that are named, in the order of their memberships."""
    origins = state.origins
    kept: dict[int, int] = {}
    for destination in state.destinations:
        column = destination.origins
        for position, origin in enumerate(column):
            if origin not in kept:
                kept[origin] = len(kept)
            column[position] = kept[origin]
    state.origins = [origins[origin] for origin in kept]


def _unknown(version: bytes) -> StateVersionError:
    return StateVersionError(
        f"stored state has version {version.hex() or 'none'}, this release knows {VERSION.hex()} and before; "
        "run the release that wrote it, or a newer one"
    )
