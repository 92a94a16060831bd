"""The spool under what really happens: kill -9, a full disk, system calls that fail. Seeds are printed."""

import asyncio
import json
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.kafka import wait_until
from tests.support.spool import open_spool, replay_numbers, spool_record, write_segment
from tests.support.spool_child import SENDERS, UNSAVED_MARKS_MAX

LIMIT_S = 60
KILLS = 50
# A batch may be out when the child is killed, and marks go on while the cursor is being saved.
REPEATED_MAX = 2 * UNSAVED_MARKS_MAX
CHILD = [sys.executable, "-m", "tests.support.spool_child"]


class Child:
    """A process with a spool; what it tells is read as it comes."""

    def __init__(self, *arguments: str) -> None:
        self.lines: list[str] = []
        self._process = subprocess.Popen([*CHILD, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            # A line that the kill cut short was not told.
            for line in stdout:
                if line.endswith(b"\n"):
                    self.lines.append(line.decode().strip())

    def ended(self) -> bool:
        """Tell whether its replay came to the end."""
        return "end" in self.lines

    def kill_after(self, lines: int) -> list[int]:
        """Kill it -9 when it has told so many lines, or came to its end; return the numbers that it told."""
        try:
            wait_until(lambda: len(self.lines) >= lines or self.ended(), f"{lines} lines", LIMIT_S)
        finally:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(LIMIT_S)
            self._thread.join(LIMIT_S)
        return [int(line) for line in self.lines if line.isdigit()]


def _random() -> random.Random:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - shown where the test fails
    return random.Random(seed)


def _child_under_strace(options: Sequence[str], *arguments: str) -> list[str]:
    """Run a child under strace to its end; return what it told."""
    done = subprocess.run(
        [_strace(), "-f", "-qq", "-y", *options, *CHILD, *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    return done.stdout.splitlines()


async def _replay_all(directory: Path) -> list[int]:
    spool = await open_spool(directory)
    numbers = await replay_numbers(spool)
    await spool.close()
    return numbers


def test_everything_durable_survives_kill_9_fifty_times_and_nothing_is_invented(tmp_path: Path) -> None:
    pick = _random()
    durable: set[int] = set()
    attempted_max = 0
    for _ in range(KILLS):
        wanted = pick.randrange(1, 400)
        told = Child("append", str(tmp_path), str(attempted_max)).kill_after(wanted)
        durable |= set(told)
        # Whatever a sender had under way when it was killed is at most one further.
        attempted_max = max([attempted_max, *told]) + 2 * SENDERS
        attempted_max -= attempted_max % SENDERS

    replayed = asyncio.run(_replay_all(tmp_path))

    assert durable <= set(replayed)
    assert max(Counter(replayed).values()) == 1
    assert len(set(replayed) - durable) <= KILLS * SENDERS
    assert max(replayed) < attempted_max


def test_kill_9_in_a_replay_repeats_a_bounded_number_and_loses_none(tmp_path: Path) -> None:
    pick = _random()
    written = set(Child("append", str(tmp_path), "0").kill_after(2000))
    replayed: Counter[int] = Counter()
    kills = 0
    while True:
        child = Child("replay", str(tmp_path))
        replayed.update(child.kill_after(pick.randrange(1, 400)))
        if child.ended():
            break
        kills += 1

    assert kills >= 3
    assert written <= set(replayed)
    assert replayed.total() - len(replayed) <= kills * REPEATED_MAX
    assert len(asyncio.run(_replay_all(tmp_path))) <= REPEATED_MAX


def _unshare() -> str:
    found = shutil.which("unshare")
    if found is None or subprocess.run([found, "-Urm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this system lets nobody make a mount namespace")
    return found


def _strace() -> str:
    found = shutil.which("strace")
    if found is None or subprocess.run([found, "-qq", "true"], check=False, capture_output=True).returncode:
        pytest.skip("strace is not installed, or not allowed here")
    return found


def test_full_disk_is_told_recovers_by_replay_and_loses_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [_unshare(), "-Urm", sys.executable, "-m", "tests.support.spool_small_disk", str(tmp_path)],
        capture_output=True,
        timeout=LIMIT_S,
        check=True,
    )
    told = json.loads(done.stdout.splitlines()[-1])

    assert len(told["durable"]) > 150
    assert told["refused"] == ["SpoolFull"] * 3
    assert [told["full"], told["probed_full"], told["reopened"]] == ["full"] * 3
    assert [told["probed"], told["after"]] == ["ok", "durable"]
    assert told["replayed"] == [*told["durable"], 1000]
    assert told["left"] == ["cursor", "lock"]


@pytest.mark.parametrize(
    ("call", "error", "level"),
    [
        ("fdatasync", "EIO", "SpoolFailed failed"),
        ("pwrite64", "EIO", "SpoolFailed failed"),
        ("pwrite64", "EROFS", "SpoolFailed failed"),
        ("pwrite64", "ENOSPC", "SpoolFull full"),
        ("fdatasync", "ENOSPC", "SpoolFull full"),
    ],
)
def test_failing_calls_are_told_and_the_next_good_one_works(tmp_path: Path, call: str, error: str, level: str) -> None:
    # The first few calls open the spool, each of the others is an append's.
    inject = ["-o", str(tmp_path / "trace"), "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when=6..8"]
    lines = _child_under_strace(inject, "outcomes", str(tmp_path / "spool"), "20")

    told = [line.split(" ", 1) for line in lines if line[0].isdigit()]
    refused = [int(number) for number, outcome in told if outcome != "durable ok"]
    assert len(refused) == 3
    assert [outcome for number, outcome in told if int(number) in refused] == [level] * 3
    assert lines[-1] == "probe ok"
    assert asyncio.run(_replay_all(tmp_path / "spool")) == [i for i in range(20) if i not in refused]


def test_segment_whose_sync_failed_is_never_synced_again(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    inject = ["-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=6"]
    _child_under_strace(["-o", str(trace), *inject], "outcomes", str(tmp_path / "spool"), "20")

    syncs = [line for line in trace.read_text(encoding="utf-8").splitlines() if ".spool>" in line]
    files = [line.partition("<")[2].partition(">")[0] for line in syncs]
    failed = next(i for i, line in enumerate(syncs) if "EIO" in line)
    assert 0 < failed < len(files) - 1
    assert files[failed] not in files[failed + 1 :]


def test_disk_that_always_refuses_neither_crashes_nor_acknowledges(tmp_path: Path) -> None:
    write_segment(tmp_path / "spool", [spool_record(i) for i in range(3)])
    inject = ["-o", str(tmp_path / "trace"), "-e", "inject=fdatasync,fsync,pwrite64,ftruncate,unlink:error=EIO"]

    lines = _child_under_strace(inject, "outcomes", str(tmp_path / "spool"), "5")

    assert lines == ["open", *(f"{i} SpoolFailed failed" for i in range(5)), "probe failed"]
    assert asyncio.run(_replay_all(tmp_path / "spool")) == [0, 1, 2]


def test_nothing_is_told_before_it_is_synced_in_a_file_whose_name_is(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    _child_under_strace(
        ["-o", str(trace), "-e", "trace=pwrite64,fdatasync,fsync,write"], "outcomes", str(tmp_path / "spool"), "3"
    )

    steps = []
    for line in trace.read_text(encoding="utf-8").splitlines():
        if "durable" in line:
            steps.append("told")
        elif ".spool>" in line:
            steps.append("write" if "pwrite64(" in line else "sync")
        elif "fsync(" in line and f"{tmp_path}/spool>" in line:
            steps.append("directory")
    first = steps.index("write")
    assert steps[first : first + 4] == ["write", "sync", "directory", "told"]
    assert steps[first + 4 :][:6] == ["write", "sync", "told"] * 2
