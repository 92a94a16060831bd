"""Reads a topic of the manifest as a person asks for it."""

from collections.abc import Iterator

from confluent_kafka import Message

from runtime.settings import KafkaSettings
from schemas.partitioning import partition_of
from schemas.topics import Topic
from segwire.inspect.keys import key_filter
from segwire.inspect.log_reader import LogReader
from segwire.inspect.times import Start


def read_topic(
    kafka: KafkaSettings, topic: Topic, start: Start, *, key: str | None = None, follow: bool = False
) -> Iterator[Message]:
    """Yield a topic's records from `start` to the present end, or for ever with `follow`.

    With `key` only that key's; in a user-keyed topic only that user's partition is read.

    Raises:
        SegwireError: Kafka does not answer, or the topic is not there.
    """
    reader = LogReader(kafka)
    name = kafka.topic_prefix + topic.name
    count = reader.partitions(name)
    chosen = range(count)
    if key is not None and topic.partitioning == "aam_uuid":
        chosen = range(partition_of(key, count), partition_of(key, count) + 1)
    slices = reader.slices(name, chosen, start)
    keep = None if key is None else key_filter(topic, key)
    yield from reader.follow(slices, keep) if follow else reader.read(slices, keep)
