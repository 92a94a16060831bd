import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from ingest.client import Record
from ingest.local_store import LocalStore
from ingest.spool.errors import SpoolFailed, SpoolFull, SpoolLocked
from ingest.spool.record import Position, SpoolRecord
from ingest.spool.spool import Spool
from ingest.spool.state import Level, SpoolLimits
from tests.support.producer import HandClock

RECORD = Record(
    "dead-letters",
    b"{",
    [
        ("stage", b"ingest"),
        ("segwire-source", b"dev"),
        ("segwire-received-at-ms", b"1234"),
        ("segwire-request-id", b"r-1"),
    ],
)


class Disk:
    """A spool that is as it is told to be."""

    def __init__(self) -> None:
        self.level = Level.OK
        self.records: list[SpoolRecord] = []
        self.refusal: Exception | None = None
        self.probes = 0

    def state(self) -> Any:
        return type("State", (), {"level": self.level, "trouble": "the trouble"})

    def append(self, record: SpoolRecord) -> asyncio.Future[Position]:
        self.records.append(record)
        future: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
        if self.refusal is not None:
            future.set_exception(self.refusal)
        return future

    async def probe(self) -> None:
        self.probes += 1

    async def close(self) -> None:
        await asyncio.Event().wait()


def play(
    monkeypatch: pytest.MonkeyPatch, opened: list[Disk | Exception], scenario: Callable[[LocalStore], Awaitable[None]]
) -> None:
    async def open_spool(*_: object) -> Spool:
        answer = opened.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return cast("Spool", answer)

    async def main() -> None:
        monkeypatch.setattr(Spool, "open", open_spool)
        monkeypatch.setattr("ingest.local_store._TEND_S", 0.001)
        monkeypatch.setattr("ingest.local_store._CLOSE_S", 0.01)
        store = LocalStore(Path("/nowhere"), SpoolLimits(), HandClock())
        await store.open()
        async with asyncio.timeout(20):
            await scenario(store)

    asyncio.run(main())


async def tended(store: LocalStore, until: Callable[[], bool]) -> None:
    tending = asyncio.ensure_future(store.tend())
    while not until():  # noqa: ASYNC110 - another task's
        await asyncio.sleep(0.001)
    tending.cancel()


def test_a_record_is_kept_with_what_is_known_of_its_request(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk()

    async def scenario(store: LocalStore) -> None:
        store.append(RECORD)
        assert disk.records == [SpoolRecord(1234, "r-1", "dev", "dead-letters", RECORD.headers, b"{")]

    play(monkeypatch, [disk], scenario)


def test_a_disk_that_cannot_be_opened_is_trouble_and_opened_later(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(store: LocalStore) -> None:
        assert store.level() is Level.FAILED
        assert store.trouble() == "read-only"
        with pytest.raises(SpoolFailed, match="read-only"):
            await store.append(RECORD)
        await tended(store, lambda: store.spool is not None)
        assert store.trouble() is None

    play(monkeypatch, [SpoolFailed("read-only"), SpoolFull("full"), Disk()], scenario)


def test_a_spool_that_another_process_holds_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(store: LocalStore) -> None:
        raise AssertionError

    with pytest.raises(SpoolLocked):
        play(monkeypatch, [SpoolLocked("held")], scenario)


def test_a_disk_that_refused_is_asked_again_but_not_while_it_has_less_room_than_it_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk, room, looks = Disk(), [0], [0]

    def statvfs(_: object) -> object:
        looks[0] += 1
        return type("Room", (), {"f_bavail": room[0], "f_frsize": 1})

    monkeypatch.setattr("os.statvfs", statvfs)

    async def scenario(store: LocalStore) -> None:
        disk.level, disk.refusal = Level.FULL, SpoolFull("full")
        with pytest.raises(SpoolFull):
            await store.append(RECORD)
        assert store.trouble() == "the trouble"
        tending = asyncio.ensure_future(store.tend())
        while looks[0] < 3:  # noqa: ASYNC110 - another task's
            await asyncio.sleep(0.001)
        assert disk.probes == 0
        room[0] = 1 << 30
        while not disk.probes:  # noqa: ASYNC110 - another task's
            await asyncio.sleep(0.001)
        tending.cancel()

    play(monkeypatch, [disk], scenario)


def test_a_disk_that_hangs_does_not_hold_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(store: LocalStore) -> None:
        await store.close()

    play(monkeypatch, [Disk()], scenario)
