"""The spool: `open`, `append`, `replay`, `give_back`, `mark_done`, `state`, `probe`, `close`.

An append is durable when its awaitable resolves: synced to disk, in a file whose name is synced as well. What was
appended is replayed until it is marked done, at least once, across any crash. Everything here belongs to one event
loop; the disk's work is done by one thread of the spool's own.
"""

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Self

import structlog

from ingest.spool.cursor import remove_cursor
from ingest.spool.errors import SpoolClosed, SpoolError, SpoolFailed, SpoolFull, disk_error
from ingest.spool.frame import FRAME_HEAD
from ingest.spool.gauges import SourceGauges, publish_gauges, withdraw_gauges
from ingest.spool.health import Health
from ingest.spool.ledger import Ledger
from ingest.spool.lock import DirectoryLock
from ingest.spool.marks import Marks
from ingest.spool.probe import probe_disk
from ingest.spool.reader import Reader
from ingest.spool.record import PAYLOAD_BYTES_MAX, Position, Spooled, SpoolRecord, encode_record
from ingest.spool.recovery import Recovered, recover
from ingest.spool.removal import Removal
from ingest.spool.segment import HEADER_BYTES
from ingest.spool.state import Level, Pending, SpoolLimits, SpoolState
from ingest.spool.writer import Append, Outcome, Writer
from runtime.clock import Clock
from runtime.metrics import SPOOL_APPENDS, SPOOL_FSYNC_SECONDS, SPOOL_REPLAYED

# What waits for a spool has been refused, or is about to be.
_HANGS_S = 2.0
# Worth a line: it is where the time of answers went.
_SLOW_S = 1.0

_log = structlog.get_logger()

_SYNCED = SPOOL_APPENDS.labels("synced")
_FULL = SPOOL_APPENDS.labels("full")
_FAILED = SPOOL_APPENDS.labels("failed")


class Spool:
    """One spool directory, held by this process until it is closed."""

    def __init__(
        self, directory: Path, limits: SpoolLimits, clock: Clock, lock: DirectoryLock, recovered: Recovered
    ) -> None:
        """Use `Spool.open`."""
        self._directory = directory
        self._limits = limits
        self._clock = clock
        self._lock = lock
        self._ledger = Ledger(recovered.segments)
        self._reader = Reader(directory, self._ledger)
        self._loop = asyncio.get_running_loop()
        self._writer = Writer(directory, limits.segment_bytes, recovered.next_number, clock, self._delivered)
        self._marks = Marks(
            directory, self._ledger, self._writer, limits.unsaved_marks_max, limits.cursor_interval_ms / 1000
        )
        self._health = Health(directory, limits)
        self._removal = Removal(directory, self._ledger, self._writer, self._health.disk_freed)
        self._queued_bytes = 0
        self._waiting_since_s: float | None = None
        self._closed = False
        publish_gauges(self, clock)
        self._sources = SourceGauges(self, clock)
        self._sources.show(self.pending())

    @classmethod
    async def open(cls, directory: Path, limits: SpoolLimits, clock: Clock) -> Self:
        """Take a directory, made where there is none, and mend it; `state` tells whether its disk takes bytes.

        Raises:
            SpoolLocked: another process holds it.
            SpoolVersionUnknown: another version of Segwire wrote a part of it.
            SpoolFull, SpoolFailed: the disk does not even let it be read or mended.
        """
        try:
            lock = await asyncio.to_thread(DirectoryLock, directory, clock)
        except OSError as error:
            raise disk_error(error, directory) from error
        try:
            recovered = await asyncio.to_thread(recover, directory)
        except BaseException as error:
            lock.release()
            if isinstance(error, OSError):
                raise disk_error(error, directory) from error
            raise
        spool = cls(directory, limits, clock, lock, recovered)
        await spool.probe()
        return spool

    @property
    def name(self) -> str:
        """The directory's own name; the gauges' label."""
        return self._directory.name

    def append(self, record: SpoolRecord) -> asyncio.Future[Position]:
        """Store a record; the future has its position once it is durable, never before.

        A cancelled future cancels nothing: the record may be stored, and is then replayed.

        Raises (by the future):
            SpoolFull: no room; nothing is stored.
            SpoolFailed: the disk refused; it may be there after all, and is then replayed.
            SpoolClosed: the spool was closed.
        """
        future: asyncio.Future[Position] = self._loop.create_future()
        payload = encode_record(record)
        error = self._refusal(len(payload))
        if error is None:
            self._queued_bytes += FRAME_HEAD.size + len(payload)
            if self._waiting_since_s is None:
                self._waiting_since_s = self._clock.monotonic_s()
            self._writer.append(Append(payload, record.received_at_ms, record.source, future))
        else:
            future.set_exception(error)
        return future

    async def replay(self, records_max: int = 256, bytes_max: int = 1 << 20) -> list[Spooled]:
        """Return the next pending records, oldest first, empty where there is none; one caller at a time.

        Each is handed out once, and again only after `give_back` or a restart. Waits for the cursor where more
        marks than `unsaved_marks_max` are not saved. At least one record is returned, however long it is.

        Raises:
            SpoolFailed: a segment cannot be opened now; nothing was skipped.
        """
        await self._marks.catch_up()
        try:
            spooled = await self._reader.read(records_max, bytes_max)
        except OSError as error:
            raise disk_error(error, self._directory) from error
        self._removal.begin()
        SPOOL_REPLAYED.inc(len(spooled))
        return spooled

    def give_back(self, positions: Iterable[Position]) -> None:
        """Have records that Kafka did not take handed out again, before others."""
        self._reader.give_back(positions)

    def mark_done(self, position: Position) -> None:
        """Mark a record as being in Kafka, replayed or late; repeating it is harmless. Segments go when all is done."""
        if self._closed or not self._ledger.mark_done(position):
            return
        self._marks.marked()
        if not self._ledger.is_finished(position.segment):
            return
        if position.segment != self._ledger.active:
            self._removal.begin()
        elif self._ledger.segments[position.segment].size_bytes >= self._limits.roll_bytes:
            self._removal.begin_with_active(position.segment)

    def state(self) -> SpoolState:
        """Return how it is now; cheap enough for every request."""
        used_bytes = self._used_bytes
        hangs = self._hangs()
        return SpoolState(
            level=self._health.level(used_bytes) if hangs is None else Level.FAILED,
            used_bytes=used_bytes,
            bytes_max=self._limits.bytes_max,
            pending_records=self._ledger.pending_records,
            segments=len(self._ledger.segments),
            oldest_ms=self._ledger.oldest_ms(),
            trouble=hangs or self._health.trouble(used_bytes),
        )

    def pending(self) -> dict[str, Pending]:
        """Return what is pending of each source that has any; any thread may ask."""
        return self._ledger.pending()

    async def probe(self) -> SpoolState:
        """Ask the disk whether it takes bytes, where there is no append to find out; return the state after that."""
        try:
            await self._writer.run(partial(probe_disk, self._directory))
        except OSError as error:
            self._health.disk_refused(disk_error(error, self._directory))
        else:
            self._health.disk_took()
        return self.state()

    async def close(self, *, remove_if_empty: bool = False) -> None:
        """Store what was appended, save the cursor, remove what is finished, and let the directory go.

        With `remove_if_empty` the directory goes too if nothing is pending in it: an adopted one's end.
        """
        if self._closed:
            return
        self._closed = True
        await self._writer.run(lambda: None)
        active = self._ledger.active
        if active is not None and self._ledger.is_finished(active):
            self._removal.begin_with_active(active)
        await self._removal.settled()
        await self._marks.save()
        await self._writer.stop()
        withdraw_gauges(self)
        self._sources.withdraw()
        await asyncio.to_thread(self._release, remove_if_empty and not self._ledger.segments)

    def _release(self, remove_directory: bool) -> None:
        if remove_directory:
            remove_cursor(self._directory)
        self._lock.release(remove_directory=remove_directory)

    def _hangs(self) -> str | None:
        """Say that the disk stores nothing although it does not refuse either; None where it does."""
        since_s = self._waiting_since_s
        waited_s = 0.0 if since_s is None else self._clock.monotonic_s() - since_s
        if waited_s < _HANGS_S:
            return None
        return f"spool {self._directory}: its disk has stored nothing for {waited_s:.0f} s; look at the machine's disk"

    @property
    def _used_bytes(self) -> int:
        return self._ledger.total_bytes + self._queued_bytes

    def _refusal(self, payload_bytes: int) -> SpoolError | None:
        if self._closed:
            return SpoolClosed(f"spool {self._directory}: closed")
        if payload_bytes > PAYLOAD_BYTES_MAX:
            return SpoolFailed(
                f"spool {self._directory}: a record of {payload_bytes} bytes; {PAYLOAD_BYTES_MAX} are the most"
            )
        full = self._health.refusal(self._used_bytes, HEADER_BYTES + FRAME_HEAD.size + payload_bytes)
        if full is not None:
            _FULL.inc()
        return full

    def _delivered(self, group: Sequence[Append], outcome: Outcome) -> None:
        """Tell those who waited for a group."""
        self._queued_bytes -= sum(FRAME_HEAD.size + len(append.payload) for append in group)
        self._waiting_since_s = self._clock.monotonic_s() if self._queued_bytes else None
        SPOOL_FSYNC_SECONDS.observe(outcome.took_s)
        if outcome.took_s >= _SLOW_S:
            _log.warning("spool_disk_slow", directory=str(self._directory), took_s=outcome.took_s, records=len(group))
        self._ledger.active = outcome.active
        if outcome.name is None:
            self._refuse(group, outcome)
            return
        _SYNCED.inc(len(group))
        self._ledger.committed(outcome.name, outcome.positions, group[0].received_at_ms)
        self._sources.show({append.source for append in group})
        self._health.disk_took()
        for append, position in zip(group, outcome.positions, strict=True):
            if not append.future.done():
                append.future.set_result(position)

    def _refuse(self, group: Sequence[Append], outcome: Outcome) -> None:
        error = outcome.error
        assert error is not None
        (_FULL if isinstance(error, SpoolFull) else _FAILED).inc(len(group))
        self._health.disk_refused(error)
        # The segment that was given up may have been finished before.
        self._removal.begin()
        for append in group:
            if not append.future.done():
                # An exception of its own: each waiter adds its traceback to it.
                append.future.set_exception(type(error)(str(error)))
