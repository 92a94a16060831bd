"""Avro's integers: zigzag, then base 128 with the lowest group first.

Source: Avro specification, *Binary Encoding*.
"""

from functools import lru_cache

_GROUP_BITS = 14
_GROUP = 1 << _GROUP_BITS
_LONG_MIN = -(2**63)
_LONG_MAX = 2**63 - 1


def _two_bytes(value: int) -> bytes:
    return bytes((value & 0x7F | 0x80, value >> 7 | 0x80))


# Two bytes at a time, looked up: a time of today takes three steps.
_MORE = tuple(_two_bytes(value) for value in range(_GROUP))
_LAST = tuple(bytes((value,)) if value < 0x80 else bytes((value & 0x7F | 0x80, value >> 7)) for value in range(_GROUP))


# The times of a user's memberships are mostly one and the same.
@lru_cache(maxsize=8192)
def encode_long(value: int) -> bytes:
    """Encode an `int` or `long`.

    Raises:
        OverflowError: it needs more than 64 bits.
    """
    if not _LONG_MIN <= value <= _LONG_MAX:
        raise OverflowError(f"{value} does not fit into a long of 64 bits")
    rest = (value << 1) ^ (value >> 63)
    if _GROUP * _GROUP <= rest < _GROUP * _GROUP * _GROUP:  # a time of today, until 2039
        low, middle = rest & (_GROUP - 1), rest >> _GROUP_BITS & (_GROUP - 1)
        return _MORE[low] + _MORE[middle] + _LAST[rest >> 2 * _GROUP_BITS]
    encoded = b""
    while rest >= _GROUP:
        encoded += _MORE[rest & (_GROUP - 1)]
        rest >>= _GROUP_BITS
    return encoded + _LAST[rest]


class Sizes(dict[int, bytes]):
    """Encoded lengths of strings; the usual ones ready, any other when asked for."""

    def __init__(self) -> None:
        """Fill in the lengths below 1024."""
        super().__init__((size, encode_long.__wrapped__(size)) for size in range(1024))

    def __missing__(self, size: int) -> bytes:
        """Encode an unusual length."""
        return encode_long(size)
