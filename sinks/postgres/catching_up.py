"""Writes again what the database has lost: it was emptied, restored from a backup, or replaced by one that was behind.

Kafka was told that all that is written, and sends it never again; so it is read once more, in parts, beside the group.
"""

from collections.abc import Collection, Sequence
from itertools import islice

import structlog

from runtime.clock import Clock
from runtime.kafka.reading import Read
from runtime.processor import Backpressure, InputRecord
from sinks.halves import write_in_halves
from sinks.postgres.offsets import Behind, Offsets
from sinks.postgres.sink import PostgresSink
from sinks.sink import Refusal

_log = structlog.get_logger()

_PART_RECORDS = 5_000
# At a time, so that the loop goes on polling.
_TURN_S = 3.0
_PAUSE_S = 0.05


class CatchingUpSink:
    """A PostgreSQL sink that brings its database up to where Kafka was told that it is, before it goes on."""

    def __init__(self, sink: PostgresSink, offsets: Offsets, read: Read, clock: Clock) -> None:
        """Write through `sink`, whose offsets `offsets` are; `read` reads its topic."""
        self._sink = sink
        self._offsets = offsets
        self._read = read
        self._clock = clock

    def write(self, records: Sequence[InputRecord]) -> list[Refusal]:
        """Write records, as `Sink` says, and what is missing before them.

        Raises:
            Backpressure: there is more missing than fits into one turn.
        """
        until_s = self._clock.monotonic_s() + _TURN_S
        while True:
            try:
                return self._sink.write(records)
            except Behind as behind:
                self._catch_up(behind, until_s)

    def tend(self, partitions: Collection[int]) -> None:
        """See, before any record comes, whether something is missing of these partitions, and write it.

        Raises:
            Retriable: the database cannot be reached, or does not do it.
            Backpressure: there is more missing than fits into one turn.
        """
        until_s = self._clock.monotonic_s() + _TURN_S
        for partition in partitions:
            try:
                self._sink.look(partition)
            except Behind as behind:
                self._catch_up(behind, until_s)

    def _catch_up(self, behind: Behind, until_s: float) -> None:
        partition, start, end = behind.partition, behind.start, behind.end
        _log.error("database_went_back", topic=behind.topic, partition=partition, written=start, told=end)
        missing = self._read(partition, start, end)
        with self._offsets.catching_up(partition):
            while part := list(islice(missing, _PART_RECORDS)):
                # What is refused now was a dead letter when it came first.
                write_in_halves(self._sink.write, part)
                if self._clock.monotonic_s() >= until_s:
                    raise Backpressure(_PAUSE_S)
            self._sink.skip_to(partition, end)
        _log.info("database_caught_up", topic=behind.topic, partition=partition)
