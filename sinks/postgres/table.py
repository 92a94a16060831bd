"""What the two tables have in common: how a record's values are sent to the database."""

from collections.abc import Sequence
from typing import Protocol

import msgspec
from psycopg import Cursor

from runtime.processor import InputRecord
from schemas.event import Partner
from sinks.sink import Refusal

# COPY in binary, which is quick, wants every value's type said.
TEXT, NUMBER, SMALL_NUMBER, JSON = "text", "int8", "int4", "text"

_encode_json = msgspec.json.Encoder().encode


class Table(Protocol):
    """A table that a topic is written to. Each method runs inside the transaction of `cursor`."""

    def write(self, cursor: Cursor, records: Sequence[InputRecord]) -> list[Refusal]:
        """Write records; what was written before changes nothing. Return those that cannot be read.

        Raises:
            psycopg.Error: the database refuses them, or fails.
        """


def as_json(value: list[Partner] | list[int]) -> str:
    """Return a list as JSON text."""
    return _encode_json(value).decode()


def time_of(column: str) -> str:
    """Return SQL for a staged time: from epoch milliseconds, exactly."""
    return f"to_timestamp({column} / 1000) + {column} % 1000 * interval '1 millisecond'"
