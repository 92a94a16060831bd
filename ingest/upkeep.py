"""What goes on beside the requests: Kafka is probed, the spool looked after and replayed, orphans' spools adopted."""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from ingest.local_store import LocalStore
from ingest.probe import Probe
from ingest.publisher import DurablePublisher
from ingest.replay import Replayer
from ingest.spool.adoption import adopt
from ingest.spool.spool import Spool
from ingest.spool.state import SpoolLimits
from runtime.clock import Clock
from runtime.settings import IngestSettings

_ADOPT_S = 30.0
_WAIT_S = 0.1
_RESTART_S = 1.0

Work = Callable[[], Coroutine[Any, Any, None]]

_log = structlog.get_logger()


class Upkeep:
    """Tasks of the event loop, from `start` to `stop`; one that fails is logged and begun again."""

    def __init__(
        self,
        ingest: IngestSettings,
        store: LocalStore,
        publisher: DurablePublisher,
        probe: Probe,
        clock: Clock,
        *,
        adopts_from: Path | None,
        except_for: Collection[str] = (),
    ) -> None:
        """Adopt the spools below `adopts_from`, but not those named by `except_for`."""
        self._ingest = ingest
        self._store = store
        self._publisher = publisher
        self._probe = probe
        self._clock = clock
        self._adopts_from = adopts_from
        self._except_for = except_for
        self._adopted: list[Spool] = []
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        works = [self._probe.run, self._store.tend, self._replay]
        if self._adopts_from is not None:
            works.append(partial(self._adopt, self._adopts_from))
        self._tasks = [asyncio.create_task(_again(work)) for work in works]

    async def stop(self) -> None:
        """End, and let adopted spools go; what is not in Kafka stays in them."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for spool in self._adopted:
            await spool.close(remove_if_empty=True)

    async def _replay(self) -> None:
        while self._store.spool is None:  # noqa: ASYNC110 - its disk may refuse for hours
            await asyncio.sleep(_WAIT_S)
        await self._replayer(self._store.spool).run()

    async def _adopt(self, parent: Path) -> None:
        """Bring what workers left behind that no longer exist to Kafka, one spool after the other."""
        limits = SpoolLimits()
        while True:
            self._adopted += await adopt(parent, except_for=self._except_for, limits=limits, clock=self._clock)
            while self._adopted:
                await self._replayer(self._adopted[0]).run_until_empty()
                await self._adopted[0].close(remove_if_empty=True)
                del self._adopted[0]
            await asyncio.sleep(_ADOPT_S)

    def _replayer(self, spool: Spool) -> Replayer:
        return Replayer(
            spool,
            self._publisher,
            self._clock,
            per_s=self._ingest.spool.replay_per_s,
            overdue_s=self._ingest.ack_wait_ms / 1000,
        )


async def _again(work: Work) -> None:
    while True:
        try:
            await work()
        except Exception:  # noqa: BLE001 - it must go on, and the log says what was wrong
            _log.exception("ingest_upkeep_failed")
            await asyncio.sleep(_RESTART_S)
