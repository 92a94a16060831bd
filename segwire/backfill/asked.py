"""Asks a running sink for a backfill, and watches how far it is. Source: ADR 10."""

import uuid
from collections.abc import Collection, Iterator
from typing import Any

from confluent_kafka import KafkaException, Message, Producer

from runtime.clock import Clock
from runtime.errors import SegwireError
from runtime.kafka.clients import producer_config
from runtime.kafka.transaction import OutcomeUnknown, TransactionAborted, TransactionalProducer
from runtime.processor import InputRecord, OutputRecord
from runtime.settings import KafkaSettings
from schemas.requests import BACKFILL, Backfill, encode_request, request_headers
from schemas.topics import TopicNames
from segwire.backfill.state import BackfillState, last_backfill, read_progress
from segwire.inspect.decoding import raw_headers
from segwire.inspect.log_reader import LogReader, Slice

_TRANSACTION_S = 30.0


class AskedBackfill:
    """Backfills of one sink that keeps what it needs for them in its own state."""

    def __init__(self, kafka: KafkaSettings, sink: str, clock: Clock) -> None:
        """Connect.

        Raises:
            UnreachableKafkaError: nobody answered.
        """
        self._kafka = kafka
        self._sink = sink
        self._clock = clock
        self._topic = TopicNames(kafka.topic_prefix).sink_requests
        self._reader = LogReader(kafka)
        self.partitions = self._reader.partitions(self._topic)

    def under_way(self) -> BackfillState | None:
        """Return the last backfill that was asked for, where it is not done."""
        state = last_backfill(self._read(self._reader.read(self._slices())), self._sink)
        return None if state is None or state.is_done(self.partitions) else state

    def ask(self, segments: Collection[str]) -> BackfillState:
        """Ask for the present membership in some segments, or in all where none is named; in every partition or none.

        Raises:
            SegwireError: Kafka did not take the request.
        """
        request = Backfill(uuid.uuid4().hex, self._clock.now_ms(), sorted(segments))
        headers, value = request_headers(self._sink, BACKFILL), encode_request(request)
        try:
            producer = self._producer()
            producer.begin()
            for partition in range(self.partitions):
                producer.produce(OutputRecord(self._topic, partition, None, value, headers))
            producer.commit([], None)
        except (TransactionAborted, OutcomeUnknown, KafkaException) as error:
            raise SegwireError(f"topic {self._topic} did not take the request: {error}; ask again") from error
        return BackfillState(request, {})

    def watch(self, state: BackfillState) -> Iterator[BackfillState]:
        """Yield how far a backfill is, each time that is heard of it, until it is done. Blocks."""
        yield state
        slices = self._slices()
        for record in self._read(self._reader.follow(slices)):
            progress = read_progress(record, self._sink)
            if progress is None:
                continue
            state = state.heard(progress)
            yield state
            if state.is_done(self.partitions):
                return

    def _slices(self) -> list[Slice]:
        return self._reader.slices(self._topic, range(self.partitions))

    def _read(self, messages: Iterator[Message]) -> Iterator[InputRecord]:
        for message in messages:
            yield InputRecord(
                message.partition() or 0, message.offset() or 0, message.key(), message.value(), raw_headers(message),
                message.timestamp()[1],
            )  # fmt: skip

    def _producer(self) -> TransactionalProducer:
        transactional_id = f"{self._kafka.topic_prefix}segwire-backfill-{self._sink}"
        config: dict[str, Any] = {
            **producer_config(self._kafka, linger_ms=5),
            "transactional.id": transactional_id,
            "transaction.timeout.ms": int(_TRANSACTION_S * 1000),
        }
        return TransactionalProducer(lambda: Producer(config), transactional_id, _TRANSACTION_S)
