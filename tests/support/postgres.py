"""Databases of their own for tests, and what is in them."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from runtime.processor import InputRecord
from segwire.embedded.postgres.container import TestcontainersPostgres
from segwire.embedded.postgres.interface import PostgresServer
from segwire.embedded.postgres.server import EmbeddedPostgres
from sinks.postgres.catching_up import CatchingUpSink
from sinks.postgres.changes import ChangeTable
from sinks.postgres.database import Database
from sinks.postgres.membership import MembershipTable
from sinks.postgres.offsets import Offsets
from sinks.postgres.sink import PostgresSink
from tests.support.sinks import ManualClock

_MS = "(extract(epoch FROM {0}) * 1000)::bigint"
_TIMES = {"since", "verified_at", "expires_at", "changed_at", "previous_since"}


def choose_postgres(option: str, data_dir: Path) -> PostgresServer:
    """Turn the value of `--postgres` into a server that is not yet started."""
    return TestcontainersPostgres(data_dir) if option == "testcontainers" else EmbeddedPostgres(data_dir)


def fresh_database(server: PostgresServer) -> str:
    """Make a database; return its connection string."""
    name = f"test_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return make_conninfo(server.dsn, dbname=name)


@contextmanager
def frozen(server: PostgresServer) -> Iterator[None]:
    """Let no process of a server do anything, as on a machine that stands still."""
    if not isinstance(server, EmbeddedPostgres):
        pytest.skip("the processes of a container are not ours to stop")
    postmaster = psutil.Process(server.pid)
    processes = [postmaster, *postmaster.children()]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


def query(dsn: str, sql: str) -> list[Any]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute(sql.encode()).fetchall()


def execute(dsn: str, sql: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(sql.encode())


def table(dsn: str, name: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return rows in the order of their values, times as epoch milliseconds."""
    shown = [_MS.format(column) if column in _TIMES else column for column in columns]
    return sorted(query(dsn, f"SELECT {', '.join(shown)} FROM {name}"), key=repr)


class Tables:
    """A database, and sinks that write to it."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self._open: list[Database] = []

    def sink(
        self, kind: MembershipTable | ChangeTable | None = None, topic_id: str = "one", limit_s: int = 30
    ) -> PostgresSink:  # fmt: skip
        self._open.append(Database(lambda: self.dsn, limit_s, answer_s=limit_s))
        return PostgresSink(self._open[-1], Offsets("rows", topic_id), kind or MembershipTable())

    def catching_up(
        self, log: Sequence[InputRecord], committed: int, clock: ManualClock | None = None, part_s: float = 0
    ) -> CatchingUpSink:
        """Return a sink that reads `log` again where the database has lost some; each part takes `part_s`."""
        clock = clock or ManualClock()
        offsets = Offsets("rows", "one", {0: committed})
        self._open.append(Database(lambda: self.dsn))

        def read(partition: int, start: int, end: int) -> Iterator[InputRecord]:
            for record in log[start:end]:
                clock.at_s += part_s / 2
                yield record

        sink = PostgresSink(self._open[-1], offsets, MembershipTable())
        return CatchingUpSink(sink, offsets, read, clock)

    def query(self, sql: str) -> list[Any]:
        return query(self.dsn, sql)

    def execute(self, sql: str) -> None:
        execute(self.dsn, sql)

    def close(self) -> None:
        for database in self._open:
            database.close()


def refused(found: Sequence[Any]) -> list[tuple[int, str]]:
    return [(refusal.record.offset, refusal.error) for refusal in found]


def records_of(values: Sequence[tuple[bytes, bytes | None]], first: int = 0) -> list[InputRecord]:
    return [InputRecord(0, first + n, key, value, None, 1) for n, (key, value) in enumerate(values)]
