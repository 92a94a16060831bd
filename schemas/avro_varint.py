"""Avro's integers: zigzag, then base 128 with the lowest group first.

Source: Avro specification, *Binary Encoding*.
"""

from typing import Final

from librt.strings import BytesWriter
from mypy_extensions import i64, u8

_GROUP_BITS: Final = 14
_GROUP: Final = 1 << 14
_LOW: Final = (1 << 14) - 1
_SMALL: Final = 1 << 13
_TODAY_FROM: Final = 1 << 27
_TODAY_UNTIL: Final = 1 << 41
_LONG_MIN: Final = -(2**63)
_LONG_MAX: Final = 2**63 - 1


def _two_bytes(value: int) -> bytes:
    return bytes((value & 0x7F | 0x80, value >> 7 | 0x80))


# Two bytes at a time, looked up: a time of today takes three steps.
_MORE: Final[list[bytes]] = [_two_bytes(value) for value in range(_GROUP)]
_LAST: Final[list[bytes]] = [
    bytes((value,)) if value < 0x80 else bytes((value & 0x7F | 0x80, value >> 7)) for value in range(_GROUP)
]


def encode_long(value: int) -> bytes:
    """Encode an `int` or `long`.

    Raises:
        OverflowError: it needs more than 64 bits.
    """
    if 0 <= value < _SMALL:
        return _LAST[value << 1]
    if _TODAY_FROM <= value < _TODAY_UNTIL:  # a time of today, until 2039
        return _MORE[value << 1 & _LOW] + _MORE[value >> 13 & _LOW] + _LAST[value >> 27]
    if not _LONG_MIN <= value <= _LONG_MAX:
        raise OverflowError(f"{value} does not fit into a long of 64 bits")
    rest = (value << 1) ^ (value >> 63)
    encoded = b""
    while rest >= _GROUP:
        encoded += _MORE[rest & _LOW]
        rest >>= _GROUP_BITS
    return encoded + _LAST[rest]


def write_long(to: BytesWriter, value: i64) -> None:
    """Write an `int` or `long`."""
    rest: i64 = value << 1 if value >= 0 else ~(value << 1)
    if rest < 0:  # its highest bit is one of the number's
        to.write(encode_long(value))
        return
    while rest >= 0x80:
        to.append(u8(rest & 0x7F | 0x80))
        rest >>= 7
    to.append(u8(rest))


class Sizes(dict[int, bytes]):
    """Encoded lengths of strings; the usual ones ready, any other when asked for."""

    def __init__(self) -> None:
        """Fill in the lengths below 1024."""
        super().__init__((size, encode_long(size)) for size in range(1024))

    def __missing__(self, size: int) -> bytes:
        """Encode an unusual length."""
        return encode_long(size)
