"""Composition root of the two processors: everything is put together here, and nowhere else."""

from collections.abc import Callable
from pathlib import Path

import structlog
from confluent_kafka import Consumer, Producer

from processors.fan_out import FanOut
from processors.membership import STATE_CODEC, Membership
from processors.rules.expiry import TimeLimits
from processors.rules.state import UserState
from runtime.clock import SystemClock
from runtime.errors import SegwireError
from runtime.kafka.clients import (
    admin_client,
    consumer_config,
    processor_consumer_config,
    transactional_config,
)
from runtime.kafka.topics import describe_topics
from runtime.kafka.transaction import TransactionalProducer
from runtime.logs import configure_logs
from runtime.loop import TransactionLoop
from runtime.management import ManagementServer
from runtime.processor import Processor
from runtime.service import ReadyFile, StopSignal, settle_collector
from runtime.settings import KafkaSettings, MembershipSettings, ProcessorSettings, Settings
from runtime.state.changelog import Changelog
from runtime.state.durable import DurableState
from runtime.state.restore import Restorer
from runtime.state.store import StateStore
from runtime.state.table import StateTable
from schemas.topics import MEMBERSHIP_STATE, TopicNames

_log = structlog.get_logger()


def run_fan_out(settings: Settings, ready_file: Path | None) -> None:
    """Run the fan-out processor until SIGTERM or SIGINT.

    Raises:
        SegwireError: Kafka cannot be reached, a topic is missing, a port is taken, another process has this ordinal.
    """
    names = _start(settings, "fan-out")
    loop = _loop(settings, "fan-out", names.aam_posts, settings.fan_out, FanOut(names), None)
    _serve(settings, "fan-out", settings.fan_out, loop, ready_file)


def run_membership(settings: Settings, ready_file: Path | None) -> None:
    """Run the membership processor until SIGTERM or SIGINT.

    Raises:
        SegwireError: as `run_fan_out`; or its state directory is in use, or a torn transaction was found.
    """
    names = _start(settings, "membership")
    section = settings.membership
    store = StateStore(
        Path(settings.data_dir) / "state" / f"membership-{section.ordinal}",
        block_cache_bytes=section.block_cache_bytes,
        memtable_bytes=section.memtable_bytes,
    )
    table: StateTable[UserState] = StateTable(store, STATE_CODEC)
    state = _durable(settings, names, table)
    state.start()
    try:
        processor = Membership(names, _limits(section), table)
        loop = _loop(settings, "membership", names.segment_events, section, processor, state)
        _serve(settings, "membership", section, loop, ready_file, processor.refresh_metrics)
    finally:
        state.close()


def group_id(kafka: KafkaSettings, processor: str) -> str:
    """Return a processor's consumer group; the topics' prefix keeps installations on one cluster apart."""
    return f"{kafka.topic_prefix}segwire-{processor}"


def _start(settings: Settings, service: str) -> TopicNames:
    configure_logs(settings.log, service)
    missing = [state.name for state in describe_topics(settings.kafka) if state.partitions == 0]
    if missing:
        raise SegwireError(
            f"topics are missing at {settings.kafka.bootstrap_servers}: {', '.join(missing)}; run: segwire topics apply"
        )
    return TopicNames(settings.kafka.topic_prefix)


def _limits(section: MembershipSettings) -> TimeLimits:
    own = {name: segment.ttl_days for name, segment in section.segments.items() if segment.ttl_days is not None}
    return TimeLimits(default_ttl_days=section.default_ttl_days, ttl_days=own, inactivity_days=section.inactivity_days)


def _durable(settings: Settings, names: TopicNames, table: StateTable[UserState]) -> DurableState[UserState]:
    admin = admin_client(settings.kafka)
    metadata = admin.list_topics(names.membership_state, timeout=30)
    changelog = Changelog(
        cluster_id=str(metadata.cluster_id),
        topic=names.membership_state,
        partitions=len(metadata.topics[names.membership_state].partitions),
        delete_retention_ms=int(MEMBERSHIP_STATE.configuration()["delete.retention.ms"]),
    )
    reader = Consumer(
        {
            **consumer_config(settings.kafka, group_id=group_id(settings.kafka, "membership")),
            "enable.partition.eof": True,
        }
    )
    clock = SystemClock()
    restorer = Restorer(
        consumer=reader, admin=admin, changelog=changelog, input_topic=names.segment_events, store=table.store,
        codec=STATE_CODEC, clock=clock, processor="membership",
    )  # fmt: skip
    return DurableState(table, restorer, changelog, clock)


def _loop(
    settings: Settings, name: str, topic: str, section: ProcessorSettings, processor: Processor,
    state: DurableState[UserState] | None,
) -> TransactionLoop:  # fmt: skip
    group = group_id(settings.kafka, name)
    transactional_id = f"{group}-{section.ordinal}"
    config = transactional_config(settings.kafka, section, transactional_id)
    producer = TransactionalProducer(lambda: Producer(config), transactional_id, section.transaction_timeout_ms / 1000)
    return TransactionLoop(
        name=name, topic=topic, settings=section, producer=producer, processor=processor, state=state,
        consumer=Consumer(processor_consumer_config(settings.kafka, section, group)), clock=SystemClock(),
    )  # fmt: skip


def _serve(
    settings: Settings, name: str, section: ProcessorSettings, loop: TransactionLoop, ready_file: Path | None,
    refresh_metrics: Callable[[], None] = lambda: None,
) -> None:  # fmt: skip
    stop = StopSignal()
    stop.install()
    settle_collector()
    management = ManagementServer(settings.management.host, section.management_port, loop.not_ready, refresh_metrics)
    management.start()
    _log.info("service_started", management=management.url)
    if ready_file is not None:
        tell = ReadyFile(ready_file, {f"{name}-management": management.url}, settings.kafka.bootstrap_servers or "")
        tell.when(loop.not_ready, stop)
    try:
        loop.run(stop)
    finally:
        management.stop()
    _log.info("service_stopped")
