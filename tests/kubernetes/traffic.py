"""Traffic from outside the cluster, which afterwards compares what is published with what was acknowledged."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

RATE = 200
LONGEST_S = 1800
SECRET = "CHANGE-ME"  # the key that the README's commands make
_VERIFY_LIMIT_S = 300


class Traffic:
    """A running `segwire simulate --verify`."""

    def __init__(self, folder: Path, name: str, url: str, servers: str) -> None:
        self._report = folder / f"{name}.json"
        key = folder / f"{name}.key"
        key.write_text(SECRET, encoding="ascii")
        with (folder / f"{name}.log").open("wb") as log:
            self._process = subprocess.Popen(
                _command(url, servers, key, self._report), cwd=folder, stdout=log, stderr=log
            )
        self._log = folder / f"{name}.log"

    def require_running(self) -> None:
        """See that it sends still.

        Raises:
            AssertionError: it does not; with its last words.
        """
        if self._process.poll() is not None:
            self._complain()

    def _complain(self) -> NoReturn:
        words = self._log.read_text(encoding="utf-8", errors="replace")[-1500:]
        raise AssertionError(f"the sender ended with {self._process.returncode}: {words}")

    def stop(self) -> dict[str, Any]:
        """Stop sending, wait for the comparison, and return the report.

        Raises:
            AssertionError: it ended in another way; with its last words.
        """
        self.require_running()
        self._process.terminate()
        self._process.wait(_VERIFY_LIMIT_S)
        if not self._report.exists():
            self._complain()
        found: dict[str, Any] = json.loads(self._report.read_text(encoding="utf-8"))
        return found


def _command(url: str, servers: str, key: Path, report: Path) -> list[str]:
    options = ["--source", "adobe", "--hmac-secret-file", str(key), "--rate", str(RATE), "--duration", str(LONGEST_S)]
    options += ["--users", "5000", "--batch-every", "0", "--connections", "64", "--verify"]
    options += ["--bootstrap-servers", servers, "--report", str(report)]
    return [str(Path(sys.executable).with_name("segwire")), "simulate", "--url", url, *options]


def summary(report: dict[str, Any]) -> dict[str, Any]:
    """Return what the table of the run tells of a report."""
    return {
        "messages": report["sent"],
        "answers": report["answers"],
        "failed after the retry": report["failed"],
        "p50 ms": report["latency_ms"]["p50"],
        "p99 ms": report["latency_ms"]["p99"],
        "max ms": report["latency_ms"]["max"],
        "memberships": report["memberships_published"],
        "differences": differences(report),
    }


def differences(report: dict[str, Any]) -> int:
    """Return how many memberships are not as they must be."""
    return sum(found["count"] for found in report["differences"].values())
