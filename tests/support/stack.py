"""The installed `segwire`, run as a person runs it: commands, and a whole `segwire up`."""

import http.client
import json
import os
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from tests.support.kafka import wait_until

# Far above what any step takes, so that a slow machine fails nothing.
LIMIT_S = 120.0

Completed = subprocess.CompletedProcess[str]


class Segwire:
    """The commands of an installed wheel, run outside the checkout."""

    def __init__(self, executable: Path, home: Path) -> None:
        self._executable = executable
        self.home = home

    def command(self, *arguments: str) -> list[str]:
        """Return a command line."""
        return [str(self._executable), *arguments]

    def environment(self, **variables: str) -> dict[str, str]:
        """Return an environment in which nothing leads to the checkout or configures Segwire."""
        foreign = ("SEGWIRE_", "PYTHON", "PYTEST_", "VIRTUAL_ENV", "COV_")
        return {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | variables

    def run(self, *arguments: str, **variables: str) -> Completed:
        """Run a command to its end."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.home,
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )


class Up:
    """A `segwire up` on a data directory; it can be started more than once, each time on the same ports."""

    def __init__(self, segwire: Segwire, data_dir: Path, *options: str) -> None:
        self.segwire = segwire
        self.data_dir = data_dir
        self._options = options
        self._ready_file = data_dir.with_name(f"{data_dir.name}.ready.json")
        self._output = data_dir.with_name(f"{data_dir.name}.log")
        self._process: subprocess.Popen[bytes] | None = None
        self.awaited: Counter[str] = Counter()
        """How many events of a user a test has waited for."""

    @property
    def process(self) -> psutil.Process:
        """The supervisor."""
        assert self._process is not None
        return psutil.Process(self._process.pid)

    @property
    def said(self) -> str:
        """Everything that every start printed."""
        return self._output.read_text(encoding="utf-8")

    @property
    def urls(self) -> Mapping[str, str]:
        """The URLs of the ready file."""
        urls: Mapping[str, str] = self._ready["urls"]
        return urls

    @property
    def bootstrap_servers(self) -> str:
        """The Kafka of the ready file."""
        return str(self._ready["bootstrap_servers"])

    @property
    def _ready(self) -> Any:
        return json.loads(self._ready_file.read_text(encoding="utf-8"))

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        command = self.segwire.command("up", "--no-ui", "--data-dir", str(self.data_dir), *self._options)
        self._ready_file.unlink(missing_ok=True)
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [*command, "--ready-file", str(self._ready_file)],
                cwd=self.segwire.home,
                env=self.segwire.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        process = self._process
        wait_until(lambda: self._ready_file.exists() or process.poll() is not None, "`up` is ready", LIMIT_S)
        assert process.poll() is None, self.said

    def stop(self) -> int:
        """Stop it in order and return its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(LIMIT_S)

    def end(self) -> None:
        """Leave nothing running, whatever happened."""
        if self._process is not None and self._process.poll() is None:
            self.kill_everything()

    def family(self) -> list[psutil.Process]:
        """Return all that it started."""
        return self.process.children(recursive=True)

    def kill_everything(self) -> None:
        """SIGKILL for it and all that it started, at one moment: nobody gets to see another's end."""
        assert self._process is not None
        family = [self.process, *self.family()]
        for process in family:
            _signal(process, signal.SIGSTOP)
        for process in family:
            _signal(process, signal.SIGKILL)
        self._process.wait(LIMIT_S)
        _, alive = psutil.wait_procs(family, LIMIT_S)
        assert not alive

    def kill_supervisor(self) -> None:
        """SIGKILL for it alone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(LIMIT_S)

    def child(self, name: str) -> psutil.Process:
        """Return the process of a service, or of Kafka, by the command line that is its title."""
        title = {"kafka": "kafka.Kafka", "fan-out": "segwire process fan-out", "membership": "segwire process mem"}
        wanted = title.get(name, f"segwire {name}")
        wait_until(lambda: bool(self._titled(wanted)), f"a process titled {wanted!r}", LIMIT_S)
        return self._titled(wanted)[0]

    def _titled(self, wanted: str) -> list[psutil.Process]:
        return [process for process in self.family() if wanted in _title(process)]

    def post(self, body: bytes) -> int:
        """Send one message and return the status."""
        connection = http.client.HTTPConnection(urlsplit(self.urls["ingest"]).netloc, timeout=LIMIT_S)
        try:
            connection.request("POST", "/v1/aam/dev", body, {"Content-Type": "application/json"})
            return connection.getresponse().status
        finally:
            connection.close()

    def acknowledged(self) -> int:
        """Return how many messages the present ingest process answered 200; -1 where it does not answer at all."""
        connection = http.client.HTTPConnection(urlsplit(self.urls["ingest-management"]).netloc, timeout=LIMIT_S)
        try:
            connection.request("GET", "/metrics")
            lines = connection.getresponse().read().decode().splitlines()
        except OSError:
            return -1
        finally:
            connection.close()
        found = [line for line in lines if line.startswith("segwire_ingest_answers_total{") and 'status="200"' in line]
        return int(sum(float(line.rpartition(" ")[2]) for line in found))

    def ask(self, *arguments: str) -> Completed:
        """Run a command that talks to it."""
        return self.segwire.run(*arguments, "--data-dir", str(self.data_dir))

    def records(self, topic: str, *options: str) -> list[dict[str, Any]]:
        """Read a topic as it is now."""
        done = self.ask("topics", "read", topic, *options)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


class Simulation:
    """A `segwire simulate` in the background that sends until told to stop, and then verifies."""

    def __init__(self, up: Up, *options: str) -> None:
        arguments = ["--url", up.urls["ingest"], "--verify", "--json", "--duration", "86400", "--settle", "90"]
        self._process = subprocess.Popen(
            up.segwire.command("simulate", *arguments, "--data-dir", str(up.data_dir), *options),
            cwd=up.segwire.home,
            env=up.segwire.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def is_sending(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def finish(self) -> dict[str, Any]:
        """Stop sending, verify, and return the report."""
        self._process.send_signal(signal.SIGTERM)
        output, errors = self._process.communicate(timeout=2 * LIMIT_S)
        assert output, errors
        report: dict[str, Any] = json.loads(output)
        return report | {"exit_code": self._process.returncode}

    def end(self) -> None:
        """Leave nothing running."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


@contextmanager
def running_up(segwire: Segwire, data_dir: Path, *options: str) -> Iterator[Up]:
    """Run `segwire up` on a data directory; nothing of it is left afterwards."""
    up = Up(segwire, data_dir, *options)
    try:
        up.start()
        yield up
    finally:
        up.end()


@contextmanager
def simulating(up: Up, *options: str) -> Iterator[Simulation]:
    """Send traffic in the background."""
    simulation = Simulation(up, *options)
    try:
        yield simulation
    finally:
        simulation.end()


def five_free_ports() -> str:
    """Return the first of five free ports in a row, for a pipeline that keeps its ports when it starts again."""
    for first in range(21_000 + os.getpid() % 1000 * 8, 32_000, 5):
        with ExitStack() as sockets:
            try:
                for port in range(first, first + 5):
                    sockets.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return str(first)
    raise AssertionError("no five free ports in a row")
