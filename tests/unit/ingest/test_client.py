import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from ingest.admission import AckState
from ingest.client import KafkaClient, Outcome, Record
from ingest.partitions import ANY, Partitions
from tests.support.producer import Factory, until

RECORD = Record("aam-posts", b"{}", [("segwire-source", b"dev")])
DOWN = (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN)


class Listener:
    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.reasons: list[str] = []

    def on_outcomes(self, outcomes: list[Outcome]) -> None:
        self.outcomes += outcomes

    def on_client_error(self, reason: str) -> None:
        self.reasons.append(reason)


Scenario = Callable[[KafkaClient, Factory, Listener], Coroutine[Any, Any, None]]


def play(scenario: Scenario) -> None:
    async def main() -> None:
        factory, listener = Factory(), Listener()
        client = KafkaClient(factory, listener, {"aam-posts": Partitions(batch_s=1.0)})
        try:
            async with asyncio.timeout(20):
                await scenario(client, factory, listener)
        finally:
            client.stop()

    asyncio.run(main())


def test_outcomes_come_with_the_token_of_their_record() -> None:
    async def scenario(client: KafkaClient, factory: Factory, listener: Listener) -> None:
        assert [client.send(RECORD, token, 0.0) for token in "ab"] == [AckState.PENDING] * 2
        assert factory.made[0].produced == [(RECORD.topic, RECORD.value, RECORD.headers)] * 2
        factory.made[0].acknowledge()
        await until(lambda: listener.outcomes == [("a", None), ("b", None)])

    play(scenario)


def test_each_batch_goes_to_a_partition_of_its_own_once_they_are_known() -> None:
    async def scenario(client: KafkaClient, factory: Factory, listener: Listener) -> None:
        producer = factory.made[0]
        client.send(RECORD, "", 0.0)
        client.topics(0.1)
        await asyncio.sleep(0)
        for now_s in (1.0, 1.5, 2.0, 3.0, 4.0):
            client.send(RECORD, "", now_s)
        client.send(Record("dead-letters", b"{}", []), "", 4.5)
        assert producer.partitions == [ANY, 0, 0, 1, 2, ANY, ANY]
        producer.acknowledge()
        await until(lambda: len(listener.outcomes) == 7)
        client.send(RECORD, "", 5.0)
        assert producer.partitions[-1] == 0

    play(scenario)


def test_a_record_that_is_refused_at_once_leaves_its_partition_free() -> None:
    async def scenario(client: KafkaClient, factory: Factory, listener: Listener) -> None:
        producer = factory.made[0]
        producer.partition_count = 1
        client.topics(0.1)
        await asyncio.sleep(0)
        producer.refusals = [BufferError("Local: Queue full")]
        assert client.send(RECORD, "", 1.0) is AckState.QUEUE_FULL
        client.send(RECORD, "", 3.0)
        assert producer.partitions == [0]

    play(scenario)


@pytest.mark.parametrize(
    ("refusal", "state"),
    [
        (BufferError("Local: Queue full"), AckState.QUEUE_FULL),
        (KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)), AckState.OVERSIZED),
        (KafkaException(KafkaError(KafkaError.RECORD_LIST_TOO_LARGE)), AckState.OVERSIZED),
        (KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)), AckState.FAILED),
    ],
)
def test_a_refusal_is_told_at_once_and_has_no_outcome(refusal: Exception, state: AckState) -> None:
    async def scenario(client: KafkaClient, factory: Factory, listener: Listener) -> None:
        factory.made[0].refusals = [refusal]
        assert client.send(RECORD, "a", 0.0) is state

    play(scenario)


def test_a_client_that_failed_for_good_is_replaced_and_gives_back_what_it_had() -> None:
    async def scenario(client: KafkaClient, factory: Factory, listener: Listener) -> None:
        client.send(RECORD, "a", 0.0)
        factory.made[0].fail_for_good()
        await until(lambda: len(factory.made) == 2)
        await until(lambda: bool(listener.outcomes))
        [(token, error)] = listener.outcomes
        assert token == "a"
        assert error is not None
        assert "failed for good" in listener.reasons[0]
        client.send(RECORD, "b", 0.0)
        assert len(factory.made[1].produced) == 1

    play(scenario)


def test_brokers_that_are_down_are_told() -> None:
    async def scenario(client: KafkaClient, factory: Factory, listener: Listener) -> None:
        factory.made[0].report(partial(factory.made[0].on_error, KafkaError(KafkaError._ALL_BROKERS_DOWN)))
        await until(lambda: bool(listener.reasons))
        assert "no Kafka broker can be reached" in listener.reasons[0]
        factory.made[0].brokers = False
        assert client.topics(0.1) is None
        factory.made[0].brokers = True
        assert client.topics(0.1) == {"aam-posts"}

    play(scenario)


def test_an_outage_is_logged_once_and_not_before_the_first_contact(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[int] = []
    monkeypatch.setattr("ingest.client.log_error", lambda error: logged.append(error.code()))

    async def scenario(client: KafkaClient, factory: Factory, listener: Listener) -> None:
        async def outage(*codes: int) -> None:
            done = asyncio.Event()
            for code in codes:
                factory.made[0].report(partial(factory.made[0].on_error, KafkaError(code)))
            loop = asyncio.get_running_loop()
            factory.made[0].report(lambda: loop.call_soon_threadsafe(done.set))
            await done.wait()

        await outage(*DOWN, KafkaError._AUTHENTICATION, *DOWN)
        assert logged == [KafkaError._AUTHENTICATION]
        client.topics(0.1)
        await outage(*DOWN, *DOWN)
        assert logged == [KafkaError._AUTHENTICATION, *DOWN]
        client.all_is_well()
        await outage(*DOWN)
        assert logged == [KafkaError._AUTHENTICATION, *DOWN, *DOWN]

    play(scenario)
