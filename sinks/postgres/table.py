"""What the two tables have in common: how a batch of records gets into the database."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Protocol

from psycopg import Cursor

from runtime.processor import InputRecord
from sinks.postgres.copying import HEADER, TRAILER
from sinks.sink import Refusal

# The server takes what is sent in while the next rows are read.
_SENT_ROWS = 256


class Table(Protocol):
    """A table that a topic is written to. Each method runs inside the transaction of `cursor`."""

    def write(self, cursor: Cursor, records: Sequence[InputRecord]) -> list[Refusal]:
        """Write records; what was written before changes nothing. Return those that cannot be read.

        Raises:
            psycopg.Error: the database refuses them, or fails.
        """


def copy_tuples(cursor: Cursor, statement: str, tuples: Iterable[bytes]) -> None:
    """Send tuples of `sinks.postgres.copying` to a COPY, as they come.

    Raises:
        psycopg.Error: the database refuses them, or fails.
    """
    with cursor.copy(statement) as copy:
        left = iter(tuples)
        copy.write(HEADER)
        while part := b"".join(islice(left, _SENT_ROWS)):
            copy.write(part)
        copy.write(TRAILER)


def time_of(column: str) -> str:
    """Return SQL for a staged time: from epoch milliseconds, exactly."""
    return f"to_timestamp({column} / 1000) + {column} % 1000 * interval '1 millisecond'"
