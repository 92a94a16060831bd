"""Reads the published topics from Kafka: the one place of the simulator that knows a Kafka client."""

from types import TracebackType
from typing import Self

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from runtime.errors import SegwireError
from runtime.kafka.clients import consumer_config, require_brokers
from runtime.settings import KafkaSettings
from schemas.avro_codec import AvroDecodeError, decode_change, decode_key, decode_membership
from schemas.membership import SegmentMembershipChange
from schemas.topics import TopicNames
from segwire.simulator.verify import Read, RowRecord

_READ_MESSAGES = 5000
_READ_S = 0.2
_METADATA_S = 10.0


class KafkaTopicReader:
    """Reads rows and changes of one client, committed records only. A context manager; blocks.

    Raises:
        UnreachableKafkaError: no broker answered.
        SegwireError: a topic is missing, or a record cannot be decoded.
    """

    def __init__(self, kafka: KafkaSettings, client_id: str) -> None:
        """Find the partitions of both topics and read from their start."""
        names = TopicNames(kafka.topic_prefix)
        self._rows_topic = names.segment_membership
        self._client_id = client_id
        require_brokers(kafka)
        self._consumer = Consumer({**consumer_config(kafka), "enable.partition.eof": True})
        partitions = [
            TopicPartition(topic, partition, OFFSET_BEGINNING)
            for topic in (names.segment_membership, names.segment_membership_changes)
            for partition in self._partitions_of(topic)
        ]
        self._unfinished = {(at.topic, at.partition) for at in partitions}
        self._consumer.assign(partitions)

    def __enter__(self) -> Self:
        """Return the reader."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the consumer."""
        self._consumer.close()

    def read(self) -> Read:
        """Return the next records of this client; blocks for a fraction of a second at most."""
        records: list[RowRecord | SegmentMembershipChange] = []
        others = 0
        for message in self._consumer.consume(_READ_MESSAGES, _READ_S):
            error = message.error()
            if error is None:
                record = self._decode(message)
                if record is None:
                    others += 1
                else:
                    records.append(record)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's own name for it
                self._unfinished.discard((message.topic(), message.partition()))
            elif not error.retriable():
                raise KafkaException(error)
        return Read(records, others, at_end=not self._unfinished)

    def _decode(self, message: Message) -> RowRecord | SegmentMembershipChange | None:
        """Return the record; None where it is another client's."""
        value, key = message.value(), message.key()
        try:
            if message.topic() == self._rows_topic:
                decoded = decode_key(key or b"")
                if decoded.client_id != self._client_id:
                    return None
                return RowRecord(decoded, None if value is None else decode_membership(value))
            change = decode_change(value or b"")
        except AvroDecodeError as error:
            where = f"{message.topic()} partition {message.partition()} offset {message.offset()}"
            raise SegwireError(f"{where}: {error}; the topic holds something that Segwire did not publish") from None
        return change if change.client_id == self._client_id else None

    def _partitions_of(self, topic: str) -> list[int]:
        found = self._consumer.list_topics(topic, timeout=_METADATA_S).topics[topic].partitions
        if not found:
            raise SegwireError(
                f"the topic {topic!r} does not exist; check kafka.topic_prefix, or create it: segwire topics apply"
            )
        return sorted(found)
