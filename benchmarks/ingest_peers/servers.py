"""The candidates: how each is started. All check signatures, all answer when all in-sync replicas have the message."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from membership.ours import build
from membership.process import CANDIDATE_CORE
from membership.surroundings import allocator

from ingest_peers.build import program, python

KEY = "partner_private_key_of_the_benchmark"
_SOURCES = Path(__file__).parent
_TICKS = os.sysconf("SC_CLK_TCK")
_START_S, _STOP_S = 60.0, 15.0
_CONFIGURATION = """
sources: {{partner: {{hmac: {{header: X-Signature, algorithm: sha1, keys: [{{secret_file: {key}}}]}}}}}}
"""


class Place(NamedTuple):
    """Where a candidate runs, and what it may use."""

    directory: Path
    cache: Path
    bootstrap_servers: str
    topic_prefix: str
    linger_ms: int


class Candidate(NamedTuple):
    """How a candidate is started and addressed; `topic` is where its messages go."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    topic: str
    path: str = "/ingest"
    port: int = 0
    """0: told in its ready file."""
    ready_file: Path | None = None


class Server:
    """A candidate that runs on its own core."""

    def __init__(self, candidate: Candidate, log: Path) -> None:
        """Start it, and wait until it accepts connections."""
        self.candidate = candidate
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                # It ends with the benchmark, however that ends.
                ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", str(CANDIDATE_CORE), *candidate.command],
                env={**os.environ, **allocator(), **candidate.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline_s = time.monotonic() + _START_S
        while not self._is_up():
            if self.process.poll() is not None or time.monotonic() > deadline_s:
                self.stop()
                raise SystemExit(f"{candidate.name}: does not start; see {log}:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)

    @property
    def port(self) -> int:
        """Where it listens."""
        if self.candidate.ready_file is None:
            return self.candidate.port
        url: str = json.loads(self.candidate.ready_file.read_text(encoding="utf-8"))["urls"]["ingest"]
        return int(url.rpartition(":")[2])

    def cpu_s(self) -> float:
        """Return the CPU time used so far, user and system, by all threads."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii")
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def rss_bytes(self) -> int:
        """Return the resident size now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    def stop(self) -> None:
        """Stop in order, by force when that takes too long."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _is_up(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except (OSError, ValueError):
            return False
        return True


def ours(place: Place) -> Candidate:
    """Return Segwire as shipped."""
    return _ours(place, "Segwire", "ours")


def ours_by_asgi(place: Place) -> Candidate:
    """Return Segwire with every request answered by its ASGI application."""
    return _ours(place, "Segwire by ASGI", "ours-asgi", direct=False)


def ours_in_python(place: Place) -> Candidate:
    """Return Segwire with nothing compiled."""
    return _ours(place, "Segwire, not compiled", "ours-python", compiled=False)


@cache
def _wheel(directory: Path, *, compiled: bool) -> str:
    return str(build(directory, compiled=compiled))


def _ours(place: Place, name: str, folder: str, *, direct: bool = True, compiled: bool = True) -> Candidate:
    directory = place.directory / folder
    directory.mkdir()
    key, configuration, ready = directory / "key", directory / "segwire.yaml", directory / "ready.json"
    key.write_text(KEY, encoding="ascii")
    configuration.write_text(_CONFIGURATION.format(key=key), encoding="ascii")
    prefix = f"{place.topic_prefix}{directory.name}-"
    environment = {
        "PYTHONPATH": _wheel(place.cache, compiled=compiled),
        "SEGWIRE_DATA_DIR": str(directory / "data"),
        "SEGWIRE_KAFKA__BOOTSTRAP_SERVERS": place.bootstrap_servers,
        "SEGWIRE_KAFKA__TOPIC_PREFIX": prefix,
        "SEGWIRE_INGEST__LINGER_MS": str(place.linger_ms),
        "SEGWIRE_LOG__LEVEL": "warning",
    }
    if not direct:
        environment["SEGWIRE_INGEST__HOT_ROUTE"] = "asgi"
    command = [
        *(str(Path(sys.executable).with_name("segwire")), "ingest", "--config", str(configuration)),
        *("--port", "0", "--ready-file", str(ready)),
    ]
    return Candidate(name, command, environment, f"{prefix}aam-posts", "/v1/aam/partner", 0, ready)


def fastapi(place: Place) -> Candidate:
    """Return FastAPI, pydantic and aiokafka under uvicorn, with uvloop and httptools."""
    port = _free_port()
    command = [
        *(str(python(place.cache)), "-m", "uvicorn", "app:app", "--app-dir", str(_SOURCES / "fastapi_aiokafka")),
        *("--host", "127.0.0.1", "--port", str(port), "--loop", "uvloop", "--http", "httptools"),
        *("--no-access-log", "--log-level", "error"),
    ]
    return _peer(place, "FastAPI + pydantic + aiokafka", "fastapi", command, port)


def go(place: Place) -> Candidate:
    """Return net/http with franz-go."""
    return _peer(place, "Go net/http + franz-go", "go", [str(program("go", place.cache))], _free_port())


def bento(place: Place) -> Candidate:
    """Return Bento; its Kafka output does not linger."""
    command = [str(program("bento", place.cache)), "-c", str(_SOURCES / "bento" / "bento.yaml")]
    return _peer(place, "Bento, JSON parsed", "bento", command, _free_port())


CANDIDATES: Mapping[str, Callable[[Place], Candidate]] = {
    "ours": ours,
    "ours-asgi": ours_by_asgi,
    "ours-python": ours_in_python,
    "go": go,
    "bento": bento,
    "fastapi": fastapi,
}
USUAL = tuple(name for name in CANDIDATES if name != "ours-python")


def _peer(place: Place, name: str, short: str, command: Sequence[str], port: int) -> Candidate:
    topic = f"{place.topic_prefix}{short}"
    environment = {
        "BOOTSTRAP_SERVERS": place.bootstrap_servers,
        "TOPIC": topic,
        "PORT": str(port),
        "SIGNING_KEY": KEY,
        "LINGER_MS": str(place.linger_ms),
        # One core: threads that wait for each other's turn would only cost.
        "GOMAXPROCS": "1",
    }
    return Candidate(name, command, environment, topic, port=port)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
