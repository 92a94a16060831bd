"""A connection to the database: opened when it is needed, given up when anything about it fails."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg
import structlog
from psycopg import Connection, conninfo, errors

from sinks.postgres.connection import ImpatientConnection
from sinks.postgres.migrate import migrate
from sinks.sink import InvalidRecord, Retriable

_log = structlog.get_logger()

# The last one ends a transaction of ours whose process is frozen: another's waits for it.
_SESSION = """
    SET statement_timeout = '{limit_s}s';
    SET lock_timeout = '10s';
    SET idle_in_transaction_session_timeout = '20s';
    SET client_encoding = 'UTF8';
    SET timezone = 'UTC'
"""
STATEMENT_LIMIT_S = 30
# It answers that it has given up; who does not even say so is given up by us.
_ANSWER_S = 5.0

# By the class of the SQLSTATE: what is wrong with the values themselves.
_OF_THE_RECORD = {"22": "bad-value", "23": "constraint", "54": "too-large"}


def check_dsn(dsn: str) -> None:
    """See that a connection string can be read.

    Raises:
        ValueError: it cannot; the message does not repeat it.
    """
    try:
        conninfo.conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        raise ValueError(
            "is no connection string; write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or host=… dbname=…"
        ) from None


class Database:
    """One connection, for one thread."""

    def __init__(self, dsn: Callable[[], str], limit_s: int = STATEMENT_LIMIT_S, answer_s: float = _ANSWER_S) -> None:
        """Connect to what `dsn` returns, which is asked at each new connection.

        A statement may take `limit_s`, and the server's word that it took longer `answer_s` more.
        """
        self._dsn = dsn
        self._limit_s = limit_s
        self._answer_s = answer_s
        self._connection: Connection | None = None

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Cursor]:
        """Open a transaction, committed at the end.

        Raises:
            Retriable: the database cannot be reached, or does not do it.
            InvalidRecord: it refuses a value. Nothing was written.
        """
        try:
            connection = self._connected()
            with connection.transaction(), connection.cursor() as cursor:
                yield cursor
        except psycopg.Error as error:
            invalid = _invalid(error)
            if invalid is not None:
                raise invalid from error
            self.close()
            raise Retriable(f"{type(error).__name__}: {_first_line(error)}") from error

    def close(self) -> None:
        """Let go of the connection; the next transaction opens another."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            connection = ImpatientConnection.open(_given(self._dsn()), self._limit_s + self._answer_s)
            try:
                connection.execute(_SESSION.format(limit_s=self._limit_s).encode())
                migrate(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
            _log.info("database_connected", server_version=connection.info.server_version)
        return self._connection


def _given(dsn: str) -> dict[str, str | int]:
    return {name: value for name, value in conninfo.conninfo_to_dict(dsn).items() if value is not None}


def _invalid(error: psycopg.Error) -> InvalidRecord | None:
    """Return what is wrong with the values, None where it is not they."""
    state = error.sqlstate or ""
    name = _OF_THE_RECORD.get(state[:2])
    if name is None and isinstance(error, psycopg.DataError):  # found before it was sent
        name = "bad-value"
    if name is None or isinstance(error, errors.StatementTooComplex):
        return None
    return InvalidRecord(name, _first_line(error))


def _first_line(error: psycopg.Error) -> str:
    return str(error).partition("\n")[0]
