"""Apache Kafka in a container, by testcontainers, where Docker is."""

from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata

from segwire.embedded.container import Container, Describe, Image, in_docker, wait_until_answering
from segwire.embedded.kafka.errors import EmbeddedKafkaError
from segwire.embedded.kafka.pins import KAFKA_VERSION
from segwire.embedded.kafka.ports import HOST, choose_port
from segwire.embedded.kafka.progress import NoProgress, StartProgress
from segwire.embedded.kafka.properties import SINGLE_REPLICA, SMALL

IMAGE = Image(
    f"apache/kafka:{KAFKA_VERSION}", 9092, "Kafka", "leave --kafka out for the embedded one", EmbeddedKafkaError
)
CONTROLLER_PORT = 9093


class Admin(Protocol):
    """What we need of an `AdminClient`."""

    def list_topics(self, *, timeout: float) -> ClusterMetadata:
        """Return what a broker knows of its cluster, or raise `KafkaException`."""


class TestcontainersKafka:
    """One KRaft node in a container; its data go with it."""

    __test__ = False  # for pytest, which takes every class of this name for tests

    def __init__(
        self,
        *,
        port: int | None = None,
        progress: StartProgress | None = None,
        describe: Describe | None = None,
        connect: Callable[[str], Admin] | None = None,
    ) -> None:
        """Describe it; nothing happens before `start`.

        Args:
            port: for clients; 0 for any; None for a free one from 19092 on.
            progress: hears of the steps of a start.
            describe: describes the container; by default one that Docker runs.
            connect: makes the client that asks whether the broker answers, at its address.
        """
        self._wanted_port = port
        self._progress = progress or NoProgress()
        self._describe = describe or in_docker(IMAGE)
        self._connect = connect or _connect
        self._port: int | None = None
        self._container: Container | None = None

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients, `HOST:PORT`.

        Raises:
            EmbeddedKafkaError: it was not started.
        """
        if self._port is None:
            raise EmbeddedKafkaError("Kafka's container was not started: call start() first")
        return f"{HOST}:{self._port}"

    def start(self) -> None:
        """Start, and return when the broker answers. Blocks; the first time it fetches the image.

        Raises:
            EmbeddedKafkaError: testcontainers or Docker is missing, or it does not start.
        """
        port = choose_port(self._wanted_port, None)
        self._container = self._describe(port, _environment(port))
        self._port = port
        self._progress.say(f"Starting the container {IMAGE.name}")
        try:
            self._container.start()
            admin = self._connect(self.bootstrap_servers)
            wait_until_answering(self._container, IMAGE, self.bootstrap_servers, lambda: _answers(admin))
        except BaseException:
            self.stop()
            raise

    def poll(self) -> int | None:
        """Return None while the container runs, else its exit code."""
        return None if self._container is None else self._container.exit_code()

    def stop(self) -> None:
        """Stop and remove the container. Blocks; harmless when not started."""
        if self._container is not None:
            self._container.stop()
        self._container = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _connect(address: str) -> Admin:
    return AdminClient({"bootstrap.servers": address, "log_level": 0})


def _answers(admin: Admin) -> bool:
    try:
        return bool(admin.list_topics(timeout=1).brokers)
    except KafkaException:
        return False


def _environment(port: int) -> dict[str, str]:
    return {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in _settings(port).items()}


def _settings(port: int) -> dict[str, str]:
    return {
        "node.id": "1",
        "process.roles": "broker,controller",
        "listeners": f"CLIENT://:{IMAGE.inner_port},CONTROLLER://:{CONTROLLER_PORT}",
        "advertised.listeners": f"CLIENT://{HOST}:{port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "CLIENT",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.quorum.voters": f"1@localhost:{CONTROLLER_PORT}",
        **SINGLE_REPLICA,
        **SMALL,
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
    }
