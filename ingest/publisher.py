"""Hands records to Kafka and tells, within a deadline, whether they are durable."""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol

import msgspec
import structlog
from confluent_kafka import KafkaError, KafkaException, Producer

from ingest.admission import AckState, Limits, Verdict, decide
from runtime.clock import Clock
from runtime.kafka.clients import OnError, log_error
from runtime.metrics import INGEST_IN_FLIGHT
from schemas.headers import Headers

MakeProducer = Callable[[OnError], Producer]

_POLL_S = 0.1
_SWEEP_S = 0.02
_PROBE_S = 1.0
# "No connection", in librdkafka's words: before the first contact the start itself tells it.
_UNREACHABLE_CODES = frozenset({KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN})  # noqa: SLF001 - no other name
# The size of a whole batch, or of one record, is above what the topic or the client takes.
_SIZE_CODES = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG_SIZE, KafkaError.RECORD_LIST_TOO_LARGE})

_log = structlog.get_logger()


class Record(msgspec.Struct, frozen=True, gc=False):
    """What is to be stored; it has no key."""

    topic: str
    value: bytes
    headers: Headers


class Publisher(Protocol):
    """A way into a durable store."""

    def publish(self, record: Record) -> Awaitable[Verdict]:
        """Store a record; the verdict is any but WAIT, within the deadline, and never an exception."""

    def not_ready(self) -> str | None:
        """Return why nothing can be stored now, None where it can."""


Verdicts = asyncio.Future[Verdict]


class KafkaPublisher:
    """An idempotent producer: acknowledgements come in bulk from a polling thread to the event loop.

    Everything but `not_ready`, `topics` and the two callbacks of librdkafka runs on the event loop. A record whose
    sender was told 503 stays in the producer's queue: should Kafka take it later, it is not lost after all.
    """

    def __init__(self, make_producer: MakeProducer, limits: Limits, clock: Clock) -> None:
        """Make the producer; it connects by itself. Call it on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._limits = limits
        self._clock = clock
        self._acknowledged: list[tuple[Verdicts, KafkaError | None]] = []
        self._pending: deque[tuple[Verdicts, float]] = deque()
        self._without_room: deque[tuple[Verdicts, Record]] = deque()
        self._sweeping = False
        self._in_flight = 0
        self._trouble: str | None = None
        self._fatal: str | None = None
        self._connected = False
        self._reported: set[int] = set()
        self._stopping = False
        self._producer = make_producer(self._on_error)
        self._produce = self._producer.produce
        INGEST_IN_FLIGHT.set_function(lambda: self._in_flight)
        self._thread = threading.Thread(target=self._poll, name="acknowledgements", daemon=True)
        self._thread.start()

    def publish(self, record: Record) -> Verdicts:
        """Hand a record to the producer; the future has its verdict within `ack_timeout_ms`."""
        future: Verdicts = self._loop.create_future()
        self._pending.append((future, self._clock.monotonic_s()))
        if not self._hand_over(future, record):
            self._without_room.append((future, record))
        if not self._sweeping:
            self._sweeping = True
            self._loop.call_later(_SWEEP_S, self._sweep)
        return future

    def not_ready(self) -> str | None:
        """Return why nothing can be stored now; where the last thing heard was trouble, ask the cluster again.

        Blocks up to a second; for any thread but the event loop's.
        """
        if self._fatal is not None:
            return self._fatal
        if self._trouble is not None and self.topics(_PROBE_S) is not None:
            self._recovered()
        return self._trouble

    def topics(self, timeout_s: float) -> set[str] | None:
        """Return the names of the cluster's topics, None where no broker answers. Blocks."""
        try:
            names = set(self._producer.list_topics(timeout=timeout_s).topics)
        except KafkaException:
            return None
        self._connected = True
        return names

    def close(self, timeout_s: float) -> int:
        """Wait for what Kafka has not acknowledged yet; return how many records are given up. Blocks."""
        self._stopping = True
        self._thread.join()
        left: int = self._producer.flush(timeout_s)
        if left:
            self._producer.purge()
            self._producer.flush(_POLL_S)
        return left

    def _hand_over(self, future: Verdicts, record: Record) -> bool:
        """Give a record to the producer; return whether it had room."""
        try:
            self._produce(
                record.topic,
                record.value,
                headers=record.headers,  # type: ignore[arg-type] # a list is what it wants
                on_delivery=partial(self._on_delivery, future),
            )
        except BufferError:
            return False
        except KafkaException as error:
            self._settle(future, _state(error.args[0]), 0)
            return True
        self._in_flight += 1
        return True

    def _poll(self) -> None:
        """Serve librdkafka's callbacks; one wake-up of the event loop for all that came together."""
        poll = self._producer.poll
        while not self._stopping:
            poll(_POLL_S)
            if self._acknowledged:
                batch, self._acknowledged = self._acknowledged, []
                self._loop.call_soon_threadsafe(self._resolve, batch)

    def _on_delivery(self, future: Verdicts, error: KafkaError | None, _message: Any) -> None:
        self._acknowledged.append((future, error))

    def _on_error(self, error: KafkaError) -> None:
        code = error.code()
        # It tells the same each second of an outage: once is enough, until all is well again.
        if code not in self._reported and (self._connected or code not in _UNREACHABLE_CODES):
            self._reported.add(code)
            log_error(error)
        if error.fatal():
            self._fatal = f"the Kafka client failed for good ({error.str()}): restart this service"
        elif code == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - no other name
            self._trouble = "no Kafka broker can be reached; see kafka.bootstrap_servers"

    def _recovered(self) -> None:
        _log.info("kafka_recovered")
        self._trouble = None
        self._reported.clear()

    def _resolve(self, batch: list[tuple[Verdicts, KafkaError | None]]) -> None:
        self._in_flight -= len(batch)
        for future, error in batch:
            if error is None:
                if self._trouble is not None:
                    self._recovered()
                self._settle(future, AckState.ACKNOWLEDGED, 0)
            else:
                self._settle(future, _state(error), 0)

    def _settle(self, future: Verdicts, state: AckState, elapsed_ms: float) -> None:
        """Give the sender its verdict, where there is one and it still waits."""
        # Answered before, or cancelled in the drain: a late acknowledgement changes nothing.
        if not future.done():
            verdict = decide(state, elapsed_ms, self._limits)
            if verdict is not Verdict.WAIT:
                future.set_result(verdict)

    def _sweep(self) -> None:
        """Give room to those who found none, and up on those who waited too long."""
        without_room = self._without_room
        while without_room and (without_room[0][0].done() or self._hand_over(*without_room[0])):
            without_room.popleft()
        # All wait equally long, so the first that may still wait is the last to look at.
        pending = self._pending
        while pending and self._is_over(*pending[0]):
            pending.popleft()
        self._sweeping = bool(pending)
        if pending:
            self._loop.call_later(_SWEEP_S, self._sweep)

    def _is_over(self, future: Verdicts, since_s: float) -> bool:
        """End a wait that has been too long; return whether nobody waits any more."""
        if future.done():
            return True
        self._settle(future, AckState.PENDING, (self._clock.monotonic_s() - since_s) * 1000)
        if future.done():
            if self._trouble is None:
                _log.warning("kafka_does_not_acknowledge", timeout_ms=self._limits.ack_timeout_ms)
            self._trouble = f"Kafka did not acknowledge within {self._limits.ack_timeout_ms} ms"
        return future.done()


def _state(error: KafkaError) -> AckState:
    if error.code() in _SIZE_CODES:
        return AckState.OVERSIZED
    _log.warning("record_not_delivered", code=error.name(), detail=error.str())
    return AckState.FAILED
