"""Saves the cursor now and then: often enough that a crash repeats little, seldom enough to cost little."""

import asyncio
from pathlib import Path

import structlog

from ingest.spool.cursor import write_cursor
from ingest.spool.ledger import Ledger
from ingest.spool.writer import Writer

_log = structlog.get_logger()


class Marks:
    """Counts what was marked done since the cursor was saved, and has it saved."""

    def __init__(self, directory: Path, ledger: Ledger, writer: Writer, marks_max: int, interval_s: float) -> None:
        """Save after `marks_max` marks, and `interval_s` after the first of fewer."""
        self._directory = directory
        self._ledger = ledger
        self._writer = writer
        self._marks_max = marks_max
        self._interval_s = interval_s
        self._unsaved = 0
        self._refused = False
        self._timer: asyncio.TimerHandle | None = None
        self._saving: asyncio.Task[None] | None = None

    def marked(self) -> None:
        """Take note of one mark."""
        self._unsaved += 1
        if self._unsaved >= self._marks_max:
            self._begin()
        elif self._timer is None and self._saving is None:
            self._timer = asyncio.get_running_loop().call_later(self._interval_s, self._begin)

    async def catch_up(self) -> None:
        """Wait while more than `marks_max` are not saved; not for long on a disk that refuses."""
        if self._unsaved >= self._marks_max:
            self._begin()
            if self._saving is not None:
                await asyncio.shield(self._saving)

    async def save(self) -> None:
        """Save all that is marked now."""
        self._stop_timer()
        if self._saving is not None:
            await asyncio.shield(self._saving)
        if self._unsaved:
            await self._save()
        self._stop_timer()

    def _begin(self) -> None:
        self._stop_timer()
        if self._saving is None and self._unsaved:
            self._saving = asyncio.get_running_loop().create_task(self._save())
            self._saving.add_done_callback(self._ended)

    def _ended(self, _task: asyncio.Task[None]) -> None:
        self._saving = None
        if self._unsaved >= self._marks_max and not self._refused:
            self._begin()
        elif self._unsaved and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._interval_s, self._begin)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _save(self) -> None:
        saved, cursor = self._unsaved, self._ledger.cursor()
        try:
            await self._writer.run(lambda: write_cursor(self._directory, cursor))
        except OSError as error:
            # The former cursor is still there: a crash now would repeat more, and lose nothing.
            if not self._refused:
                _log.warning("spool_cursor_not_saved", directory=str(self._directory), error=error.strerror)
            self._refused = True
        else:
            self._refused = False
            self._unsaved -= saved
