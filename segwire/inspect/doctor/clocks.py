"""Compares the brokers' clocks with ours.

No request of Kafka's tells a broker's time, but a record does that the broker stamps itself: each broker gets one
partition of a topic that lives as long as the measurement.
"""

import os
from collections.abc import Sequence

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from runtime.clock import Clock
from runtime.kafka.clients import admin_client, producer_config
from runtime.settings import KafkaSettings
from segwire.inspect.doctor.finding import Finding

# Timers of the membership processor stop firing beyond this.
SKEW_MS_MAX = 5000
_TIMEOUT_S = 10.0
_ROUNDS = 4


class Skew(msgspec.Struct, frozen=True):
    """How far a broker's clock is ahead of ours, give or take."""

    broker: int
    ahead_ms: int
    uncertainty_ms: int


def check_clocks(kafka: KafkaSettings, clock: Clock) -> list[Finding]:
    """Measure every broker's clock; creates a topic for it and deletes it."""
    admin = admin_client(kafka)
    brokers = sorted(admin.list_topics(timeout=_TIMEOUT_S).brokers)
    topic = f"{kafka.topic_prefix}segwire-doctor-{os.getpid()}-{clock.now_ms()}"
    try:
        _create(admin, topic, brokers)
    except KafkaException as error:
        remedy = f"allow this user to create and delete topics named {kafka.topic_prefix}segwire-doctor-*"
        return [Finding("clocks", None, f"not compared: {error.args[0].str()}", remedy)]
    try:
        return judge_skews([_measure(kafka, clock, topic, i, broker) for i, broker in enumerate(brokers)])
    finally:
        for future in admin.delete_topics([topic], operation_timeout=_TIMEOUT_S).values():
            future.result(_TIMEOUT_S)


def judge_skews(skews: Sequence[Skew]) -> list[Finding]:
    """Judge each broker's clock."""
    findings = []
    for skew in skews:
        value = f"{skew.ahead_ms:+d} ms against ours (± {skew.uncertainty_ms} ms)"
        fine = abs(skew.ahead_ms) - skew.uncertainty_ms <= SKEW_MS_MAX
        remedy = None if fine else "set the clocks by NTP: memberships do not expire while they differ by over 5 s"
        findings.append(Finding(f"clock of broker {skew.broker}", fine, value, remedy))
    return findings


def _create(admin: AdminClient, topic: str, brokers: Sequence[int]) -> None:
    new = NewTopic(
        topic,
        num_partitions=len(brokers),
        replica_assignment=[[broker] for broker in brokers],
        config={"message.timestamp.type": "LogAppendTime", "min.insync.replicas": "1"},
    )
    for future in admin.create_topics([new], operation_timeout=_TIMEOUT_S).values():
        future.result(_TIMEOUT_S)


def _measure(kafka: KafkaSettings, clock: Clock, topic: str, partition: int, broker: int) -> Skew:
    """Send a few records and believe the quickest: the first ones pay for connections."""
    producer = Producer(producer_config(kafka, linger_ms=0, on_error=_ignore))
    rounds = [_round(producer, clock, topic, partition) for _ in range(_ROUNDS)]
    took_ms, ahead_ms = min(rounds)
    return Skew(broker, ahead_ms, took_ms // 2 + 1)


def _round(producer: Producer, clock: Clock, topic: str, partition: int) -> tuple[int, int]:
    stamps: list[int] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            raise KafkaException(error)
        stamps.append(message.timestamp()[1])

    before_ms = clock.now_ms()
    producer.produce(topic, b"", partition=partition, on_delivery=delivered)
    producer.flush(_TIMEOUT_S)
    after_ms = clock.now_ms()
    if not stamps:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{topic}[{partition}]: no answer"))  # noqa: SLF001
    return after_ms - before_ms, stamps[0] - (before_ms + after_ms) // 2


def _ignore(error: KafkaError) -> None:
    """Say nothing: a record that was not delivered is reported."""
