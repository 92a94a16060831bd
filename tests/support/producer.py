"""A Kafka producer, a spool and a clock that do as they are told."""

import asyncio
import threading
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any, cast

from confluent_kafka import KafkaError, KafkaException, Producer

from ingest.client import Record
from ingest.spool.errors import SpoolFull
from ingest.spool.record import Position
from runtime.kafka.clients import OnError

OnDelivery = Callable[[KafkaError | None, None], None]


class HandClock:
    """Stands still until it is told."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def now_ms(self) -> int:
        return int(self.now_s * 1000)

    def monotonic_s(self) -> float:
        return self.now_s


class FakeProducer:
    """Keeps what it is given; acknowledges when told, in the thread that polls."""

    def __init__(self, on_error: OnError) -> None:
        self.on_error = on_error
        self.produced: list[tuple[str, bytes, object]] = []
        self.partitions: list[int] = []
        self.partition_count = 3
        self.waiting: list[OnDelivery] = []
        self.refusals: list[Exception] = []
        self.brokers = True
        self._events: list[Callable[[], None]] = []
        self._something = threading.Event()

    def produce(self, topic: str, value: bytes, *, partition: int, headers: object, on_delivery: OnDelivery) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.produced.append((topic, value, headers))
        self.partitions.append(partition)
        self.waiting.append(on_delivery)

    def acknowledge(self, error: KafkaError | None = None) -> None:
        waiting, self.waiting = self.waiting, []
        self.report(lambda: [on_delivery(error, None) for on_delivery in waiting])

    def report(self, event: Callable[[], Any]) -> None:
        self._events.append(event)
        self._something.set()

    def fail_for_good(self) -> None:
        def fail() -> None:
            raise KafkaException(KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, "out of order", fatal=True))

        # As the library does: such an error is no callback.
        self.report(fail)

    def poll(self, timeout_s: float) -> int:
        self._something.wait(timeout_s)
        self._something.clear()
        events, self._events = self._events, []
        for event in events:
            event()
        return len(events)

    def flush(self, *_: float) -> int:
        return self.poll(0)

    def purge(self) -> None:
        self.acknowledge(KafkaError(KafkaError._PURGE_QUEUE))

    def list_topics(self, **_: float) -> Any:
        if not self.brokers:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        topic = SimpleNamespace(partitions=dict.fromkeys(range(self.partition_count)))
        return SimpleNamespace(topics={"aam-posts": topic})


class Factory:
    """Makes producers, and keeps them."""

    def __init__(self) -> None:
        self.made: list[FakeProducer] = []

    def __call__(self, on_error: OnError) -> Producer:
        self.made.append(FakeProducer(on_error))
        return cast("Producer", self.made[-1])


class FakeSpool:
    """Is a store with its spool: keeps what is appended, stores it when told."""

    def __init__(self) -> None:
        self.spool = self
        self.appended: list[Record] = []
        self.waiting: list[asyncio.Future[Position]] = []
        self.is_full = False
        self.done: list[Position] = []
        self.given_back: list[Position] = []

    def append(self, record: Record) -> asyncio.Future[Position]:
        self.appended.append(record)
        future: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
        if self.is_full:
            future.set_exception(SpoolFull("full"))
        else:
            self.waiting.append(future)
        return future

    def store(self) -> None:
        for number, future in enumerate(self.waiting):
            future.set_result(Position(1, number, number + 1))
        self.waiting.clear()

    def mark_done(self, position: Position) -> None:
        self.done.append(position)

    def give_back(self, positions: Iterable[Position]) -> None:
        self.given_back += positions


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does; the test's own limit ends it."""
    while not condition():  # noqa: ASYNC110 - the condition is another thread's
        await asyncio.sleep(0.001)
