"""The PostgreSQL sink: each batch is one transaction of the database, offsets included."""

from collections.abc import Sequence

from runtime.processor import InputRecord
from sinks.postgres.database import Database
from sinks.postgres.offsets import Offsets
from sinks.postgres.table import Table
from sinks.sink import InvalidRecord, Refusal


class PostgresSink:
    """Writes one topic to one table. A batch that comes again changes nothing, and is refused the same."""

    def __init__(self, database: Database, offsets: Offsets, table: Table) -> None:
        """Write to `table` through `database`; nothing happens before the first batch."""
        self._database = database
        self._offsets = offsets
        self._table = table

    def write(self, records: Sequence[InputRecord]) -> list[Refusal]:
        """Write records, as `Sink` says.

        Raises:
            Behind: the database holds less of the topic than was written.
            SegwireError: it holds another topic.
        """
        try:
            return self._write(records)
        except InvalidRecord as refused:
            if len(records) > 1:
                raise
            refusal = Refusal(records[0], refused.error, refused.reason)
        with self._database.transaction() as cursor:
            found = self._offsets.sort(cursor, records)
            self._offsets.refuse(cursor, [refusal])
            self._offsets.advance(cursor, found.fresh)
        self._offsets.committed(found.fresh)
        return [refusal]

    def look(self, partition: int) -> None:
        """See how far a partition is written.

        Raises:
            Retriable: the database cannot be reached, or does not do it.
            Behind: the database holds less of it than was written.
            SegwireError: it holds another topic.
        """
        with self._database.transaction() as cursor:
            self._offsets.lock(cursor, [partition])

    def skip_to(self, partition: int, offset: int) -> None:
        """Store that there is nothing more to write before an offset."""
        with self._database.transaction() as cursor:
            self._offsets.advance_to(cursor, {partition: offset})

    def _write(self, records: Sequence[InputRecord]) -> list[Refusal]:
        with self._database.transaction() as cursor:
            found = self._offsets.sort(cursor, records)
            if not found.fresh:
                return found.refused_before
            refusals = self._table.write(cursor, found.fresh)
            self._offsets.refuse(cursor, refusals)
            self._offsets.advance(cursor, found.fresh)
        self._offsets.committed(found.fresh)
        return [*found.refused_before, *refusals]
