"""How every librdkafka client of ours is configured."""

from collections.abc import Callable
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata

from runtime.clock import Clock, SystemClock
from runtime.errors import ConfigurationError, UnreachableKafkaError
from runtime.processor_settings import ProcessorSettings
from runtime.settings import KafkaSettings
from schemas.topics import MESSAGE_MAX_BYTES

Config = dict[str, Any]
OnError = Callable[[KafkaError], None]

_log = structlog.get_logger()


def _common(kafka: KafkaSettings) -> Config:
    if not kafka.bootstrap_servers:
        raise ConfigurationError(
            "kafka.bootstrap_servers: not set; name the brokers (HOST:PORT,…) in the configuration or as "
            "SEGWIRE_KAFKA__BOOTSTRAP_SERVERS, or start one on this machine: segwire kafka"
        )
    return {
        "bootstrap.servers": kafka.bootstrap_servers,
        "client.id": "segwire",
        # The default backoff of 10 s keeps clients away long after a broker is back.
        "reconnect.backoff.max.ms": 1000,
        "socket.keepalive.enable": True,
        # What it would print comes to the error callback too, many times a second while no broker is there.
        "log_level": 0,
        **kafka.properties,
    }


class ErrorLog:
    """Logs what librdkafka reports, each kind once in a while; the client goes on unless it is fatal."""

    def __init__(self, clock: Clock, quiet_s: float = 10.0) -> None:
        """Say the same kind of error again after `quiet_s`."""
        self._clock = clock
        self._quiet_s = quiet_s
        self._said_s: dict[int, float] = {}

    def __call__(self, error: KafkaError) -> None:
        """Log an error, or leave it."""
        now_s = self._clock.monotonic_s()
        if error.fatal() or now_s - self._said_s.get(error.code(), -self._quiet_s) >= self._quiet_s:
            self._said_s[error.code()] = now_s
            _log.warning("kafka_client_error", code=error.name(), detail=error.str(), fatal=error.fatal())


log_error = ErrorLog(SystemClock())


def admin_client(kafka: KafkaSettings) -> AdminClient:
    """Return an admin client that does not log to standard error."""
    return AdminClient(_common(kafka))


def producer_config(kafka: KafkaSettings, *, linger_ms: float, on_error: OnError = log_error) -> Config:
    """Return an idempotent producer's configuration: acks=all, murmur2 as Java's default."""
    return {
        **_common(kafka),
        "enable.idempotence": True,
        "acks": "all",
        "partitioner": "murmur2_random",
        "linger.ms": linger_ms,
        "message.max.bytes": MESSAGE_MAX_BYTES,
        "error_cb": on_error,
    }


def consumer_config(kafka: KafkaSettings, *, group_id: str | None = None, on_error: OnError = log_error) -> Config:
    """Return a read_committed consumer's configuration; nothing is committed by itself.

    Without `group_id` it is for `assign()` alone, and commits nothing.
    """
    return {
        **_common(kafka),
        "group.id": group_id or "segwire-reader",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "isolation.level": "read_committed",
        "auto.offset.reset": "earliest",
        # With the default of 1 s a bulk read stalls each time the local queue is full.
        "fetch.queue.backoff.ms": 10,
        "error_cb": on_error,
    }


def processor_consumer_config(kafka: KafkaSettings, processor: ProcessorSettings, group_id: str) -> Config:
    """Return the configuration of a processor's consumer: a static member, rebalanced incrementally.

    A static member (KIP-345) that was killed gets its partitions back at once when it returns under the same ordinal.
    """
    group: Config = {"group.protocol": processor.group_protocol, "group.instance.id": f"{group_id}-{processor.ordinal}"}
    if processor.group_protocol == "classic":
        group["partition.assignment.strategy"] = "cooperative-sticky"
        group["session.timeout.ms"] = processor.session_timeout_ms
    # By default 64 MB wait in each partition's queue, which is most of a process's memory while it is behind.
    queue: Config = {"queued.max.messages.kbytes": 8192}
    return {**consumer_config(kafka, group_id=group_id), "enable.partition.eof": True, **queue, **group}


def restoring_consumer_config(kafka: KafkaSettings, group_id: str) -> Config:
    """Return the configuration of a consumer that reads partitions to their ends, and then no more."""
    # A changelog ends with a transaction's marker, so its end is only known from a fetch that finds nothing: by default
    # the broker lets that wait for half a second.
    return {**consumer_config(kafka, group_id=group_id), "enable.partition.eof": True, "fetch.wait.max.ms": 20}


def transactional_config(kafka: KafkaSettings, processor: ProcessorSettings, transactional_id: str) -> Config:
    """Return the configuration of a processor's producer; its queue holds a whole transaction."""
    return {
        # A commit sends at once what still lingers, so that waiting for full batches delays nothing that is visible.
        **producer_config(kafka, linger_ms=100),
        "transactional.id": transactional_id,
        "transaction.timeout.ms": processor.transaction_timeout_ms,
        "compression.type": "lz4",
        "queue.buffering.max.messages": 1_000_000,
        "queue.buffering.max.kbytes": 1 << 20,
    }


def require_brokers(kafka: KafkaSettings, timeout_s: float = 10.0, admin: AdminClient | None = None) -> ClusterMetadata:
    """Ask the cluster for its metadata, with `admin` where the caller has one already, and return them.

    Raises:
        UnreachableKafkaError: nobody answered within `timeout_s`.
    """
    try:
        return (admin or admin_client(kafka)).list_topics(timeout=timeout_s)
    except KafkaException as error:
        raise UnreachableKafkaError(
            f"kafka.bootstrap_servers: no broker answered at {kafka.bootstrap_servers!r} within {timeout_s:g} s "
            f"({error.args[0].str()}); check the address, that the broker runs and that security.protocol fits"
        ) from None
