"""One replica of the membership processor as a real process, which is killed, frozen, woken and started again."""

import os
import shutil
import signal
import sys
from collections import Counter
from pathlib import Path

import psutil

from segwire.embedded.process import BoundProcess
from tests.chaos.shifted_clock import VARIABLE as CLOCK_VARIABLE

ROOT = Path(__file__).parent.parent.parent
STOP_GRACE_S = 40.0
TAIL_LINES = 25
EVENTS = (
    "transaction_aborted", "commit_outcome_unknown", "producer_replaced", "partitions_lost", "expelled_from_group",
    "timers_stopped", "restore_waits", "watchdog",
)  # fmt: skip

# They mean that something is wrong for good, whatever was done to the process.
ALARMS = ("TornTransactionError", "torn transaction", "InvariantError", "Assertion", "assert")


class Member:
    """A replica: its ordinal, its data and its processes, one after the other."""

    def __init__(self, ordinal: int, folder: Path, environment: dict[str, str]) -> None:
        self.ordinal = ordinal
        self.folder = folder / f"member-{ordinal}"
        self.folder.mkdir(parents=True)
        self.logs: list[Path] = []
        self.exits: Counter[str] = Counter()
        self.wanted = False
        self._clock = self.folder / "clock"
        self._clock.write_text("0")
        self._environment = {
            **os.environ, **environment, "SEGWIRE_MEMBERSHIP__ORDINAL": str(ordinal), CLOCK_VARIABLE: str(self._clock),
        }  # fmt: skip
        self._process: BoundProcess | None = None
        self._armed = ""

    def start(self, injection: str = "") -> None:
        """Start it, with a fault armed where one is named, until that is met."""
        self.wanted = True
        self._armed = injection
        log = self.folder / f"{len(self.logs):02d}.log"
        self.logs.append(log)
        arguments = ["process", "membership", "--port", "0", "--data-dir", str(self.folder)]
        self._process = BoundProcess(
            [sys.executable, "-m", "tests.chaos.shifted_clock", *arguments],
            environment={**self._environment, "FAULT_INJECTION": injection, "PYTHONPATH": str(ROOT)},
            output=log,
        )

    def tend(self) -> None:
        """Start it again where it ended by itself, as whoever deploys it would; note how it ended."""
        if self.wanted and self.ended():
            met = self.note_end() == -signal.SIGKILL
            self.start("" if met else self._armed)

    def ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def note_end(self) -> int | None:
        """Remember how it ended by itself, and return the exit code."""
        assert self._process is not None
        code = self._process.poll()
        if code is not None and code < 0:
            self.exits[signal.Signals(-code).name] += 1
        else:
            self.exits[f"{code}: {self._last_words()}"] += 1
        return code

    def is_frozen(self) -> bool:
        """Tell whether it stopped itself, at the point where it was asked to."""
        if self._process is None or self.ended():
            return False
        try:
            return bool(psutil.Process(self._process.pid).status() == psutil.STATUS_STOPPED)
        except psutil.Error:
            return False

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def wake(self) -> None:
        self._armed = ""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it as an orchestrator does, by force where it does not end."""
        self.wanted = False
        if self._process is None or self.ended():
            return
        self.wake()
        code = self._process.stop(STOP_GRACE_S)
        if code != 0:
            self.exits[f"stopped with {code}: {self._last_words()}"] += 1

    def drop_state(self) -> None:
        """Lose the directory of a process that does not run."""
        shutil.rmtree(self.folder / "state", ignore_errors=True)

    def shift_clock(self, shift_ms: int) -> None:
        fresh = self._clock.with_suffix(".new")
        fresh.write_text(str(shift_ms))
        fresh.replace(self._clock)

    def alarms(self) -> list[str]:
        """Return what must never be in a log."""
        lines = [line for log in self.logs for line in log.read_text(errors="replace").splitlines()]
        return [line for line in lines if any(alarm in line for alarm in ALARMS)]

    def events(self) -> Counter[str]:
        """Return how often each of the telling events is in its logs."""
        text = "".join(log.read_text(errors="replace") for log in self.logs)
        return Counter({event: count for event in EVENTS if (count := text.count(f'"event": "{event}"'))})

    def tail(self) -> str:
        """Return the last lines of its last two processes."""
        parts = []
        for log in self.logs[-2:]:
            lines = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
            parts.append("\n".join([f"--- {log}", *lines]))
        return "\n".join(parts)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and not self.ended():
            os.kill(self._process.pid, number)

    def _last_words(self) -> str:
        lines = self.logs[-1].read_text(errors="replace").splitlines()
        return next((line.strip()[:160] for line in reversed(lines) if line.strip()), "(nothing)")
