"""Brings a database's tables to the version that this program writes."""

from importlib.resources import files
from typing import NamedTuple

import structlog
from psycopg import Connection

from runtime.errors import SegwireError

_log = structlog.get_logger()

# Held while migrating, so that two processes that start together do not both do it.
_LOCK = 0x5E6_317E

_TABLE = """
    CREATE TABLE IF NOT EXISTS segwire_sink_migration (
        version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
    )
"""
_APPLIED = "SELECT coalesce(max(version), 0) FROM segwire_sink_migration"


class Migration(NamedTuple):
    """One step of the tables."""

    version: int
    name: str
    sql: str


def migrations() -> list[Migration]:
    """Return every migration, in order."""
    folder = files("sinks.postgres.migrations")
    found = [entry for entry in folder.iterdir() if entry.name.endswith(".sql")]
    return sorted(
        Migration(int(entry.name[:4]), entry.name.removesuffix(".sql"), entry.read_text(encoding="utf-8"))
        for entry in found
    )


def migrate(connection: Connection) -> None:
    """Apply what is missing, in one transaction. Does nothing, and needs no right to, where nothing is.

    Raises:
        SegwireError: the tables are of a newer version than this program knows.
        psycopg.Error: the database does not let us.
    """
    known = migrations()
    with connection.transaction():
        if _is_there(connection) and _applied(connection) == known[-1].version:
            return
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        connection.execute(_TABLE)
        applied = _applied(connection)
        if applied > known[-1].version:
            raise SegwireError(
                f"the database's tables have version {applied}, and this Segwire knows {known[-1].version}: a newer "
                "one was here; install that one, or name another database or schema in the connection string"
            )
        for migration in known[applied:]:
            connection.execute(migration.sql.encode())
            connection.execute(
                "INSERT INTO segwire_sink_migration (version, name) VALUES (%s, %s)",
                [migration.version, migration.name],
            )
            _log.info("database_migrated", migration=migration.name)


def _is_there(connection: Connection) -> bool:
    row = connection.execute("SELECT to_regclass('segwire_sink_migration')").fetchone()
    return row is not None and row[0] is not None


def _applied(connection: Connection) -> int:
    row = connection.execute(_APPLIED).fetchone()
    assert row is not None
    return int(row[0])
