"""A batch spike: ten senders begin at once, and nobody is told to slow down. Figures are printed."""

import os
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, TopicPartition

from runtime.settings import KafkaSettings
from segwire.embedded.kafka.interface import KafkaServer
from tests.support.batch_senders import USERS_PER_MESSAGE, request_id, spike
from tests.support.harm import metric
from tests.support.ingest_process import running_ingest, with_topics
from tests.support.kafka import LIMIT_S, wait_until

SENDERS = 10
MESSAGES = int(os.environ.get("SPIKE_MESSAGES", "1500"))
CONNECTIONS = int(os.environ.get("SPIKE_CONNECTIONS", "20"))
# What the sender waits for an answer.
SENDER_TIMEOUT_MS = 3000

pytestmark = [pytest.mark.timeout(300 + MESSAGES // 20), pytest.mark.quiet]


@pytest.fixture
def topics(kafka: KafkaServer, topic_prefix: str) -> KafkaSettings:
    return with_topics(kafka.bootstrap_servers, topic_prefix)


def stored_requests(topics: KafkaSettings, at_least: int) -> set[str]:
    """Return the names of the requests whose messages are in the raw topic; read until there are so many."""
    topic = topics.topic_prefix + "aam-posts"
    consumer = Consumer({"bootstrap.servers": topics.bootstrap_servers or "", "group.id": "reader"})
    found: set[str] = set()

    def all_read() -> bool:
        for message in consumer.consume(10_000, 0.2):
            headers: dict[str, bytes] = dict(message.headers() or [])  # type: ignore[arg-type] # a list is what it gives
            found.add(headers["segwire-request-id"].decode())
        return len(found) >= at_least

    try:
        consumer.assign([TopicPartition(topic, partition, 0) for partition in range(topics.partitions)])
        wait_until(all_read, f"{at_least} messages in {topic}", 2 * LIMIT_S)
    finally:
        consumer.close()
    return found


def test_ten_senders_that_start_a_batch_at_once_are_all_answered_200_in_time(
    topics: KafkaSettings, tmp_path: Path
) -> None:
    with running_ingest(topics, tmp_path) as ingest:
        process = psutil.Process(ingest.process.pid)
        before = process.cpu_times()
        found = spike(ingest.url, senders=SENDERS, messages=MESSAGES, connections=CONNECTIONS)
        after = process.cpu_times()
        spooled = metric(ingest, "segwire_ingest_spooled_total")
    cpu_s = after.user + after.system - before.user - before.system
    print(  # noqa: T201 - shown where the test fails, and with -s
        f"{SENDERS} senders, {MESSAGES} messages of {USERS_PER_MESSAGE} users each, {CONNECTIONS} connections each: "
        f"{found.took_s:.1f} s, {SENDERS * MESSAGES / found.took_s:.0f}/s, p50 {found.p50_ms:.0f} ms, "
        f"p99 {found.p99_ms:.0f} ms, longest {found.longest_ms:.0f} ms, {spooled:.0f} spooled; CPU of ingest "
        f"{cpu_s:.1f} s, of the senders {found.sender_cpu_s:.1f} s; load of the machine {os.getloadavg()[0]:.1f}"
    )
    assert found.other_statuses == []
    assert found.answered_200 == SENDERS * MESSAGES
    assert found.longest_ms < SENDER_TIMEOUT_MS
    assert stored_requests(topics, SENDERS * MESSAGES) == {request_id(n) for n in range(SENDERS * MESSAGES)}
