"""What is in the spool and what of it is done, in memory. Pure; everything that changes it runs on one thread."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from ingest.spool.cursor import Cursor, cursor_of
from ingest.spool.intervals import Intervals
from ingest.spool.record import Position
from ingest.spool.segment import HEADER_BYTES, SegmentName
from ingest.spool.shares import Shares
from ingest.spool.state import Pending

_AGE_STEP_MS = 1000


class SegmentLedger:
    """One segment: what of it is durable, and what of that is done."""

    __slots__ = ("_ages", "done", "done_records", "keep", "name", "records", "shares", "size_bytes")

    def __init__(self, name: SegmentName, done: Intervals | None = None) -> None:
        """Begin with no records; `done` is what the cursor knows."""
        self.name = name
        self.done = Intervals(HEADER_BYTES) if done is None else done
        self.size_bytes = HEADER_BYTES
        """Up to where the file is durable; what may lie beyond is not ours to read."""
        self.records = 0
        self.done_records = 0
        self.keep = False
        """Something in it could not be read or set aside: when finished it is kept under another name."""
        self.shares = Shares()
        self._ages: list[tuple[int, int]] = []

    @property
    def pending_records(self) -> int:
        """How many records are not done."""
        return self.records - self.done_records

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do in what is durable of it."""
        return self.done.low >= self.size_bytes

    def add(self, offset: int, end: int, received_at_ms: int, source: str) -> None:
        """Take note of a record that was found; they come in the order of their offsets."""
        is_done = self.done.past(offset) >= end
        self.done_records += is_done
        self.shares.add(source, offset, received_at_ms, pending=not is_done)
        self.grow(1, offset, end, received_at_ms)

    def grow(self, records: int, offset: int, end: int, received_at_ms: int) -> None:
        """Take note of durable records at [offset, end); the first was received then, the others soon after."""
        self.records += records
        self.size_bytes = end
        if not self._ages or received_at_ms >= self._ages[-1][1] + _AGE_STEP_MS:
            self._ages.append((offset, received_at_ms))

    def oldest_ms(self) -> int | None:
        """Return when the oldest pending record was received, to a second; None where none is pending."""
        if not self.pending_records or not self._ages:
            return None
        at = bisect_right(self._ages, self.done.low, key=lambda age: age[0]) - 1
        return self._ages[max(at, 0)][1]


class Ledger:
    """All segments of a spool, oldest first."""

    def __init__(self, segments: list[SegmentLedger]) -> None:
        """Begin with what recovery found."""
        self.segments = {segment.name.number: segment for segment in segments}
        self.total_bytes = sum(segment.size_bytes for segment in segments)
        self.pending_records = sum(segment.pending_records for segment in segments)
        self.active: int | None = None
        """The segment that may still grow; every other one is closed."""

    def committed(self, name: SegmentName, positions: Sequence[Position], received_at_ms: int) -> None:
        """Take note of records that are durable now, the first of them received then."""
        segment = self.segments.get(name.number)
        if segment is None:
            segment = self.segments[name.number] = SegmentLedger(name)
            self.total_bytes += segment.size_bytes
        offset, end = positions[0].offset, positions[-1].end
        for position in positions:
            segment.shares.add(position.source, position.offset, received_at_ms, pending=True)
        segment.grow(len(positions), offset, end, received_at_ms)
        self.total_bytes += end - offset
        self.pending_records += len(positions)

    def closed(self, number: int) -> None:
        """Take note that a segment grows no more; the news may be late, when the next one is being written."""
        if self.active == number:
            self.active = None

    def mark_done(self, position: Position) -> bool:
        """Mark a record; False where it was before, or its segment is gone."""
        segment = self.segments.get(position.segment)
        if segment is None or not segment.done.add(position.offset, position.end):
            return False
        segment.done_records += 1
        segment.shares.done(position.source)
        self.pending_records -= 1
        return True

    def pass_over(self, number: int, offset: int, end: int) -> None:
        """Take bytes that hold nothing readable out of the way; what they held leaves the count with the segment."""
        segment = self.segments.get(number)
        if segment is not None:
            segment.done.add(offset, end)

    def drop(self, number: int) -> SegmentLedger:
        """Forget a segment."""
        segment = self.segments.pop(number)
        self.total_bytes -= segment.size_bytes
        self.pending_records -= segment.pending_records
        return segment

    def finished(self) -> Iterator[int]:
        """Yield the closed segments in which nothing is left to do."""
        for number, segment in self.segments.items():
            if number != self.active and segment.is_finished:
                yield number

    def is_finished(self, number: int) -> bool:
        """Tell it of one segment; of the active one as well."""
        segment = self.segments.get(number)
        return segment is not None and segment.is_finished

    def oldest_ms(self) -> int | None:
        """Return when the oldest pending record was received, to a second; None where none is pending."""
        # A copy, as the metrics are read by another thread.
        for segment in list(self.segments.values()):
            if segment.pending_records:
                return segment.oldest_ms()
        return None

    def pending(self) -> dict[str, Pending]:
        """Return what is pending of each source that has any."""
        found: dict[str, Pending] = {}
        for segment in list(self.segments.values()):
            for source, records, oldest_ms in segment.shares.pending(segment.done.low):
                before = found.get(source)
                # The oldest segment comes first.
                found[source] = (
                    Pending(records, oldest_ms)
                    if before is None
                    else Pending(before.records + records, before.oldest_ms)
                )
        return found

    def cursor(self) -> Cursor:
        """Take down what is done now."""
        return cursor_of(
            {
                segment.name.file_name: segment.done
                for segment in self.segments.values()
                if segment.done.low > HEADER_BYTES or segment.done.above()
            }
        )
