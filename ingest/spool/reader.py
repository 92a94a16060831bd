"""Replay: what is not done, oldest first."""

import asyncio
import heapq
from collections.abc import Iterable
from pathlib import Path

import msgspec
import structlog

from ingest.spool.aside import set_aside
from ingest.spool.files import read_range
from ingest.spool.frame import Damaged, Whole, scan
from ingest.spool.ledger import Ledger
from ingest.spool.record import Position, Spooled, UnreadablePayload, decode_record
from ingest.spool.segment import SegmentName

_log = structlog.get_logger()


class Span(msgspec.Struct, frozen=True):
    """Where to read: [offset, limit) of a segment; frames are whole at both ends."""

    name: SegmentName
    offset: int
    limit: int
    again: bool = False
    """Whether it is one record that was given back."""


class Harvest(msgspec.Struct):
    """What a span gave; `end` is how far it was read."""

    end: int
    spooled: list[Spooled] = []
    damaged: list[Damaged] = []
    keep: bool = False


class Reader:
    """Hands out each pending record once, until it is given back."""

    def __init__(self, directory: Path, ledger: Ledger) -> None:
        """Read `directory`, as far as the ledger says it is durable."""
        self._directory = directory
        self._ledger = ledger
        self._at = (0, 0)
        self._given_back: list[Position] = []

    def give_back(self, positions: Iterable[Position]) -> None:
        """Hand these out again, before others."""
        for position in positions:
            heapq.heappush(self._given_back, position)

    async def read(self, records_max: int, bytes_max: int) -> list[Spooled]:
        """Return the next pending records, empty where there is none; one caller at a time.

        Raises:
            OSError: a segment cannot be opened; nothing was skipped.
        """
        spooled: list[Spooled] = []
        while not spooled and (span := self._next_span()) is not None:
            try:
                harvest = await asyncio.to_thread(harvest_span, self._directory, span, records_max, bytes_max)
            except FileNotFoundError:
                harvest = self._missing(span)
            except OSError:
                if span.again:
                    self.give_back([Position(span.name.number, span.offset, span.limit)])
                raise
            self._advance(span, harvest)
            spooled = [one for one in harvest.spooled if self._is_pending(one.position)]
        return spooled

    def _next_span(self) -> Span | None:
        segments = self._ledger.segments
        while self._given_back:
            position = heapq.heappop(self._given_back)
            if self._is_pending(position):
                return Span(segments[position.segment].name, position.offset, position.end, again=True)
        number, offset = self._at
        for segment in segments.values():
            if segment.name.number < number:
                continue
            start = segment.done.past(offset if segment.name.number == number else 0)
            if start < segment.size_bytes:
                following = (begin for begin, _ in segment.done.above() if begin > start)
                return Span(segment.name, start, min(next(following, segment.size_bytes), segment.size_bytes))
        return None

    def _advance(self, span: Span, harvest: Harvest) -> None:
        number = span.name.number
        for damaged in harvest.damaged:
            self._ledger.pass_over(number, damaged.offset, damaged.end)
        if harvest.keep and number in self._ledger.segments:
            self._ledger.segments[number].keep = True
        if not span.again:
            self._at = (number, harvest.end)

    def _missing(self, span: Span) -> Harvest:
        """Go past a segment whose file is gone: removed by us meanwhile, or by someone else."""
        segment = self._ledger.segments.get(span.name.number)
        if segment is None or segment.is_finished:
            return Harvest(span.limit)
        _log.error("spool_segment_missing", segment=span.name.file_name, records=segment.pending_records)
        return Harvest(segment.size_bytes, damaged=[Damaged(0, segment.size_bytes, torn=False)])

    def _is_pending(self, position: Position) -> bool:
        segment = self._ledger.segments.get(position.segment)
        return segment is not None and segment.done.past(position.offset) < position.end


def harvest_span(directory: Path, span: Span, records_max: int, bytes_max: int) -> Harvest:
    """Read records from a span: at least one, or what is damaged there, and no more than asked for. Blocks.

    Raises:
        OSError: the segment cannot be opened.
    """
    path = directory / span.name.file_name
    limit = min(span.limit, span.offset + bytes_max)
    data, readable = read_range(path, span.offset, limit)
    harvest = _take(data, span, records_max)
    if harvest.end > span.offset:
        return harvest
    # No whole frame: it is longer than was asked for, or damaged, which only what comes after it can tell.
    if limit < span.limit:
        data, readable = read_range(path, span.offset, span.limit)
        harvest = _take(data, span, 1)
        if harvest.end > span.offset:
            return harvest
    return _take_damaged(directory, data, span, readable)


def _take(data: bytes, span: Span, records_max: int) -> Harvest:
    harvest = Harvest(span.offset)
    for part in scan(data, span.name.salt, span.offset):
        if len(harvest.spooled) == records_max or not isinstance(part, Whole):
            break
        try:
            record = decode_record(part.payload)
        except UnreadablePayload:
            break
        position = Position(span.name.number, part.offset, part.end, record.source)
        harvest.spooled.append(Spooled(position, record))
        harvest.end = part.end
    return harvest


def _take_damaged(directory: Path, data: bytes, span: Span, readable: bool) -> Harvest:
    """Set aside what the span begins with; bytes missing at its end are damage, as it was durable once."""
    first = next(scan(data, span.name.salt, span.offset), None)
    end = span.limit if first is None or (isinstance(first, Damaged) and first.torn) else first.end
    kept = set_aside(directory, span.name, span.offset, data[: end - span.offset])
    return Harvest(end, damaged=[Damaged(span.offset, end, torn=False)], keep=not (kept and readable))
