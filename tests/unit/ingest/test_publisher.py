import asyncio
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from ingest.admission import Limits, Verdict
from ingest.publisher import KafkaPublisher, Record
from runtime.kafka.clients import OnError

OnDelivery = Callable[[KafkaError | None, None], None]

RECORD = Record("aam-posts", b"{}", [("segwire-source", b"dev")])
TIMEOUT_MS = 100


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
        self.waiting: list[OnDelivery] = []
        self.refusals: list[Exception] = []
        self.brokers = True
        self._events: list[Callable[[], None]] = []
        self._something = threading.Event()

    def produce(self, topic: str, value: bytes, *, headers: object, on_delivery: OnDelivery) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.produced.append((topic, value, headers))
        self.waiting.append(on_delivery)

    def acknowledge(self, error: KafkaError | None = None) -> None:
        waiting, self.waiting = self.waiting, []
        self.report(lambda: [on_delivery(error, None) for on_delivery in waiting])

    def report(self, event: Callable[[], Any]) -> None:
        self._events.append(event)
        self._something.set()

    def poll(self, timeout_s: float) -> int:
        self._something.wait(timeout_s)
        self._something.clear()
        events, self._events = self._events, []
        for event in events:
            event()
        return len(events)

    def flush(self, *_: float) -> int:
        return len(self.waiting)

    def purge(self) -> None:
        self.waiting.clear()

    def list_topics(self, **_: float) -> Any:
        if not self.brokers:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return type("Metadata", (), {"topics": {"aam-posts": None}})


Scenario = Callable[[KafkaPublisher, FakeProducer, HandClock], Coroutine[Any, Any, None]]


def play(scenario: Scenario) -> None:
    async def main() -> None:
        producers: list[FakeProducer] = []

        def make(on_error: OnError) -> Producer:
            producers.append(FakeProducer(on_error))
            return cast("Producer", producers[0])

        clock = HandClock()
        publisher = KafkaPublisher(make, Limits(TIMEOUT_MS), clock)
        try:
            async with asyncio.timeout(20):
                await scenario(publisher, producers[0], clock)
        finally:
            publisher.close(0)

    asyncio.run(main())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - the condition is another thread's
        await asyncio.sleep(0.001)


def test_an_acknowledged_record_is_durable() -> None:
    async def scenario(publisher: KafkaPublisher, producer: FakeProducer, clock: HandClock) -> None:
        answers = [publisher.publish(RECORD) for _ in range(3)]
        assert producer.produced == [(RECORD.topic, RECORD.value, RECORD.headers)] * 3
        assert not any(answer.done() for answer in answers)
        producer.acknowledge()
        assert [await answer for answer in answers] == [Verdict.DURABLE] * 3

    play(scenario)


def test_an_unacknowledged_record_has_no_durable_store_at_the_deadline_and_not_before() -> None:
    async def scenario(publisher: KafkaPublisher, producer: FakeProducer, clock: HandClock) -> None:
        first = publisher.publish(RECORD)
        clock.now_s += 0.06
        second = publisher.publish(RECORD)
        clock.now_s += 0.05
        assert await first is Verdict.NO_DURABLE_STORE
        assert not second.done()
        assert "did not acknowledge within 100 ms" in (publisher._trouble or "")
        clock.now_s += 0.06
        assert await second is Verdict.NO_DURABLE_STORE

    play(scenario)


def test_a_late_acknowledgement_changes_nothing_but_that_kafka_is_back() -> None:
    async def scenario(publisher: KafkaPublisher, producer: FakeProducer, clock: HandClock) -> None:
        answer = publisher.publish(RECORD)
        clock.now_s += 1
        assert await answer is Verdict.NO_DURABLE_STORE
        producer.brokers = False
        assert await asyncio.to_thread(publisher.not_ready) is not None
        producer.acknowledge()
        await until(lambda: publisher._trouble is None)
        assert answer.result() is Verdict.NO_DURABLE_STORE
        assert publisher.not_ready() is None

    play(scenario)


def test_an_acknowledgement_for_a_cancelled_request_is_harmless() -> None:
    async def scenario(publisher: KafkaPublisher, producer: FakeProducer, clock: HandClock) -> None:
        cancelled, other = publisher.publish(RECORD), publisher.publish(RECORD)
        cancelled.cancel()
        producer.acknowledge()
        assert await other is Verdict.DURABLE

    play(scenario)


def test_a_full_queue_is_tried_again_until_there_is_room() -> None:
    async def scenario(publisher: KafkaPublisher, producer: FakeProducer, clock: HandClock) -> None:
        producer.refusals = [BufferError("Local: Queue full")] * 4
        answer = publisher.publish(RECORD)
        await until(lambda: bool(producer.waiting))
        assert len(producer.produced) == 1
        producer.acknowledge()
        assert await answer is Verdict.DURABLE

    play(scenario)


def test_a_queue_that_stays_full_is_no_durable_store_at_the_deadline() -> None:
    async def scenario(publisher: KafkaPublisher, producer: FakeProducer, clock: HandClock) -> None:
        producer.refusals = [BufferError("Local: Queue full")] * 1000
        answer = publisher.publish(RECORD)
        clock.now_s += 0.11
        assert await answer is Verdict.NO_DURABLE_STORE
        producer.refusals.clear()
        later = publisher.publish(RECORD)
        await until(lambda: bool(producer.waiting))
        producer.acknowledge()
        assert await later is Verdict.DURABLE
        assert len(producer.produced) == 1

    play(scenario)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (KafkaError.MSG_SIZE_TOO_LARGE, Verdict.TOO_LARGE),
        (KafkaError.RECORD_LIST_TOO_LARGE, Verdict.TOO_LARGE),
        (KafkaError._MSG_TIMED_OUT, Verdict.NO_DURABLE_STORE),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, Verdict.NO_DURABLE_STORE),
    ],
)
def test_a_failed_record_is_answered_at_once(code: int, verdict: Verdict) -> None:
    async def scenario(publisher: KafkaPublisher, producer: FakeProducer, clock: HandClock) -> None:
        answer = publisher.publish(RECORD)
        producer.acknowledge(KafkaError(code))
        assert await answer is verdict
        producer.refusals = [KafkaException(KafkaError(code))]
        assert await publisher.publish(RECORD) is verdict

    play(scenario)


def test_a_fatal_error_is_not_ready_for_good() -> None:
    async def scenario(publisher: KafkaPublisher, producer: FakeProducer, clock: HandClock) -> None:
        assert publisher.not_ready() is None
        producer.report(lambda: producer.on_error(KafkaError(KafkaError._FATAL, "fenced", fatal=True)))
        await until(lambda: publisher.not_ready() is not None)
        answer = publisher.publish(RECORD)
        producer.acknowledge()
        await answer
        assert "restart this service" in (publisher.not_ready() or "")

    play(scenario)


def test_brokers_that_are_down_are_not_ready_until_one_answers() -> None:
    async def scenario(publisher: KafkaPublisher, producer: FakeProducer, clock: HandClock) -> None:
        producer.brokers = False
        assert publisher.not_ready() is None
        producer.report(lambda: producer.on_error(KafkaError(KafkaError._ALL_BROKERS_DOWN)))
        await until(lambda: publisher.not_ready() is not None)
        producer.brokers = True
        assert publisher.not_ready() is None

    play(scenario)


def test_an_outage_is_logged_once_and_not_before_the_first_contact(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[int] = []
    monkeypatch.setattr("ingest.publisher.log_error", lambda error: logged.append(error.code()))

    async def scenario(publisher: KafkaPublisher, producer: FakeProducer, clock: HandClock) -> None:
        async def outage(*codes: int) -> None:
            done = asyncio.Event()
            for code in codes:
                producer.report(partial(producer.on_error, KafkaError(code)))
            loop = asyncio.get_running_loop()
            producer.report(lambda: loop.call_soon_threadsafe(done.set))
            await done.wait()

        down = (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN)
        await outage(*down, KafkaError._AUTHENTICATION, *down)
        assert logged == [KafkaError._AUTHENTICATION]
        assert publisher.not_ready() is None
        await outage(*down, *down)
        assert logged == [KafkaError._AUTHENTICATION, *down]
        publisher.publish(RECORD)
        producer.acknowledge()
        await until(lambda: publisher._trouble is None)
        await outage(*down)
        assert logged == [KafkaError._AUTHENTICATION, *down, *down]

    play(scenario)


def test_closing_gives_up_what_nobody_acknowledges() -> None:
    async def scenario(publisher: KafkaPublisher, producer: FakeProducer, clock: HandClock) -> None:
        publisher.publish(RECORD).cancel()
        assert publisher.close(0.01) == 1
        assert producer.waiting == []

    play(scenario)
