"""Kafka in a container, with Docker and the network left out."""

from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import BrokerMetadata, ClusterMetadata

from segwire.embedded.kafka import container
from segwire.embedded.kafka.container import TestcontainersKafka
from segwire.embedded.kafka.errors import EmbeddedKafkaError
from tests.support.containers import Describing, PassedTime

PORT = 23456
ADDRESS = f"127.0.0.1:{PORT}"


def seen(*brokers: int) -> Callable[[], ClusterMetadata]:
    metadata = ClusterMetadata()
    metadata.brokers = {broker: BrokerMetadata() for broker in brokers}
    return lambda: metadata


def unreachable() -> ClusterMetadata:
    raise KafkaException(KafkaError(KafkaError._TRANSPORT))


class Asked:
    """A client that is given its answers; the last of them for good."""

    def __init__(self, *answers: Callable[[], ClusterMetadata]) -> None:
        self.addresses: list[str] = []
        self.times = 0
        self._answers = answers

    def connect(self, address: str) -> "Asked":
        self.addresses.append(address)
        return self

    def list_topics(self, *, timeout: float) -> ClusterMetadata:
        assert timeout > 0
        self.times += 1
        return self._answers[min(self.times, len(self._answers)) - 1]()


@pytest.fixture
def described() -> Describing:
    return Describing()


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> PassedTime:
    monkeypatch.setattr(container, "choose_port", lambda _wanted, _remembered: PORT)
    return PassedTime(monkeypatch)


@pytest.mark.parametrize("first", [unreachable, seen()])
def test_it_is_started_once_a_broker_is_seen(
    first: Callable[[], ClusterMetadata], described: Describing, passed: PassedTime
) -> None:
    asked = Asked(first, first, seen(1))
    with TestcontainersKafka(describe=described, connect=asked.connect) as server:
        assert server.bootstrap_servers == ADDRESS
        assert (asked.addresses, asked.times, passed.pauses) == ([ADDRESS], 3, 2)
        assert server.poll() is None
        described.made[0].code = 143
        assert server.poll() == 143
    assert described.made[0].said == ["start", "stop"]
    assert server.poll() is None


@pytest.mark.parametrize("answer", [unreachable, seen()])
def test_a_broker_that_is_never_seen_is_said_and_its_container_removed(
    answer: Callable[[], ClusterMetadata], described: Describing, passed: PassedTime
) -> None:
    server = TestcontainersKafka(describe=described, connect=Asked(answer).connect)
    with pytest.raises(EmbeddedKafkaError, match=rf"(?s)does not answer at {ADDRESS} .*or leave --kafka out"):
        server.start()
    assert passed.pauses > 0
    assert described.made[0].said == ["start", "stop"]


@pytest.mark.parametrize("answer", [unreachable, seen()])
def test_a_container_that_ends_at_once_is_said_and_removed(
    answer: Callable[[], ClusterMetadata], passed: PassedTime
) -> None:
    described = Describing(code=1)
    with pytest.raises(EmbeddedKafkaError, match=r"apache/kafka:.* ended \(exit code 1\)"):
        TestcontainersKafka(describe=described, connect=Asked(answer).connect).start()
    assert described.made[0].said == ["start", "stop"]
    assert passed.pauses == 0


def test_the_broker_tells_clients_the_port_of_this_machine(described: Describing, passed: PassedTime) -> None:
    with TestcontainersKafka(describe=described, connect=Asked(seen(1)).connect):
        (made,) = described.made
    assert made.port == PORT
    assert made.environment["KAFKA_ADVERTISED_LISTENERS"] == f"CLIENT://{ADDRESS}"
    assert made.environment["KAFKA_LISTENERS"].startswith("CLIENT://:9092,")
    assert passed.pauses == 0


def test_its_address_is_not_known_before_its_start(described: Describing) -> None:
    server = TestcontainersKafka(describe=described)
    with pytest.raises(EmbeddedKafkaError, match=r"not started: call start\(\) first"):
        _ = server.bootstrap_servers
    server.stop()
    assert described.made == []
