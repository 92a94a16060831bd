"""What a spool directory holds when it is opened, mended where the last run was cut short."""

import os
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

from ingest.spool.aside import remove_segment, set_aside
from ingest.spool.cursor import Cursor, read_cursor
from ingest.spool.files import read_range, sync_directory
from ingest.spool.frame import Damaged, Whole, scan
from ingest.spool.ledger import SegmentLedger
from ingest.spool.record import UnreadablePayload, decode_head
from ingest.spool.segment import HEADER_BYTES, SegmentName, is_sound_header, list_segments
from runtime.metrics import SPOOL_TORN

_log = structlog.get_logger()
_WHOLE_FILE = 1 << 62


class Recovered(msgspec.Struct, frozen=True):
    """The segments that hold something to replay, and the first number that was never used."""

    segments: list[SegmentLedger]
    next_number: int


def recover(directory: Path) -> Recovered:
    """Read every segment, cut torn tails, set damaged bytes aside, remove what is empty or finished. Blocks.

    No segment found here is ever appended to again. What cannot be mended on a disk that refuses is left for the
    next time; it is never read.

    Raises:
        SpoolVersionUnknown: a segment is of another version; nothing was changed.
        OSError: the directory, or a segment, cannot be opened.
    """
    cursor = read_cursor(directory)
    names = list_segments(directory)
    for name in names:
        path = directory / name.file_name
        is_sound_header(read_range(path, 0, HEADER_BYTES)[0], path)
    segments = []
    for name in names:
        segment = _recover_segment(directory, name, cursor)
        if not (segment.is_finished and _is_removed(directory, segment)):
            segments.append(segment)
    # Without it a crash of the machine may bring a removed segment back, to be replayed again.
    with suppress(OSError):
        sync_directory(directory)
    return Recovered(segments, _next_number(names, cursor))


def _is_removed(directory: Path, segment: SegmentLedger) -> bool:
    try:
        remove_segment(directory, segment.name, keep=segment.keep)
    except OSError:
        return False
    return True


def _next_number(names: list[SegmentName], cursor: Cursor) -> int:
    known = [SegmentName.parse(file_name) for file_name in cursor.segments]
    return max((name.number for name in [*names, *known] if name is not None), default=0) + 1


def _recover_segment(directory: Path, name: SegmentName, cursor: Cursor) -> SegmentLedger:
    path = directory / name.file_name
    data, readable = read_range(path, 0, _WHOLE_FILE)
    segment = SegmentLedger(name, cursor.intervals(name.file_name, HEADER_BYTES))
    segment.keep = not readable
    if len(data) < HEADER_BYTES:
        if data:
            _count_torn(name, 0, len(data))
        return segment
    if not is_sound_header(data, path):
        segment.keep |= not set_aside(directory, name, 0, data[:HEADER_BYTES])
    for part in scan(data[HEADER_BYTES:], name.salt, HEADER_BYTES):
        if isinstance(part, Whole):
            _add(segment, directory, part, data)
        elif part.torn and readable:
            _cut(path, part)
            _count_torn(name, part.offset, part.end - part.offset)
        else:
            _pass_over(segment, directory, part, data)
    return segment


def _add(segment: SegmentLedger, directory: Path, part: Whole, data: bytes) -> None:
    try:
        head = decode_head(part.payload)
        segment.add(part.offset, part.end, head.received_at_ms, head.source)
    except UnreadablePayload:
        _pass_over(segment, directory, Damaged(part.offset, part.end, torn=False), data)


def _pass_over(segment: SegmentLedger, directory: Path, part: Damaged, data: bytes) -> None:
    if segment.done.past(part.offset) < part.end:
        segment.keep |= not set_aside(directory, segment.name, part.offset, data[part.offset : part.end])
    segment.done.add(part.offset, part.end)
    segment.size_bytes = part.end


def _cut(path: Path, part: Damaged) -> None:
    with suppress(OSError), path.open("r+b") as file:
        file.truncate(part.offset)
        os.fsync(file.fileno())


def _count_torn(name: SegmentName, offset: int, size_bytes: int) -> None:
    SPOOL_TORN.inc()
    _log.warning("spool_torn_tail_cut", segment=name.file_name, offset=offset, size_bytes=size_bytes)
