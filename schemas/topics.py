"""The topic manifest: every topic, declared once.

Creation, documentation and every other rendering come from here. Names are without the configured prefix.
Source: design of the topics, `docs/ARCHITECTURE.md`.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

DAY_MS = 86_400_000

Cleanup = Literal["delete", "compact"]
Partitioning = Literal["none", "aam_uuid", "key"]


class AvroSchema(msgspec.Struct, frozen=True):
    """An Avro schema file under `schemas/avro/` and the fixed ID of its Confluent frame without a registry."""

    record: str
    schema_id: int


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One topic: what travels in it, how long, and for whom.

    `partitioning`: `aam_uuid` topics share one partition count, so that all that concerns a user has one partition
    number; `retention_ms` is None for compacted topics.
    """

    name: str
    purpose: str
    key: str
    value: str
    cleanup: Cleanup
    retention_ms: int | None
    partitioning: Partitioning
    readers: str
    private: bool = False
    value_schema: AvroSchema | None = None
    key_schema: AvroSchema | None = None
    settings: tuple[tuple[str, str], ...] = ()

    def configuration(self) -> dict[str, str]:
        """Return the topic's settings in Kafka's own names."""
        retention = {} if self.retention_ms is None else {"retention.ms": str(self.retention_ms)}
        limit = {"max.message.bytes": str(MESSAGE_MAX_BYTES)}
        return {"cleanup.policy": self.cleanup, **limit, **retention, **dict(self.settings)}


MESSAGE_MAX_BYTES = 32 << 20
"""Of every topic and producer: the largest body accepted (8 MiB), as the larger JSON event that it becomes."""

_COMPACTED = (
    # Readers that were away for up to 7 days still see every tombstone.
    ("delete.retention.ms", str(7 * DAY_MS)),
    ("min.cleanable.dirty.ratio", "0.1"),
    ("segment.ms", str(DAY_MS)),
)

_CHANGELOG = (
    *_COMPACTED,
    # The broker's own time, by which a processor sees whether its clock is right before timers fire.
    ("message.timestamp.type", "LogAppendTime"),
)

AAM_POSTS = Topic(
    name="aam-posts",
    purpose="Every acknowledged POST, as received.",
    key="none",
    value="the body's bytes; headers say source, received time, content type and encoding, request ID, trace",
    cleanup="delete",
    retention_ms=7 * DAY_MS,
    partitioning="none",
    readers="fan-out, replays",
)
SEGMENT_EVENTS = Topic(
    name="segment-events",
    purpose="One event per user per message.",
    key="AAM UUID (UTF-8)",
    value="JSON: SegmentEvent",
    cleanup="delete",
    retention_ms=7 * DAY_MS,
    partitioning="aam_uuid",
    readers="membership, data engineers",
)
SEGMENT_MEMBERSHIP = Topic(
    name="segment-membership",
    purpose="Who is in which segment now, and why.",
    key="Avro, unframed: SegmentMembershipKey",
    value="Avro: SegmentMembership; a tombstone after a removal; header: traceparent where it is traced",
    cleanup="compact",
    retention_ms=None,
    partitioning="aam_uuid",
    readers="data engineers, sinks",
    key_schema=AvroSchema("SegmentMembershipKey", 1),
    value_schema=AvroSchema("SegmentMembership", 2),
    settings=_COMPACTED,
)
SEGMENT_MEMBERSHIP_CHANGES = Topic(
    name="segment-membership-changes",
    purpose="Every entry and exit, with its cause and the message that caused it.",
    key="AAM UUID (UTF-8)",
    value="Avro: SegmentMembershipChange; header: traceparent where it is traced",
    cleanup="delete",
    retention_ms=30 * DAY_MS,
    partitioning="aam_uuid",
    readers="data engineers, sinks, segwire explain",
    value_schema=AvroSchema("SegmentMembershipChange", 3),
)
MEMBERSHIP_STATE = Topic(
    name="membership-state",
    purpose="The membership processor's changelog.",
    key="AAM UUID (UTF-8)",
    value="versioned bytes, private",
    cleanup="compact",
    retention_ms=None,
    partitioning="aam_uuid",
    readers="membership only (restore)",
    private=True,
    settings=_CHANGELOG,
)
IDENTITY = Topic(
    name="identity",
    purpose="Which user has which partner ID, and requests to remove whoever has one.",
    key="DPID|partner ID (UTF-8)",
    value="JSON: IdentityRecord",
    cleanup="delete",
    retention_ms=7 * DAY_MS,
    partitioning="key",
    readers="identity",
    private=True,
)
IDENTITY_STATE = Topic(
    name="identity-state",
    purpose="The identity processor's changelog.",
    key="DPID|partner ID (UTF-8)",
    value="versioned msgpack, private",
    cleanup="compact",
    retention_ms=None,
    partitioning="key",
    readers="identity only (restore)",
    private=True,
    settings=_CHANGELOG,
)
DEAD_LETTERS = Topic(
    name="dead-letters",
    purpose="What was set aside, with its original bytes and the reason.",
    key="the original record's key",
    value="the original bytes; headers: stage, error, reason, topic, partition, offset, source, user-index, trace",
    cleanup="delete",
    retention_ms=30 * DAY_MS,
    partitioning="key",
    readers="operators, redrive",
)
REDRIVE_MARKS = Topic(
    name="redrive-marks",
    purpose="Which dead letters were redriven, and when.",
    key="the dead letter's ID (UTF-8)",
    value="JSON: RedriveMark",
    cleanup="delete",
    # As long as the letters: a mark is younger than its letter.
    retention_ms=30 * DAY_MS,
    partitioning="key",
    readers="segwire dead-letters",
    private=True,
)
SINK_REQUESTS = Topic(
    name="sink-requests",
    purpose="What a sink is to deliver again: dead letters that are redriven, backfills and how far they are.",
    key="that of what is delivered again",
    value="the original bytes, or JSON; headers: sink, kind, topic, partition, offset, segwire-redriven",
    cleanup="delete",
    retention_ms=30 * DAY_MS,
    partitioning="aam_uuid",
    readers="sinks, segwire sink --backfill",
    private=True,
)
DELIVERY_RECEIPTS = Topic(
    name="delivery-receipts",
    purpose="What was sent to which destination under which identifier, and the answer.",
    key="AAM UUID (UTF-8)",
    value="Avro: DeliveryReceipt",
    cleanup="delete",
    retention_ms=30 * DAY_MS,
    partitioning="aam_uuid",
    readers="operators, audits, segwire receipts",
    value_schema=AvroSchema("DeliveryReceipt", 4),
)


def outbound_state(destination: str) -> Topic:
    """Return the changelog of an outbound destination: each has one of its own."""
    return Topic(
        name=f"outbound-state-{destination}",
        purpose=f"What destination {destination} was told of each user.",
        key="AAM UUID (UTF-8)",
        value="versioned msgpack, private",
        cleanup="compact",
        retention_ms=None,
        partitioning="aam_uuid",
        readers=f"sink {destination} only (restore)",
        private=True,
        settings=_CHANGELOG,
    )


TOPICS: tuple[Topic, ...] = (
    AAM_POSTS,
    SEGMENT_EVENTS,
    SEGMENT_MEMBERSHIP,
    SEGMENT_MEMBERSHIP_CHANGES,
    MEMBERSHIP_STATE,
    IDENTITY,
    IDENTITY_STATE,
    DEAD_LETTERS,
    DELIVERY_RECEIPTS,
    REDRIVE_MARKS,
    SINK_REQUESTS,
)
"""Of every installation."""


def topics_for(destinations: Iterable[str]) -> tuple[Topic, ...]:
    """Return every topic of an installation with these outbound destinations."""
    return (*TOPICS, *map(outbound_state, destinations))


class TopicNames:
    """The topics' names on a cluster: the configured prefix put before each as it is."""

    def __init__(self, prefix: str = "") -> None:
        """Put `prefix` before every name."""
        self.prefix = prefix
        self.aam_posts = prefix + AAM_POSTS.name
        self.segment_events = prefix + SEGMENT_EVENTS.name
        self.segment_membership = prefix + SEGMENT_MEMBERSHIP.name
        self.segment_membership_changes = prefix + SEGMENT_MEMBERSHIP_CHANGES.name
        self.membership_state = prefix + MEMBERSHIP_STATE.name
        self.identity = prefix + IDENTITY.name
        self.identity_state = prefix + IDENTITY_STATE.name
        self.dead_letters = prefix + DEAD_LETTERS.name
        self.delivery_receipts = prefix + DELIVERY_RECEIPTS.name
        self.redrive_marks = prefix + REDRIVE_MARKS.name
        self.sink_requests = prefix + SINK_REQUESTS.name


def topic_named(name: str) -> Topic | None:
    """Return the topic declared under `name` (without prefix)."""
    return next((topic for topic in TOPICS if topic.name == name), None)
