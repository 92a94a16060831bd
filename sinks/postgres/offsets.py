"""How far each topic is written, kept in the database: a batch that comes again, or too late, changes nothing."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from psycopg import Cursor

from runtime.errors import SegwireError
from runtime.processor import InputRecord
from sinks.sink import Refusal

_LOCK = """
    SELECT partition, next_offset, topic_id FROM segwire_sink_offset
    WHERE topic = %s AND partition = ANY (%s) ORDER BY partition FOR UPDATE
"""
# A conflict waits for the other's transaction, and reads what it stored: that is a lock, too.
_BEGIN = """
    INSERT INTO segwire_sink_offset (topic, partition, topic_id, next_offset)
    SELECT %s, partition, %s, 0 FROM unnest(%s::integer[]) AS partition ON CONFLICT DO NOTHING
"""
_ADVANCE = """
    UPDATE segwire_sink_offset AS held SET next_offset = reached.next_offset
    FROM unnest(%s::integer[], %s::bigint[]) AS reached (partition, next_offset)
    WHERE topic = %s AND held.partition = reached.partition AND held.next_offset < reached.next_offset
"""
_REFUSED = """
    SELECT partition, "offset", error, reason FROM segwire_sink_refusal
    WHERE topic = %s AND partition = ANY (%s) AND "offset" BETWEEN %s AND %s
"""
_REFUSE = """
    INSERT INTO segwire_sink_refusal (topic, partition, "offset", error, reason) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT DO NOTHING
"""
_FORGET = "DELETE FROM segwire_sink_refusal WHERE topic = %s AND refused_at < now() - interval '30 days'"


class Behind(Exception):  # noqa: N818 - the name of what it is, not of a fault
    """The database has less of a partition than Kafka was told is written."""

    def __init__(self, topic: str, partition: int, start: int, end: int) -> None:
        """The records from `start` to before `end` are missing."""
        super().__init__(f"{topic} partition {partition} is written up to {start} and not up to {end}")
        self.topic = topic
        self.partition = partition
        self.start = start
        self.end = end


class Sorted(NamedTuple):
    """Records, by whether they were written before."""

    fresh: list[InputRecord]
    refused_before: list[Refusal]


class Offsets:
    """The offsets of one topic. Every method runs inside the transaction of `cursor`."""

    def __init__(self, topic: str, topic_id: str, committed: Mapping[int, int] | None = None) -> None:
        """Keep offsets of `topic`; `topic_id` is Kafka's own, and another when the topic was made anew.

        `committed` are the offsets up to which Kafka was told that all is written; none: that is not compared.
        """
        self._topic = topic
        self._topic_id = topic_id
        self._told = dict(committed or {})
        self._catching_up: set[int] = set()

    def sort(self, cursor: Cursor, records: Sequence[InputRecord]) -> Sorted:
        """Lock the records' partitions against every other writer, and return what is to be written.

        Raises:
            Behind: the database holds less than was written.
            SegwireError: it holds what came from another topic of this name.
        """
        reached = self.lock(cursor, sorted({record.partition for record in records}))
        fresh = [record for record in records if record.offset >= reached[record.partition]]
        again = [record for record in records if record.offset < reached[record.partition]]
        return Sorted(fresh, self._refused_among(cursor, again) if again else [])

    def advance(self, cursor: Cursor, records: Iterable[InputRecord]) -> None:
        """Store that records are written."""
        self.advance_to(cursor, _next_offsets(records))

    def advance_to(self, cursor: Cursor, reached: Mapping[int, int]) -> None:
        """Store that all before these offsets, by partition, is written."""
        cursor.execute(_ADVANCE, [list(reached), list(reached.values()), self._topic])

    def committed(self, records: Iterable[InputRecord]) -> None:
        """Take note that a transaction which wrote these is committed. Outside of it."""
        for partition, reached in _next_offsets(records).items():
            self._told[partition] = max(reached, self._told.get(partition, 0))

    @contextmanager
    def catching_up(self, partition: int) -> Iterator[None]:
        """Let what is missing of a partition be written."""
        self._catching_up.add(partition)
        try:
            yield
        finally:
            self._catching_up.discard(partition)

    def refuse(self, cursor: Cursor, refusals: Sequence[Refusal]) -> None:
        """Remember what was refused: its dead letter is lost should Kafka's transaction fail."""
        if refusals:
            cursor.execute(_FORGET, [self._topic])
        for record, error, reason in refusals:
            cursor.execute(_REFUSE, [self._topic, record.partition, record.offset, error, reason.replace("\0", "")])

    def lock(self, cursor: Cursor, partitions: list[int]) -> dict[int, int]:
        """Lock partitions against every other writer, and return the next offset of each.

        Raises:
            Behind: the database holds less than was written.
            SegwireError: the database holds what came from another topic of this name.
        """
        held = cursor.execute(_LOCK, [self._topic, partitions]).fetchall()
        if len(held) < len(partitions):
            cursor.execute(_BEGIN, [self._topic, self._topic_id, partitions])
            held = cursor.execute(_LOCK, [self._topic, partitions]).fetchall()
        if any(topic_id != self._topic_id for _, _, topic_id in held):
            raise SegwireError(
                f"the database was written from another topic {self._topic} than the present one, which was made anew "
                "or is on another cluster: its offsets mean nothing here; use an empty database or schema, or see "
                "'A topic that was made anew' in docs/SINKS.md"
            )
        reached = {partition: next_offset for partition, next_offset, _ in held}
        self._check_nothing_is_missing(reached)
        return reached

    def _check_nothing_is_missing(self, reached: Mapping[int, int]) -> None:
        """See that the database did not go back: Kafka sends nothing again of what it was told is written."""
        for partition, next_offset in reached.items():
            told = self._told.get(partition, 0)
            if next_offset < told and partition not in self._catching_up:
                raise Behind(self._topic, partition, next_offset, told)

    def _refused_among(self, cursor: Cursor, records: list[InputRecord]) -> list[Refusal]:
        partitions = sorted({record.partition for record in records})
        offsets = [record.offset for record in records]
        found = cursor.execute(_REFUSED, [self._topic, partitions, min(offsets), max(offsets)]).fetchall()
        remembered = {(partition, offset): (error, reason) for partition, offset, error, reason in found}
        return [
            Refusal(record, *remembered[record.partition, record.offset])
            for record in records
            if (record.partition, record.offset) in remembered
        ]


def _next_offsets(records: Iterable[InputRecord]) -> dict[int, int]:
    reached: dict[int, int] = {}
    for record in records:
        reached[record.partition] = max(record.offset + 1, reached.get(record.partition, 0))
    return reached
