"""Checks how far the consumer groups are behind. Best effort: groups that this user may not see are not told of."""

from collections.abc import Mapping

from confluent_kafka import ConsumerGroupState, ConsumerGroupTopicPartitions
from confluent_kafka.admin import AdminClient

from runtime.clock import Clock
from runtime.kafka.clients import admin_client
from runtime.settings import KafkaSettings
from schemas.topics import TOPICS
from segwire.inspect.doctor.finding import Finding
from segwire.inspect.offsets import LATEST, find_offsets

_TIMEOUT_S = 10.0

Offsets = Mapping[tuple[str, int], int]


def check_groups(kafka: KafkaSettings, clock: Clock) -> list[Finding]:
    """Check every consumer group that has committed offsets of our topics."""
    admin = admin_client(kafka)
    names = {kafka.topic_prefix + topic.name for topic in TOPICS}
    listing = admin.list_consumer_groups(request_timeout=_TIMEOUT_S).result(_TIMEOUT_S).valid
    findings = []
    for group in sorted(listing, key=lambda each: each.group_id):
        committed = _committed(admin, group.group_id, names)
        if committed:
            idle = group.state in (ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD)
            findings.append(
                judge_group(group.group_id, committed, find_offsets(admin, committed.keys(), LATEST, clock), idle=idle)
            )
    return findings or [Finding("consumer groups", ok=True, value="none has read yet")]


def judge_group(group: str, committed: Offsets, ends: Offsets, *, idle: bool) -> Finding:
    """Judge a group by its committed offsets and the ends of the partitions; `idle`: it has no member."""
    behind = sum(max(0, ends.get(place, 0) - offset) for place, offset in committed.items())
    value = f"{behind} records behind" + (", and no member" if idle else "")
    if idle and behind:
        remedy = "start its service (segwire up, process or sink), or delete the group where it is abandoned"
        return Finding(f"consumer group {group}", False, value, remedy)
    return Finding(f"consumer group {group}", ok=True, value=value)


def _committed(admin: AdminClient, group: str, names: set[str]) -> dict[tuple[str, int], int]:
    request = [ConsumerGroupTopicPartitions(group)]
    future = admin.list_consumer_group_offsets(request, request_timeout=_TIMEOUT_S)[group]
    found = future.result(_TIMEOUT_S).topic_partitions
    return {(at.topic, at.partition): at.offset for at in found if at.topic in names and at.offset >= 0}
