import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, cast

import pytest

from ingest.admission import Verdict
from ingest.publisher import Verdicts
from ingest.replay import Replayer, pause_s
from ingest.spool.record import Position, Spooled, SpoolRecord
from ingest.spool.spool import Spool
from tests.support.producer import HandClock


def spooled(number: int) -> Spooled:
    return Spooled(Position(1, number, number + 1), SpoolRecord(number, f"r-{number}", "dev", "t", [], b"{}"))


class Shelf:
    """A spool of a few records."""

    name = "worker-0"

    def __init__(self, *numbers: int) -> None:
        self.waiting = [spooled(number) for number in numbers]
        self.asked: list[int] = []
        self.given_back: list[Position] = []

    def state(self) -> Any:
        return type("State", (), {"pending_records": len(self.waiting)})

    async def replay(self, records_max: int) -> list[Spooled]:
        self.asked.append(records_max)
        batch, self.waiting = self.waiting[:records_max], self.waiting[records_max:]
        return batch

    def give_back(self, positions: Iterable[Position]) -> None:
        self.given_back += positions


class Kafka:
    """Takes replays as it is told to."""

    last_live_s = 0.0

    def __init__(self) -> None:
        self.is_there = True
        self.verdicts: dict[int, Verdict | None] = {}
        self.got: list[int] = []
        self.futures: list[Verdicts] = []
        self.overdue = 0

    def takes_replays(self) -> bool:
        return self.is_there

    def replay(self, spooled: Spooled, spool: Spool) -> Verdicts | None:
        assert spool is not None
        number = spooled.record.received_at_ms
        self.got.append(number)
        verdict = self.verdicts.get(number, Verdict.DURABLE)
        future: Verdicts = asyncio.get_running_loop().create_future()
        if verdict is not None:
            future.set_result(verdict)
        self.futures.append(future)
        return future

    def replay_overdue(self) -> None:
        self.overdue += 1


def play(shelf: Shelf, kafka: Kafka, scenario: Callable[[Replayer, HandClock], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        clock = HandClock()
        replayer = Replayer(cast("Spool", shelf), kafka, clock, per_s=100, overdue_s=0.01)
        async with asyncio.timeout(20):
            await scenario(replayer, clock)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("records", "took_s", "idle_s", "paused_s"),
    [(100, 0.0, 0.5, 1.0), (100, 0.4, 0.0, 0.6), (100, 3.0, 0.0, 0.0), (100, 0.0, 1.1, 0.0)],
)
def test_a_replay_makes_room_for_live_traffic_and_only_for_that(
    records: int, took_s: float, idle_s: float, paused_s: float
) -> None:
    assert pause_s(records, took_s, idle_s, 100) == pytest.approx(paused_s)


def test_records_go_to_kafka_in_order_and_no_more_at_a_time_than_a_second_allows() -> None:
    shelf, kafka = Shelf(*range(150)), Kafka()

    async def scenario(replayer: Replayer, clock: HandClock) -> None:
        await replayer.turn()
        assert kafka.got == list(range(100))
        await replayer.run_until_empty()
        assert kafka.got == list(range(150))

    play(shelf, kafka, scenario)
    assert shelf.given_back == []


def test_nothing_is_replayed_to_a_kafka_that_is_not_relied_upon() -> None:
    shelf, kafka = Shelf(1), Kafka()
    kafka.is_there = False

    async def scenario(replayer: Replayer, clock: HandClock) -> None:
        assert await replayer.turn() > 0

    play(shelf, kafka, scenario)
    assert shelf.asked == []


def test_what_kafka_did_not_take_is_given_back() -> None:
    shelf, kafka = Shelf(1, 2, 3), Kafka()
    kafka.verdicts = {2: Verdict.NO_DURABLE_STORE}

    async def scenario(replayer: Replayer, clock: HandClock) -> None:
        assert await replayer.turn() > 0

    play(shelf, kafka, scenario)
    assert shelf.given_back == [spooled(2).position]


def test_a_replay_that_is_not_acknowledged_in_time_is_told_and_waited_for() -> None:
    shelf, kafka = Shelf(1, 2), Kafka()
    kafka.verdicts = {2: None}

    async def scenario(replayer: Replayer, clock: HandClock) -> None:
        turn = asyncio.ensure_future(replayer.turn())
        while not kafka.overdue:  # noqa: ASYNC110 - the turn's own clock ends it
            await asyncio.sleep(0.001)
        assert not turn.done()
        kafka.futures[1].set_result(Verdict.DURABLE)
        await turn

    play(shelf, kafka, scenario)
    assert shelf.given_back == []


def test_a_record_that_is_too_large_holds_up_nobody_and_is_tried_again_much_later() -> None:
    shelf, kafka = Shelf(1, 2), Kafka()
    kafka.verdicts = {1: Verdict.TOO_LARGE}

    async def scenario(replayer: Replayer, clock: HandClock) -> None:
        await replayer.turn()
        assert kafka.got == [1, 2]
        clock.now_s += 299
        await replayer.turn()
        assert shelf.given_back == []
        clock.now_s += 2
        await replayer.turn()
        assert shelf.given_back == [spooled(1).position]

    play(shelf, kafka, scenario)
