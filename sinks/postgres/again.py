"""Writes old records to the database again, beside the live sink: redriven letters, and backfills.

A row is guarded by its version. What has none is a tombstone: a membership that was deleted must not come back by a row
from before. So the database's own position is locked, and the log up to it tells what is over. Source: ADR 10.
"""

from collections.abc import Sequence
from typing import Protocol

from runtime.kafka.reading import Read
from runtime.processor import InputRecord
from sinks.postgres.database import Database
from sinks.postgres.offsets import Offsets
from sinks.postgres.table import Table
from sinks.sink import Refusal

# Past every record: a reading ends at the present end.
_TO_THE_END = 1 << 62


class KnowsWhatIsOver(Protocol):
    """Tells which records of a partition may still be written."""

    def look(self, partition: int, records: Sequence[InputRecord]) -> None:
        """Read most of what there is to know, while nobody waits for it."""

    def living(self, partition: int, records: Sequence[InputRecord], end: int) -> list[InputRecord]:
        """Return those that nothing in the log before `end` has made void; `look` was called for them."""


class Tombstones:
    """For records that were just read from the log, in ascending parts: what is over was deleted since."""

    def __init__(self, read: Read) -> None:
        """Look for tombstones with `read`, in each part of a partition once."""
        self._read = read
        self._next: dict[int, int] = {}
        self._deleted: dict[int, dict[bytes, int]] = {}

    def look(self, partition: int, records: Sequence[InputRecord]) -> None:
        """Read the partition from the first record on, the first time."""
        if partition not in self._next:
            self._next[partition], self._deleted[partition] = records[0].offset, {}
            self._read_on(partition, _TO_THE_END)

    def living(self, partition: int, records: Sequence[InputRecord], end: int) -> list[InputRecord]:
        """Return the rows that no tombstone before `end` follows."""
        self._read_on(partition, end)
        deleted = self._deleted[partition]
        # The sink deletes by itself; but what it has deleted before, it would not delete again.
        return [r for r in records if r.value is not None and r.offset >= deleted.get(r.key or b"", 0)]

    def _read_on(self, partition: int, end: int) -> None:
        for record in self._read(partition, self._next[partition], end):
            self._next[partition] = record.offset + 1
            if record.value is None and record.key is not None:
                self._deleted[partition][record.key] = record.offset


class LastOfKey:
    """For single records of long ago: tombstones may be gone by compaction, so a record has to be there itself."""

    def __init__(self, read: Read) -> None:
        """Read the log from each record on with `read`."""
        self._read = read
        self._next = 0
        self._last: dict[bytes | None, int] = {}

    def look(self, partition: int, records: Sequence[InputRecord]) -> None:
        """Read the partition from the first of these records on."""
        self._next = min(record.offset for record in records)
        self._last = {record.key: -1 for record in records}
        self._read_on(partition, _TO_THE_END)

    def living(self, partition: int, records: Sequence[InputRecord], end: int) -> list[InputRecord]:
        """Return those that are still the last of their key."""
        self._read_on(partition, end)
        return [record for record in records if self._last[record.key] == record.offset]

    def _read_on(self, partition: int, end: int) -> None:
        for record in self._read(partition, self._next, end):
            self._next = record.offset + 1
            if record.key in self._last:
                self._last[record.key] = record.offset


class RewritingSink:
    """Writes records of any age to a table, as `Sink` says."""

    def __init__(self, database: Database, offsets: Offsets, table: Table, over: KnowsWhatIsOver | None) -> None:
        """Write to `table`; without `over` nothing in it is ever replaced or deleted."""
        self._database = database
        self._offsets = offsets
        self._table = table
        self._over = over

    def write(self, records: Sequence[InputRecord]) -> list[Refusal]:
        """Write what is not older than what the database holds.

        Raises:
            Retriable: the database cannot be reached, or does not do it.
            InvalidRecord: it refuses a value.
        """
        if self._over is None:
            with self._database.transaction() as cursor:
                return self._table.write(cursor, records)
        parts: dict[int, list[InputRecord]] = {}
        for record in records:
            parts.setdefault(record.partition, []).append(record)
        refusals = []
        for partition, part in parts.items():
            self._over.look(partition, part)
            with self._database.transaction() as cursor:
                end = self._offsets.lock(cursor, [partition])[partition]
                refusals += self._table.write(cursor, self._over.living(partition, part, end))
        return refusals
