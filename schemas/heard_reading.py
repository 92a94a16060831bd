"""Reads the JSON of a segment event byte by byte, where it is written exactly as `schemas.event` writes it.

Of such a value hardly anything needs an object, so compiled this takes a tenth of what a general decoder does.
Anything else (another order of fields, spaces, escapes, letters beyond ASCII, negative numbers) it leaves to the
general decoder; a property test holds both equal.
"""

from typing import Final

from librt.strings import read_i64_le
from librt.vecs import append, vec
from mypy_extensions import i64

from schemas.event import Origin, Partner, decode_event
from schemas.heard import Heard, heard
from schemas.privacy import PrivacyRequest

_HEAD: Final = b'{"kind":"segments","client_id":"'
_DESTINATION: Final = b'","destination_id":"'
_USER: Final = b'","aam_uuid":"'
_NO_PARTNER: Final = b'","partner":null'
_PARTNER: Final = b'","partner":{"uuid":"'
_DPID: Final = b'","dpid":'
_REGIONS: Final = b',"regions":['
_SEGMENTS: Final = b'],"segments":['
_SEGMENT: Final = b'{"segment_id":"'
_ACTIVE: Final = b'","status":"ACTIVE","verified_at":'
_INACTIVE: Final = b'","status":"INACTIVE","verified_at":'
_PROCESSED: Final = b'],"process_time":'
_NULL: Final = b"null"
_RECEIVED: Final = b',"received_at":'
_SOURCE: Final = b',"source":"'
_TOPIC: Final = b'","origin":{"topic":"'
_PARTITION: Final = b'","partition":'
_OFFSET: Final = b',"offset":'
_INDEX: Final = b',"index":'

# Compared as numbers: in mypyc, single bytes are.
_ZERO: Final = 48
_NINE: Final = 57
_QUOTE: Final = 34
_BACKSLASH: Final = 92
_COMMA: Final = 44
_OPEN: Final = 123
_CLOSE: Final = 125
_CLOSE_LIST: Final = 93
_SPACE: Final = 32
_ASCII_MAX: Final = 127
_DIGITS_MAX: Final = 18
_EIGHT: Final = 8
_HIGH: Final = -0x0F0F0F0F0F0F0F10
_ZEROS: Final = 0x3030303030303030
_SIXES: Final = 0x0606060606060606

COMPILED: Final = not __file__.endswith(".py")


class _Unusual(Exception):  # noqa: N818 - an outcome, not an error
    """It is written in another way, or no event at all."""


class HeardReader:
    """Reads one value after the other; texts that values have in common are made once."""

    __slots__ = ("_at", "_client_id", "_destination_id", "_head", "_raw", "_topic", "_topic_raw")

    def __init__(self) -> None:
        """Have read nothing."""
        self._raw = b""
        self._at: i64 = 0
        self._head = b"\0"
        self._client_id = ""
        self._destination_id = ""
        self._topic_raw = b"\0"
        self._topic = ""

    def read(self, value: bytes) -> Heard | PrivacyRequest | None:
        """Read a record's value; None for a kind that this version does not know.

        Raises:
            msgspec.MsgspecError: it is not an event.
        """
        found = self.usual(value) if COMPILED else None
        if found is not None:
            return found
        event = decode_event(value)
        return event if event is None or isinstance(event, PrivacyRequest) else heard(event)

    def usual(self, value: bytes) -> Heard | None:
        """Read a segment event that is written in the usual way, None for any other."""
        self._raw, self._at = value, 0
        try:
            return self._event()
        except _Unusual:
            return None

    def _event(self) -> Heard:
        self._take_head()
        user = self._text().decode("ascii")
        partner = self._partner()
        self._take(_REGIONS)
        regions = self._numbers()
        self._take(_SEGMENTS)
        said = self._segments()
        self._take(_PROCESSED)
        self._number_or_null()
        self._take(_RECEIVED)
        received_at = self._number()
        self._take(_SOURCE)
        self._text_end()
        return Heard(
            self._client_id, self._destination_id, user, partner, regions, received_at, self._origin(), self._raw, said
        )

    def _take_head(self) -> None:
        head = self._head
        if _stands(self._raw, 0, head):
            self._at = len(head)
            return
        self._take(_HEAD)
        client_id = self._text()
        self._take(_DESTINATION)
        destination_id = self._text()
        self._take(_USER)
        self._client_id, self._destination_id = client_id.decode("ascii"), destination_id.decode("ascii")
        self._head = self._raw[: self._at]

    def _partner(self) -> Partner | None:
        if _stands(self._raw, self._at, _NO_PARTNER):
            self._at += len(_NO_PARTNER)
            return None
        self._take(_PARTNER)
        uuid = self._text().decode("ascii")
        self._take(_DPID)
        dpid = self._number_or_null()
        self._take_byte(_CLOSE)
        return Partner(uuid, dpid)

    def _numbers(self) -> list[int]:
        """Read the numbers up to the end of a list."""
        found: list[int] = []
        if self._byte() == _CLOSE_LIST:
            return found
        found.append(self._number())
        while self._byte() == _COMMA:
            self._at += 1
            found.append(self._number())
        return found

    def _segments(self) -> vec[i64]:
        said = vec[i64](capacity=60)
        if self._byte() == _CLOSE_LIST:
            return said
        raw = self._raw
        while True:
            self._take(_SEGMENT)
            begin = self._at
            end = self._text_end()
            active = _stands(raw, end, _ACTIVE)
            if active:
                self._at = end + len(_ACTIVE)
            else:
                self._take(_INACTIVE)
            verified_at = self._number()
            self._take_byte(_CLOSE)
            said = append(said, begin)
            said = append(said, end)
            said = append(said, verified_at << 1 | i64(active))
            if self._byte() != _COMMA:
                return said
            self._at += 1

    def _origin(self) -> Origin:
        self._take(_TOPIC)
        topic = self._text()
        if topic != self._topic_raw:
            self._topic_raw, self._topic = topic, topic.decode("ascii")
        self._take(_PARTITION)
        partition = self._number()
        self._take(_OFFSET)
        offset = self._number()
        self._take(_INDEX)
        index = self._number()
        self._take_byte(_CLOSE)
        self._take_byte(_CLOSE)
        if self._at != len(self._raw):
            raise _Unusual
        return Origin(self._topic, partition, offset, index)

    def _take(self, literal: bytes) -> None:
        if not _stands(self._raw, self._at, literal):
            raise _Unusual
        self._at += len(literal)

    def _take_byte(self, byte: i64) -> None:
        if self._byte() != byte:
            raise _Unusual
        self._at += 1

    def _byte(self) -> i64:
        if self._at >= len(self._raw):
            raise _Unusual
        return self._raw[self._at]

    def _text(self) -> bytes:
        begin = self._at
        return self._raw[begin : self._text_end()]

    def _text_end(self) -> i64:
        """Go to the end of a text, where its quote is: of ASCII alone, without escapes."""
        raw, at = self._raw, self._at
        size: i64 = len(raw)
        while at < size:
            byte: i64 = raw[at]
            if byte == _QUOTE:
                self._at = at
                return at
            if byte < _SPACE or byte > _ASCII_MAX or byte == _BACKSLASH:
                break
            at += 1
        raise _Unusual

    def _number(self) -> i64:
        """Read a number that is neither negative nor large."""
        raw, begin = self._raw, self._at
        at = begin
        size: i64 = len(raw)
        value: i64 = 0
        if at + _EIGHT <= size and _are_digits(read_i64_le(raw, at)):
            value = _value_of(read_i64_le(raw, at))
            at += _EIGHT
        while at < size:
            byte: i64 = raw[at]
            if byte < _ZERO or byte > _NINE:
                break
            value = value * 10 + (byte - _ZERO)
            at += 1
            if at - begin > _DIGITS_MAX:
                raise _Unusual
        if at == begin or (at - begin > 1 and raw[begin] == _ZERO):
            raise _Unusual
        self._at = at
        return value

    def _number_or_null(self) -> int | None:
        if _stands(self._raw, self._at, _NULL):
            self._at += len(_NULL)
            return None
        return self._number()


def _stands(raw: bytes, at: i64, literal: bytes) -> bool:
    """Tell whether `literal` stands in `raw` at a place; compared by eights, of which the last may overlap."""
    size: i64 = len(literal)
    if at + size > len(raw):
        return False
    if size < _EIGHT:
        return raw[at : at + size] == literal
    last: i64 = size - _EIGHT
    if read_i64_le(raw, at + last) != read_i64_le(literal, last):
        return False
    done: i64 = 0
    while done < last:
        if read_i64_le(raw, at + done) != read_i64_le(literal, done):
            return False
        done += _EIGHT
    return True


def _are_digits(eight: i64) -> bool:
    """Tell whether eight bytes are digits, from `0` (30) to `9` (39): neither they nor they and six leave the 30s."""
    return eight & _HIGH == _ZEROS and (eight + _SIXES) & _HIGH == _ZEROS


def _value_of(eight: i64) -> i64:
    """Return the number that eight digits are: neighbours are put together, then pairs, then fours."""
    twos: i64 = (eight & 0x0F0F0F0F0F0F0F0F) * (10 * 256 + 1) >> 8
    fours: i64 = (twos & 0x00FF00FF00FF00FF) * (100 * 65536 + 1) >> 16
    return (fours & 0x0000FFFF0000FFFF) * (10000 * 4294967296 + 1) >> 32 & 0xFFFFFFFF
