"""The embedded Kafka: `EmbeddedKafka` puts the parts together."""

import contextlib
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from segwire.embedded.data_lock import DataLock
from segwire.embedded.kafka.broker import Broker
from segwire.embedded.kafka.cache import default_cache_dir
from segwire.embedded.kafka.download import Fetch, fetch_by_jgo
from segwire.embedded.kafka.errors import BrokerDiedError, EmbeddedKafkaError
from segwire.embedded.kafka.jars import JarCache
from segwire.embedded.kafka.java import Java, find_java, start_cache_flags, start_cache_path
from segwire.embedded.kafka.pins import KAFKA_VERSION, load_pins
from segwire.embedded.kafka.ports import HOST, busy_port, choose_port
from segwire.embedded.kafka.progress import NoProgress, StartProgress
from segwire.embedded.kafka.storage import Storage
from segwire.embedded.process import BoundProcess

STARTS = 5
BUSY_WORDS = ("Address already in use", "BindException")


class EmbeddedKafka:
    """Apache Kafka as a child process, on the data below `data_dir/kafka`.

    It ends with this process, however that ends. What it stored is there at the next start, whatever the ports are.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int | None = None,
        progress: StartProgress | None = None,
        cache_dir: Path | None = None,
        fetch: Fetch = fetch_by_jgo,
        train: bool = True,
    ) -> None:
        """Describe it; nothing happens before `start`.

        Args:
            data_dir: the data directory of the whole pipeline.
            port: for clients; 0 for any; None for the last start's, else a free one from 19092 on.
            progress: hears of the steps of a start.
            cache_dir: where artifacts and start caches are; None for the user's own, shared between projects.
            fetch: fetches an artifact that the cache does not have.
            train: make a start cache in the background where there is none.
        """
        self._storage = Storage(data_dir / "kafka")
        self._wanted_port = port
        self._progress = progress or NoProgress()
        self._cache_dir = cache_dir or default_cache_dir()
        self._fetch = fetch
        self._train = train
        self._lock = DataLock(self._storage.lock)
        self._broker: Broker | None = None
        self._training: BoundProcess | None = None
        self._port: int | None = None

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients, `HOST:PORT`.

        Raises:
            EmbeddedKafkaError: it was not started.
        """
        if self._port is None:
            raise EmbeddedKafkaError("The embedded Kafka was not started: call start() first")
        return f"{HOST}:{self._port}"

    @property
    def pid(self) -> int | None:
        """The broker's process ID; None before the start."""
        return self._broker.pid if self._broker else None

    def start(self) -> None:
        """Start, and return when the broker answers. Blocks: a second, and longer at the first time.

        Raises:
            EmbeddedKafkaError: it cannot run; the message says what, which value, and what to do.
            EmbeddedServerError: another process holds its data; the message says which.
        """
        find_java(())  # before anything is downloaded for it
        java = find_java(JarCache(self._cache_dir, load_pins(), self._fetch, self._progress).ensure())
        self._storage.make()
        try:
            self._lock.acquire()
            self._start_locked(java)
        except OSError as error:
            self.stop()
            raise self._storage.unwritable(error) from error
        except BaseException:
            self.stop()
            raise

    def poll(self) -> int | None:
        """Return None while the broker runs, else its exit code."""
        return self._broker.poll() if self._broker else None

    def died(self) -> EmbeddedKafkaError:
        """Explain why `poll` returned an exit code, with the broker's last words."""
        assert self._broker is not None
        return self._broker.died()

    def stop(self) -> None:
        """Stop the broker in order, after ten seconds by force. Blocks; harmless when not started."""
        if self._training is not None:
            self._training.kill()
            self._training = None
        if self._broker is not None:
            self._broker.stop()
        self._lock.release()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_locked(self, java: Java) -> None:
        began = time.monotonic()
        start_cache = start_cache_path(java, self._cache_dir)
        flags = start_cache_flags(start_cache)
        if not self._storage.is_formatted():
            self._progress.say(f"Formatting {self._storage.data}")
            Broker(java, self._storage, 0, flags).format()
        memory = self._storage.check()
        self._progress.say(f"Starting Kafka {KAFKA_VERSION}")
        self._port = self._start_somewhere(java, start_cache, memory.port)
        self._storage.remember_port(memory.cluster_id, self._port)
        self._progress.say(f"Kafka is ready at {self.bootstrap_servers} after {time.monotonic() - began:.1f} s")
        if self._train and not start_cache.exists():
            self._start_training(java)

    def _start_somewhere(self, java: Java, start_cache: Path, remembered: int | None) -> int:
        """Start, again where a port was taken in between or the start cache may be the reason of a failure."""
        cached = start_cache_flags(start_cache, strict=True)
        flags = cached
        avoided: set[int] = set()
        for left in reversed(range(STARTS)):
            port = choose_port(self._wanted_port, remembered, avoided)
            self._broker = Broker(java, self._storage, port, flags)
            try:
                self._broker.start(keep=[self._lock.fileno])
            except BrokerDiedError:
                taken = any(word in line for line in self._broker.said() for word in BUSY_WORDS)
                if not left or not (taken or flags):
                    raise
                if taken:
                    avoided.add(port)
                else:
                    flags = []
            else:
                if cached and not flags:  # so it was the cache: the next training makes another
                    start_cache.unlink(missing_ok=True)
                return port
        raise busy_port(port)

    def _start_training(self, java: Java) -> None:
        with contextlib.suppress(OSError):  # a start never fails for what only makes later ones quicker
            self._training = BoundProcess(
                [sys.executable, "-m", "segwire.embedded.kafka.training", str(self._cache_dir)],
                environment=java.environment(),
                output=self._cache_dir / "training.log",
            )
