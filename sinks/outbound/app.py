"""Composition root of the outbound destinations."""

import logging
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from runtime.clock import SystemClock
from runtime.destination_settings import DestinationSettings
from runtime.errors import ConfigurationError
from runtime.hosting import Kept, begin, durable_state, group_id, serve, transaction_loop
from runtime.kafka.inbox import open_inbox
from runtime.loop import TransactionLoop
from runtime.registry.ids import schema_id
from runtime.settings import Settings
from runtime.state.store import StateStore
from runtime.state.table import StateTable
from runtime.tracing.opening import tracing
from runtime.tracing.processor import Step, delivered
from runtime.tracing.tracer import Tracer
from schemas.topics import DELIVERY_RECEIPTS, TopicNames, outbound_state, topics_for
from sinks.outbound.again import is_for
from sinks.outbound.dispatch import Dispatcher
from sinks.outbound.mapping import Schedule, Window
from sinks.outbound.message import Head
from sinks.outbound.partner import Partner
from sinks.outbound.processor import OUTBOUND_CODEC, Outbound, Plan
from sinks.outbound.records import Records
from sinks.outbound.sender import Sender
from sinks.outbound.state import UserState
from sinks.outbound.traces import MessageTraces, traced_client

_BLOCK_CACHE_BYTES = 16 << 20
_MEMTABLE_BYTES = 16 << 20
_SECOND_MS = 1000
# Of a transaction's time, what is left for everything but sending.
_MARGIN_MS = 4_000
_CLOCK = SystemClock()


def run_destination(settings: Settings, name: str, ready_file: Path | None) -> None:
    """Run one outbound destination until SIGTERM or SIGINT.

    Raises:
        ConfigurationError: a secret or certificate cannot be read, or a timeout does not fit into a transaction.
        SegwireError: Kafka cannot be reached, a topic is missing, a port is taken, another process has this ordinal.
    """
    # A line for each request would tell the log what the receipts tell better.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    section = settings.effective_sinks()[name]
    assert isinstance(section, DestinationSettings), "the caller looks it up"
    with ExitStack() as cleanup:
        names = begin(settings, f"sink-{name}", topics_for([name]))
        tracer = cleanup.enter_context(tracing(settings.traces, f"sink-{name}"))
        loop, processor = destination_loop(settings, name, section, names, cleanup, tracer)
        serve(settings, f"sink-{name}", section, [loop], ready_file, processor.refresh_metrics)


def destination_loop(
    settings: Settings, name: str, section: DestinationSettings, names: TopicNames, cleanup: ExitStack,
    tracer: Tracer | None,
) -> tuple[TransactionLoop, Outbound]:  # fmt: skip
    """Return the loop of a destination, and the processor that it hosts; `cleanup` ends what they use.

    Raises:
        ConfigurationError: a secret or certificate cannot be read, or a timeout does not fit into a transaction.
    """
    service = f"sink-{name}"
    budget_s = _budget_s(name, section)
    partner = Partner(name, section, _CLOCK, cleanup)
    table: StateTable[UserState] = StateTable(_store(settings, service, section), OUTBOUND_CODEC)
    changelog = names.prefix + outbound_state(name).name
    state = durable_state(settings, Kept(service, names.segment_membership, changelog), table)
    cleanup.callback(state.close)
    traces = MessageTraces()
    client = traced_client(partner.client, tracer, traces, section.url, tells_partner=section.send_traceparent)
    dispatcher = Dispatcher(
        name,
        Head(section.client_id, section.destination_id, section.dpid),
        section.max_users_per_message,
        Sender(client, section.connections, budget_s),
        partner.run,
        _CLOCK,
        rendered=None if tracer is None else traces.rendered,
    )
    records = Records(names, name, section.dpid, schema_id(settings, DELIVERY_RECEIPTS))
    inbox = open_inbox(settings.kafka, names.sink_requests, is_for(name))
    cleanup.callback(inbox.close)
    plan = Plan(schedule_of(section), section.dpid, section.mode)
    processor = Outbound(plan, table, dispatcher, records, inbox, _CLOCK)
    topic = names.segment_membership
    traced = delivered(tracer, processor, Step("deliver", topic, group_id(settings.kafka, service)), _CLOCK, traces)
    return transaction_loop(settings, service, topic, section, traced, state), processor


def schedule_of(section: DestinationSettings) -> Schedule:
    """Return the mapping of a destination over time."""
    windows = [
        Window(segment_id, mapped.value or segment_id, _epoch_ms(mapped.start), _epoch_ms(mapped.end))
        for segment_id, mapped in section.segments.items()
    ]
    return Schedule(windows, section.client_id, section.destination_id, section.dpid)


def _budget_s(name: str, section: DestinationSettings) -> float:
    """Return how long one batch may be sent, so that its transaction is committed in time."""
    budget_ms = section.transaction_timeout_ms - _MARGIN_MS
    if budget_ms < 2 * section.timeout_ms:
        raise ConfigurationError(
            f"destinations.{name}: timeout_ms {section.timeout_ms} does not fit twice into transaction_timeout_ms "
            f"{section.transaction_timeout_ms}; set that to at least {2 * section.timeout_ms + _MARGIN_MS}"
        )
    return budget_ms / _SECOND_MS


def _store(settings: Settings, service: str, section: DestinationSettings) -> StateStore:
    directory = Path(settings.data_dir) / "state" / f"{service}-{section.ordinal}"
    return StateStore(directory, block_cache_bytes=_BLOCK_CACHE_BYTES, memtable_bytes=_MEMTABLE_BYTES)


def _epoch_ms(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * _SECOND_MS)
