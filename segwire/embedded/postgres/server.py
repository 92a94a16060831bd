"""The embedded PostgreSQL: `EmbeddedPostgres` puts the parts together."""

import os
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from segwire.embedded.data_lock import DataLock
from segwire.embedded.postgres.errors import EmbeddedPostgresError
from segwire.embedded.postgres.programs import as_allowed, give_away, programs
from segwire.embedded.postgres.storage import DATABASE, USER, PostgresStorage
from segwire.embedded.process import BoundProcess

_START_LIMIT_S = 60.0
_POLL_S = 0.02
_STOP_GRACE_S = 10.0
_TAIL_LINES = 15


class EmbeddedPostgres:
    """PostgreSQL as a child process, on the data below `data_dir/postgres`, reached by a Unix socket alone.

    It ends with this process, however that ends. The directory of its socket lets in nobody but us.
    """

    def __init__(self, data_dir: Path) -> None:
        """Describe it; nothing happens before `start`."""
        self.storage = PostgresStorage(data_dir)
        self._lock = DataLock(self.storage.lock)
        self._process: BoundProcess | None = None

    @property
    def dsn(self) -> str:
        """The connection string."""
        return self.storage.dsn

    @property
    def pid(self) -> int | None:
        """The server's process ID; None before the start."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start, and return when it answers. Blocks: half a second, and two at the first time.

        Raises:
            EmbeddedPostgresError: it cannot run; the message says what, which value, and what to do.
            EmbeddedServerError: another process holds its data; the message says which.
        """
        folder = programs()
        try:
            self.storage.make()
            self._lock.acquire()
            self._start_locked(folder)
        except OSError as error:
            self.stop()
            raise EmbeddedPostgresError(
                f"{self.storage.root} cannot be used ({error}); mend it, or choose another --data-dir"
            ) from error
        except BaseException:
            self.stop()
            raise

    def poll(self) -> int | None:
        """Return None while it runs, else its exit code."""
        return None if self._process is None else self._process.poll()

    def died(self) -> EmbeddedPostgresError:
        """Explain why `poll` returned an exit code, with the server's last words."""
        said = "\n".join(f"  {line}" for line in self._last_lines())
        return EmbeddedPostgresError(f"PostgreSQL ended (exit code {self.poll()}). Its last lines:\n{said}")

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
        self._lock.release()

    def stop(self) -> None:
        """End its sessions and stop it in order, after ten seconds by force. Blocks; harmless when not started."""
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGINT)
            limit_s = time.monotonic() + _STOP_GRACE_S
            while self._process.poll() is None and time.monotonic() < limit_s:
                time.sleep(_POLL_S)
            if self._process.poll() is None:
                self._process.kill()
        self._process = None
        self._lock.release()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_locked(self, folder: Path) -> None:
        storage = self.storage
        if not (storage.data / "PG_VERSION").exists():
            self._initialise(folder)
        give_away(storage.sockets)
        # Every process of a server holds our lock: whoever wrote these files has ended, whoever has its number now.
        for left in (storage.data / "postmaster.pid", *storage.sockets.glob(".s.PGSQL.*")):
            left.unlink(missing_ok=True)
        command = [str(folder / "postgres"), "-D", str(storage.data), "-k", str(storage.sockets), "-h", ""]
        self._process = BoundProcess(
            as_allowed(command), environment={"PATH": os.defpath}, output=storage.log, keep=[self._lock.fileno]
        )
        self._wait()

    def _initialise(self, folder: Path) -> None:
        storage = self.storage
        storage.data.mkdir(mode=0o700, exist_ok=True)
        give_away(storage.data)
        options = ["--auth=trust", "--encoding=UTF8", "--no-locale", f"--username={USER}", f"--pgdata={storage.data}"]
        made = subprocess.run(
            as_allowed([str(folder / "initdb"), *options]),
            env={"PATH": os.defpath}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            check=False,
        )  # fmt: skip
        if made.returncode:
            said = made.stdout.decode(errors="replace")
            raise EmbeddedPostgresError(f"{storage.data}: initdb failed with exit code {made.returncode}:\n{said}")

    def _wait(self) -> None:
        """Wait until it answers, and see that our database is there."""
        limit_s = time.monotonic() + _START_LIMIT_S
        while True:
            if self.poll() is not None:
                raise self.died()
            try:
                with psycopg.connect(host=str(self.storage.sockets), user=USER, dbname=USER, autocommit=True) as found:
                    _create_database(found)
            except psycopg.OperationalError:
                if time.monotonic() > limit_s:
                    raise EmbeddedPostgresError(
                        f"PostgreSQL does not answer after {_START_LIMIT_S:.0f} s; its log: {self.storage.log}"
                    ) from None
                time.sleep(_POLL_S)
            else:
                return

    def _last_lines(self) -> list[str]:
        try:
            return self.storage.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
        except OSError:
            return []


def _create_database(connection: psycopg.Connection) -> None:
    found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
    if found is None:
        connection.execute(f'CREATE DATABASE "{DATABASE}"'.encode())
