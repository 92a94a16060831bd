"""From the bytes of a published record to those of a `COPY … (FORMAT binary)`, with no objects in between.

It stands on the order of the schemas' fields, and the staging tables have the same. A property test holds it equal to
`schemas.avro_codec`. Compiled with the rest of the hot path.

Source: Avro specification, *Binary Encoding*; PostgreSQL's manual, *COPY*, Binary Format.
"""

import struct
from typing import Final

import msgspec

from schemas.avro_codec import FRAME_BYTES, AvroDecodeError, schema_id_of
from schemas.avro_schema import enum_symbols, load_schema

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER: Final = b"\xff\xff"
MEMBERSHIP_FIELDS: Final = 13
CHANGE_FIELDS: Final = 20

_NULL: Final = b"\xff\xff\xff\xff"
_VARINT_BYTES_MAX: Final = 10
_TODAY_BYTES: Final = 6
_MARKS: Final = 0x80 + (0x80 << 7) + (0x80 << 14) + (0x80 << 21) + (0x80 << 28)
_pack_count: Final = struct.Struct(">h").pack
_pack_size: Final = struct.Struct(">i").pack
_pack_long: Final = struct.Struct(">iq").pack
_pack_int: Final = struct.Struct(">ii").pack
_as_json: Final = msgspec.json.Encoder().encode


def _field(value: bytes) -> bytes:
    return _pack_size(len(value)) + value


def _symbols(field: str) -> list[bytes]:
    return [_field(symbol.encode()) for symbol in enum_symbols(load_schema("SegmentMembershipChange"), field)]


_STATUS: Final = _symbols("status")
_CAUSE: Final = _symbols("cause")
_CHANGE: Final = _symbols("change")
_MEMBERSHIP_COUNT: Final = _pack_count(MEMBERSHIP_FIELDS)
_CHANGE_COUNT: Final = _pack_count(CHANGE_FIELDS)
# Few are in use, and most sizes come again.
_SIZES: Final = [_pack_size(size) for size in range(128)]


class _Reader:
    """Reads a record from its beginning to its end, and returns fields of a COPY."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = FRAME_BYTES

    def long(self) -> int:
        """Return an `int` or `long`."""
        data, at = self.data, self.at
        byte = data[at]
        if byte < 0x80:
            self.at = at + 1
            return (byte >> 1) ^ -(byte & 1)
        if at + _TODAY_BYTES <= len(data):  # a time of today
            second, third, fourth, fifth, last = data[at + 1], data[at + 2], data[at + 3], data[at + 4], data[at + 5]
            if last < 0x80 <= second & third & fourth & fifth:
                self.at = at + _TODAY_BYTES
                value = byte + (second << 7) + (third << 14) + (fourth << 21) + (fifth << 28) + (last << 35) - _MARKS
                return (value >> 1) ^ -(value & 1)
        return self._any_long()

    def _any_long(self) -> int:
        data, at = self.data, self.at
        byte = data[at]
        value, shift = byte & 0x7F, 7
        while byte >= 0x80:
            at += 1
            byte = data[at]
            value |= (byte & 0x7F) << shift
            shift += 7
        if shift > 7 * _VARINT_BYTES_MAX or value >= 1 << 64:
            raise AvroDecodeError("a number has more than 64 bits")
        self.at = at + 1
        return (value >> 1) ^ -(value & 1)

    def string(self) -> bytes:
        """Return a string in UTF-8."""
        size = self.long()
        begin = self.at
        end = begin + size
        if size < 0 or end > len(self.data):
            raise AvroDecodeError(f"a string of {size} bytes where {len(self.data) - begin} follow")
        self.at = end
        text = self.data[begin:end]
        if not text.isascii():
            str(text, "utf-8")
        return text

    def text(self) -> bytes:
        """Return the field of a string."""
        text = self.string()
        size = len(text)
        return (_SIZES[size] if size < 128 else _pack_size(size)) + text

    def number(self) -> bytes:
        """Return the field of a `long`."""
        return _pack_long(8, self.long())

    def small_number(self) -> bytes:
        """Return the field of an `int`."""
        return _pack_int(4, self.long())

    def symbol(self, symbols: list[bytes]) -> bytes:
        """Return the field of an enum."""
        index = self.long()
        if not 0 <= index < len(symbols):
            raise AvroDecodeError(f"symbol {index} of {len(symbols)}")
        return symbols[index]

    def is_there(self) -> bool:
        """Tell which of a union with null it is."""
        branch = self.long()
        if branch not in (0, 1):
            raise AvroDecodeError(f"branch {branch} of two")
        return branch == 1

    def items(self) -> int:
        """Return how many items the next block of an array has; 0 at its end."""
        count = self.long()
        if count < 0:
            self.long()  # the block's size
            return -count
        return count

    def partners(self) -> bytes:
        """Return the field of the partner IDs, as JSON."""
        listed: list[bytes] = []
        count = self.items()
        while count:
            for _ in range(count):
                dpid = b"%d" % self.long() if self.is_there() else b"null"
                listed.append(b'{"uuid":' + _as_json(str(self.string(), "utf-8")) + b',"dpid":' + dpid + b"}")
            count = self.items()
        return _field(b"[" + b",".join(listed) + b"]")

    def regions(self) -> bytes:
        """Return the field of the regions, as JSON."""
        listed: list[bytes] = []
        count = self.items()
        while count:
            for _ in range(count):
                listed.append(b"%d" % self.long())  # noqa: PERF401 - compiled, this is the quicker one
            count = self.items()
        return _field(b"[" + b",".join(listed) + b"]")

    def row(self) -> list[bytes]:
        """Return the fields that a row and a change begin with."""
        return [
            self.text(), self.text(), self.text(), self.text(), self.symbol(_STATUS), self.number(), self.number(),
            self.number() if self.is_there() else _NULL, self.symbol(_CAUSE), self.partners(), self.regions(),
            self.number(),
        ]  # fmt: skip

    def change(self) -> list[bytes]:
        """Return the fields that only a change has."""
        change = self.symbol(_CHANGE)
        was, since = _NULL, _NULL
        if self.is_there():
            was, since = self.symbol(_STATUS), self.number()
        return [
            change, was, since, self.number(), self.text(), self.small_number(), self.number(), self.small_number()
        ]  # fmt: skip


def membership_tuple(value: bytes, source_offset: int) -> bytes:
    """Return a value of `segment-membership` as a tuple of COPY; the offset is its last field.

    Raises:
        AvroDecodeError: it is none.
    """
    schema_id_of(value)
    reader = _Reader(value)
    try:
        fields = reader.row()
    except (IndexError, ValueError, struct.error) as error:
        raise AvroDecodeError(f"{len(value)} bytes are no SegmentMembership: {error}") from error
    _expect_end(reader)
    return b"".join((_MEMBERSHIP_COUNT, *fields, _pack_long(8, source_offset)))


def change_tuple(value: bytes) -> bytes:
    """Return a value of `segment-membership-changes` as a tuple of COPY.

    Raises:
        AvroDecodeError: it is none.
    """
    schema_id_of(value)
    reader = _Reader(value)
    try:
        fields = reader.row() + reader.change()
    except (IndexError, ValueError, struct.error) as error:
        raise AvroDecodeError(f"{len(value)} bytes are no SegmentMembershipChange: {error}") from error
    _expect_end(reader)
    return b"".join((_CHANGE_COUNT, *fields))


def _expect_end(reader: _Reader) -> None:
    left = len(reader.data) - reader.at
    if left:
        raise AvroDecodeError(f"{left} bytes follow the record")
