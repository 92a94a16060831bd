"""Composition root of the processors: everything is put together here, and nowhere else."""

from contextlib import ExitStack
from pathlib import Path

from confluent_kafka import Consumer

from processors.fan_out import FanOut
from processors.identity import PARTNER_CODEC, Identity
from processors.membership import Membership, user_codec
from processors.rules.expiry import TimeLimits
from processors.rules.partner_index import PartnerState
from processors.rules.state import UserState
from runtime.clock import SystemClock
from runtime.horizon import Horizon
from runtime.hosting import Kept, begin, durable_state, group_id, serve, transaction_loop
from runtime.kafka.clients import admin_client, consumer_config
from runtime.registry.ids import schema_id
from runtime.settings import MembershipSettings, Settings
from runtime.state.store import StateStore
from runtime.state.table import StateTable
from runtime.tracing.opening import tracing
from runtime.tracing.processor import Step, continued
from schemas.avro_rows import MembershipEncoder
from schemas.topics import SEGMENT_MEMBERSHIP, SEGMENT_MEMBERSHIP_CHANGES

_IDENTITY_CACHE_BYTES = 16 << 20
_IDENTITY_MEMTABLE_BYTES = 8 << 20


def run_fan_out(settings: Settings, ready_file: Path | None) -> None:
    """Run the fan-out processor until SIGTERM or SIGINT.

    Raises:
        SegwireError: Kafka cannot be reached, a topic is missing, a port is taken, another process has this ordinal.
    """
    names = begin(settings, "fan-out")
    step = Step("process", names.aam_posts, group_id(settings.kafka, "fan-out"))
    with tracing(settings.traces, "fan-out") as tracer:
        carrying = [names.segment_events, names.dead_letters]
        processor = continued(tracer, FanOut(names), step, SystemClock(), carrying)
        loop = transaction_loop(settings, "fan-out", names.aam_posts, settings.fan_out, processor, None)
        serve(settings, "fan-out", settings.fan_out, [loop], ready_file)


def run_membership(settings: Settings, ready_file: Path | None) -> None:
    """Run the membership processor until SIGTERM or SIGINT, and beside it the one that finds users by partner ID.

    The second has next to nothing to do, so it is a thread and not a service of its own.

    Raises:
        SegwireError: as `run_fan_out`; or its state directory is in use, a torn transaction was found, or a schema is
            not registered.
    """
    names = begin(settings, "membership")
    section = settings.membership
    limits, encoder = time_limits(section), membership_encoder(settings)
    with ExitStack() as open_states:
        users: StateTable[UserState] = StateTable(
            _store(settings, "membership", section.block_cache_bytes, section.memtable_bytes),
            user_codec(limits, section.metrics_segments),
        )
        user_state = durable_state(settings, Kept("membership", names.segment_events, names.membership_state), users)
        open_states.callback(user_state.close)
        partners: StateTable[PartnerState] = StateTable(
            _store(settings, "identity", _IDENTITY_CACHE_BYTES, _IDENTITY_MEMTABLE_BYTES), PARTNER_CODEC
        )
        partner_state = durable_state(settings, Kept("identity", names.identity, names.identity_state), partners)
        open_states.callback(partner_state.close)
        clock = SystemClock()
        processor = Membership(names, limits, users, clock, encoder)
        feeding = Consumer(consumer_config(settings.kafka, group_id=group_id(settings.kafka, "fan-out")))
        admin = admin_client(settings.kafka)
        horizon = Horizon(admin, feeding, names.segment_events, names.aam_posts, clock)
        step = Step("process", names.segment_events, group_id(settings.kafka, "membership"))
        carrying = [names.segment_membership, names.segment_membership_changes, names.dead_letters]
        tracer = open_states.enter_context(tracing(settings.traces, "membership"))
        traced = continued(tracer, processor, step, clock, carrying)
        loops = [
            transaction_loop(settings, "membership", names.segment_events, section, traced, user_state, horizon),
            transaction_loop(settings, "identity", names.identity, section, Identity(names, partners), partner_state),
        ]
        serve(settings, "membership", section, loops, ready_file, processor.refresh_metrics)


def _store(settings: Settings, name: str, block_cache_bytes: int, memtable_bytes: int) -> StateStore:
    directory = Path(settings.data_dir) / "state" / f"{name}-{settings.membership.ordinal}"
    return StateStore(directory, block_cache_bytes=block_cache_bytes, memtable_bytes=memtable_bytes)


def membership_encoder(settings: Settings) -> MembershipEncoder:
    """Return what encodes rows and changes, with the IDs of their schemas.

    Raises:
        SegwireError: a schema is not registered.
    """
    return MembershipEncoder(schema_id(settings, SEGMENT_MEMBERSHIP), schema_id(settings, SEGMENT_MEMBERSHIP_CHANGES))


def time_limits(section: MembershipSettings) -> TimeLimits:
    """Return the limits that are configured."""
    own = {name: segment.ttl_days for name, segment in section.segments.items() if segment.ttl_days is not None}
    return TimeLimits(
        default_ttl_days=section.default_ttl_days,
        ttl_days=own,
        inactivity_days=section.inactivity_days,
        tombstone_after_days=section.tombstone_after_days,
        marker_days=section.removal_marker_days,
    )
