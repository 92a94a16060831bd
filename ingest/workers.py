"""Several endpoints on one port: processes that a parent starts, watches, starts again and ends with itself."""

import json
import multiprocessing
import os
import sys
import tempfile
from multiprocessing.context import SpawnProcess
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry
from setproctitle import setproctitle

from ingest.app import check, run
from ingest.server import bind
from ingest.worker_reports import WorkerMetrics, not_ready
from runtime.clock import Clock, SystemClock
from runtime.errors import SegwireError
from runtime.logs import configure_logs
from runtime.management import ManagementServer
from runtime.process import end_with_parent
from runtime.service import StopSignal, write_ready_file
from runtime.settings import Settings

_POLL_S = 0.1
_BACKOFF_S = (0.5, 1.0, 2.0, 5.0, 10.0)
# A worker that served so long before it died is started again at once.
_STABLE_S = 30.0
_END_MARGIN_S = 8.0

_log = structlog.get_logger()
_spawning = multiprocessing.get_context("spawn")


class Worker:
    """One process, and its successors."""

    def __init__(self, settings: Settings, number: int, workers: int, directory: Path, clock: Clock) -> None:
        """Describe it; its ready file is below `directory`."""
        self._arguments = (settings, directory / f"worker-{number}.json", number, workers, os.getpid())
        self._clock = clock
        self._ready_file = self._arguments[1]
        self._process: SpawnProcess | None = None
        self._failures = 0
        self._began_s = 0.0
        self._due_s = 0.0
        self.number = number

    def urls(self) -> dict[str, str] | None:
        """Return where it serves; None while it does not."""
        try:
            urls: dict[str, str] = json.loads(self._ready_file.read_text(encoding="utf-8"))["urls"]
        except (OSError, ValueError):
            return None
        return urls if self.is_alive() else None

    def is_alive(self) -> bool:
        """Tell whether its process runs."""
        return self._process is not None and self._process.is_alive()

    def start(self) -> None:
        """Start its process. Main thread only: the kernel ends it with the thread that started it."""
        self._ready_file.unlink(missing_ok=True)
        self._process = _spawning.Process(target=_work, args=self._arguments, name=f"ingest-{self.number}")
        self._process.start()
        self._began_s = self._clock.monotonic_s()

    def tend(self) -> int | None:
        """Start it again where it has died, not too often; return its exit code if it never was ready."""
        if self.is_alive() or self._process is None:
            return None
        now_s = self._clock.monotonic_s()
        if not self._due_s:
            code = self._process.exitcode or 0
            if not self._ready_file.exists() and not self._failures:
                return code or 1
            self._failures = 1 if now_s - self._began_s > _STABLE_S else self._failures + 1
            wait_s = _BACKOFF_S[min(self._failures, len(_BACKOFF_S)) - 1]
            self._due_s = now_s + wait_s
            _log.error("ingest_worker_died", worker=self.number, exit_code=code, starts_again_in_s=wait_s)
        elif now_s >= self._due_s:
            self._due_s = 0.0
            self.start()
        return None

    def end(self) -> None:
        """Ask it to end."""
        if self._process is not None and self._process.is_alive():
            self._process.terminate()

    def wait(self, until_s: float) -> None:
        """Wait for its end; at the time given it is killed."""
        if self._process is not None:
            self._process.join(max(0.0, until_s - self._clock.monotonic_s()))
            if self._process.is_alive():
                _log.error("ingest_worker_killed", worker=self.number)
                self._process.kill()
            self._process.join()


def run_workers(settings: Settings, ready_file: Path | None, workers: int) -> None:
    """Serve with several processes until SIGTERM or SIGINT, then drain them and return. Blocks; main thread only.

    Raises:
        ConfigurationError: no Kafka is configured, or a secret cannot be read.
        SegwireError: a port is taken, or a worker ended before it was ready.
    """
    configure_logs(settings.log, "ingest")
    stop = StopSignal()
    stop.install()
    check(settings)
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)
    clock = SystemClock()
    ingest = settings.ingest
    # A port that somebody else shares with their own processes is taken as well.
    bind(ingest.host, ingest.port).close()
    with bind(ingest.host, ingest.port, shared=True) as reserved, tempfile.TemporaryDirectory() as directory:
        shared = ingest.model_copy(update={"port": reserved.getsockname()[1], "management_port": 0})
        management = settings.management.model_copy(update={"host": "127.0.0.1"})
        own = settings.model_copy(update={"ingest": shared, "management": management})
        crew = [Worker(own, number, workers, Path(directory), clock) for number in range(workers)]
        registry = CollectorRegistry()
        registry.register(WorkerMetrics(crew))
        server = ManagementServer(
            settings.management.host, ingest.management_port, lambda: not_ready(crew, stop), registry=registry
        )
        server.start()
        try:
            _supervise(crew, stop, settings, ready_file, server.url)
        finally:
            end_s = clock.monotonic_s() + (ingest.drain_grace_ms + ingest.drain_timeout_ms) / 1000 + _END_MARGIN_S
            for worker in crew:
                worker.end()
            for worker in crew:
                worker.wait(end_s)
            server.stop()


def _supervise(
    crew: list[Worker], stop: StopSignal, settings: Settings, ready_file: Path | None, management_url: str
) -> None:
    for worker in crew:
        worker.start()
    is_told = False
    while not stop.wait(_POLL_S):
        for worker in crew:
            code = worker.tend()
            if code is not None:
                raise SegwireError(
                    f"ingest worker {worker.number} ended with exit code {code} before it was ready; "
                    "its own lines above say why"
                )
        urls = crew[0].urls()
        if not is_told and urls is not None and all(worker.urls() for worker in crew):
            is_told = True
            _log.info("ingest_workers_ready", workers=len(crew), url=urls["ingest"], management=management_url)
            if ready_file is not None:
                told = {"ingest": urls["ingest"], "ingest-management": management_url}
                write_ready_file(ready_file, told, settings.kafka.bootstrap_servers or "")


def _work(settings: Settings, ready_file: Path, number: int, workers: int, parent_pid: int) -> None:
    """Be a worker."""
    setproctitle(f"segwire ingest worker {number}")
    drain_s = (settings.ingest.drain_grace_ms + settings.ingest.drain_timeout_ms) / 1000
    end_with_parent(parent_pid, int(drain_s + _END_MARGIN_S))
    try:
        run(settings, ready_file, number, workers)
    except SegwireError as error:
        sys.stderr.write(f"segwire: {error}\n")
        sys.exit(error.exit_code)
