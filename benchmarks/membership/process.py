"""One candidate's process, pinned to a core, and what the kernel tells of it."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from membership.surroundings import allocator

CANDIDATE_CORE, BROKER_CORE = 0, 1
_TICKS = os.sysconf("SC_CLK_TCK")
_STOP_S = 60.0


class Pinned:
    """A process on the candidates' core, writing to a log file."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                # It ends with the benchmark, however that ends.
                ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", str(CANDIDATE_CORE), *command],
                env={**os.environ, **allocator(), **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def cpu_s(self) -> float:
        """Return the CPU time used so far, user and system, by all threads."""
        stat = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii")
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def peak_rss_bytes(self) -> int:
        """Return the largest resident size so far."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    def wait_for(self, condition: Callable[[], bool], what: str, limit_s: float = 1800.0) -> None:
        """Wait for a condition; fail when the process ends before."""
        deadline_s = time.monotonic() + limit_s
        while not condition():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError(f"{what}: ended or too slow (exit code {self._process.returncode}); see {self.log}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop in order, by force when that takes too long."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def disk_bytes(directory: Path) -> int:
    """Return the size of all files below a directory."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
