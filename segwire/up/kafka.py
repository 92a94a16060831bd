"""Which Kafka `up` uses: its own, one in a container, or one that runs already."""

import re
from collections.abc import Callable, Sequence

from runtime.clock import Clock
from runtime.errors import ConfigurationError, SegwireError
from runtime.kafka.clients import admin_client, require_brokers
from runtime.kafka.topics import apply_topics
from runtime.settings import KafkaSettings
from schemas.topics import Topic
from segwire.embedded.kafka.interface import KafkaServer
from segwire.up.background import Background, Work
from segwire.up.reporter import Reporter
from segwire.up.restart import RestartHistory, RestartPolicy
from segwire.up.view import ServiceView, State

TESTCONTAINERS = "testcontainers"
InBackground = Callable[[Callable[[], None]], Work[None]]
_ADDRESS = re.compile(r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})")
_PORT_MAX = 65_535
_REPLICATION_DEFAULT = 3
_METADATA_TIMEOUT_S = 10.0
_SETTLE_MAX_S = 30.0
_SETTLE_POLL_S = 0.2


def check_kafka_option(value: str) -> str:
    """Return a value of `--kafka` as it is used.

    Raises:
        ConfigurationError: it is neither addresses nor `testcontainers`.
    """
    if value == TESTCONTAINERS:
        return value
    addresses = [address.strip() for address in value.split(",")]
    for address in addresses:
        match = _ADDRESS.fullmatch(address)
        if match is None or not 0 < int(match[1]) <= _PORT_MAX:
            raise ConfigurationError(
                f"--kafka {value}: {address!r} is not HOST:PORT; give HOST:PORT[,HOST:PORT…], or {TESTCONTAINERS}, "
                "or leave the option out for the embedded Kafka"
            )
    return ",".join(addresses)


def remote_settings(kafka: KafkaSettings, bootstrap_servers: str) -> KafkaSettings:
    """Return the settings for a Kafka that runs already.

    Where no replication factor is configured, a cluster of fewer than three brokers gets as many replicas as it has.

    Raises:
        UnreachableKafkaError: nobody answered.
    """
    chosen = kafka.model_copy(update={"bootstrap_servers": bootstrap_servers})
    require_brokers(chosen)
    if "replication_factor" in kafka.model_fields_set:
        return chosen
    brokers = len(admin_client(chosen).list_topics(timeout=_METADATA_TIMEOUT_S).brokers)
    return chosen.model_copy(update={"replication_factor": max(1, min(_REPLICATION_DEFAULT, brokers))})


def own_settings(kafka: KafkaSettings, bootstrap_servers: str) -> KafkaSettings:
    """Return the settings for a single broker of ours: one replica, and none of the configured security."""
    return kafka.model_copy(update={"bootstrap_servers": bootstrap_servers, "replication_factor": 1, "properties": {}})


def apply_topics_of_ours(
    kafka: KafkaSettings, topics: Sequence[Topic], clock: Clock, pause: Callable[[float], None]
) -> list[str]:
    """Create the topics on a Kafka that was just started. Blocks.

    After a crash a broker answers before the controller lets it in again, and until then it may know no topics and
    refuse to make any.

    Raises:
        SegwireError: as `apply_topics`.
    """
    limit_s = clock.monotonic_s() + _SETTLE_MAX_S
    while True:
        try:
            return apply_topics(kafka, topics)
        except ConfigurationError:
            raise
        except SegwireError:
            if clock.monotonic_s() >= limit_s:
                raise
            pause(_SETTLE_POLL_S)


class KafkaKeeper:
    """Starts our own Kafka, and starts it again on the same port and data when it dies."""

    def __init__(
        self,
        server: KafkaServer,
        policy: RestartPolicy,
        clock: Clock,
        reporter: Reporter,
        in_background: InBackground = Background,
        at_address: Callable[[str], KafkaServer] | None = None,
    ) -> None:
        """Start nothing yet; `at_address` makes the server that takes a dead one's place, where it is another."""
        self._at_address = at_address
        self._in_background = in_background
        self._starting: Work[None] | None = None
        self._server = server
        self._history = RestartHistory(policy)
        self._clock = clock
        self._reporter = reporter
        self._address = ""
        self._started_ms = 0
        self._restart_at_ms: int | None = None

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients; known once started, and kept."""
        return self._address

    def start(self) -> None:
        """Start it. Blocks until the broker answers."""
        self._server.start()
        self._address = self._server.bootstrap_servers
        self._started_ms = self._now_ms()

    def tick(self) -> None:
        """Look after it once. Does not block: it is started again in the background.

        Raises:
            SegwireError: it died again and again.
        """
        if self._starting is not None:
            if self._starting.done():
                self._started_again(self._starting)
        elif self._restart_at_ms is None:
            code = self._server.poll()
            if code is not None:
                self._ended(f"ended with exit code {code}")
        elif self._now_ms() >= self._restart_at_ms:
            self._restart_at_ms = None
            self._started_ms = self._now_ms()
            self._starting = self._in_background(self._start_again)

    def _start_again(self) -> None:
        # Also lets go of what the dead one held.
        self._server.stop()
        if self._at_address is not None:
            self._server = self._at_address(self._address)
        self._server.start()

    def _started_again(self, starting: Work[None]) -> None:
        self._starting = None
        try:
            starting.result()
        except SegwireError as error:
            self._ended(f"could not be started again: {error}")
            return
        self._started_ms = self._now_ms()
        if self._server.bootstrap_servers != self._address:
            self._server.stop()
            self._ended(f"found its port taken when it was started again (it was {self._address})")
            return
        self._reporter.say(f"Kafka answers again on {self._address}")

    def view(self) -> ServiceView:
        """Return how it is."""
        state: State = "ready" if self._restart_at_ms is None else "waiting"
        if self._starting is not None:
            state = "starting"
        return ServiceView(
            name="Kafka", state=state, detail="", restarts=self._history.restarts, url=self.bootstrap_servers
        )

    def stop(self) -> None:
        """Stop it in order. Blocks; harmless where it never started."""
        self._server.stop()

    def _ended(self, how: str) -> None:
        self._restart_at_ms = self._history.ended(self._started_ms, self._now_ms(), proven=True)
        if self._restart_at_ms is None:
            raise SegwireError(
                f"Kafka {how}. It failed {self._history.quick_failures} times in a row and is not started again; "
                "read its log in the data directory (kafka/), mend what it says and run `segwire up` again"
            )
        self._reporter.problem(f"Kafka {how}; it starts again on the same port and data")

    def _now_ms(self) -> int:
        return int(self._clock.monotonic_s() * 1000)
