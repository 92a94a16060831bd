"""Apache Kafka in a container, by testcontainers, where Docker is."""

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from segwire.embedded.kafka.errors import EmbeddedKafkaError
from segwire.embedded.kafka.pins import KAFKA_VERSION
from segwire.embedded.kafka.ports import HOST, choose_port
from segwire.embedded.kafka.progress import NoProgress, StartProgress
from segwire.embedded.kafka.properties import SINGLE_REPLICA, SMALL

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

IMAGE = f"apache/kafka:{KAFKA_VERSION}"
INNER_PORT = 9092
CONTROLLER_PORT = 9093
READY_LIMIT_S = 180.0


class TestcontainersKafka:
    """One KRaft node in a container; its data go with it."""

    __test__ = False  # for pytest, which takes every class of this name for tests

    def __init__(self, *, port: int | None = None, progress: StartProgress | None = None) -> None:
        """Describe it; nothing happens before `start`.

        Args:
            port: for clients; 0 for any; None for a free one from 19092 on.
            progress: hears of the steps of a start.
        """
        self._wanted_port = port
        self._progress = progress or NoProgress()
        self._port: int | None = None
        self._container: DockerContainer | None = None

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
        try:
            from docker.errors import DockerException  # type: ignore[import-untyped]
            from testcontainers.core.container import DockerContainer
        except ImportError:
            raise EmbeddedKafkaError(
                "Kafka in a container needs the package testcontainers, which is not installed. "
                "Run: pip install 'segwire[containers]', or leave --kafka out for the embedded one"
            ) from None
        self._port = choose_port(self._wanted_port, None)
        self._progress.say(f"Starting the container {IMAGE}")
        try:
            container = DockerContainer(IMAGE)
            # Docker takes an address with the port, though the types of testcontainers do not know it.
            container.ports[str(INNER_PORT)] = (HOST, self._port)  # type: ignore[assignment]
            for name, value in _settings(self._port).items():
                container = container.with_env(f"KAFKA_{name.upper().replace('.', '_')}", value)
            self._container = container
            container.start()
            self._wait_until_ready()
        except DockerException as error:
            self.stop()
            raise EmbeddedKafkaError(
                f"The container {IMAGE} does not start: {error}. Start Docker (or name it: DOCKER_HOST=unix://PATH), "
                "or leave --kafka out for the embedded one"
            ) from error
        except BaseException:
            self.stop()
            raise

    def poll(self) -> int | None:
        """Return None while the container runs, else its exit code."""
        if self._container is None:
            return None
        wrapped = self._container.get_wrapped_container()
        wrapped.reload()
        return None if wrapped.status == "running" else int(wrapped.attrs["State"]["ExitCode"])

    def stop(self) -> None:
        """Stop and remove the container. Blocks; harmless when not started."""
        if self._container is not None and self._container.get_wrapped_container() is not None:
            self._container.stop()
        self._container = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_until_ready(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        deadline = time.monotonic() + READY_LIMIT_S
        while True:
            try:
                if admin.list_topics(timeout=1).brokers:
                    return
            except KafkaException:
                code = self.poll()
            if code is not None or time.monotonic() > deadline:
                raise EmbeddedKafkaError(
                    f"The container {IMAGE} does not answer at {self.bootstrap_servers} (exit code {code}). "
                    "See its log: docker logs, or leave --kafka out for the embedded one"
                )


def _settings(port: int) -> dict[str, str]:
    return {
        "node.id": "1",
        "process.roles": "broker,controller",
        "listeners": f"CLIENT://:{INNER_PORT},CONTROLLER://:{CONTROLLER_PORT}",
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
