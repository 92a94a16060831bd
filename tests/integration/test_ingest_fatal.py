"""A Kafka that forgot what it had acknowledged: the idempotent client cannot go on, and is replaced under traffic."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.kafka.topics import apply_topics
from runtime.settings import KafkaSettings
from tests.support.harm import HarmedKafka, metric, state_is, stored, wait_until_empty
from tests.support.ingest_process import IngestProcess, running_ingest
from tests.support.kafka import wait_until
from tests.support.load import payload


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[HarmedKafka]:
    harmed = HarmedKafka(tmp_path / "kafka")
    yield harmed
    harmed.stop()


@pytest.fixture
def topics(kafka: HarmedKafka, topic_prefix: str) -> KafkaSettings:
    """One partition, so that every record follows the one before."""
    settings = KafkaSettings(
        bootstrap_servers=kafka.bootstrap_servers, topic_prefix=topic_prefix, partitions=1, replication_factor=1
    )
    apply_topics(settings)
    return settings


def post(ingest: IngestProcess, numbers: range) -> None:
    assert [ingest.post(payload(number)).status for number in numbers] == [200] * len(numbers)


def test_a_client_that_failed_for_good_is_replaced_and_nothing_that_was_acknowledged_is_missing(
    kafka: HarmedKafka, topics: KafkaSettings, tmp_path: Path
) -> None:
    with running_ingest(topics, tmp_path) as ingest:
        wait_until(lambda: state_is(ingest, "kafka-ok"), "Kafka relied upon")
        post(ingest, range(5))
        [log] = (tmp_path / "kafka").rglob(f"{topics.topic_prefix}aam-posts-0")
        shutil.copytree(log, tmp_path / "old")
        post(ingest, range(5, 10))
        assert metric(ingest, "segwire_ingest_spooled_total") == 0
        # As after a restored disk: the producer's next sequence number does not follow what the broker knows.
        kafka.kill()
        shutil.rmtree(log)
        shutil.copytree(tmp_path / "old", log)
        post(ingest, range(10, 15))
        kafka.start_again()
        wait_until(lambda: state_is(ingest, "kafka-ok"), "Kafka relied upon again")
        post(ingest, range(15, 20))
        wait_until(lambda: metric(ingest, "segwire_ingest_producers_replaced_total") >= 1, "a new client")
        post(ingest, range(20, 25))
        wait_until_empty(ingest)
        wait_until(lambda: state_is(ingest, "kafka-ok"), "Kafka relied upon with the new client")
        post(ingest, range(25, 30))
        said = ingest.log.read_text()
    assert "failed for good" in said
    assert "kafka_client_replaced" in said
    found = stored(topics)
    assert set(found) == {*range(5), *range(10, 30)}
    print(f"{len(found) - len(set(found))} stored twice")  # noqa: T201 - shown where the test fails
