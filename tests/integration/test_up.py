"""The supervisor with real processes; its children do nothing."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from segwire.cli.connection import running_up
from segwire.up.lock import UP_FILE, DataLock, is_held
from segwire.up.ports import free_port

_LIMIT_S = 60.0
_ROOT = Path(__file__).parent.parent.parent


class FakeUp:
    """A supervisor in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "data"
        self.journal = folder / "journal"
        self._output = folder / "output"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *children: str) -> None:
        """Start one with children `NAME[:FAULT]`."""
        taken: set[int] = set()
        words = []
        for child in children:
            name, *faults = child.split(":")
            port = free_port("127.0.0.1", taken)
            taken.add(port)
            words.append(":".join([name, str(port), *faults]))
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.fake_up", str(self.data_dir), str(self.journal), *words],
                cwd=_ROOT,
                stdout=output,
                stderr=output,
            )

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> int:
        assert self._process is not None
        return self._process.wait(_LIMIT_S)

    def said(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def noted(self) -> list[str]:
        return self.journal.read_text(encoding="utf-8").splitlines() if self.journal.exists() else []

    def pids(self, name: str) -> list[int]:
        """Return the process IDs of a child's lives that became ready, oldest first."""
        return [int(line.split()[2]) for line in self.noted() if line.startswith(f"{name} ready ")]

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def up(tmp_path: Path) -> Iterator[FakeUp]:
    fake = FakeUp(tmp_path)
    yield fake
    fake.end()


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition."""
    limit_s = time.monotonic() + _LIMIT_S
    while not condition():
        assert time.monotonic() < limit_s, f"not within {_LIMIT_S:g} s: {what}"
        time.sleep(0.02)


def test_sigterm_drains_the_children_one_after_the_other(up: FakeUp) -> None:
    up.start("first", "second", "third")
    until(lambda: "all ready" in up.said(), "ready")
    up.signal(signal.SIGTERM)
    assert up.wait() == 0
    assert up.noted()[3:] == ["first drained", "second drained", "third drained"]
    assert not is_held(up.data_dir)


def test_child_that_does_not_drain_is_killed_and_the_others_still_drain(up: FakeUp) -> None:
    up.start("first:hang", "second")
    until(lambda: "all ready" in up.said(), "ready")
    up.signal(signal.SIGTERM)
    assert up.wait() == 0
    assert "first did not end within 1 s and is killed" in up.said()
    assert up.noted()[-1] == "second drained"
    assert not psutil.pid_exists(up.pids("first")[0])


def test_child_that_dies_is_started_again(up: FakeUp) -> None:
    up.start("first", "second")
    until(lambda: "all ready" in up.said(), "ready")
    os.kill(up.pids("first")[0], signal.SIGKILL)
    until(lambda: len(up.pids("first")) == 2, "a second life")
    assert len(up.pids("second")) == 1
    assert "first ended with SIGKILL and starts again in" in up.said()
    up.signal(signal.SIGINT)
    assert up.wait() == 0


def test_children_end_when_the_supervisor_is_killed(up: FakeUp) -> None:
    up.start("first", "second")
    until(lambda: "all ready" in up.said(), "ready")
    pids = up.pids("first") + up.pids("second")
    up.signal(signal.SIGKILL)
    up.wait()
    until(lambda: not any(psutil.pid_exists(pid) for pid in pids), "the children's end")
    assert sorted(up.noted()[2:]) == ["first drained", "second drained"]


def test_next_start_waits_for_what_a_killed_one_left(up: FakeUp) -> None:
    up.start("first:hang")
    until(lambda: "all ready" in up.said(), "ready")
    left = up.pids("first")[0]
    up.signal(signal.SIGKILL)
    up.wait()
    up.start("first")
    until(lambda: up.said().count("all ready") == 2, "ready again")
    assert f"waiting for what the killed `up` left: first (process {left})" in up.said()
    assert not psutil.pid_exists(left)
    up.signal(signal.SIGTERM)
    assert up.wait() == 0


def test_child_that_never_gets_ready_is_given_up_loudly(up: FakeUp) -> None:
    up.start("first", "second:crash")
    assert up.wait() == 1
    said = up.said()
    assert "second ended 3 times in a row, the last time with exit code 3, and is not started again" in said
    assert "  second cannot find its feet" in said
    assert all(not psutil.pid_exists(pid) for pid in up.pids("first"))


def test_child_that_refuses_its_configuration_is_not_started_again(up: FakeUp) -> None:
    up.start("first:misconfigured")
    assert up.wait() == 2
    assert "first refuses its configuration:\n  segwire: that.setting: no" in up.said()
    assert "starts again" not in up.said()


def test_stop_while_starting_ends_what_was_started(up: FakeUp) -> None:
    up.start("first", "second:crash")
    until(lambda: up.pids("first"), "the first child")
    up.signal(signal.SIGTERM)
    assert up.wait() in (0, 1)
    assert not psutil.pid_exists(up.pids("first")[0])


def _segwire_up(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "segwire.cli.main", "up", "--no-ui", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_LIMIT_S, check=False)


def test_second_up_on_the_same_data_says_who_holds_it(tmp_path: Path) -> None:
    lock = DataLock(tmp_path / "data")
    ended = _segwire_up(tmp_path, "--data-dir", "data", "--port", "0")
    lock.release()
    assert ended.returncode == 1
    assert f"--data-dir data: held by another `segwire up`, process {os.getpid()}" in ended.stderr


def test_what_a_dead_up_left_behind_is_not_believed(tmp_path: Path) -> None:
    lock = DataLock(tmp_path)
    (tmp_path / UP_FILE).write_text('{"pid": 1, "kafka": {"bootstrap_servers": "127.0.0.1:1"}}', encoding="utf-8")
    assert running_up(tmp_path) == {"bootstrap_servers": "127.0.0.1:1"}
    lock.release()
    assert running_up(tmp_path) is None


def test_busy_port_is_named_with_its_holder_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = _segwire_up(tmp_path, "--data-dir", "data", "--port", str(port))
    assert ended.returncode == 1
    assert f"ingest.port: 127.0.0.1:{port} cannot be opened" in ended.stderr
    assert f"process {os.getpid()}" in ended.stderr
    assert ended.stdout == ""
    assert not (tmp_path / "data" / "kafka").exists()


def test_kafka_that_does_not_answer_is_named(tmp_path: Path) -> None:
    port = free_port("127.0.0.1", set())
    ended = _segwire_up(tmp_path, "--data-dir", "data", "--port", "0", "--kafka", f"127.0.0.1:{port}")
    assert ended.returncode == 1
    assert f"no broker answered at '127.0.0.1:{port}'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_malformed_kafka_address_is_a_usage_error(tmp_path: Path) -> None:
    ended = _segwire_up(tmp_path, "--kafka", "localhost")
    assert ended.returncode == 2
    assert "--kafka localhost: 'localhost' is not HOST:PORT" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_demo_without_an_open_source_is_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "segwire.yaml").write_text("sources: {}\n", encoding="utf-8")
    ended = _segwire_up(tmp_path, "--demo")
    assert ended.returncode == 2
    assert "--demo: " in ended.stderr
    assert not (tmp_path / ".segwire").exists()
