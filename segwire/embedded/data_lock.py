"""One server per data directory: a lock that names its holder."""

import contextlib
import fcntl
import json
import os
import shlex
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

import psutil

from segwire.embedded.errors import EmbeddedServerError

ORPHAN_LIMIT_S = 20.0
UNNAMED_LIMIT_S = 1.0


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a data directory."""

    pid: int
    command: str
    since: str

    @classmethod
    def this_process(cls) -> Self:
        """Describe the process that asks."""
        process = psutil.Process()
        since = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
        return cls(process.pid, shlex.join(process.cmdline()), since)


class DataLock:
    """Locks a data directory until released, and until the server that inherits `fileno` has ended as well."""

    def __init__(self, path: Path, *, alive: Callable[[int], bool] | None = None) -> None:
        self._path = path
        self._alive = alive or is_alive
        self._fd: int | None = None

    @property
    def fileno(self) -> int:
        """The open file that carries the lock."""
        assert self._fd is not None
        return self._fd

    def acquire(self) -> None:
        """Take the lock, waiting only where its holder is dead, and its server still about to end.

        Raises:
            EmbeddedServerError: somebody else holds it; says who.
        """
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._wait(fd)
            os.ftruncate(fd, 0)
            os.pwrite(fd, json.dumps(asdict(Holder.this_process())).encode() + b"\n", 0)
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd

    def release(self) -> None:
        """Give it back; harmless when it was not taken."""
        if self._fd is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = None

    def _wait(self, fd: int) -> None:
        began = time.monotonic()
        while not _try_lock(fd):
            holder = parse_holder(self._path.read_text(encoding="utf-8", errors="replace"))
            ending = holder is not None and not self._alive(holder.pid)
            limit_s = ORPHAN_LIMIT_S if ending else UNNAMED_LIMIT_S if holder is None else 0.0
            if time.monotonic() - began >= limit_s:
                raise _held(self._path.parent, holder)
            time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Tell whether a process still does something: one that only waits to be buried does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def parse_holder(text: str) -> Holder | None:
    """Read the holder from the lock's file; None where it was not written yet."""
    try:
        return Holder(**json.loads(text))
    except (ValueError, TypeError):
        return None


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _held(directory: Path, holder: Holder | None) -> EmbeddedServerError:
    if holder is None:
        return EmbeddedServerError(
            f"{directory} is in use by another process that has only just started. "
            "Wait for it to end, or use another directory: --data-dir PATH"
        )
    return EmbeddedServerError(
        f"{directory} is in use by process {holder.pid} ({holder.command}), since {holder.since}. "
        f"Stop it (kill {holder.pid}), or use another directory: --data-dir PATH"
    )
