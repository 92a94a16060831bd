"""Sends dead letters again: each with its mark in one transaction, so that none goes twice, however this ends."""

import zlib
from collections.abc import Callable, Iterator
from typing import Any

from confluent_kafka import KafkaException, Message, Producer

from runtime.clock import Clock
from runtime.errors import SegwireError
from runtime.kafka.clients import producer_config
from runtime.kafka.transaction import OutcomeUnknown, TransactionAborted, TransactionalProducer
from runtime.settings import KafkaSettings
from schemas.headers import header_text
from schemas.topics import TopicNames
from segwire.inspect.dead_letters import header_number, letter_id, parse_id, read_letter
from segwire.inspect.dead_letters_reader import read_marks, start_of
from segwire.inspect.decoding import raw_headers
from segwire.inspect.log_reader import LogReader, Slice
from segwire.inspect.progress import Tell
from segwire.redrive.plan import Candidate, Send
from segwire.redrive.records import mark_records, redriven_records

BATCH_LETTERS = 200
_BATCH_BYTES = 16 << 20
_TRANSACTION_S = 30.0


class Redriver:
    """Reads the letters, and sends records made of them. One at a time works on a cluster: a second one takes over."""

    def __init__(self, kafka: KafkaSettings, clock: Clock, sleep: Callable[[float], None]) -> None:
        """Connect.

        Raises:
            UnreachableKafkaError: nobody answered.
        """
        self._kafka = kafka
        self._names = TopicNames(kafka.topic_prefix)
        self._reader = LogReader(kafka)
        self._partitions = self._reader.partitions(self._names.sink_requests)
        self._clock = clock
        self._sleep = sleep
        self._producer: TransactionalProducer | None = None

    def candidates(self, since_ms: int | None = None) -> list[Candidate]:
        """Read every letter since `since_ms` (epoch ms) with what is known of its redriving."""
        start = start_of(since_ms)
        marks = read_marks(self._reader, self._kafka, start)
        topic = self._names.dead_letters
        slices = self._reader.slices(topic, range(self._reader.partitions(topic)), start)
        counts = {name: mark.count for name, mark in marks.items()}
        found = []
        for message in self._reader.read(slices):
            letter = read_letter(message, marks)
            found.append(_candidate(message, letter, max(letter.redriven, counts.get(letter.id, 0))))
        return found

    def take_over(self) -> None:
        """Be the only one who redrives: whoever did it before cannot send any more."""
        if self._producer is None:
            transactional_id = f"{self._kafka.topic_prefix}segwire-redrive"
            config: dict[str, Any] = {
                **producer_config(self._kafka, linger_ms=5),
                "transactional.id": transactional_id,
                "transaction.timeout.ms": int(_TRANSACTION_S * 1000),
                "compression.type": "lz4",
            }
            self._producer = TransactionalProducer(lambda: Producer(config), transactional_id, _TRANSACTION_S)

    def send(self, sends: list[Send], rate_per_s: float, tell: Tell) -> None:
        """Send records, no more than `rate_per_s` letters in a second, and tell how many letters are done.

        Raises:
            SegwireError: it did not succeed; what was sent is marked.
        """
        self.take_over()
        began_s, done = self._clock.monotonic_s(), 0
        for batch in _batches(sends, min(BATCH_LETTERS, max(1, int(rate_per_s)))):
            self._sleep(max(0.0, began_s + done / rate_per_s - self._clock.monotonic_s()))
            self._commit(batch)
            done += sum(len(send.letters) for send in batch)
            tell(done)

    def _commit(self, batch: list[Send]) -> None:
        producer = self._producer
        assert producer is not None
        try:
            producer.begin()
            pending_bytes = 0
            for message, send in self._read(batch):
                for record in redriven_records(self._names, self._partitions, message, send):
                    producer.produce(record)
                for mark in mark_records(self._names, send, self._clock.now_ms()):
                    producer.produce(mark)
                pending_bytes += len(message.value() or b"")
                if pending_bytes > _BATCH_BYTES:
                    producer.flush()
                    pending_bytes = 0
            producer.commit([], None)
        except (TransactionAborted, OutcomeUnknown, KafkaException) as error:
            raise SegwireError(
                f"the redriving stopped: {error}; start it again: what was sent is marked and is not sent twice"
            ) from error

    def _read(self, batch: list[Send]) -> Iterator[tuple[Message, Send]]:
        """Yield the letters that records are made of, as they lie in their partitions."""
        wanted = {send.made_of: send for send in batch}
        by_partition: dict[int, list[int]] = {}
        for name in wanted:
            partition, offset = parse_id(name)
            by_partition.setdefault(partition, []).append(offset)
        topic = self._names.dead_letters
        slices = [Slice(topic, p, min(offsets), max(offsets) + 1) for p, offsets in sorted(by_partition.items())]
        for message in self._reader.read(slices):
            send = wanted.pop(letter_id(message), None)
            if send is not None:
                yield message, send
        if wanted:
            raise SegwireError(
                f"the dead letters {', '.join(sorted(wanted))} are gone: they are past their retention; start again"
            )


def _candidate(message: Message, letter: Any, count: int) -> Candidate:
    headers = raw_headers(message)
    topic = header_text(headers, "topic")
    partition, offset = header_number(headers, "partition"), header_number(headers, "offset")
    known = topic is not None and partition is not None and offset is not None
    return Candidate(
        letter=letter,
        origin=(topic, partition, offset) if known else None,  # type: ignore[arg-type]
        user_index=header_number(headers, "user-index"),
        checksum=zlib.crc32(message.value() or b""),
        count=count,
    )


def _batches(sends: list[Send], letters_max: int) -> Iterator[list[Send]]:
    batch: list[Send] = []
    letters = 0
    for send in sends:
        if batch and letters + len(send.letters) > letters_max:
            yield batch
            batch, letters = [], 0
        batch.append(send)
        letters += len(send.letters)
    if batch:
        yield batch
