"""The second stored version of a user's state: a msgpack array, destinations in columns. Read, never written.

In it a destination is four things: its names, its segment IDs as one text, and its columns as one piece of bytes,
little-endian and without gaps: stamps and `since` of 8 bytes each, origins of 4.
"""

import struct

import msgspec
from librt.vecs import vec
from mypy_extensions import i64

from processors.rules.state import Destination, Name, UserState
from schemas.event import Partner

VERSION_2 = b"\x02"
_SEPARATOR = "\x1f"
_COLUMNS_BYTES = 8 + 8 + 4

StoredDestination = tuple[str, str, str | list[str], bytes]
"""Client, destination, segment IDs (a list where one has the separator in it), columns."""
StoredUser = tuple[
    int, int, int, int, int, int, int, list[StoredDestination], list[Partner], list[int], list[str],
    list[tuple[int, int, int, int]], list[Name], int,
]  # fmt: skip

_decode = msgspec.msgpack.Decoder(StoredUser).decode


def decode_v2(value: bytes) -> UserState:
    """Decode a state stored in version 2."""
    stored = _decode(memoryview(value)[1:])
    state = UserState(stored[0], stored[1], stored[2], stored[3], stored[4], stored[5], stored[6])
    state.destinations = [_unpacked(destination) for destination in stored[7]]
    state.partners, state.regions, state.topics = stored[8], stored[9], stored[10]
    state.origins = vec[i64]([number for origin in stored[11] for number in origin])
    state.tombstones, state.tombstone_at = stored[12], stored[13]
    return state


def _unpacked(stored: StoredDestination) -> Destination:
    client_id, destination_id, names, columns = stored
    destination = Destination(client_id, destination_id)
    count = len(columns) // _COLUMNS_BYTES
    if count:
        numbers = struct.unpack(f"<{2 * count}q{count}I", columns)
        segment_ids = names.split(_SEPARATOR) if isinstance(names, str) else names
        destination.new = [segment_id.encode() for segment_id in segment_ids]
        destination.stamps = vec[i64](numbers[:count])
        destination.since = vec[i64](numbers[count : 2 * count])
        destination.origins = vec[i64](numbers[2 * count :])
    return destination
