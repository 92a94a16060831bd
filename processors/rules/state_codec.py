"""A user's state as bytes, and its stored versions.

One version byte, the numbers of `UserSummary` and `tombstone_at` of 8 bytes each, little-endian, then lists: a count
and what is counted. Counts, lengths and indices are in base 128 with the lowest group first, texts UTF-8 behind their
length, the columns of a destination one after the other: the lengths of its segment IDs, the IDs, its stamps and
`since` of 8 bytes each, its origins. Made of bytes alone, so that reading a state makes few objects: compiled, their
number is what costs. A new version gets a new byte, and a decoder for the old one stays.
"""

from typing import Final

import msgspec
from librt.strings import BytesWriter, read_i64_le, write_i64_le
from librt.vecs import append, vec
from mypy_extensions import i64, u8

from processors.rules.state import NUMBERS, Destination, UserState
from processors.rules.state_v1 import VERSION_1, decode_v1
from processors.rules.state_v2 import VERSION_2, decode_v2
from processors.rules.user_summary import UserSummary
from schemas.event import Partner

VERSION: Final = b"\x03"
_HEAD_BYTES: Final = 1 + 8 * 8


class StateVersionError(ValueError):
    """A stored state has a version that this release does not know."""


class StateDamagedError(ValueError):
    """Bytes that are no stored state."""


_decode_summary: Final = msgspec.msgpack.Decoder(UserSummary).decode


def encode_state(state: UserState) -> bytes:
    """Encode a state as it is stored and written to the changelog. What no membership names as its origin goes."""
    _drop_unused_origins(state)
    to = BytesWriter()
    to.write(VERSION)
    write_i64_le(to, state.offset)
    write_i64_le(to, state.version)
    write_i64_le(to, state.seen_day)
    write_i64_le(to, state.due_at)
    write_i64_le(to, state.removed_at)
    write_i64_le(to, state.active)
    write_i64_le(to, state.rules)
    write_i64_le(to, state.tombstone_at)
    _write_count(to, len(state.destinations))
    for destination in state.destinations:
        _write_destination(to, destination)
    _write_lists(to, state)
    return to.getvalue()


def decode_state(value: bytes) -> UserState:
    """Decode a stored state of any known version.

    Raises:
        StateVersionError: it was written by a newer release.
        StateDamagedError: it was not stored so.
    """
    version = value[:1]
    if version == VERSION:
        return _Reading(value).state()
    if version == VERSION_2:
        return decode_v2(value)
    if version == VERSION_1:
        return decode_v1(value)
    raise _unknown(version)


def decode_summary(value: bytes) -> UserSummary:
    """Decode the first fields of a stored state of any known version; they are the same in all.

    Raises:
        StateVersionError: it was written by a newer release.
        StateDamagedError: it was not stored so.
    """
    version = value[:1]
    if version == VERSION:
        head = _Reading(value)
        return UserSummary(
            head.number(0), head.number(1), head.number(2), head.number(3), head.number(4), head.number(5),
            head.number(6),
        )  # fmt: skip
    if version in (VERSION_1, VERSION_2):
        return _decode_summary(memoryview(value)[1:])
    raise _unknown(version)


def _write_destination(to: BytesWriter, destination: Destination) -> None:
    _write_text(to, destination.client_id)
    _write_text(to, destination.destination_id)
    stamps, since, origins = destination.stamps, destination.since, destination.origins
    bounds, new = destination.bounds, destination.new
    _write_count(to, len(stamps))
    at: i64 = 0
    while at < len(bounds):
        _write_count(to, bounds[at + 1] - bounds[at])
        at += 2
    for segment in new:
        _write_count(to, len(segment))
    if len(bounds):
        to.write(destination.text[bounds[0] : bounds[len(bounds) - 1]])
    for segment in new:
        to.write(segment)
    for stamped in stamps:
        write_i64_le(to, stamped)
    for at_ms in since:
        write_i64_le(to, at_ms)
    for origin in origins:
        _write_count(to, origin)


def _write_lists(to: BytesWriter, state: UserState) -> None:
    _write_count(to, len(state.partners))
    for partner in state.partners:
        _write_text(to, partner.uuid)
        if partner.dpid is None:
            to.append(0)
        else:
            to.append(1)
            write_i64_le(to, partner.dpid)
    _write_count(to, len(state.regions))
    for region in state.regions:
        write_i64_le(to, region)
    _write_count(to, len(state.topics))
    for topic in state.topics:
        _write_text(to, topic)
    origins = state.origins
    _write_count(to, len(origins) // NUMBERS)
    for number in origins:
        write_i64_le(to, number)
    _write_count(to, len(state.tombstones))
    for name in state.tombstones:
        _write_text(to, name[0])
        _write_text(to, name[1])
        _write_text(to, name[2])


def _write_text(to: BytesWriter, text: str) -> None:
    raw = text.encode()
    _write_count(to, len(raw))
    to.write(raw)


def _write_count(to: BytesWriter, count: i64) -> None:
    while count >= 0x80:
        to.append(u8(count & 0x7F | 0x80))
        count >>= 7
    to.append(u8(count))


class _Reading:
    """Reads one value from its begin to its end."""

    __slots__ = ("_at", "_raw", "_size")

    def __init__(self, raw: bytes) -> None:
        if len(raw) < _HEAD_BYTES:
            raise _damaged()
        self._raw = raw
        self._size: i64 = len(raw)
        self._at: i64 = _HEAD_BYTES

    def number(self, index: i64) -> i64:
        """Return a number of the head."""
        return read_i64_le(self._raw, 1 + 8 * index)

    def state(self) -> UserState:
        """Read all of it."""
        state = UserState(
            self.number(0), self.number(1), self.number(2), self.number(3), self.number(4), self.number(5),
            self.number(6),
        )  # fmt: skip
        state.tombstone_at = self.number(7)
        for _ in range(self._count()):
            state.destinations.append(self._destination())
        for _ in range(self._count()):
            state.partners.append(self._partner())
        for _ in range(self._count()):
            state.regions.append(self._long())
        for _ in range(self._count()):
            state.topics.append(self._text())
        state.origins = self._longs(self._count() * NUMBERS)
        for _ in range(self._count()):
            state.tombstones.append((self._text(), self._text(), self._text()))
        if self._at != self._size:
            raise _damaged()
        return state

    def _destination(self) -> Destination:
        destination = Destination(self._text(), self._text())
        count = self._count()
        bounds = vec[i64](capacity=2 * count)
        end: i64 = 0
        left = count
        while left > 0:
            bounds = append(bounds, end)
            end += self._count()
            bounds = append(bounds, end)
            left -= 1
        destination.text, destination.bounds = self._piece(end), bounds
        destination.stamps = self._longs(count)
        destination.since = self._longs(count)
        origins = vec[i64](capacity=count)
        while left < count:
            origins = append(origins, self._count())
            left += 1
        destination.origins = origins
        return destination

    def _partner(self) -> Partner:
        uuid = self._text()
        if not self._count():
            return Partner(uuid, None)
        return Partner(uuid, self._long())

    def _count(self) -> i64:
        """Read a count, a length or an index: never more than there are bytes."""
        raw, at = self._raw, self._at
        count: i64 = 0
        shift: i64 = 0
        while at < self._size and shift < 32:
            byte: i64 = raw[at]
            at += 1
            count |= (byte & 0x7F) << shift
            if byte < 0x80:
                self._at = at
                if count > self._size:
                    break
                return count
            shift += 7
        raise _damaged()

    def _long(self) -> i64:
        at = self._at
        if at + 8 > self._size:
            raise _damaged()
        self._at = at + 8
        return read_i64_le(self._raw, at)

    def _longs(self, count: i64) -> vec[i64]:
        raw, at = self._raw, self._at
        end: i64 = at + 8 * count
        if end > self._size:
            raise _damaged()
        self._at = end
        found = vec[i64](capacity=count)
        while at < end:
            found = append(found, read_i64_le(raw, at))
            at += 8
        return found

    def _piece(self, size: i64) -> bytes:
        begin = self._at
        if begin + size > self._size:
            raise _damaged()
        self._at = begin + size
        return self._raw[begin : begin + size]

    def _text(self) -> str:
        return self._piece(self._count()).decode()


def _drop_unused_origins(state: UserState) -> None:
    """Keep the origins that are named, in the order of their memberships."""
    origins = state.origins
    kept = vec[i64](capacity=len(origins))
    moved = vec[i64](capacity=len(origins) // NUMBERS)
    while len(moved) < len(origins) // NUMBERS:
        moved = append(moved, -1)
    for destination in state.destinations:
        column = destination.origins
        position: i64 = 0
        while position < len(column):
            origin = column[position]
            to = moved[origin]
            if to < 0:
                to = moved[origin] = len(kept) // NUMBERS
                number: i64 = NUMBERS * origin
                while number < NUMBERS * origin + NUMBERS:
                    kept = append(kept, origins[number])
                    number += 1
            column[position] = to
            position += 1
    state.origins = kept


def _damaged() -> StateDamagedError:
    return StateDamagedError("stored state is cut short, or no state: drop the local state, so that it is restored")


def _unknown(version: bytes) -> StateVersionError:
    return StateVersionError(
        f"stored state has version {version.hex() or 'none'}, this release knows {VERSION.hex()} and before; "
        "run the release that wrote it, or a newer one"
    )
