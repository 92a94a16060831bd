"""Reads a range of a partition from beginning to end, committed records alone, beside whatever else goes on."""

from collections.abc import Callable, Iterator

from confluent_kafka import Consumer, KafkaError, TopicPartition

from runtime.clock import Clock, SystemClock
from runtime.errors import SegwireError
from runtime.kafka.asking import raise_if_over
from runtime.kafka.clients import consumer_config
from runtime.kafka.records import input_record
from runtime.processor import InputRecord
from runtime.settings import KafkaSettings

Read = Callable[[int, int, int], Iterator[InputRecord]]
"""Yields the records of a partition from an offset up to before another."""

_BATCH_RECORDS = 5_000
_POLL_S = 0.05
_SILENCE_S = 30.0


def reader(kafka: KafkaSettings, topic: str, clock: Clock | None = None) -> Read:
    """Return what reads ranges of `topic`; each with a consumer of its own, which belongs to no group."""
    clock = clock or SystemClock()

    def read(partition: int, start: int, end: int) -> Iterator[InputRecord]:
        if start >= end:
            return
        consumer = Consumer({**consumer_config(kafka), "enable.partition.eof": True, "fetch.wait.max.ms": 10})
        try:
            place = TopicPartition(topic, partition, start)
            consumer.assign([place])
            yield from _read(consumer, place, end, clock)
        finally:
            consumer.close()

    return read


def _read(consumer: Consumer, place: TopicPartition, end: int, clock: Clock) -> Iterator[InputRecord]:
    heard_s = clock.monotonic_s()
    while True:
        messages = consumer.consume(_BATCH_RECORDS, _POLL_S)
        for message in messages:
            error, offset = message.error(), message.offset() or 0
            if error is not None:
                raise_if_over(error)
                if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name for it
                    return
            elif offset < end:
                yield input_record(message, place.partition, offset)
        if consumer.position([place])[0].offset >= end:
            return
        now_s = clock.monotonic_s()
        if messages:
            heard_s = now_s
        elif now_s - heard_s > _SILENCE_S:
            raise SegwireError(
                f"nothing came from {place.topic}[{place.partition}] within {_SILENCE_S:g} s; check that the broker "
                "leading it is up"
            )
