"""Reads a second topic beside a processor's input: what it is asked to do, by partition.

A processor keeps in its own state how far it has taken requests, so that taking one is part of the transaction that
does it. Here is only what lies behind that. Nothing blocks.
"""

from collections.abc import Callable, Mapping

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from runtime.kafka.asking import raise_if_over
from runtime.kafka.clients import consumer_config
from runtime.kafka.records import input_record
from runtime.processor import InputRecord
from runtime.settings import KafkaSettings

_log = structlog.get_logger()

_WAITING_MAX = 500
_FETCH_WAIT_MS = 1000


class Inbox:
    """Hands out the records of the partitions that are asked for, again and again until they are taken."""

    def __init__(self, consumer: Consumer, topic: str, wanted: Callable[[InputRecord], bool]) -> None:
        """Hand out what is `wanted` of `topic`; `consumer` is of no group."""
        self._consumer = consumer
        self._topic = topic
        self._wanted = wanted
        self._taken: dict[int, int] = {}  # partition -> the first offset that was not taken, as last told
        self._waiting: dict[int, list[InputRecord]] = {}

    def read(self, positions: Mapping[int, int]) -> list[InputRecord]:
        """Return records at or past the offset of each partition, in order within a partition.

        `positions` are all the partitions of interest, each with the first offset that was not taken yet; where one
        goes back, as after an aborted transaction, its records come again.
        """
        self._assign(positions)
        for partition, offset in positions.items():
            waiting = self._waiting[partition]
            self._waiting[partition] = [record for record in waiting if record.offset >= offset]
        room = _WAITING_MAX - sum(map(len, self._waiting.values()))
        for message in self._consumer.consume(room, 0.0) if positions and room > 0 else []:
            record = _record(message)
            if record is not None and record.partition in self._waiting and self._wanted(record):
                self._waiting[record.partition].append(record)
        return [record for partition in sorted(self._waiting) for record in self._waiting[partition]]

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()

    def _assign(self, positions: Mapping[int, int]) -> None:
        back = {partition for partition, offset in positions.items() if offset < self._taken.get(partition, offset)}
        gone = [partition for partition in self._taken if partition not in positions or partition in back]
        if gone:
            self._consumer.incremental_unassign([TopicPartition(self._topic, partition) for partition in gone])
        for partition in gone:
            del self._taken[partition], self._waiting[partition]
        new = [partition for partition in positions if partition not in self._taken]
        if new:
            places = [TopicPartition(self._topic, p, positions[p] or OFFSET_BEGINNING) for p in new]
            self._consumer.incremental_assign(places)
        for partition in new:
            self._waiting[partition] = []
        self._taken = dict(positions)


def open_inbox(kafka: KafkaSettings, topic: str, wanted: Callable[[InputRecord], bool]) -> Inbox:
    """Return an inbox over `topic`; close it in the end."""
    consumer = Consumer({**consumer_config(kafka), "fetch.wait.max.ms": _FETCH_WAIT_MS})
    return Inbox(consumer, topic, wanted)


def _record(message: Message) -> InputRecord | None:
    error = message.error()
    if error is not None:
        raise_if_over(error)
        _log.warning("fetch_error", code=error.name(), detail=error.str())
        return None
    partition, offset = message.partition(), message.offset()
    if partition is None or offset is None:
        return None
    return input_record(message, partition, offset)
