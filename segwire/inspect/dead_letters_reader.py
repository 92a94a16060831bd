"""Reads dead letters from their topic."""

from contextlib import suppress

import msgspec
from confluent_kafka import Message

from runtime.errors import SegwireError
from runtime.settings import KafkaSettings
from schemas.redriven import RedriveMark, decode_mark
from schemas.topics import TopicNames
from segwire.inspect.dead_letters import DeadLetter, Wanted, read_letter
from segwire.inspect.log_reader import LogReader, Slice
from segwire.inspect.times import BEGINNING, Start


def list_dead_letters(kafka: KafkaSettings, wanted: Wanted) -> list[DeadLetter]:
    """Return the wanted dead letters, oldest first.

    Raises:
        SegwireError: Kafka does not answer, or the topic is not there.
    """
    reader = LogReader(kafka)
    topic = TopicNames(kafka.topic_prefix).dead_letters
    start = start_of(wanted.since_ms)
    marks = read_marks(reader, kafka, start)
    slices = reader.slices(topic, range(reader.partitions(topic)), start)
    letters = (read_letter(message, marks) for message in reader.read(slices))
    return sorted((x for x in letters if wanted.matches(x)), key=lambda letter: letter.at)


def start_of(since_ms: int | None) -> Start:
    """Return where reading starts for letters of no earlier than `since_ms` (epoch ms; None: any)."""
    return BEGINNING if since_ms is None else Start("time", since_ms)


def read_marks(reader: LogReader, kafka: KafkaSettings, start: Start = BEGINNING) -> dict[str, RedriveMark]:
    """Return the last mark of each letter that was redriven. A mark is younger than its letter.

    Raises:
        SegwireError: Kafka does not answer, or the topic is not there.
    """
    topic = TopicNames(kafka.topic_prefix).redrive_marks
    marks: dict[str, RedriveMark] = {}
    for message in reader.read(reader.slices(topic, range(reader.partitions(topic)), start)):
        with suppress(msgspec.MsgspecError):
            mark = decode_mark(message.value() or b"")
            marks[mark.letter] = mark
    return marks


def find_dead_letter(kafka: KafkaSettings, partition: int, offset: int) -> Message:
    """Return one record of the topic.

    Raises:
        SegwireError: there is none at that place, Kafka does not answer, or the topic is not there.
    """
    reader = LogReader(kafka)
    topic = TopicNames(kafka.topic_prefix).dead_letters
    if partition < reader.partitions(topic):
        there = reader.slices(topic, [partition])[0]
        if there.start <= offset < there.end:
            for message in reader.read([Slice(topic, partition, offset, offset + 1)]):
                return message
    raise SegwireError(
        f"there is no dead letter {partition}-{offset} in {topic}: it may be past its retention; "
        "see `segwire dead-letters list`"
    )
