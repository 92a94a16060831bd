"""A Kafka for tests, and the few things that every test does with it."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from rich.console import Console

from runtime.errors import UnreachableKafkaError
from runtime.kafka.asking import list_offsets
from segwire.embedded.kafka.container import TestcontainersKafka
from segwire.embedded.kafka.interface import KafkaServer
from segwire.embedded.kafka.progress import ConsoleProgress
from segwire.embedded.kafka.server import EmbeddedKafka
from segwire.inspect.offsets import LATEST

LIMIT_S = 60.0
PASSING = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
    }
)


class RunningKafka:
    """A Kafka that somebody else runs."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._bootstrap_servers = bootstrap_servers

    @property
    def bootstrap_servers(self) -> str:
        return self._bootstrap_servers

    def start(self) -> None:
        try:
            AdminClient({"bootstrap.servers": self._bootstrap_servers, "log_level": 0}).list_topics(timeout=LIMIT_S)
        except KafkaException:
            raise UnreachableKafkaError(
                f"No Kafka answers at --kafka {self._bootstrap_servers}; start one there, or leave the option out"
            ) from None

    def poll(self) -> int | None:
        return None

    def stop(self) -> None:
        return


def choose_kafka(option: str, data_dir: Path) -> KafkaServer:
    """Turn the value of `--kafka` into a server that is not yet started."""
    progress = ConsoleProgress(Console(file=sys.__stderr__))
    if option == "embedded":
        return EmbeddedKafka(data_dir, port=0, progress=progress)
    if option == "testcontainers":
        return TestcontainersKafka(progress=progress)
    return RunningKafka(option)


@contextmanager
def running(server: KafkaServer) -> Iterator[KafkaServer]:
    """Start a server and stop it in the end."""
    server.start()
    try:
        yield server
    finally:
        server.stop()


def wait_until(condition: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
    """Wait for a condition; fail, naming it, when it does not come."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit_s:.0f} s: {what}")
        time.sleep(0.02)


def create_topic(servers: str, name: str, partitions: int = 1) -> None:
    admin = AdminClient({"bootstrap.servers": servers})  # its requests end with it
    admin.create_topics([NewTopic(name, partitions, 1)])[name].result(LIMIT_S)


def wait_until_readable(servers: str, prefix: str) -> None:
    """Wait until no transaction is open on the prefix's topics: a commit is answered before readers see it."""
    admin = AdminClient({"bootstrap.servers": servers})
    topics = [topic for name, topic in admin.list_topics(timeout=LIMIT_S).topics.items() if name.startswith(prefix)]
    wanted = {TopicPartition(str(topic), partition): LATEST for topic in topics for partition in topic.partitions}

    def ends(isolation: IsolationLevel) -> dict[tuple[str, int], int]:
        return list_offsets(admin, wanted, isolation, LIMIT_S)

    def are_readable() -> bool:
        try:
            return ends(IsolationLevel.READ_COMMITTED) == ends(IsolationLevel.READ_UNCOMMITTED)
        except KafkaException as error:
            if error.args[0].code() in PASSING:  # a topic was just created
                return False
            raise

    wait_until(are_readable, "what was committed can be read")


def produce_all(servers: str, topic: str, values: list[bytes]) -> None:
    """Write values, each acknowledged."""
    failures: list[KafkaError] = []

    def note(error: KafkaError | None, _: object) -> None:
        if error is not None:
            failures.append(error)

    producer = Producer({"bootstrap.servers": servers, "enable.idempotence": True})
    for value in values:
        producer.produce(topic, value, on_delivery=note)
    assert producer.flush(LIMIT_S) == 0
    assert not failures


def read_all(servers: str, topic: str, partition: int = 0) -> list[bytes | None]:
    """Read what is committed in a partition, from its start to its present end."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": f"read-{os.getpid()}-{time.monotonic_ns()}",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": False,
        }
    )
    try:
        place = TopicPartition(topic, partition)
        low, high = _watermarks(consumer, place)
        consumer.assign([TopicPartition(topic, partition, low)])
        values: list[bytes | None] = []
        deadline = time.monotonic() + LIMIT_S
        while _position(consumer, place) < high:
            assert time.monotonic() < deadline, f"{topic} stops before offset {high}"
            record = consumer.poll(0.2)
            if record is not None:
                assert record.error() is None
                values.append(record.value())
        return values
    finally:
        consumer.close()


def read_committed(servers: str, topic: str, partitions: int, group: str = "reader") -> list[Message]:
    """Return what is committed in a topic now, partition after partition."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers, "group.id": group, "isolation.level": "read_committed",
            "enable.auto.commit": False,
        }
    )  # fmt: skip
    try:
        where = [TopicPartition(topic, partition) for partition in range(partitions)]
        ends = {}
        for place in where:
            place.offset, ends[place.partition] = _watermarks(consumer, place)
        consumer.assign(where)
        found: list[Message] = []

        def at_end() -> bool:
            found.extend(consumer.consume(5000, 0.1))
            return all(tp.offset >= ends[tp.partition] or not ends[tp.partition] for tp in consumer.position(where))

        wait_until(at_end, f"{topic} is read to its end")
    finally:
        consumer.close()
    assert all(message.error() is None for message in found)
    return sorted(found, key=lambda message: (message.partition() or 0, message.offset() or 0))


def _watermarks(consumer: Consumer, place: TopicPartition) -> tuple[int, int]:
    """Ask for the first and the next offset, again while a broker that has just started takes up its partitions."""
    deadline = time.monotonic() + LIMIT_S
    while True:
        try:
            low, high = consumer.get_watermark_offsets(place, timeout=LIMIT_S)
        except KafkaException as error:
            if error.args[0].code() not in PASSING or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return low, high


def _position(consumer: Consumer, place: TopicPartition) -> int:
    """Return the next offset; it steps over what is no record, such as the end of a transaction."""
    return int(consumer.position([place])[0].offset)
