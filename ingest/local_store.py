"""The spool of one worker as ingest uses it: it may be away for a while, and comes back."""

import asyncio
import os
from functools import partial
from pathlib import Path

import structlog

from ingest.client import Record
from ingest.spool.errors import SpoolFailed, SpoolFull
from ingest.spool.record import Position, SpoolRecord
from ingest.spool.spool import Spool
from ingest.spool.state import Level, SpoolLimits
from runtime.clock import Clock
from schemas import headers as record_headers

_TEND_S = 1.0
_CLOSE_S = 3.0
_ROOM_BYTES = 64 << 10
_WRITABLE = frozenset({Level.OK, Level.HIGH})

_log = structlog.get_logger()


class LocalStore:
    """Opens the spool, again and again where its disk does not let it; all on one event loop."""

    def __init__(self, directory: Path, limits: SpoolLimits, clock: Clock) -> None:
        """Use `directory`, from `open` on."""
        self._directory = directory
        self._limits = limits
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._high = False
        self._refused_bytes = 0
        self.spool: Spool | None = None
        """None while it cannot be opened."""
        self._trouble: str | None = f"spool {directory}: not open yet"

    async def open(self) -> None:
        """Take the directory and mend it; a disk that refuses is trouble, not an error.

        Raises:
            SpoolLocked: another process holds it.
            SpoolVersionUnknown: another version of Segwire wrote a part of it.
        """
        try:
            self.spool = await Spool.open(self._directory, self._limits, self._clock)
        except (SpoolFull, SpoolFailed) as error:
            if str(error) != self._trouble:
                _log.error("spool_not_opened", directory=str(self._directory), error=str(error))
            self._trouble = str(error)

    def append(self, record: Record) -> asyncio.Future[Position]:
        """Store a record; see `Spool.append`."""
        if self.spool is not None:
            appended = self.spool.append(_spool_record(record, self._clock))
            appended.add_done_callback(partial(self._on_appended, len(record.value)))
            return appended
        refused: asyncio.Future[Position] = self._loop.create_future()
        refused.set_exception(SpoolFailed(self._trouble or ""))
        return refused

    def level(self) -> Level:
        """Return how it is."""
        return Level.FAILED if self.spool is None else self.spool.state().level

    def trouble(self) -> str | None:
        """Return why nothing can be appended, None where it can."""
        if self.spool is None:
            return self._trouble
        state = self.spool.state()
        return None if state.level in _WRITABLE else state.trouble or f"spool {self._directory}: {state.level.value}"

    async def tend(self) -> None:
        """Look after the spool, without end: open it, ask a disk that refused, say that it fills."""
        while True:
            await asyncio.sleep(_TEND_S)
            if self.spool is None:
                await self.open()
            elif self.level() not in _WRITABLE and await asyncio.to_thread(self._has_room):
                await self.spool.probe()
            self._tell_high()

    async def close(self) -> None:
        """Make durable what was appended, and let go; a disk that hangs is not waited for."""
        if self.spool is not None:
            try:
                async with asyncio.timeout(_CLOSE_S):
                    await self.spool.close()
            except TimeoutError:
                _log.error("spool_not_closed", directory=str(self._directory), waited_s=_CLOSE_S)

    def _on_appended(self, size_bytes: int, appended: asyncio.Future[Position]) -> None:
        if not appended.cancelled() and isinstance(appended.exception(), SpoolFull):
            self._refused_bytes = max(self._refused_bytes, size_bytes)

    def _has_room(self) -> bool:
        """Tell whether the disk would take what it refused: a small probe may fit where no message does. Blocks."""
        try:
            disk = os.statvfs(self._directory)
        except OSError:
            return True
        if disk.f_bavail * disk.f_frsize < self._refused_bytes + _ROOM_BYTES:
            return False
        self._refused_bytes = 0
        return True

    def _tell_high(self) -> None:
        is_high = self.level() is Level.HIGH
        if is_high and not self._high and self.spool is not None:
            state = self.spool.state()
            _log.warning("spool_high", directory=str(self._directory), used_bytes=state.used_bytes,
                         bytes_max=state.bytes_max)  # fmt: skip
        self._high = is_high


def _spool_record(record: Record, clock: Clock) -> SpoolRecord:
    """Return what is kept of a record; its headers are the Kafka record's already, complete."""
    known = dict(record.headers)
    received = known.get(record_headers.RECEIVED_AT_MS)
    return SpoolRecord(
        int(received) if received is not None else clock.now_ms(),
        known.get(record_headers.REQUEST_ID, b"").decode(),
        known.get(record_headers.SOURCE, b"").decode(),
        record.topic,
        record.headers,
        record.value,
    )
