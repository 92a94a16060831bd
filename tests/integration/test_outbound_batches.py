"""Batches of a destination over a state on disk: what is due outlives the process."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from runtime.state.store import StateStore
from tests.support.outbound import DAY_MS, NOW_MS, row
from tests.support.outbound_host import PARTITION, Host

MIDNIGHT_MS = (NOW_MS // DAY_MS + 1) * DAY_MS


class Lives:
    """A destination in batch mode that can be started again on the same disk."""

    def __init__(self, folder: Path, cleanup: ExitStack) -> None:
        self._folder = folder
        self._cleanup = cleanup
        self.sent: list[dict[str, str]] = []
        self.start()

    def start(self) -> None:
        self._store = StateStore(self._folder, block_cache_bytes=1 << 20, memtable_bytes=1 << 20)
        self.host = Host("batch", self._store)
        self._cleanup.callback(self.host.runner.close)

    def restart(self) -> None:
        offset = self.host.offset
        self.end()
        self.start()
        self.host.offset = offset

    def end(self) -> None:
        self.sent += self.host.statuses()
        self._store.close()

    def at(self, now_ms: int) -> None:
        """Let happen what is due by then."""
        self.host.clock.at_s = now_ms / 1000
        self.host.processor.punctuate(now_ms, [PARTITION])
        self.host.commit()


@pytest.fixture
def lives(tmp_path: Path) -> Iterator[Lives]:
    with ExitStack() as cleanup:
        yield Lives(tmp_path / "state", cleanup)


def test_a_restart_before_midnight_neither_loses_the_batch_nor_sends_it_twice(lives: Lives) -> None:
    lives.host.process(row("1", 1), row("2", 2))
    lives.host.commit()
    lives.restart()
    lives.at(MIDNIGHT_MS - 1)
    assert lives.host.partner.bodies == []
    lives.at(MIDNIGHT_MS)
    lives.restart()
    lives.at(MIDNIGHT_MS + 1000)
    lives.host.process(row("2", 3, "INACTIVE", MIDNIGHT_MS))
    lives.host.commit()
    lives.restart()
    lives.at(MIDNIGHT_MS + DAY_MS - 1)
    lives.at(MIDNIGHT_MS + DAY_MS)
    lives.at(MIDNIGHT_MS + 2 * DAY_MS)
    lives.end()
    assert lives.sent == [{"one": "ACTIVE", "2": "ACTIVE"}, {"2": "INACTIVE"}]


def test_more_users_than_one_turn_takes_all_have_their_batch(lives: Lives) -> None:
    lives.host.process(*(row("1", 1, aam_uuid=f"{number:038d}") for number in range(1200)))
    lives.host.commit()
    for _ in range(4):
        lives.at(MIDNIGHT_MS)
    lives.end()
    assert len(lives.sent) == 120
