"""Frames: a record among others in a segment's bytes, found again whatever happened to its neighbours. Pure.

    marker (4) · payload length (4) · CRC32C of the payload (4) · CRC32C of salt, offset and these two (4) · payload

Numbers are little-endian. The salt is the segment's own and unknown to senders, so no message's bytes can pass for a
frame; the offset keeps a frame from being believed anywhere but where it was written. A sound head tells where its
frame ends even if the payload is damaged; past a damaged head the next marker with a sound head is looked for.
"""

import struct
from collections.abc import Iterator

import msgspec
from google_crc32c import value as crc32c

MARKER = b"\xf4SPL"
FRAME_HEAD = struct.Struct("<4sIII")
_CHECKED = struct.Struct("<8sQII")


class Whole(msgspec.Struct, frozen=True, gc=False):
    """A sound frame at [offset, end) of its segment."""

    offset: int
    end: int
    payload: bytes


class Damaged(msgspec.Struct, frozen=True, gc=False):
    """Bytes [offset, end) of a segment that are no sound frame; `torn`: the end of a write that was cut short."""

    offset: int
    end: int
    torn: bool


def head_of(salt: bytes, offset: int, payload: bytes) -> bytes:
    """Return what goes before a payload at `offset` of the segment with this salt."""
    length, payload_crc = len(payload), crc32c(payload)
    return FRAME_HEAD.pack(MARKER, length, payload_crc, crc32c(_CHECKED.pack(salt, offset, length, payload_crc)))


def scan(data: bytes, salt: bytes, base: int) -> Iterator[Whole | Damaged]:
    """Take apart `data`, which begins at offset `base` of its segment; what comes out covers it without a gap."""
    at, limit = 0, len(data)
    while at < limit:
        head = _sound_head(data, salt, base, at)
        if head is None:
            end = _next_sound(data, salt, base, at + 1)
            yield Damaged(base + at, base + end, torn=end == limit and _is_torn(data, at))
            at = end
            continue
        length, payload_crc = head
        end = at + FRAME_HEAD.size + length
        if end > limit:
            yield Damaged(base + at, base + limit, torn=True)
            return
        payload = data[at + FRAME_HEAD.size : end]
        if crc32c(payload) == payload_crc:
            yield Whole(base + at, base + end, payload)
        else:
            yield Damaged(base + at, base + end, torn=False)
        at = end


def _sound_head(data: bytes, salt: bytes, base: int, at: int) -> tuple[int, int] | None:
    """Return payload length and CRC; None where no frame begins. The marker may be damaged, as nothing hangs on it."""
    if len(data) - at < FRAME_HEAD.size:
        return None
    _, length, payload_crc, check = FRAME_HEAD.unpack_from(data, at)
    if check != crc32c(_CHECKED.pack(salt, base + at, length, payload_crc)):
        return None
    return length, payload_crc


def _next_sound(data: bytes, salt: bytes, base: int, at: int) -> int:
    while (at := data.find(MARKER, at)) >= 0:
        if _sound_head(data, salt, base, at) is not None:
            return at
        at += 1
    return len(data)


def _is_torn(data: bytes, at: int) -> bool:
    """Tell whether the last bytes are a write cut short: less than a head, or never written at all (zeros)."""
    return len(data) - at < FRAME_HEAD.size or data.count(0, at) == len(data) - at
