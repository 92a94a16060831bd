"""Composition root of the processors: everything is put together here, and nowhere else."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from confluent_kafka import Consumer, Producer

from processors.fan_out import FanOut
from processors.identity import PARTNER_CODEC, Identity
from processors.membership import Membership, user_codec
from processors.rules.expiry import TimeLimits
from processors.rules.partner_index import PartnerState
from processors.rules.state import UserState
from runtime.clock import SystemClock
from runtime.errors import SegwireError
from runtime.horizon import Horizon
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
from runtime.service import ReadyFile, StopSignal, run_together, settle_collector
from runtime.settings import KafkaSettings, MembershipSettings, ProcessorSettings, Settings
from runtime.state.changelog import Changelog
from runtime.state.durable import DurableState
from runtime.state.restore import Restorer
from runtime.state.store import StateStore
from runtime.state.table import StateTable
from schemas.topics import MEMBERSHIP_STATE, TopicNames

_log = structlog.get_logger()

_IDENTITY_CACHE_BYTES = 16 << 20
_IDENTITY_MEMTABLE_BYTES = 8 << 20


def run_fan_out(settings: Settings, ready_file: Path | None) -> None:
    """Run the fan-out processor until SIGTERM or SIGINT.

    Raises:
        SegwireError: Kafka cannot be reached, a topic is missing, a port is taken, another process has this ordinal.
    """
    names = _start(settings, "fan-out")
    loop = _loop(settings, "fan-out", names.aam_posts, settings.fan_out, FanOut(names), None)
    _serve(settings, "fan-out", settings.fan_out, [loop], ready_file)


def run_membership(settings: Settings, ready_file: Path | None) -> None:
    """Run the membership processor until SIGTERM or SIGINT, and beside it the one that finds users by partner ID.

    The second has next to nothing to do, so it is a thread and not a service of its own.

    Raises:
        SegwireError: as `run_fan_out`; or its state directory is in use, or a torn transaction was found.
    """
    names = _start(settings, "membership")
    section = settings.membership
    limits = _limits(section)
    with ExitStack() as open_states:
        users: StateTable[UserState] = StateTable(
            _store(settings, "membership", section.block_cache_bytes, section.memtable_bytes), user_codec(limits)
        )
        user_state = _durable(settings, Kept("membership", names.segment_events, names.membership_state), users)
        open_states.callback(user_state.close)
        partners: StateTable[PartnerState] = StateTable(
            _store(settings, "identity", _IDENTITY_CACHE_BYTES, _IDENTITY_MEMTABLE_BYTES), PARTNER_CODEC
        )
        partner_state = _durable(settings, Kept("identity", names.identity, names.identity_state), partners)
        open_states.callback(partner_state.close)
        processor = Membership(names, limits, users)
        feeding = Consumer(consumer_config(settings.kafka, group_id=group_id(settings.kafka, "fan-out")))
        admin = admin_client(settings.kafka)
        horizon = Horizon(admin, feeding, names.segment_events, names.aam_posts, SystemClock())
        loops = [
            _loop(settings, "membership", names.segment_events, section, processor, user_state, horizon),
            _loop(settings, "identity", names.identity, section, Identity(names, partners), partner_state),
        ]
        _serve(settings, "membership", section, loops, ready_file, processor.refresh_metrics)


class Kept(NamedTuple):
    """What a processor with state is called, what it reads, and where its state is kept."""

    name: str
    topic: str
    changelog: str


def _store(settings: Settings, name: str, block_cache_bytes: int, memtable_bytes: int) -> StateStore:
    directory = Path(settings.data_dir) / "state" / f"{name}-{settings.membership.ordinal}"
    return StateStore(directory, block_cache_bytes=block_cache_bytes, memtable_bytes=memtable_bytes)


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
    return TimeLimits(
        default_ttl_days=section.default_ttl_days,
        ttl_days=own,
        inactivity_days=section.inactivity_days,
        tombstone_after_days=section.tombstone_after_days,
        marker_days=section.removal_marker_days,
    )


def _durable(settings: Settings, kept: Kept, table: StateTable[Any]) -> DurableState[Any]:
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
    reader = Consumer({**consumer_config(settings.kafka, group_id=group), "enable.partition.eof": True})
    clock = SystemClock()
    restorer = Restorer(
        consumer=reader, admin=admin, changelog=changelog, input_topic=kept.topic, store=table.store,
        codec=table.codec, clock=clock, processor=kept.name,
    )  # fmt: skip
    state = DurableState(table, restorer, changelog, clock)
    state.start()
    return state


def _loop(
    settings: Settings, name: str, topic: str, section: ProcessorSettings, processor: Processor,
    state: DurableState[Any] | None, horizon: Horizon | None = None,
) -> TransactionLoop:  # fmt: skip
    group = group_id(settings.kafka, name)
    transactional_id = f"{group}-{section.ordinal}"
    config = transactional_config(settings.kafka, section, transactional_id)
    producer = TransactionalProducer(lambda: Producer(config), transactional_id, section.transaction_timeout_ms / 1000)
    return TransactionLoop(
        name=name, topic=topic, settings=section, producer=producer, processor=processor, state=state,
        consumer=Consumer(processor_consumer_config(settings.kafka, section, group)), clock=SystemClock(),
        horizon=horizon,
    )  # fmt: skip


def _serve(
    settings: Settings, name: str, section: ProcessorSettings, loops: Sequence[TransactionLoop],
    ready_file: Path | None, refresh_metrics: Callable[[], None] = lambda: None,
) -> None:  # fmt: skip
    stop = StopSignal()
    stop.install()
    settle_collector()

    def not_ready() -> str | None:
        return next((reason for loop in loops if (reason := loop.not_ready()) is not None), None)

    management = ManagementServer(settings.management.host, section.management_port, not_ready, refresh_metrics)
    management.start()
    _log.info("service_started", management=management.url)
    if ready_file is not None:
        tell = ReadyFile(ready_file, {f"{name}-management": management.url}, settings.kafka.bootstrap_servers or "")
        tell.when(not_ready, stop)
    try:
        run_together([lambda loop=loop: loop.run(stop) for loop in loops], stop)  # type: ignore[misc]
    finally:
        management.stop()
    _log.info("service_stopped")
