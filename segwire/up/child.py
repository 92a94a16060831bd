"""One child process: started, watched, ended; its output goes to a log of its own."""

import os
import signal
import subprocess
from pathlib import Path
from typing import BinaryIO

from segwire.up.services import Service

_LOG_BYTES_MAX = 32 << 20
_TAIL_BYTES = 16 << 10


class Child:
    """A service's process. Not thread-safe: started and ended from the main thread alone."""

    def __init__(self, service: Service) -> None:
        """Start nothing yet."""
        self.service = service
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start_bytes = 0

    @property
    def pid(self) -> int | None:
        """The process ID, None before the first start."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the process, in a session of its own: a terminal's Ctrl-C is for us, who end it in order."""
        service = self.service
        service.ready_file.unlink(missing_ok=True)
        service.ready_file.parent.mkdir(parents=True, exist_ok=True)
        with _open_log(service.log_file) as log:
            self._log_start_bytes = os.fstat(log.fileno()).st_size
            self._process = subprocess.Popen(
                service.command,
                env=dict(service.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def poll(self) -> int | None:
        """Return None while it runs, else how it ended: an exit code, or minus a signal."""
        return None if self._process is None else self._process.poll()

    def says_ready(self) -> bool:
        """Tell whether it wrote its ready file since it was started."""
        return self.service.ready_file.exists()

    def terminate(self) -> None:
        """Ask it to drain and end."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end; return False where it still runs after `timeout_s`."""
        if self._process is None:
            return True
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """End it, and what it may have started, at once."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def last_lines(self, count: int = 15) -> list[str]:
        """Return the last lines that it wrote since its last start."""
        try:
            with self.service.log_file.open("rb") as log:
                end = log.seek(0, os.SEEK_END)
                log.seek(max(self._log_start_bytes, end - _TAIL_BYTES))
                return log.read().decode(errors="replace").splitlines()[-count:]
        except OSError:
            return []


def _open_log(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > _LOG_BYTES_MAX:
        path.replace(path.with_name(f"{path.name}.1"))
    return path.open("ab")


def how_it_ended(code: int) -> str:
    """Say an exit code in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
