"""A user's state as bytes, and its stored versions.

One version byte and a msgpack array. In it a destination is four things: its names, its segment IDs as one text, and
its columns as one piece of bytes: few things, as it is their number that costs. A new version gets a new byte, and a
decoder for the old one stays.
"""

import struct
import sys
from functools import lru_cache
from typing import Final

import msgspec

from processors.rules.state import Destination, Name, StoredOrigin, UserState
from processors.rules.state_v1 import VERSION_1, decode_v1
from processors.rules.user_summary import UserSummary
from schemas.event import Partner

VERSION: Final = b"\x02"
_SEPARATOR: Final = "\x1f"

StoredDestination = tuple[str, str, str | list[str], bytes]
"""Client, destination, segment IDs (a list where one has the separator in it), columns."""
StoredUser = tuple[
    int, int, int, int, int, int, int, list[StoredDestination], list[Partner], list[int], list[str],
    list[StoredOrigin], list[Name], int,
]  # fmt: skip


class StateVersionError(ValueError):
    """A stored state has a version that this release does not know."""


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(StoredUser).decode
_decode_summary: Final = msgspec.msgpack.Decoder(UserSummary).decode


def encode_state(state: UserState) -> bytes:
    """Encode a state as it is stored and written to the changelog. What no membership names as its origin goes."""
    _drop_unused_origins(state)
    stored: StoredUser = (
        state.offset, state.version, state.seen_day, state.due_at, state.removed_at, state.active, state.rules,
        [_packed(destination) for destination in state.destinations],
        state.partners, state.regions, state.topics, state.origins, state.tombstones, state.tombstone_at,
    )  # fmt: skip
    return VERSION + _encode(stored)


def decode_state(value: bytes) -> UserState:
    """Decode a stored state of any known version.

    Raises:
        StateVersionError: it was written by a newer release.
    """
    version = value[:1]
    if version != VERSION:
        if version == VERSION_1:
            return decode_v1(value)
        raise _unknown(version)
    stored = _decode(memoryview(value)[1:])
    state = UserState(stored[0], stored[1], stored[2], stored[3], stored[4], stored[5], stored[6])
    state.destinations = [_unpacked(destination) for destination in stored[7]]
    state.partners, state.regions, state.topics, state.origins = stored[8], stored[9], stored[10], stored[11]
    state.tombstones, state.tombstone_at = stored[12], stored[13]
    return state


def decode_summary(value: bytes) -> UserSummary:
    """Decode the first fields of a stored state of any known version; they are the same in all.

    Raises:
        StateVersionError: it was written by a newer release.
    """
    if value[:1] not in (VERSION, VERSION_1):
        raise _unknown(value[:1])
    return _decode_summary(memoryview(value)[1:])


def _packed(destination: Destination) -> StoredDestination:
    ids = destination.segment_ids
    text = _SEPARATOR.join(ids)
    count = len(ids)
    columns = _columns(count).pack(*destination.stamps, *destination.since, *destination.origins)
    names: str | list[str] = text if text.count(_SEPARATOR) == max(count - 1, 0) else ids
    return destination.client_id, destination.destination_id, names, columns


def _unpacked(stored: StoredDestination) -> Destination:
    client_id, destination_id, names, columns = stored
    destination = Destination(client_id, destination_id)
    count = len(columns) // _COLUMNS_BYTES
    if count:
        numbers: tuple[int, ...] = _columns(count).unpack(columns)
        destination.segment_ids = names.split(_SEPARATOR) if isinstance(names, str) else names
        destination.stamps = list(numbers[:count])
        destination.since = list(numbers[count : 2 * count])
        destination.origins = list(numbers[2 * count :])
    return destination


_COLUMNS_BYTES: Final = 8 + 8 + 4
# The same bytes; the machine's own way is the quicker one.
_ORDER: Final = "@" if sys.byteorder == "little" else "<"


@lru_cache(maxsize=1024)
def _columns(count: int) -> struct.Struct:
    """Return the layout of so many stamps, so many `since`, and so many origins: little-endian, without gaps."""
    return struct.Struct(f"{_ORDER}{2 * count}q{count}I")


def _drop_unused_origins(state: UserState) -> None:
    """Keep the origins that are named, in the order of their memberships."""
    origins = state.origins
    kept: list[StoredOrigin] = []
    moved = [-1] * len(origins)
    for destination in state.destinations:
        column = destination.origins
        for position in range(len(column)):
            origin = column[position]
            to = moved[origin]
            if to < 0:
                to = moved[origin] = len(kept)
                kept.append(origins[origin])
            column[position] = to
    state.origins = kept


def _unknown(version: bytes) -> StateVersionError:
    return StateVersionError(
        f"stored state has version {version.hex() or 'none'}, this release knows {VERSION.hex()} and before; "
        "run the release that wrote it, or a newer one"
    )
