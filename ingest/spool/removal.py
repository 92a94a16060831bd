"""Removes segments in which nothing is left to do."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path

import structlog

from ingest.spool.aside import remove_segment
from ingest.spool.ledger import Ledger
from ingest.spool.writer import Writer

_log = structlog.get_logger()


class Removal:
    """Has the writer's thread remove finished segments, and tells when room was made."""

    def __init__(self, directory: Path, ledger: Ledger, writer: Writer, on_freed: Callable[[], None]) -> None:
        """Remove what `ledger` calls finished."""
        self._directory = directory
        self._ledger = ledger
        self._writer = writer
        self._on_freed = on_freed
        self._busy: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """Remove every finished segment that is closed; one that cannot be removed now is tried again later."""
        for number in list(self._ledger.finished()):
            self._start(number, self._remove)

    def begin_with_active(self, number: int) -> None:
        """Close the active segment, unless it has grown meanwhile, and remove it."""
        self._start(number, self._close)

    async def settled(self) -> None:
        """Wait for what was begun."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    def _start(self, number: int, work: Callable[[int], Coroutine[None, None, None]]) -> None:
        if number in self._busy:
            return
        self._busy.add(number)
        task = asyncio.get_running_loop().create_task(work(number))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _remove(self, number: int) -> None:
        segment = self._ledger.segments[number]
        try:
            await self._writer.run(partial(remove_segment, self._directory, segment.name, keep=segment.keep))
        except OSError as error:
            _log.warning("spool_segment_not_removed", segment=segment.name.file_name, error=error.strerror)
        else:
            self._ledger.drop(number)
            self._on_freed()
        finally:
            self._busy.discard(number)

    async def _close(self, number: int) -> None:
        size_bytes = self._ledger.segments[number].size_bytes
        if await self._writer.close_segment(number, size_bytes):
            self._ledger.closed(number)
        self._busy.discard(number)
        self.begin()
