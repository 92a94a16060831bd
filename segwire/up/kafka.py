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
from segwire.up.background import Background
from segwire.up.keeper import InBackground, ServerKeeper
from segwire.up.reporter import Reporter
from segwire.up.restart import RestartPolicy

TESTCONTAINERS = "testcontainers"
KafkaKeeper = ServerKeeper[KafkaServer]
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


def keep_kafka(
    server: KafkaServer,
    policy: RestartPolicy,
    clock: Clock,
    reporter: Reporter,
    in_background: InBackground = Background,
    at_address: Callable[[str], KafkaServer] | None = None,
) -> KafkaKeeper:
    """Return what starts our own Kafka, and starts it again; `at_address` makes the one that is started then."""
    return ServerKeeper(
        "Kafka", "kafka", server, lambda one: one.bootstrap_servers, policy, clock, reporter, in_background, at_address
    )
