"""The embedded schema registry: `EmbeddedRegistry` puts the parts together."""

import http.client
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from segwire.embedded.data_lock import DataLock
from segwire.embedded.kafka.download import Fetch, fetch_by_jgo
from segwire.embedded.kafka.java import find_java
from segwire.embedded.kafka.ports import HOST, any_free_port, busy_port, choose_port
from segwire.embedded.kafka.progress import NoProgress, StartProgress
from segwire.embedded.process import BoundProcess
from segwire.embedded.registry.application import RegistryApplication, registry_cache_dir
from segwire.embedded.registry.errors import EmbeddedRegistryError
from segwire.embedded.registry.pin import REGISTRY
from segwire.embedded.registry.storage import RegistryStorage

# Of the API that Confluent's registry has, which every client of one speaks.
API_PATH = "/apis/ccompat/v7"
FIRST_PORT = 19081
_WHAT = "the schema registry"
_STARTS = 5
_START_LIMIT_S = 180.0
_STOP_GRACE_S = 10.0
_POLL_S = 0.05
_TAIL_LINES = 20
_BUSY = "seems to be in use by another process"
_FLAGS = (
    "-Xms64m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
)


class EmbeddedRegistry:
    """Apicurio Registry as a child process, on loopback only.

    It ends with this process, however that ends. Its schemas and their IDs are in `data_dir/registry` for the next
    start, unless they are kept in memory.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int | None = None,
        in_memory: bool = False,
        progress: StartProgress | None = None,
        cache_dir: Path | None = None,
        fetch: Fetch = fetch_by_jgo,
    ) -> None:
        """Describe it; nothing happens before `start`.

        Args:
            data_dir: the data directory of the whole pipeline.
            port: for clients; 0 for any; None for the last start's, else a free one from 19081 on.
            in_memory: keep no schema for the next start.
            progress: hears of the steps of a start.
            cache_dir: where the application is; None for the user's own, shared between projects.
            fetch: fetches it where the cache does not have it.
        """
        self._storage = RegistryStorage(data_dir)
        self._wanted_port = port
        self._in_memory = in_memory
        self._progress = progress or NoProgress()
        self._application = RegistryApplication(cache_dir or registry_cache_dir(), fetch, self._progress)
        self._lock = DataLock(self._storage.lock)
        self._process: BoundProcess | None = None
        self._port: int | None = None

    @property
    def url(self) -> str:
        """The URL for clients of Confluent's API.

        Raises:
            EmbeddedRegistryError: it was not started.
        """
        if self._port is None:
            raise EmbeddedRegistryError("The embedded schema registry was not started: call start() first")
        return registry_url(self._port)

    @property
    def pid(self) -> int | None:
        """The process ID; None before the start."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start, and return when it answers. Blocks: some seconds, and longer at the first time.

        Raises:
            SegwireError: it cannot run; the message says what, which value, and what to do.
        """
        java = find_java(()).executable  # before anything is downloaded for it
        application = self._application.ensure()
        try:
            self._storage.root.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
            self._storage.make()
            self._start_somewhere(java, application)
        except OSError as error:
            self.stop()
            raise EmbeddedRegistryError(
                f"{self._storage.root} cannot be used ({error}); mend it, or choose another --data-dir"
            ) from error
        except BaseException:
            self.stop()
            raise

    def poll(self) -> int | None:
        """Return None while it runs, else its exit code."""
        return None if self._process is None else self._process.poll()

    def died(self) -> EmbeddedRegistryError:
        """Explain why `poll` returned an exit code, with its last words."""
        said = "\n".join(f"  {line}" for line in self._storage.last_lines(_TAIL_LINES)) or "  (nothing)"
        return EmbeddedRegistryError(
            f"{REGISTRY.title} ended by itself with exit code {self.poll()}. The last it said (whole: "
            f"{self._storage.log}):\n{said}\nMend what it names and start again. Its schemas and their IDs are in "
            f"{self._storage.root}: keep them as long as there are records with these IDs"
        )

    def stop(self) -> None:
        """Stop it in order, after ten seconds by force. Blocks; harmless when not started."""
        if self._process is not None and self._process.poll() is None:
            self._process.stop(_STOP_GRACE_S)
        self._lock.release()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_somewhere(self, java: Path, application: Path) -> None:
        """Start, again at another port where the one that was free a moment ago no longer is."""
        began = time.monotonic()
        self._progress.say(f"Starting {REGISTRY.title}")
        remembered, avoided = self._storage.remembered_port(), set[int]()
        for _ in range(_STARTS):
            port = choose_port(self._wanted_port, remembered, avoided, first=FIRST_PORT, what=_WHAT)
            self._process = BoundProcess(
                [str(java), *_FLAGS, f"-Djava.io.tmpdir={self._storage.scratch}", "-jar", "quarkus-run.jar"],
                environment=self._environment(port),
                output=self._storage.log,
                keep=[self._lock.fileno],
                folder=application,  # settings that lie where a person is, in ./config or ./.env, are not for it
            )
            if self._wait_until_ready(port):
                self._port = port
                self._storage.remember_port(port)
                self._progress.say(f"The schema registry is ready at {self.url} after {time.monotonic() - began:.1f} s")
                return
            avoided.add(port)
        raise busy_port(port, _WHAT)

    def _environment(self, port: int) -> dict[str, str]:
        """Return the whole environment: of the person's, any variable could be a setting."""
        database = {"APICURIO_STORAGE_SQL_KIND": "h2", "APICURIO_DATASOURCE_URL": self._storage.database_url}
        return {
            "PATH": os.defpath,
            "LC_ALL": "C.UTF-8",
            "APICURIO_STORAGE_KIND": "sql",
            **({} if self._in_memory else database),
            "QUARKUS_HTTP_HOST": HOST,
            "QUARKUS_HTTP_PORT": str(port),
            # By default it is 0.0.0.0:9000.
            "QUARKUS_MANAGEMENT_HOST": HOST,
            "QUARKUS_MANAGEMENT_PORT": str(any_free_port()),
            "QUARKUS_OTEL_SDK_DISABLED": "true",
            "QUARKUS_HTTP_ACCESS_LOG_ENABLED": "false",
        }

    def _wait_until_ready(self, port: int) -> bool:
        """Return True when it answers, False where another server has its port.

        Raises:
            EmbeddedRegistryError: it ended, or does not answer.
        """
        assert self._process is not None
        deadline = time.monotonic() + _START_LIMIT_S
        while True:
            # First of all whether it still runs: who answers at its port may be another's.
            if self._process.poll() is not None:
                if any(_BUSY in line for line in self._storage.last_lines(_TAIL_LINES)):
                    return False
                raise self.died()
            if _answers(port) and self._process.poll() is None and self._listens():
                return True
            if time.monotonic() > deadline:
                raise EmbeddedRegistryError(
                    f"{REGISTRY.title} has not answered at {registry_url(port)} within {_START_LIMIT_S:.0f} s. "
                    f"Look into {self._storage.log}; is the machine out of memory or of disk?"
                )
            time.sleep(_POLL_S)

    def _listens(self) -> bool:
        return any("Listening on:" in line for line in self._storage.last_lines(_TAIL_LINES))


def registry_url(port: int) -> str:
    """Return the URL at which a registry of ours answers."""
    return f"http://{HOST}:{port}{API_PATH}"


def chosen_port(data_dir: Path, *, any_port: bool) -> int:
    """Choose the port before the start, for who must know it: the last start's where it is free, else another."""
    return choose_port(
        0 if any_port else None, RegistryStorage(data_dir).remembered_port(), first=FIRST_PORT, what=_WHAT
    )


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("GET", f"{API_PATH}/subjects")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
