"""The verification against published topics of a real Kafka."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from confluent_kafka import Producer

from runtime.clock import SystemClock
from runtime.kafka.clients import producer_config
from runtime.settings import KafkaSettings
from schemas.avro_codec import encode_change, encode_key, encode_membership
from schemas.membership import SegmentMembershipKey
from schemas.topics import TopicNames
from segwire.embedded.kafka.interface import KafkaServer
from segwire.simulator.differences import Differences
from segwire.simulator.kafka_reader import KafkaTopicReader
from segwire.simulator.model import Key, Model
from segwire.simulator.traffic import Traffic
from segwire.simulator.verify import follow
from tests.support.kafka import create_topic
from tests.support.simulation import CLIENT, change, plan, row

SETTLE_S = 3.0


class Publisher:
    """Publishes rows and changes in transactions, as a membership processor would."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._names = TopicNames(kafka.topic_prefix)
        config = producer_config(kafka, linger_ms=1.0)
        self._producer = Producer({**config, "transactional.id": f"{kafka.topic_prefix}publisher"})
        self._producer.init_transactions(30.0)

    @contextmanager
    def transaction(self, *, commit: bool = True) -> Iterator[None]:
        self._producer.begin_transaction()
        yield
        self._producer.flush()
        if commit:
            self._producer.commit_transaction(30.0)
        else:
            self._producer.abort_transaction(30.0)

    def publish(self, key: Key, *, active: bool, client_id: str = CLIENT) -> None:
        destination_id, aam_uuid, segment_id = key
        names: dict[str, Any] = {
            "client_id": client_id,
            "destination_id": destination_id,
            "aam_uuid": aam_uuid,
            "segment_id": segment_id,
        }
        value = encode_membership(row("ACTIVE" if active else "INACTIVE", **names))
        self._producer.produce(self._names.segment_membership, value, encode_key(SegmentMembershipKey(**names)))
        if active:
            changed = encode_change(change(**names))
            self._producer.produce(self._names.segment_membership_changes, changed, aam_uuid.encode())


def settings_with_topics(kafka: KafkaServer, prefix: str) -> KafkaSettings:
    names = TopicNames(prefix)
    for name in (names.segment_membership, names.segment_membership_changes):
        create_topic(kafka.bootstrap_servers, name, 3)
    return KafkaSettings(bootstrap_servers=kafka.bootstrap_servers, topic_prefix=prefix)


def traffic_model() -> Model:
    model = Model()
    for message in islice(Traffic(plan()), 300):
        model.acknowledged(message)
    return model


def verify(settings: KafkaSettings, model: Model) -> Differences:
    with KafkaTopicReader(settings, CLIENT) as reader:
        _, differences = follow(model, reader, settle_s=SETTLE_S, clock=SystemClock())
    return differences


def test_what_is_published_agrees_and_other_clients_are_not_looked_at(kafka: KafkaServer, topic_prefix: str) -> None:
    settings, model = settings_with_topics(kafka, topic_prefix), traffic_model()
    publisher = Publisher(settings)
    with publisher.transaction():
        for key, expected in model.expectations():
            publisher.publish(key, active=expected.may_be_active)
        publisher.publish(("1", "1" * 38, "never-sent"), active=True, client_id="another")
    assert verify(settings, model).total == 0


def test_lost_wrong_and_phantom_are_found_and_aborted_records_are_not_read(
    kafka: KafkaServer, topic_prefix: str
) -> None:
    settings, model = settings_with_topics(kafka, topic_prefix), traffic_model()
    publisher = Publisher(settings)
    expectations = dict(model.expectations())
    lost = next(iter(expectations))
    wrong = next(key for key, expected in expectations.items() if expected.may_be_inactive and key != lost)
    with publisher.transaction():
        for key, expected in expectations.items():
            if key != lost:
                publisher.publish(key, active=expected.may_be_active or key == wrong)
        publisher.publish(("1", "1" * 38, "never-sent"), active=True)
    with publisher.transaction(commit=False):
        publisher.publish(lost, active=expectations[lost].may_be_active)
    differences = verify(settings, model)
    assert (differences.lost.count, differences.wrong.count, differences.phantom.count) == (1, 1, 1)
    assert differences.total == 3
