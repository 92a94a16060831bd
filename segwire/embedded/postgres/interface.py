"""What every way of running a PostgreSQL has in common."""

from typing import Protocol

from segwire.embedded.errors import EmbeddedServerError


class PostgresServer(Protocol):
    """A PostgreSQL that somebody starts and stops."""

    @property
    def dsn(self) -> str:
        """The connection string; the same after a restart."""

    def start(self) -> None:
        """Start, and return when it answers. Blocks."""

    def poll(self) -> int | None:
        """Return None while it runs, else the exit code."""

    def died(self) -> EmbeddedServerError:
        """Explain why `poll` returned an exit code."""

    def stop(self) -> None:
        """Stop in order and release everything. Blocks; harmless when not started or stopped before."""
