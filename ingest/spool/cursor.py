"""The durable cursor: what is done, in a file that is always whole.

It is checked as a whole: a damaged cursor is no cursor, and everything is replayed. So it can never hide a record.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog
from google_crc32c import value as crc32c

from ingest.spool.files import write_whole
from ingest.spool.intervals import Intervals

CURSOR_FILE = "cursor"
_VERSION = 1
_CRC_BYTES = 4

_log = structlog.get_logger()


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """Of every segment file that has anything done: the low mark, and the intervals above it."""

    version: int = _VERSION
    segments: dict[str, tuple[int, list[tuple[int, int]]]] = {}

    def intervals(self, file_name: str, low: int) -> Intervals:
        """Return what is done of a segment; `low` where the cursor does not know it."""
        known_low, above = self.segments.get(file_name, (low, []))
        return Intervals(max(low, known_low), above)


def cursor_of(done: Mapping[str, Intervals]) -> Cursor:
    """Take down what is done now."""
    return Cursor(segments={name: (intervals.low, intervals.above()) for name, intervals in done.items()})


def encode_cursor(cursor: Cursor) -> bytes:
    """Return the file's bytes."""
    data = msgspec.msgpack.encode(cursor)
    return _crc(data) + data


def _crc(data: bytes) -> bytes:
    return int(crc32c(data)).to_bytes(_CRC_BYTES, "little")


def decode_cursor(data: bytes) -> Cursor | None:
    """Read the file's bytes; None where they are damaged, or of another version."""
    if data[:_CRC_BYTES] != _crc(data[_CRC_BYTES:]):
        return None
    try:
        cursor = msgspec.msgpack.decode(data[_CRC_BYTES:], type=Cursor)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return cursor if cursor.version == _VERSION else None


def read_cursor(directory: Path) -> Cursor:
    """Read a directory's cursor; an empty one where there is none, or it cannot be believed. Blocks."""
    try:
        data = (directory / CURSOR_FILE).read_bytes()
    except FileNotFoundError:
        return Cursor()
    except OSError as error:
        _log.warning("spool_cursor_unreadable", directory=str(directory), error=error.strerror)
        return Cursor()
    cursor = decode_cursor(data)
    if cursor is None:
        _log.warning("spool_cursor_damaged", directory=str(directory), effect="everything is replayed")
    return cursor or Cursor()


def write_cursor(directory: Path, cursor: Cursor) -> None:
    """Replace a directory's cursor, durably. Blocks.

    Raises:
        OSError: the former one is still there.
    """
    write_whole(directory / CURSOR_FILE, encode_cursor(cursor))


def remove_cursor(directory: Path) -> None:
    """Remove a directory's cursor: nothing is left that it could speak of. Blocks."""
    with suppress(OSError):
        (directory / CURSOR_FILE).unlink()
