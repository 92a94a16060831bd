"""Brings what was spooled to Kafka: oldest first, live traffic first."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import structlog

from ingest.admission import Verdict
from ingest.publisher import Verdicts
from ingest.spool.errors import SpoolError
from ingest.spool.record import Position, Spooled
from ingest.spool.spool import Spool
from runtime.clock import Clock
from runtime.metrics import INGEST_REPLAY_REFUSED, INGEST_REPLAYED

_IDLE_S = 0.1
_TROUBLED_S = 1.0
_LIVE_S = 1.0
_HELD_S = 300.0
_RECORDS_MAX = 256

_log = structlog.get_logger()


class ReplayTarget(Protocol):
    """Who hands records to Kafka."""

    @property
    def last_live_s(self) -> float:
        """When the last live message came, by the monotonic clock."""

    def takes_replays(self) -> bool:
        """Tell whether Kafka is relied upon, and not crowded."""

    def replay(self, spooled: Spooled, spool: Spool) -> Verdicts | None:
        """Hand one over; None where Kafka has it in hand already. It is marked done by whom it is handed to."""

    def replay_overdue(self) -> None:
        """Take that Kafka did not acknowledge a replay in time."""


def pause_s(records: int, took_s: float, idle_s: float, per_s: int) -> float:
    """Return how long to wait after a batch: not at all without live traffic, else as `per_s` wants it. Pure."""
    return 0.0 if idle_s > _LIVE_S else max(0.0, records / per_s - took_s)


class Replayer:
    """Replays one spool."""

    def __init__(self, spool: Spool, target: ReplayTarget, clock: Clock, *, per_s: int, overdue_s: float) -> None:
        """Hand at most `per_s` records a second to `target` while live ones come; `overdue_s` is their ack wait."""
        self._spool = spool
        self._target = target
        self._clock = clock
        self._per_s = per_s
        self._overdue_s = overdue_s
        self._held: list[Position] = []
        self._held_until_s = 0.0

    async def run(self) -> None:
        """Replay without end."""
        while True:  # noqa: ASYNC110 - it is paced, not polled
            await asyncio.sleep(await self.turn())

    async def run_until_empty(self) -> None:
        """Replay until nothing is pending."""
        while self._spool.state().pending_records:  # noqa: ASYNC110 - it is paced, not polled
            await asyncio.sleep(await self.turn())

    async def turn(self) -> float:
        """Replay one batch and wait for its outcome; return how long to wait before the next."""
        self._release_held()
        if not self._spool.state().pending_records or not self._target.takes_replays():
            return _IDLE_S
        began_s = self._clock.monotonic_s()
        try:
            batch = await self._spool.replay(min(_RECORDS_MAX, self._per_s))
        except SpoolError as error:
            _log.error("spool_not_replayed", spool=self._spool.name, error=str(error))
            return _TROUBLED_S
        if not batch:
            return _IDLE_S
        if not await self._send(batch):
            return _TROUBLED_S
        now_s = self._clock.monotonic_s()
        return pause_s(len(batch), now_s - began_s, now_s - self._target.last_live_s, self._per_s)

    async def _send(self, batch: Sequence[Spooled]) -> bool:
        """Return whether Kafka took all that it was given."""
        sent = [(spooled, future) for spooled in batch if (future := self._target.replay(spooled, self._spool))]
        waiting = [future for _, future in sent]
        if not waiting:
            return True
        _, pending = await asyncio.wait(waiting, timeout=self._overdue_s)
        if pending:
            self._target.replay_overdue()
            await asyncio.wait(pending)
        refused: list[Position] = []
        for spooled, future in sent:
            verdict = future.result()
            if verdict is Verdict.DURABLE:
                INGEST_REPLAYED.labels(spooled.record.source or "unknown").inc()
            elif verdict is Verdict.TOO_LARGE:
                self._hold(spooled)
            else:
                INGEST_REPLAY_REFUSED.labels("not-taken").inc()
                refused.append(spooled.position)
        self._spool.give_back(refused)
        return not refused

    def _hold(self, spooled: Spooled) -> None:
        """Keep a record that Kafka never takes as things are: tried again later, it holds up nobody."""
        INGEST_REPLAY_REFUSED.labels("too-large").inc()
        _log.error("replay_too_large", spool=self._spool.name, request_id=spooled.record.request_id,
                   size_bytes=len(spooled.record.body), topic=spooled.record.topic,
                   remedy="raise the topic's max.message.bytes")  # fmt: skip
        self._held.append(spooled.position)
        self._held_until_s = self._clock.monotonic_s() + _HELD_S

    def _release_held(self) -> None:
        if self._held and self._clock.monotonic_s() >= self._held_until_s:
            self._spool.give_back(self._held)
            self._held = []
