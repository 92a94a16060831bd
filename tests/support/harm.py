"""A Kafka that may be harmed, and what the endpoint makes of it."""

import os
import signal
from pathlib import Path

from runtime.settings import KafkaSettings
from segwire.embedded.kafka.server import EmbeddedKafka
from tests.support.ingest_process import IngestProcess, read_records
from tests.support.kafka import LIMIT_S, wait_until
from tests.support.load import number_of


class HarmedKafka:
    """A broker that may be killed and frozen, and comes back where it was."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._server = EmbeddedKafka(directory, port=0, train=False)
        self._server.start()
        self.bootstrap_servers = self._server.bootstrap_servers

    def signal(self, number: int) -> None:
        """Send a signal; a stop is waited for, as a thread on another core goes on for a moment."""
        pid = self._server.pid
        assert pid is not None
        os.kill(pid, number)
        if number == signal.SIGSTOP:
            wait_until(lambda: set(_thread_states(pid)) == {"T"}, "every thread has stopped")

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self._server.stop()

    def start_again(self) -> None:
        self._server = EmbeddedKafka(self._directory, port=int(self.bootstrap_servers.split(":")[1]), train=False)
        self._server.start()

    def stop(self) -> None:
        if self._server.poll() is None:
            self.signal(signal.SIGCONT)
        self._server.stop()


def stored(topics: KafkaSettings) -> list[int]:
    records = read_records(topics.bootstrap_servers or "", topics.topic_prefix + "aam-posts")
    return [number_of(value) for value, _ in records]


def metric(ingest: IngestProcess, name: str) -> float:
    lines = ingest.get_management("/metrics").body.decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)


def state_is(ingest: IngestProcess, state: str) -> bool:
    exposition = ingest.get_management("/metrics").body.decode()
    return f'segwire_ingest_state{{state="{state}"}} 1.0' in exposition


def wait_until_empty(ingest: IngestProcess) -> None:
    wait_until(lambda: metric(ingest, "segwire_ingest_spool_records") == 0, "an empty spool", 2 * LIMIT_S)


def _thread_states(pid: int) -> list[str]:
    """Return the state of each thread of a process, as `/proc` calls it."""
    stats = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return [stat.rpartition(")")[2].split()[0] for stat in stats]
