"""Which errors are the record's, and which the database's."""

import psycopg
import pytest
from psycopg import errors

from sinks.postgres.database import Database, check_dsn
from sinks.sink import InvalidRecord, Retriable


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (errors.NumericValueOutOfRange("x"), "bad-value"),
        (errors.CheckViolation("x"), "constraint"),
        (errors.ProgramLimitExceeded("x"), "too-large"),
        (psycopg.DataError("a NUL byte, found before it was sent"), "bad-value"),
        (errors.StatementTooComplex("x"), None),
        (errors.DeadlockDetected("x"), None),
        (errors.DiskFull("x"), None),
        (errors.InsufficientPrivilege("x"), None),
        (errors.UndefinedTable("x"), None),
        (psycopg.OperationalError("the server closed the connection"), None),
    ],
)
def test_only_what_is_wrong_with_the_values_is_the_records_fault(error: psycopg.Error, name: str | None) -> None:
    def dsn() -> str:
        raise error

    with pytest.raises((InvalidRecord, Retriable)) as raised, Database(dsn).transaction():
        pass
    assert getattr(raised.value, "error", None) == name


def test_a_connection_string_that_cannot_be_read_is_not_repeated() -> None:
    check_dsn("postgresql://u:p@h:5432/d")
    check_dsn("host=h dbname=d")
    with pytest.raises(ValueError, match="is no connection string") as raised:
        check_dsn("hunter2 is my password")
    assert "hunter2" not in str(raised.value)
