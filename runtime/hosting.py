"""Puts the loops of a service together and serves them: what every processor and sink shares of being a service."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from confluent_kafka import Consumer, Producer

from runtime import metrics
from runtime.attempts import Attempts, MemoryFile
from runtime.clock import SystemClock
from runtime.errors import InvariantError, SegwireError
from runtime.horizon import Horizon
from runtime.isolation import Isolation, Place
from runtime.kafka.clients import (
    admin_client,
    processor_consumer_config,
    restoring_consumer_config,
    transactional_config,
)
from runtime.kafka.topics import describe_topics
from runtime.kafka.transaction import TransactionalProducer
from runtime.logs import configure_logs
from runtime.loop import TransactionLoop
from runtime.management import ManagementServer
from runtime.processor import Processor
from runtime.processor_settings import ProcessorSettings
from runtime.service import ReadyFile, StopSignal, run_together, settle_collector
from runtime.settings import KafkaSettings, Settings
from runtime.state.changelog import Changelog
from runtime.state.durable import DurableState
from runtime.state.restore import Restorer
from runtime.state.table import StateTable
from schemas.topics import MEMBERSHIP_STATE, TOPICS, Topic, TopicNames

_log = structlog.get_logger()


class Kept(NamedTuple):
    """What a processor with state is called, what it reads, and where its state is kept."""

    name: str
    topic: str
    changelog: str


def group_id(kafka: KafkaSettings, processor: str) -> str:
    """Return a processor's consumer group; the topics' prefix keeps installations on one cluster apart."""
    return f"{kafka.topic_prefix}segwire-{processor}"


def begin(settings: Settings, service: str, topics: Sequence[Topic] = TOPICS) -> TopicNames:
    """Configure the logs of a service that needs `topics`, and return the topics' names.

    Raises:
        SegwireError: Kafka cannot be reached, a topic is missing.
    """
    configure_logs(settings.log, service)
    missing = [state.name for state in describe_topics(settings.kafka, topics) if state.partitions == 0]
    if missing:
        raise SegwireError(
            f"topics are missing at {settings.kafka.bootstrap_servers}: {', '.join(missing)}; run: segwire topics apply"
        )
    return TopicNames(settings.kafka.topic_prefix)


def durable_state(settings: Settings, kept: Kept, table: StateTable[Any]) -> DurableState[Any]:
    """Return the state of `table`, kept in a changelog; its restoring thread runs. Close it in the end."""
    admin = admin_client(settings.kafka)
    metadata = admin.list_topics(kept.changelog, timeout=30)
    changelog = Changelog(
        cluster_id=str(metadata.cluster_id),
        topic=kept.changelog,
        partitions=len(metadata.topics[kept.changelog].partitions),
        delete_retention_ms=int(MEMBERSHIP_STATE.configuration()["delete.retention.ms"]),
        rules=table.codec.rules,
    )
    group = group_id(settings.kafka, kept.name)
    reader = Consumer(restoring_consumer_config(settings.kafka, group))
    clock = SystemClock()
    restorer = Restorer(
        consumer=reader, admin=admin, changelog=changelog, input_topic=kept.topic, store=table.store,
        codec=table.codec, clock=clock, processor=kept.name,
    )  # fmt: skip
    state = DurableState(table, restorer, changelog, clock)
    state.start()
    return state


def transaction_loop(
    settings: Settings, name: str, topic: str, section: ProcessorSettings, processor: Processor,
    state: DurableState[Any] | None, horizon: Horizon | None = None,
) -> TransactionLoop:  # fmt: skip
    """Return the loop that hosts `processor` over `topic`, in a consumer group of its own name.

    What `processor` cannot process becomes a dead letter of the stage `name`; of `sink-NAME` it is `sink:NAME`.
    """
    group = group_id(settings.kafka, name)
    transactional_id = f"{group}-{section.ordinal}"
    config = transactional_config(settings.kafka, section, transactional_id)
    producer = TransactionalProducer(lambda: Producer(config), transactional_id, section.transaction_timeout_ms / 1000)
    stage = _stage(name)
    letters = TopicNames(settings.kafka.topic_prefix).dead_letters
    place = Place(name, stage, topic, letters, waits=stage != name)
    memory = MemoryFile(Path(settings.data_dir) / "state" / f"{name}-{section.ordinal}.attempts.json")
    return TransactionLoop(
        name=name, topic=topic, settings=section, producer=producer, processor=processor, state=state,
        connect=lambda: Consumer(processor_consumer_config(settings.kafka, section, group)), clock=SystemClock(),
        isolation=Isolation(place, section, Attempts(memory)), horizon=horizon,
    )  # fmt: skip


def _stage(name: str) -> str:
    """Return the stage of a processor's dead letters; the loops of one sink share its. Source: interfaces, *Topics*."""
    return "sink:" + name.removeprefix("sink-").partition(":")[0] if name.startswith("sink-") else name


def serve(
    settings: Settings, name: str, section: ProcessorSettings, loops: Sequence[TransactionLoop],
    ready_file: Path | None, refresh_metrics: Callable[[], None] = lambda: None,
) -> None:  # fmt: skip
    """Run the loops of one service, with its management port, until SIGTERM or SIGINT."""
    stop = StopSignal()
    stop.install()
    settle_collector()

    broken: list[InvariantError] = []

    def not_ready() -> str | None:
        if broken:
            return str(broken[0])
        return next((reason for loop in loops if (reason := loop.not_ready()) is not None), None)

    management = ManagementServer(settings.management.host, section.management_port, not_ready, refresh_metrics)
    management.start()
    _log.info("service_started", management=management.url)
    if ready_file is not None:
        tell = ReadyFile(ready_file, {f"{name}-management": management.url}, settings.kafka.bootstrap_servers or "")
        tell.when(not_ready, stop)
    try:
        run_together([lambda loop=loop: loop.run(stop) for loop in loops], stop)  # type: ignore[misc]
    except InvariantError as error:
        broken.append(error)
        _alarm(name, error, stop)
        raise
    finally:
        management.stop()
    _log.info("service_stopped")


def _alarm(service: str, broken: InvariantError, stop: StopSignal) -> None:
    """Let it be seen what is broken, before the process ends: it holds no partition any more, and is not ready."""
    metrics.INVARIANT_BROKEN.labels(processor=service, invariant=broken.invariant).set(1)
    _log.critical("invariant_broken", invariant=broken.invariant, detail=str(broken), ends_after_s=metrics.SCRAPED_S)
    stop.wait_for_signal(metrics.SCRAPED_S)
