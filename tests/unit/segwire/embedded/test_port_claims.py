"""A port is one process's until it ends, whatever becomes of its server."""

import subprocess
import sys
from pathlib import Path

import pytest

from segwire.embedded.kafka.ports import any_free_port, choose_port, take
from segwire.embedded.port_claims import claim

OTHER = "import sys; from pathlib import Path; from segwire.embedded.port_claims import claim; \
print(claim(int(sys.argv[1]), Path(sys.argv[2])), flush=True); sys.stdin.read()"


def other(port: int, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", OTHER, str(port), str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def answer_of(process: subprocess.Popen[str]) -> bool:
    assert process.stdout is not None
    return process.stdout.readline() == "True\n"


def test_a_claimed_port_is_claimed_again_by_the_same_process_and_by_no_other(tmp_path: Path) -> None:
    assert claim(19092, tmp_path)
    assert claim(19092, tmp_path)
    with other(19092, tmp_path) as second:
        assert not answer_of(second)
        second.communicate()
    with other(19093, tmp_path) as second:
        assert answer_of(second)
        second.communicate()


def test_a_port_is_free_again_when_its_process_is_killed(tmp_path: Path) -> None:
    with other(19092, tmp_path) as first:
        assert answer_of(first)
        assert not claim(19092, tmp_path)
        first.kill()
        first.communicate()
    assert claim(19092, tmp_path)


def test_where_nothing_can_be_written_every_port_is_ours(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert claim(19092, tmp_path / "file" / "below")


def test_the_port_of_a_server_that_is_down_is_not_chosen_by_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    port = any_free_port()
    with other(port, tmp_path / "segwire" / "ports") as first:
        assert answer_of(first)
        assert not take(port)
        assert choose_port(None, port) != port
        first.communicate()
    assert choose_port(None, port) == port
