"""The lock on a data directory and what it says of its holder."""

import json
import os
from pathlib import Path

import pytest

from segwire.embedded.data_lock import DataLock, Holder, parse_holder
from segwire.embedded.errors import EmbeddedServerError


def test_second_taker_hears_who_holds_it(tmp_path: Path) -> None:
    first = DataLock(tmp_path / "kafka.lock")
    first.acquire()
    try:
        with pytest.raises(EmbeddedServerError) as caught:
            DataLock(tmp_path / "kafka.lock").acquire()
    finally:
        first.release()
    message = str(caught.value)
    for part in (str(tmp_path), f"process {os.getpid()} (", "since 2", f"kill {os.getpid()}", "--data-dir PATH"):
        assert part in message


def test_released_lock_can_be_taken_again(tmp_path: Path) -> None:
    for _ in range(2):
        lock = DataLock(tmp_path / "kafka.lock")
        lock.acquire()
        lock.release()
        lock.release()


def test_name_left_by_a_dead_holder_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "kafka.lock").write_text('{"pid": 1, "command": "init", "since": "then"}')
    lock = DataLock(tmp_path / "kafka.lock")
    lock.acquire()
    lock.release()


def test_lock_of_a_dead_holder_s_broker_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "kafka.lock"
    broker = DataLock(path)
    broker.acquire()
    asked: list[int] = []

    def dead(pid: int) -> bool:
        asked.append(pid)
        if len(asked) == 3:
            broker.release()
        return False

    lock = DataLock(path, alive=dead)
    lock.acquire()
    lock.release()
    assert asked == [os.getpid()] * 3


def test_holder_is_named_in_the_file(tmp_path: Path) -> None:
    lock = DataLock(tmp_path / "kafka.lock")
    lock.acquire()
    try:
        assert json.loads((tmp_path / "kafka.lock").read_text())["pid"] == os.getpid()
    finally:
        lock.release()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', "null"])
def test_unwritten_or_torn_name_is_no_holder(text: str) -> None:
    assert parse_holder(text) is None


def test_written_name_is_read_back() -> None:
    assert parse_holder('{"pid": 7, "command": "x", "since": "now"}') == Holder(7, "x", "now")
