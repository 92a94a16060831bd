import asyncio
from collections.abc import Callable
from itertools import count, cycle

import pytest

from segwire.simulator.message import Message
from segwire.simulator.plan import SimulationPlan
from segwire.simulator.run import run
from segwire.simulator.tally import Tally
from segwire.simulator.traffic import Traffic
from tests.support.simulation import ManualClock, plan

PLAN = plan(duration_s=5.0, batch_every_s=2.0)
CONNECTIONS = 4


class FakeSender:
    """Answers as told, and remembers each attempt with its moment."""

    def __init__(self, clock: ManualClock, *answers: str, takes_s: float = 0.0) -> None:
        self._clock = clock
        self._answers = cycle(answers or ("200",))
        self._takes_s = takes_s
        self.attempts: list[tuple[float, bytes]] = []
        self.answering = asyncio.Event()
        self.answering.set()

    async def send(self, body: bytes) -> str:
        self.attempts.append((self._clock.at_s - 1000.0, body))
        self._clock.at_s += self._takes_s
        await self.answering.wait()
        return next(self._answers)


class Remembering:
    def __init__(self) -> None:
        self.certain: list[Message] = []
        self.possible: list[Message] = []

    def acknowledged(self, message: Message) -> None:
        self.certain.append(message)

    def unacknowledged(self, message: Message) -> None:
        self.possible.append(message)


class Running:
    """A run of a plan on a clock that moves only while the pacing sleeps."""

    def __init__(self, *answers: str, takes_s: float = 0.0, wanted: SimulationPlan = PLAN) -> None:
        self.clock = ManualClock()
        self.sender = FakeSender(self.clock, *answers, takes_s=takes_s)
        self.judge = Remembering()
        self.stop = asyncio.Event()
        self._plan = wanted

    def finish(self, progress: Callable[[Tally], None] = lambda _: None) -> Tally:
        async def sleep(delay_s: float) -> None:
            # Let the connections work before time goes on.
            for _ in range(20):
                await asyncio.sleep(0)
            await self.clock.sleep(delay_s)

        return asyncio.run(
            run(
                self._plan,
                self.sender,
                judge=self.judge,
                progress=progress,
                connections=CONNECTIONS,
                stop=self.stop,
                clock=self.clock,
                sleep=sleep,
            )
        )


def test_every_message_is_sent_and_judged_once() -> None:
    running = Running()
    tally = running.finish()
    planned = list(Traffic(PLAN))
    assert sorted(m.number for m in running.judge.certain) == [m.number for m in planned]
    assert (tally.sent, tally.acknowledged, tally.failed, tally.retried) == (len(planned), len(planned), 0, 0)
    assert dict(tally.answers) == {"200": len(planned)}
    assert tally.kinds["batch"] > 0


def test_no_message_is_sent_before_its_moment_nor_much_after() -> None:
    running = Running()
    running.finish()
    planned = {m.body: m.planned_s for m in reversed(list(Traffic(PLAN)))}
    assert all(at_s - planned[body] >= -1e-6 for at_s, body in running.sender.attempts)
    tally = running.finish()
    assert tally.from_plan_ms.summary()["max"] <= 20


def test_a_failed_message_is_sent_exactly_once_more() -> None:
    running = Running("503")
    tally = running.finish()
    messages = len(list(Traffic(PLAN)))
    assert len(running.sender.attempts) == 2 * messages
    assert (tally.acknowledged, tally.failed, tally.retried) == (0, messages, messages)
    assert len(running.judge.possible) == messages
    assert running.judge.certain == []


@pytest.mark.parametrize("failure", ["500", "503", "201", "204", "302", "timeout", "unreachable"])
def test_a_message_acknowledged_at_the_retry_is_certain(failure: str) -> None:
    running = Running(failure, "200", wanted=plan(duration_s=1.0, rate=20.0))
    running.clock = ManualClock()
    tally = running.finish()
    assert tally.retried == tally.sent == tally.acknowledged == len(running.judge.certain)
    assert tally.answers == {failure: tally.sent, "200": tally.sent}


def test_latency_is_measured_from_the_attempt_and_from_the_planned_moment() -> None:
    # Each answer takes 100 ms of a clock that all share, at a plan of one message every 50 ms.
    tally = Running(takes_s=0.1, wanted=plan(duration_s=2.0, rate=20.0, batch_every_s=0.0)).finish()
    assert tally.answered_ms.summary()["p50"] == pytest.approx(100, rel=0.02)
    assert tally.from_plan_ms.summary()["max"] >= 1500


def test_after_stop_no_more_is_sent_and_what_was_sent_is_judged() -> None:
    running = Running(wanted=plan(duration_s=None))
    calls = count()

    def stop_at_the_third(tally: Tally) -> None:
        if next(calls) == 2:
            running.stop.set()

    tally = running.finish(stop_at_the_third)
    assert 50 <= tally.sent <= 300
    assert len(running.judge.certain) == tally.sent == len(running.sender.attempts)


def test_after_stop_what_still_waits_for_a_connection_is_not_sent() -> None:
    running = Running(wanted=plan(duration_s=None))
    running.sender.answering.clear()

    def stop_at_the_third(tally: Tally) -> None:
        if tally.elapsed_s > 1.0:
            running.stop.set()
            running.sender.answering.set()

    tally = running.finish(stop_at_the_third)
    assert tally.sent == len(running.judge.certain) == CONNECTIONS


def test_progress_is_shown_while_running_and_at_the_end() -> None:
    shown: list[int] = []
    tally = Running().finish(lambda tally: shown.append(tally.sent))
    assert len(shown) >= 8
    assert shown == sorted(shown)
    assert shown[-1] == tally.sent


def test_progress_is_shown_even_when_behind_the_plan() -> None:
    shown: list[int] = []
    Running(takes_s=0.1).finish(lambda tally: shown.append(tally.sent))
    assert len(shown) >= 5


def test_a_programming_error_in_a_sender_ends_the_run() -> None:
    class Broken:
        async def send(self, body: bytes) -> str:
            raise AssertionError(f"broken: {body!r}")

    with pytest.raises(ExceptionGroup, match="unhandled errors"):
        asyncio.run(run(PLAN, Broken(), connections=2))
