"""Reads `segment-membership` from its beginning for a sink that takes rows of any age, and goes on where it was killed.

How far it is lies in a consumer group of its own, beside the sink's. Source: ADR 10.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from runtime.kafka.asking import committed
from runtime.kafka.clients import admin_client, consumer_config
from runtime.kafka.reading import Read, reader
from runtime.processor import Backpressure, InputRecord, Processor
from runtime.settings import KafkaSettings
from schemas.avro_codec import AvroDecodeError, decode_key
from schemas.topics import TopicNames
from segwire.inspect.log_reader import LogReader, Slice
from segwire.inspect.progress import Tell

BATCH_RECORDS = 5_000
# Of a few segments, most records are passed over: so often it is noted how far.
_PASSED_OVER_MAX = 100_000
_TIMEOUT_S = 30.0


class RowsBackfill:
    """One backfill of one sink; several at a time do no harm."""

    def __init__(
        self, kafka: KafkaSettings, group: str, processor: Processor, segments: Collection[str],
        sleep: Callable[[float], None],
    ) -> None:  # fmt: skip
        """Give rows to `processor`, of some segments, or of all where none is named."""
        self._topic = TopicNames(kafka.topic_prefix).segment_membership
        self._group = group
        self._processor = processor
        self._segments = frozenset(segments)
        self._sleep = sleep
        self._admin: AdminClient = admin_client(kafka)
        self._places = Consumer(consumer_config(kafka, group_id=group))
        self._log = LogReader(kafka)
        self._read: Read = reader(kafka, self._topic)
        # Of other segments, what was done before says nothing.
        self._what = hashlib.sha256("\n".join(sorted(self._segments)).encode()).hexdigest()

    def slices(self, restart: bool = False) -> list[Slice]:
        """Return what is left to read, up to the present end; with `restart` nothing counts as done.

        Raises:
            SegwireError: Kafka does not answer, or the topic is not there.
        """
        whole = self._log.slices(self._topic, range(self._log.partitions(self._topic)))
        asked = [TopicPartition(self._topic, each.partition) for each in whole]
        held = {at.partition: at for at in committed(self._places, asked, _TIMEOUT_S)}
        left = []
        for each in whole:
            at = held[each.partition]
            done = at.offset if not restart and at.offset >= 0 and at.metadata == self._what else each.start
            left.append(Slice(each.topic, each.partition, min(max(done, each.start), each.end), each.end))
        return left

    def run(self, slices: Sequence[Slice], tell: Tell) -> int:
        """Write what is left, telling how many records are done; return how many the sink refused for good."""
        refused = done = 0
        for each in slices:
            for records, position in self._batches(each):
                refused += self._write(records)
                self._note(each.partition, position)
                tell(done + position - each.start)
            self._note(each.partition, each.end)
            done += each.end - each.start
        return refused

    def finish(self) -> None:
        """Forget how far it was: the next backfill begins at the beginning."""
        self._places.close()
        for future in self._admin.delete_consumer_groups([self._group], request_timeout=_TIMEOUT_S).values():
            future.result(_TIMEOUT_S)

    def _batches(self, part: Slice) -> Iterator[tuple[list[InputRecord], int]]:
        """Yield records that are wanted, and up to where they reach."""
        batch: list[InputRecord] = []
        passed_over = 0
        position = part.start
        for record in self._read(part.partition, part.start, part.end):
            position = record.offset + 1
            if self._is_wanted(record):
                batch.append(record)
            else:
                passed_over += 1
            if len(batch) >= BATCH_RECORDS or passed_over >= _PASSED_OVER_MAX:
                yield batch, position
                batch, passed_over = [], 0
        yield batch, position

    def _is_wanted(self, record: InputRecord) -> bool:
        if record.value is None:
            return False
        if not self._segments:
            return True
        try:
            return decode_key(record.key or b"").segment_id in self._segments
        except AvroDecodeError:
            return False

    def _write(self, records: list[InputRecord]) -> int:
        while records:
            try:
                outputs = self._processor.process(records)
            except Backpressure as pressure:
                self._sleep(pressure.wait_s)
            else:
                # What it refuses, the live sink has set aside.
                return sum(1 for _ in outputs)
        return 0

    def _note(self, partition: int, position: int) -> None:
        at = TopicPartition(self._topic, partition, position, self._what)
        self._places.commit(offsets=[at], asynchronous=False)
