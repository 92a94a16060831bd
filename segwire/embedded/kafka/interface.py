"""What every way of running a Kafka has in common."""

from typing import Protocol


class KafkaServer(Protocol):
    """A Kafka that somebody starts and stops."""

    @property
    def bootstrap_servers(self) -> str:
        """The addresses for clients, `HOST:PORT`; known once started."""

    def start(self) -> None:
        """Start, and return when the broker answers. Blocks."""

    def poll(self) -> int | None:
        """Return None while it runs, else the exit code."""

    def stop(self) -> None:
        """Stop in order and release everything. Blocks; harmless when not started or stopped before."""
