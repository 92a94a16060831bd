import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException

from ingest.admission import Limits, Verdict
from ingest.circuit import Event, KafkaState
from ingest.client import Record
from ingest.local_store import LocalStore
from ingest.publisher import DurablePublisher
from ingest.spool.record import Position, Spooled, SpoolRecord
from ingest.spool.spool import Spool
from tests.support.producer import Factory, FakeProducer, FakeSpool, HandClock, until

RECORD = Record("aam-posts", b"{}", [("segwire-source", b"dev")])
SPOOLED = Spooled(Position(7, 0, 10), SpoolRecord(1, "r-1", "dev", "aam-posts", [("segwire-source", b"dev")], b"{}"))
LIMITS = Limits(ack_wait_ms=100, ack_timeout_ms=300)


class Stage:
    """A publisher that relies on Kafka, and what is around it."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.factory = Factory()
        self.spool = FakeSpool()
        self.publisher = DurablePublisher(
            self.factory, cast("LocalStore", self.spool), LIMITS, self.clock, queue_bytes_max=1000
        )
        self.publisher.observe(Event.PROBED)

    @property
    def producer(self) -> FakeProducer:
        return self.factory.made[-1]

    @property
    def state(self) -> KafkaState:
        return self.publisher.circuit.state

    def replay(self, spooled: Spooled = SPOOLED) -> asyncio.Future[Verdict] | None:
        return self.publisher.replay(spooled, cast("Spool", self.spool))

    async def acknowledged(self, error: KafkaError | None = None) -> None:
        """Acknowledge all, and wait until it is heard."""
        in_flight = self.publisher.in_flight - len(self.producer.waiting)
        self.producer.acknowledge(error)
        await until(lambda: self.publisher.in_flight == in_flight)


def play(scenario: Callable[[Stage], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        stage = Stage()
        try:
            async with asyncio.timeout(20):
                await scenario(stage)
        finally:
            await asyncio.to_thread(stage.publisher.client.stop)

    asyncio.run(main())


def test_an_acknowledged_record_is_durable_and_not_spooled() -> None:
    async def scenario(stage: Stage) -> None:
        answers = [stage.publisher.publish(RECORD) for _ in range(3)]
        assert not any(answer.done() for answer in answers)
        await stage.acknowledged()
        assert [await answer for answer in answers] == [Verdict.DURABLE] * 3
        assert stage.spool.appended == []

    play(scenario)


def test_a_missed_deadline_goes_to_the_spool_and_is_durable_when_that_has_it() -> None:
    async def scenario(stage: Stage) -> None:
        answer = stage.publisher.publish(RECORD)
        stage.clock.now_s += 0.101
        await until(lambda: bool(stage.spool.waiting))
        assert stage.spool.appended == [RECORD]
        assert stage.state is KafkaState.SLOW
        assert not answer.done()
        stage.spool.store()
        assert await answer is Verdict.DURABLE

    play(scenario)


def test_a_late_acknowledgement_marks_the_spooled_copy_done_and_it_is_not_replayed() -> None:
    async def scenario(stage: Stage) -> None:
        answer = stage.publisher.publish(RECORD)
        stage.clock.now_s += 0.101
        await until(lambda: bool(stage.spool.waiting))
        stage.spool.store()
        await answer
        copy = Spooled(Position(1, 0, 1), SPOOLED.record)
        assert stage.replay(copy) is None
        await stage.acknowledged()
        assert stage.spool.done == [copy.position]
        assert stage.spool.given_back == []
        assert len(stage.producer.produced) == 1

    play(scenario)


def test_a_late_failure_gives_the_spooled_copy_back_to_the_replay() -> None:
    async def scenario(stage: Stage) -> None:
        answer = stage.publisher.publish(RECORD)
        stage.clock.now_s += 0.101
        await until(lambda: bool(stage.spool.waiting))
        stage.spool.store()
        await answer
        position = Position(1, 0, 1)
        assert stage.replay(Spooled(position, SPOOLED.record)) is None
        await stage.acknowledged(KafkaError(KafkaError._MSG_TIMED_OUT))
        assert stage.spool.given_back == [position]
        assert stage.replay(Spooled(position, SPOOLED.record)) is not None

    play(scenario)


def test_an_acknowledgement_while_the_spool_writes_is_durable_at_once_and_marks_the_copy_later() -> None:
    async def scenario(stage: Stage) -> None:
        stage.publisher.observe(Event.TIMED_OUT)
        answer = stage.publisher.publish(RECORD)
        assert (len(stage.producer.produced), len(stage.spool.appended)) == (1, 1)
        await stage.acknowledged()
        assert await answer is Verdict.DURABLE
        assert stage.spool.done == []
        stage.spool.store()
        await until(lambda: stage.spool.done == [Position(1, 0, 1)])

    play(scenario)


def test_a_kafka_that_is_down_is_not_given_live_messages() -> None:
    async def scenario(stage: Stage) -> None:
        stage.producer.report(lambda: stage.producer.on_error(KafkaError(KafkaError._ALL_BROKERS_DOWN)))
        await until(lambda: stage.state is KafkaState.DOWN)
        answer = stage.publisher.publish(RECORD)
        stage.spool.store()
        assert await answer is Verdict.DURABLE
        assert stage.producer.produced == []

    play(scenario)


def test_those_that_wait_are_spooled_as_soon_as_kafka_is_down() -> None:
    async def scenario(stage: Stage) -> None:
        answers = [stage.publisher.publish(RECORD) for _ in range(3)]
        stage.publisher.observe(Event.FAILED, "away")
        await until(lambda: len(stage.spool.waiting) == 3)
        stage.spool.store()
        assert [await answer for answer in answers] == [Verdict.DURABLE] * 3

    play(scenario)


@pytest.mark.parametrize("code", [KafkaError._MSG_TIMED_OUT, KafkaError.TOPIC_AUTHORIZATION_FAILED])
def test_a_record_that_kafka_refuses_is_spooled_and_kafka_is_down(code: int) -> None:
    async def scenario(stage: Stage) -> None:
        answer = stage.publisher.publish(RECORD)
        await stage.acknowledged(KafkaError(code))
        assert stage.state is KafkaState.DOWN
        stage.spool.store()
        assert await answer is Verdict.DURABLE

    play(scenario)


def test_a_record_that_is_too_large_is_told_and_not_spooled() -> None:
    async def scenario(stage: Stage) -> None:
        answer = stage.publisher.publish(RECORD)
        await stage.acknowledged(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
        assert await answer is Verdict.TOO_LARGE
        stage.producer.refusals = [KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))]
        assert await stage.publisher.publish(RECORD) is Verdict.TOO_LARGE
        assert stage.spool.appended == []
        assert stage.state is KafkaState.OK

    play(scenario)


def test_without_room_in_either_store_there_is_503_at_the_deadline_and_not_before() -> None:
    async def scenario(stage: Stage) -> None:
        stage.spool.is_full = True
        stage.publisher.observe(Event.FAILED, "away")
        answer = stage.publisher.publish(RECORD)
        await until(lambda: len(stage.producer.produced) == 1)
        for _ in range(2):
            # In steps: a leap would be a standstill.
            stage.clock.now_s += 0.145
            swept_s = stage.clock.now_s
            await until(lambda: stage.publisher._swept_s == swept_s)  # noqa: B023 - awaited at once
        assert not answer.done()
        stage.clock.now_s += 0.02
        assert await answer is Verdict.NO_DURABLE_STORE

    play(scenario)


def test_a_process_that_stood_still_hears_its_stores_before_it_gives_anyone_up() -> None:
    async def scenario(stage: Stage) -> None:
        stage.publisher.observe(Event.FAILED, "away")
        answer = stage.publisher.publish(RECORD)
        stage.clock.now_s += 5
        # As if the loop had slept, and the disk's answer came some time after the timer that wakes it.
        stage.publisher._sweep()
        stage.clock.now_s += 0.29
        stage.publisher._sweep()
        assert not answer.done()
        stage.spool.store()
        assert await answer is Verdict.DURABLE

    play(scenario)


def test_after_a_standstill_nobody_waits_for_long() -> None:
    async def scenario(stage: Stage) -> None:
        stage.publisher.observe(Event.FAILED, "away")
        answer = stage.publisher.publish(RECORD)
        stage.clock.now_s += 5
        stage.publisher._sweep()
        stage.clock.now_s += 0.31
        stage.publisher._sweep()
        assert await answer is Verdict.NO_DURABLE_STORE

    play(scenario)


def test_a_full_spool_leaves_what_kafka_still_acknowledges() -> None:
    async def scenario(stage: Stage) -> None:
        stage.spool.is_full = True
        stage.publisher.observe(Event.FAILED, "away")
        stage.producer.refusals = [BufferError("Local: Queue full")] * 3
        answer = stage.publisher.publish(RECORD)
        await until(lambda: bool(stage.producer.waiting))
        await stage.acknowledged()
        assert await answer is Verdict.DURABLE
        assert len(stage.producer.produced) == 1

    play(scenario)


def test_a_full_queue_is_the_spools() -> None:
    async def scenario(stage: Stage) -> None:
        stage.producer.refusals = [BufferError("Local: Queue full")]
        answer = stage.publisher.publish(RECORD)
        assert stage.state is KafkaState.SLOW
        stage.spool.store()
        assert await answer is Verdict.DURABLE

    play(scenario)


def test_a_queue_more_than_half_full_is_slow() -> None:
    async def scenario(stage: Stage) -> None:
        large = Record("aam-posts", b"x" * 251, [])
        states = []
        for _ in range(2):
            stage.publisher.publish(large)
            states.append(stage.state)
        assert states == [KafkaState.OK, KafkaState.SLOW]

    play(scenario)


def test_a_cancelled_request_disturbs_nobody() -> None:
    async def scenario(stage: Stage) -> None:
        cancelled, other = stage.publisher.publish(RECORD), stage.publisher.publish(RECORD)
        cancelled.cancel()
        await stage.acknowledged()
        assert await other is Verdict.DURABLE

    play(scenario)


def test_a_replay_is_marked_done_when_kafka_has_it() -> None:
    async def scenario(stage: Stage) -> None:
        replayed = stage.replay()
        assert replayed is not None
        assert stage.producer.produced == [("aam-posts", b"{}", [("segwire-source", b"dev")])]
        assert stage.spool.done == []
        await stage.acknowledged()
        assert await replayed is Verdict.DURABLE
        assert stage.spool.done == [SPOOLED.position]

    play(scenario)


def test_a_replay_that_kafka_refuses_is_not_marked_done() -> None:
    async def scenario(stage: Stage) -> None:
        replayed = stage.replay()
        assert replayed is not None
        await stage.acknowledged(KafkaError(KafkaError._MSG_TIMED_OUT))
        assert await replayed is Verdict.NO_DURABLE_STORE
        assert stage.spool.done == []
        assert not stage.publisher.takes_replays()

    play(scenario)


def test_closing_spools_what_kafka_did_not_acknowledge() -> None:
    async def scenario(stage: Stage) -> None:
        stage.publisher.publish(RECORD).cancel()
        closing = asyncio.ensure_future(stage.publisher.close(10))
        stage.publisher.observe(Event.FAILED, "away")
        await until(lambda: bool(stage.spool.waiting))
        assert not closing.done()
        stage.spool.store()
        assert await closing == 0
        assert stage.spool.appended == [RECORD]

    play(scenario)


def test_closing_tells_what_no_store_has() -> None:
    async def scenario(stage: Stage) -> None:
        stage.spool.is_full = True
        stage.publisher.publish(RECORD).cancel()
        stage.publisher.observe(Event.FAILED, "away")
        assert await stage.publisher.close(10) == 1

    play(scenario)
