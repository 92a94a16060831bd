"""Looks at spools without touching them: no lock, no mending; safe beside the process that writes them."""

from pathlib import Path

import msgspec

from ingest.spool.cursor import CURSOR_FILE, Cursor, decode_cursor
from ingest.spool.files import read_range
from ingest.spool.frame import Whole, scan
from ingest.spool.intervals import Intervals
from ingest.spool.lock import LOCK_FILE, Holder, read_holder
from ingest.spool.record import UnreadablePayload, decode_head
from ingest.spool.segment import (
    CORRUPT_SUFFIX,
    HEADER_BYTES,
    SegmentName,
    is_sound_header,
    list_segments,
)

_WHOLE_FILE = 1 << 62


class SourceReport(msgspec.Struct):
    """What is pending of one source; `oldest_ms` is when the oldest of it was received."""

    source: str
    pending_records: int
    oldest_ms: int


class SegmentReport(msgspec.Struct):
    """One segment as it is on disk; `oldest_ms` is when its oldest pending record was received."""

    file: str
    size_bytes: int
    records: int = 0
    pending_records: int = 0
    damaged_bytes: int = 0
    unfinished_bytes: int = 0
    oldest_ms: int | None = None


class SpoolReport(msgspec.Struct):
    """One spool directory; `cursor` is absent, sound or damaged, and the corrupt files are what was set aside."""

    directory: str
    held_by: Holder | None
    cursor: str
    sources: list[SourceReport]
    segments: list[SegmentReport]
    records: int
    pending_records: int
    size_bytes: int
    oldest_ms: int | None
    corrupt_files: int
    corrupt_bytes: int


def inspect_spools(parent: Path) -> list[SpoolReport]:
    """Look at every spool below `parent`, in the order of their names. Blocks.

    Raises:
        SpoolVersionUnknown: a segment is of another version.
        OSError: a directory cannot be read.
    """
    if not parent.is_dir():
        return []
    directories = sorted(path for path in parent.iterdir() if path.is_dir())
    return [inspect_spool(path) for path in directories if (path / LOCK_FILE).exists() or list_segments(path)]


def inspect_spool(directory: Path) -> SpoolReport:
    """Look at one spool. Blocks; reads all of it.

    Raises:
        SpoolVersionUnknown: a segment is of another version.
        OSError: the directory cannot be read.
    """
    cursor_state, cursor = _cursor(directory)
    segments = []
    sources: dict[str, SourceReport] = {}
    for name in list_segments(directory):
        try:
            done = cursor.intervals(name.file_name, HEADER_BYTES)
            segments.append(_inspect_segment(directory, name, done, sources))
        except FileNotFoundError:
            continue  # finished while we looked
    corrupt = [path.stat().st_size for path in directory.glob(f"*{CORRUPT_SUFFIX}")]
    return SpoolReport(
        directory=str(directory),
        held_by=read_holder(directory),
        cursor=cursor_state,
        sources=sorted(sources.values(), key=lambda report: report.source),
        segments=segments,
        records=sum(segment.records for segment in segments),
        pending_records=sum(segment.pending_records for segment in segments),
        size_bytes=sum(segment.size_bytes for segment in segments),
        oldest_ms=min((segment.oldest_ms for segment in segments if segment.oldest_ms is not None), default=None),
        corrupt_files=len(corrupt),
        corrupt_bytes=sum(corrupt),
    )


def _inspect_segment(
    directory: Path, name: SegmentName, done: Intervals, sources: dict[str, SourceReport]
) -> SegmentReport:
    path = directory / name.file_name
    data, _ = read_range(path, 0, _WHOLE_FILE)
    is_sound_header(data, path)
    report = SegmentReport(name.file_name, len(data))
    for part in scan(data[HEADER_BYTES:], name.salt, HEADER_BYTES):
        size_bytes = part.end - part.offset
        if isinstance(part, Whole):
            _count(report, part, done, sources)
        elif part.torn:
            report.unfinished_bytes += size_bytes
        else:
            report.damaged_bytes += size_bytes
    return report


def _count(report: SegmentReport, part: Whole, done: Intervals, sources: dict[str, SourceReport]) -> None:
    report.records += 1
    if done.past(part.offset) >= part.end:
        return
    report.pending_records += 1
    try:
        head = decode_head(part.payload)
    except UnreadablePayload:
        report.damaged_bytes += part.end - part.offset
        return
    received_ms = head.received_at_ms
    report.oldest_ms = received_ms if report.oldest_ms is None else min(report.oldest_ms, received_ms)
    source = sources.setdefault(head.source, SourceReport(head.source, 0, received_ms))
    source.pending_records += 1
    source.oldest_ms = min(source.oldest_ms, received_ms)


def _cursor(directory: Path) -> tuple[str, Cursor]:
    try:
        cursor = decode_cursor((directory / CURSOR_FILE).read_bytes())
    except OSError:
        return "absent", Cursor()
    return ("damaged", Cursor()) if cursor is None else ("sound", cursor)
