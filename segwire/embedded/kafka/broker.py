"""One run of a broker: format where needed, start, wait until it answers, stop."""

import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from segwire.embedded.kafka.errors import BrokerDiedError, EmbeddedKafkaError
from segwire.embedded.kafka.java import Java
from segwire.embedded.kafka.ports import HOST, any_free_port
from segwire.embedded.kafka.properties import broker_settings, render_properties
from segwire.embedded.kafka.storage import Storage
from segwire.embedded.process import BoundProcess

READY_LIMIT_S = 180.0
LEADERS_LIMIT_S = 10.0
FORMAT_LIMIT_S = 120.0
STOP_GRACE_S = 10.0
SHOWN_LINES = 20
POLL_S = 0.01


class Broker:
    """A broker on the data of a `Storage`, at a port that is thought to be free."""

    def __init__(self, java: Java, storage: Storage, port: int, flags: Sequence[str] = ()) -> None:
        self._java = java
        self._storage = storage
        self._port = port
        self._flags = tuple(flags)
        self._process: BoundProcess | None = None
        self._log_start_bytes = 0

    @property
    def pid(self) -> int | None:
        """The broker's process ID; None before the start."""
        return self._process.pid if self._process else None

    def format(self) -> None:
        """Make an empty data directory of a new cluster. Blocks for about a second.

        Raises:
            EmbeddedKafkaError: Kafka's tool refuses; with what it printed.
        """
        cluster_id = self._storage.begin_format()
        self._write_properties(self._storage.formatting)
        arguments = ["format", "--cluster-id", cluster_id, "--config", str(self._storage.properties)]
        command = self._java.command("kafka.tools.StorageTool", arguments, log=self._storage.log, flags=self._flags)
        done = subprocess.run(
            command,
            env=self._java.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=FORMAT_LIMIT_S,
            check=False,
        )
        if done.returncode != 0:
            printed = last_words(done.stdout.decode(errors="replace"))
            raise EmbeddedKafkaError(
                f"Kafka's data directory {self._storage.data} cannot be formatted (exit code {done.returncode}). "
                "It said:\n" + "\n".join(f"  {line}" for line in printed)
            )
        self._storage.end_format(cluster_id)

    def start(self, keep: Sequence[int] = ()) -> None:
        """Start the process, and return when it answers a client. Blocks.

        Args:
            keep: open files that the broker holds until it ends.

        Raises:
            BrokerDiedError: it ended instead.
            EmbeddedKafkaError: it does not answer.
        """
        self._write_properties(self._storage.data)
        self._log_start_bytes = self._storage.log.stat().st_size if self._storage.log.exists() else 0
        command = self._java.command(
            "kafka.Kafka", [str(self._storage.properties)], log=self._storage.log, flags=self._flags
        )
        self._process = BoundProcess(
            command, environment=self._java.environment(), output=self._storage.console, keep=keep
        )
        try:
            self._wait_until_ready()
        except BaseException:
            self._process.kill()
            raise

    def poll(self) -> int | None:
        """Return None while it runs, else the exit code."""
        return self._process.poll() if self._process else None

    def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """Stop in order within the grace, else at once. Blocks; harmless when not started."""
        if self._process is not None and self._process.poll() is None:
            self._process.stop(grace_s)

    def said(self) -> list[str]:
        """Return the last lines that this run wrote, to its log and to its console."""
        with_offset = ((self._storage.log, self._log_start_bytes), (self._storage.console, 0))
        return [line for path, start_bytes in with_offset for line in _last_lines(path, start_bytes)]

    def died(self) -> BrokerDiedError:
        """Explain the end of the process, with its own last words."""
        lines = self.said() or ["(nothing)"]
        return BrokerDiedError(
            f"Kafka ended by itself with exit code {self.poll()}. The last it said (whole: {self._storage.log}):\n"
            + "\n".join(f"  {line}" for line in lines)
            + "\nMend what it names and start again, or start without these data: "
            f"mv {self._storage.root} {self._storage.root}.old"
        )

    def _write_properties(self, log_dir: Path) -> None:
        settings = broker_settings(log_dir, self._port, any_free_port())
        self._storage.properties.write_text(render_properties(settings), encoding="ascii")

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_LIMIT_S
        self._wait_for_port(deadline)
        # Only now a client: one that meets a closed port waits longer before it tries again than a start takes.
        admin = AdminClient({"bootstrap.servers": f"{HOST}:{self._port}", "log_level": 0})
        cluster_id = self._storage.check().cluster_id
        # Another's broker may have taken the port just before: then ours ends, saying so.
        while not _answers(admin, cluster_id):
            self._check(deadline)
            time.sleep(POLL_S)
        # Stored partitions find their leader a moment later. One that never does is for who uses it, not for the start.
        leaders_deadline = min(deadline, time.monotonic() + LEADERS_LIMIT_S)
        while not _has_leaders(admin) and time.monotonic() < leaders_deadline:
            self._check(deadline)
            time.sleep(POLL_S)

    def _wait_for_port(self, deadline: float) -> None:
        while True:
            self._check(deadline)
            try:
                socket.create_connection((HOST, self._port), timeout=1).close()
            except OSError:
                time.sleep(POLL_S)
            else:
                return

    def _check(self, deadline: float) -> None:
        if self.poll() is not None:
            raise self.died()
        if time.monotonic() > deadline:
            raise EmbeddedKafkaError(
                f"Kafka has not answered at {HOST}:{self._port} within {READY_LIMIT_S:.0f} s. "
                f"Look into {self._storage.log}; is the machine out of memory or of disk?"
            )


def _answers(admin: AdminClient, cluster_id: str) -> bool:
    try:
        metadata = admin.list_topics(timeout=1)
        return bool(metadata.brokers) and metadata.cluster_id == cluster_id
    except KafkaException:
        return False


def _has_leaders(admin: AdminClient) -> bool:
    try:
        topics = admin.list_topics(timeout=1).topics.values()
    except KafkaException:
        return False
    return all(partition.leader >= 0 for topic in topics for partition in topic.partitions.values())


def last_words(text: str) -> list[str]:
    """Return the last lines that say something to a person: no stack frames."""
    lines = (line.rstrip() for line in text.splitlines() if not line.lstrip().startswith(("at ", "... ")))
    return [line for line in lines if line][-SHOWN_LINES:]


def _last_lines(path: Path, start_bytes: int) -> list[str]:
    try:
        with path.open("rb") as file:
            if path.stat().st_size >= start_bytes:  # else it was rotated since
                file.seek(start_bytes)
            return last_words(file.read().decode(errors="replace"))
    except FileNotFoundError:
        return []
