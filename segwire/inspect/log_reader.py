"""Reads ranges of partitions, committed records alone, as fast as one consumer can.

What is read is fixed before it starts: up to the end of the moment, so that a busy topic ends too.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
from confluent_kafka.admin import OffsetSpec

from runtime.clock import Clock, SystemClock
from runtime.errors import SegwireError
from runtime.kafka.clients import Config, admin_client, consumer_config, require_brokers
from runtime.settings import KafkaSettings
from segwire.inspect.offsets import EARLIEST, LATEST, Place, find_offsets
from segwire.inspect.times import BEGINNING, Start

KeyFilter = Callable[[bytes | None], bool]

_TIMEOUT_S = 30.0
_BATCH_RECORDS = 10_000
# consume() waits this long for a full batch: it is what the last, partial batch costs.
_POLL_S = 0.02
_FOLLOW_RECORDS = 500
_FOLLOW_POLL_S = 0.1


class Slice(msgspec.Struct, frozen=True):
    """Offsets `start` (first) to `end` (exclusive) of one partition."""

    topic: str
    partition: int
    start: int
    end: int


class LogReader:
    """Finds out what there is to read, and reads it, with a new consumer without a group each time. Blocks."""

    def __init__(self, kafka: KafkaSettings, clock: Clock | None = None) -> None:
        """Connect.

        Raises:
            UnreachableKafkaError: nobody answered.
        """
        self._kafka = kafka
        self._clock = clock or SystemClock()
        self._admin = admin_client(kafka)
        # One connection and one answer for all that is asked at the start: each further one costs a round trip.
        self._topics = require_brokers(kafka, admin=self._admin).topics

    def partitions(self, topic: str) -> int:
        """Return a topic's partition count.

        Raises:
            SegwireError: the topic is not there.
        """
        found = self._topics.get(topic)
        if found is None or not found.partitions:
            found = self._admin.list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
        if found.partitions:
            return len(found.partitions)
        why = found.error.str() if found.error else "it has no partitions"
        raise SegwireError(
            f"topic {topic}: {why}; create the topics with `segwire topics apply`, or set "
            "kafka.topic_prefix to the one in use"
        )

    def slices(self, topic: str, partitions: Sequence[int], start: Start = BEGINNING) -> list[Slice]:
        """Return what there is to read in `partitions` from `start` to the present end."""
        return self.slices_at([(topic, partition) for partition in partitions], start)

    def slices_at(self, wanted: Sequence[Place], start: Start = BEGINNING) -> list[Slice]:
        """Return what there is to read in these partitions of several topics, asked for at once."""
        first = find_offsets(self._admin, wanted, EARLIEST, self._clock)
        end = find_offsets(self._admin, wanted, LATEST, self._clock)
        if start.kind == "end":
            first = end
        elif start.kind == "offset":
            first = {at: min(max(start.value, first[at]), end[at]) for at in wanted}
        elif start.kind == "time":
            found = find_offsets(self._admin, wanted, OffsetSpec.for_timestamp(start.value), self._clock)
            first = {at: found[at] if found[at] >= 0 else end[at] for at in wanted}
        return [Slice(*at, first[at], end[at]) for at in wanted]

    def read(self, slices: Sequence[Slice], keep: KeyFilter | None = None) -> Iterator[Message]:
        """Yield the records of all slices, in order within a partition, then stop.

        Args:
            slices: what to read.
            keep: called with every raw key; records it refuses are never looked at further.

        Raises:
            SegwireError: the brokers stopped answering, or refuse.
        """
        ends = {(s.topic, s.partition): s.end for s in slices if s.start < s.end}
        if not ends:
            return
        with _consumer(_bulk_config(self._kafka), [s for s in slices if s.start < s.end]) as consumer:
            heard_s = self._clock.monotonic_s()
            while ends:
                batch = consumer.consume(_BATCH_RECORDS, _POLL_S)
                if batch:
                    heard_s = self._clock.monotonic_s()
                elif self._clock.monotonic_s() - heard_s > _TIMEOUT_S:
                    raise _silent(ends)
                for message in _sift(batch, keep):
                    if message.error() is not None:
                        ends.pop(_place(message), None)
                    elif _offset(message) < ends.get(_place(message), 0):
                        yield message
                _drop_finished(consumer, ends)

    def follow(self, slices: Sequence[Slice], keep: KeyFilter | None = None) -> Iterator[Message]:
        """Yield the records from the slices' starts on, and go on with what comes. Never ends by itself."""
        with _consumer(consumer_config(self._kafka, on_error=_ignore), slices) as consumer:
            while True:
                for message in _sift(consumer.consume(_FOLLOW_RECORDS, _FOLLOW_POLL_S), keep):
                    if message.error() is None:
                        yield message


@contextmanager
def _consumer(config: Config, slices: Sequence[Slice]) -> Iterator[Consumer]:
    # Made anew and assigned at once: one that was idle for 100 ms answers an assignment up to 1 s late.
    consumer = Consumer(config)
    try:
        consumer.assign([TopicPartition(s.topic, s.partition, s.start) for s in slices])
        yield consumer
    finally:
        consumer.close()


def _bulk_config(kafka: KafkaSettings) -> Config:
    return {
        **consumer_config(kafka, on_error=_ignore),
        "enable.partition.eof": True,
        # The end of a partition is known only from a fetch that found nothing, and such a fetch waits this long.
        "fetch.wait.max.ms": 10,
        "fetch.queue.backoff.ms": 1,
        "fetch.message.max.bytes": 8 << 20,
        "queued.min.messages": 1_000_000,
        "queued.max.messages.kbytes": 128 << 10,
    }


def _ignore(error: KafkaError) -> None:
    """Say nothing: librdkafka goes on by itself, and silence that lasts is reported by the reader."""


def _sift(batch: Sequence[Message], keep: KeyFilter | None) -> Iterator[Message]:
    """Yield the records that `keep` does not refuse, and the ends of partitions."""
    for message in batch:
        error = message.error()
        if error is not None:
            _require_eof(error, message)
            yield message
        elif keep is None or keep(message.key()):
            yield message


def _drop_finished(consumer: Consumer, ends: dict[tuple[str, int], int]) -> None:
    """Forget partitions read past their end: new records keep a busy one from ever saying it is at its end."""
    places = [TopicPartition(topic, partition) for topic, partition in ends]
    for at in consumer.position(places) if places else []:
        if at.offset >= ends[at.topic, at.partition]:
            del ends[at.topic, at.partition]


def _place(message: Message) -> tuple[str, int]:
    return str(message.topic()), int(message.partition() or 0)


def _offset(message: Message) -> int:
    return int(message.offset() or 0)


def _require_eof(error: KafkaError, message: Message) -> None:
    if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
        raise SegwireError(f"topic {message.topic()}: {error.str()}; check that this user may read it")


def _silent(ends: dict[tuple[str, int], int]) -> SegwireError:
    places = ", ".join(f"{topic}[{partition}]" for topic, partition in sorted(ends))
    return SegwireError(
        f"nothing came from {places} within {_TIMEOUT_S:g} s; check that the brokers leading them are up"
    )
