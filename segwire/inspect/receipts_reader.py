"""Reads receipts: of a user only the user's partition, of a partner ID the whole topic."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from confluent_kafka import Message

from runtime.settings import KafkaSettings
from schemas.avro_codec import AvroDecodeError, decode_receipt
from schemas.partitioning import partition_of
from schemas.receipts import DeliveryReceipt
from schemas.topics import TopicNames
from segwire.inspect.log_reader import LogReader
from segwire.inspect.progress import TellOf, counted
from segwire.inspect.receipts import Delivered, Wanted, summarise
from segwire.inspect.times import BEGINNING, Start

Show = Callable[[str, int], AbstractContextManager[TellOf]]


def read_receipts(kafka: KafkaSettings, wanted: Wanted, since_ms: int | None, show: Show) -> list[Delivered]:
    """Return what the wanted identifiers were told. A receipt that cannot be decoded is left out: `doctor` tells of it.

    `show` is asked to show the progress of a whole topic's reading. `since_ms` leaves out what was sent before.

    Raises:
        SegwireError: Kafka does not answer, or the topic is not there.
    """
    topic = TopicNames(kafka.topic_prefix).delivery_receipts
    reader = LogReader(kafka)
    count = reader.partitions(topic)
    start = BEGINNING if since_ms is None else Start("time", since_ms)
    if wanted.aam_uuid is not None:
        key = wanted.aam_uuid.encode()
        slices = reader.slices(topic, [partition_of(wanted.aam_uuid, count)], start)
        return summarise(_decoded(reader.read(slices, keep=lambda other: other == key), wanted))
    slices = reader.slices(topic, range(count), start)
    total = sum(s.end - s.start for s in slices)
    with show(f"reading {topic}", total) as tell:
        return summarise(_decoded(counted(reader.read(slices), lambda done: tell(done, total)), wanted))


def _decoded(messages: Iterator[Message], wanted: Wanted) -> Iterator[DeliveryReceipt]:
    # A partner ID lies in the value as it is: nearly every other receipt is refused by this search.
    partner = (wanted.partner_uuid or "").encode()
    for message in messages:
        value = message.value()
        if value is None or partner not in value:
            continue
        try:
            receipt = decode_receipt(value)
        except AvroDecodeError:
            continue
        if wanted.matches(receipt):
            yield receipt
