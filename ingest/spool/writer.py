"""Group commit: one thread writes what has come in meanwhile, and syncs it once for all who wait."""

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

import msgspec
import structlog

from ingest.spool.active import ActiveSegment
from ingest.spool.errors import SpoolError, SpoolFailed, disk_error
from ingest.spool.frame import FRAME_HEAD, head_of
from ingest.spool.record import Position
from ingest.spool.segment import SALT_BYTES, SegmentName
from runtime.clock import Clock

# More is written in several groups, so that the first of many large bodies need not wait for the last.
_GROUP_BYTES_MAX = 8 << 20

_log = structlog.get_logger()
_T = TypeVar("_T")


class Append(msgspec.Struct, gc=False):
    """A record on its way to the disk, and who waits for it."""

    payload: bytes
    received_at_ms: int
    source: str
    future: asyncio.Future[Position]


class Task(msgspec.Struct, gc=False):
    """Other work for the same thread, between two groups."""

    work: Callable[[], Any]
    future: asyncio.Future[Any]


class Outcome(msgspec.Struct, frozen=True):
    """How a group ended: durable, in `name` at `positions`; or `error` for everyone in it."""

    active: int | None
    took_s: float
    name: SegmentName | None = None
    positions: Sequence[Position] = ()
    error: SpoolError | None = None


Deliver = Callable[[Sequence[Append], Outcome], None]


class Writer:
    """The one thread that changes a spool's directory. Its methods, but `_run` and below, belong to the event loop."""

    def __init__(self, directory: Path, segment_bytes: int, next_number: int, clock: Clock, deliver: Deliver) -> None:
        """Start the thread; `deliver` is called on the running event loop with each group."""
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._next_number = next_number
        self._clock = clock
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._gathered: list[Append] = []
        self._queue: SimpleQueue[list[Append] | Task | None] = SimpleQueue()
        self._active: ActiveSegment | None = None
        self._thread = threading.Thread(target=self._run, name=f"spool {directory.name}", daemon=True)
        self._thread.start()

    def append(self, append: Append) -> None:
        """Write a record with the next group."""
        self._gathered.append(append)
        # What comes in one turn of the loop wakes the thread once.
        if len(self._gathered) == 1:
            self._loop.call_soon(self._hand_over)

    def run(self, work: Callable[[], _T]) -> asyncio.Future[_T]:
        """Do `work` after what was asked for before; the future has its result or its exception."""
        future: asyncio.Future[_T] = self._loop.create_future()
        self._hand_over()
        self._queue.put(Task(work, future))
        return future

    def close_segment(self, number: int, size_bytes: int) -> asyncio.Future[bool]:
        """Close the active segment if it is this one and has not grown since; the future tells whether.

        Without this a spool that has been emptied would keep its last segment until it is full.
        """

        def work() -> bool:
            active = self._active
            if active is None or active.name.number != number or active.synced_bytes != size_bytes:
                return False
            self._finish()
            return True

        return self.run(work)

    async def stop(self) -> None:
        """End the thread when everything asked for before is done."""
        await self.run(self._finish)
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _hand_over(self) -> None:
        if self._gathered:
            self._queue.put(self._gathered)
            self._gathered = []

    def _run(self) -> None:
        waiting: list[Append | Task | None] = []
        # The loop may be closed without us when its process gives up; nobody waits for an answer then.
        with suppress(RuntimeError):
            while True:
                self._take_in(waiting)
                first = waiting[0]
                if first is None:
                    return
                if isinstance(first, Task):
                    self._do(first)
                    del waiting[0]
                else:
                    group = _first_group(waiting)
                    outcome = self._commit(group)
                    self._loop.call_soon_threadsafe(self._deliver, group, outcome)
                    del waiting[: len(group)]

    def _take_in(self, waiting: list[Append | Task | None]) -> None:
        """Take all that was asked for; wait for it only where nothing is left to do."""
        for _ in range(self._queue.qsize() or (not waiting)):
            item = self._queue.get()
            waiting.extend(item if isinstance(item, list) else (item,))

    def _do(self, task: Task) -> None:
        try:
            result = task.work()
        except Exception as error:  # noqa: BLE001 - a task's exception belongs to who asked for it
            self._loop.call_soon_threadsafe(_fail, task.future, error)
        else:
            self._loop.call_soon_threadsafe(_settle, task.future, result)

    def _commit(self, group: Sequence[Append]) -> Outcome:
        started_s = self._clock.monotonic_s()
        try:
            name, positions = self._store(group)
        except OSError as error:
            return self._outcome(started_s, error=disk_error(error, self._directory))
        except Exception as error:  # noqa: BLE001 - see below
            # Whatever it is, those who wait are told, and the thread lives on for the next.
            _log.exception("spool_writer_failed", directory=str(self._directory))
            self._abandon()
            return self._outcome(started_s, error=SpoolFailed(f"spool {self._directory}: {error!r}"))
        return self._outcome(started_s, name=name, positions=positions)

    def _outcome(
        self,
        started_s: float,
        name: SegmentName | None = None,
        positions: Sequence[Position] = (),
        error: SpoolError | None = None,
    ) -> Outcome:
        active = None if self._active is None else self._active.name.number
        return Outcome(active, self._clock.monotonic_s() - started_s, name, positions, error)

    def _store(self, group: Sequence[Append]) -> tuple[SegmentName, list[Position]]:
        segment = self._active or self._create()
        frames, positions = _framed(group, segment)
        end = positions[-1].end
        try:
            segment.write(frames)
        except OSError:
            # Nothing was synced, so nothing can be wrong with what was synced before.
            if not segment.cut_back():
                self._abandon()
            raise
        try:
            segment.sync(end)
        except OSError:
            self._abandon()
            raise
        if end >= self._segment_bytes:
            self._finish()
        return segment.name, positions

    def _create(self) -> ActiveSegment:
        # The number is used up even if this fails: what a crash leaves behind must never share it.
        name = SegmentName(self._next_number, os.urandom(SALT_BYTES))
        self._next_number += 1
        self._active = ActiveSegment(self._directory, name)
        return self._active

    def _finish(self) -> None:
        if self._active is not None:
            self._active.close()
            self._active = None

    def _abandon(self) -> None:
        if self._active is not None:
            self._active.abandon()
            self._active = None


def _first_group(waiting: Sequence[Append | Task | None]) -> list[Append]:
    """Return the appends at the front that are written together."""
    group: list[Append] = []
    size_bytes = 0
    for item in waiting:
        if not isinstance(item, Append) or size_bytes > _GROUP_BYTES_MAX:
            break
        group.append(item)
        size_bytes += len(item.payload)
    return group


def _framed(group: Sequence[Append], segment: ActiveSegment) -> tuple[bytes, list[Position]]:
    """Return the bytes to write at the segment's end, and where each record will be."""
    number, salt, offset = segment.name.number, segment.name.salt, segment.next_offset
    parts: list[bytes] = []
    positions: list[Position] = []
    for append in group:
        payload = append.payload
        end = offset + FRAME_HEAD.size + len(payload)
        parts.append(head_of(salt, offset, payload))
        parts.append(payload)
        positions.append(Position(number, offset, end, append.source))
        offset = end
    return b"".join(parts), positions


def _settle(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
