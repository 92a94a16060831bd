"""One process per spool directory; the kernel lets go when that process ends, however it ends."""

import contextlib
import fcntl
import os
import shlex
from pathlib import Path

import msgspec
import psutil

from ingest.spool.errors import SpoolLocked
from ingest.spool.files import DIRECTORY_MODE, FILE_MODE
from runtime.clock import Clock

LOCK_FILE = "lock"


class Holder(msgspec.Struct, frozen=True):
    """Who holds a spool directory."""

    pid: int
    command: str
    since_ms: int


class DirectoryLock:
    """Holds a spool directory until released."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        """Make the directory where there is none, and take it. Blocks.

        Raises:
            SpoolLocked: another process holds it; says which.
            OSError: it cannot be made or written.
        """
        self._directory = directory
        self._fd = _take(directory)
        # The lock holds without the name of its holder, on a full disk for example.
        with contextlib.suppress(OSError):
            # A process that has given itself a title has empty arguments after it.
            command = shlex.join(filter(None, psutil.Process().cmdline()))
            holder = Holder(os.getpid(), command, clock.now_ms())
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, msgspec.json.encode(holder) + b"\n", 0)

    def release(self, *, remove_directory: bool = False) -> None:
        """Let go; on request the directory goes as well, unless something is left in it that is not the lock."""
        with contextlib.suppress(OSError):
            if remove_directory and [path.name for path in self._directory.iterdir()] == [LOCK_FILE]:
                (self._directory / LOCK_FILE).unlink()
                self._directory.rmdir()
        os.close(self._fd)


def read_holder(directory: Path) -> Holder | None:
    """Return who took a directory last and still lives, without touching the lock. Blocks."""
    try:
        holder = msgspec.json.decode((directory / LOCK_FILE).read_bytes(), type=Holder)
    except (OSError, msgspec.MsgspecError):
        return None
    return holder if psutil.pid_exists(holder.pid) else None


def _take(directory: Path) -> int:
    while True:
        directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        try:
            fd = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        except FileNotFoundError:
            continue  # whoever emptied the directory has just removed it
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_the_file(fd, directory / LOCK_FILE):
                return fd
        except BlockingIOError:
            os.close(fd)
            raise _locked(directory) from None
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _is_the_file(fd: int, path: Path) -> bool:
    """Tell whether an open file still has its name: a lock on a removed file holds nothing."""
    try:
        return path.stat().st_ino == os.fstat(fd).st_ino
    except FileNotFoundError:
        return False


def _locked(directory: Path) -> SpoolLocked:
    holder = read_holder(directory)
    if holder is None:
        return SpoolLocked(f"spool {directory}: held by another process; stop it, or use another directory")
    return SpoolLocked(
        f"spool {directory}: held by process {holder.pid} ({holder.command}); "
        f"stop it (kill {holder.pid}), or use another directory"
    )
