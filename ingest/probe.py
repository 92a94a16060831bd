"""Asks a Kafka that is not relied upon whether it is there, and has the topics that are written to."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import structlog

from ingest.circuit import Circuit, Event, KafkaState
from runtime.clock import Clock

_TICK_S = 0.1
_ASK_S = 1.0
_EVERY_S = 0.5
# Topics may get more partitions.
_AGAIN_S = 300.0

_log = structlog.get_logger()


class Cluster(Protocol):
    """What can be asked for its topics."""

    def topics(self, timeout_s: float) -> set[str] | None:
        """Return the names of the topics, None where no broker answers. Blocks."""


class Observer(Protocol):
    """Who keeps what is known of Kafka."""

    circuit: Circuit

    def observe(self, event: Event, reason: str | None = None) -> None:
        """Take what was heard."""

    def tick(self) -> None:
        """Let time go by."""


class Probe:
    """Keeps the circuit going when no message does."""

    def __init__(self, cluster: Cluster, observer: Observer, topics: Sequence[str], clock: Clock) -> None:
        """Want every one of `topics`."""
        self._cluster = cluster
        self._observer = observer
        self._wanted = topics
        self._clock = clock
        self._missing: list[str] = []
        self._is_told = False

    async def run(self) -> None:
        """Watch without end."""
        asked_s = self._clock.monotonic_s()
        while True:
            self._observer.tick()
            if self._observer.circuit.state is KafkaState.DOWN:
                await self.ask()
                if self._observer.circuit.state is KafkaState.DOWN:
                    await asyncio.sleep(_EVERY_S)
            elif self._clock.monotonic_s() >= asked_s + _AGAIN_S:
                asked_s = self._clock.monotonic_s()
                await self.ask()
            await asyncio.sleep(_TICK_S)

    async def first_contact(self, limit_s: float) -> None:
        """Wait for Kafka, but not for long: it is not needed."""
        end_s = self._clock.monotonic_s() + limit_s
        while self._observer.circuit.is_new and self._clock.monotonic_s() < end_s:
            if await self.ask() and self._missing:
                return
            await asyncio.sleep(_TICK_S)

    async def ask(self) -> bool:
        """Ask once; return whether the cluster answered."""
        topics = await asyncio.to_thread(self._cluster.topics, _ASK_S)
        if topics is None:
            return False
        self._missing = [name for name in self._wanted if name not in topics]
        if not self._missing:
            self._is_told = False
            self._observer.observe(Event.PROBED)
            return True
        reason = f"the topics {', '.join(self._missing)} do not exist; create them: segwire topics apply"
        if not self._is_told:
            self._is_told = True
            _log.error("kafka_topics_missing", topics=self._missing,
                       remedy="segwire topics apply, or set kafka.topic_prefix to that of existing ones")  # fmt: skip
        self._observer.observe(Event.FAILED, reason)
        return True
