"""Sends the messages of a plan at its rate: open loop, so that a slow receiver does not slow the sender down."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from runtime.clock import Clock, SystemClock
from segwire.simulator.message import Message
from segwire.simulator.plan import SimulationPlan
from segwire.simulator.sender import Sender
from segwire.simulator.tally import Tally
from segwire.simulator.traffic import Traffic

Sleep = Callable[[float], Awaitable[None]]
Progress = Callable[[Tally], None]

ACKNOWLEDGED = "200"
DEFAULT_CONNECTIONS = 256

_PACE_S = 0.005
_PROGRESS_S = 0.5
_QUEUED_MAX = 20_000
# When behind the plan nothing sleeps: let the connections work in between.
_QUEUED_AT_ONCE = 100


class Judge(Protocol):
    """Hears what became of each message."""

    def acknowledged(self, message: Message) -> None:
        """Take a message that was answered 200."""

    def unacknowledged(self, message: Message) -> None:
        """Take a message that was not, after the retry."""


def _ignore(tally: Tally) -> None:
    """Show nothing."""


async def run(
    plan: SimulationPlan,
    sender: Sender,
    *,
    judge: Judge | None = None,
    progress: Progress = _ignore,
    connections: int = DEFAULT_CONNECTIONS,
    stop: asyncio.Event | None = None,
    clock: Clock | None = None,
    sleep: Sleep = asyncio.sleep,
) -> Tally:
    """Send the plan's messages, each at its moment, and return the counts when the last is answered.

    Where all `connections` are busy, messages wait and are late; beyond 20 000 waiting the run falls behind its plan.
    When `stop` is set no more are sent and those under way are finished. `judge` hears of every message that was
    sent; `progress` is called about twice a second.
    """
    running = _Run(sender, judge, clock or SystemClock(), sleep)
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(running.work())
        await running.pace(Traffic(plan), progress, stop or asyncio.Event())
        for _ in range(connections):
            await running.queue.put(None)
    running.tally.elapsed_s = running.elapsed_s()
    progress(running.tally)
    return running.tally


class _Run:
    def __init__(self, sender: Sender, judge: Judge | None, clock: Clock, sleep: Sleep) -> None:
        self.tally = Tally()
        self.queue: asyncio.Queue[Message | None] = asyncio.Queue(_QUEUED_MAX)
        self._sender = sender
        self._judge = judge
        self._clock = clock
        self._sleep = sleep
        self._start_s = clock.monotonic_s()

    def elapsed_s(self) -> float:
        return self._clock.monotonic_s() - self._start_s

    async def pace(self, traffic: Traffic, progress: Progress, stop: asyncio.Event) -> None:
        """Queue each message when it is due; several at a time, since a wake-up for each would cost more."""
        shown_s, queued = 0.0, 0
        for message in traffic:
            if (now_s := self.elapsed_s()) - shown_s >= _PROGRESS_S:
                shown_s = self.tally.elapsed_s = now_s
                progress(self.tally)
            while message.planned_s > now_s and not stop.is_set():
                await self._sleep(min(max(message.planned_s - now_s, _PACE_S), _PROGRESS_S))
                now_s, queued = self.elapsed_s(), 0
            if queued >= _QUEUED_AT_ONCE:
                await self._sleep(0)
                queued = 0
            if stop.is_set():
                self._forget_queued()
                return
            await self.queue.put(message)
            queued += 1

    def _forget_queued(self) -> None:
        while not self.queue.empty():
            self.queue.get_nowait()

    async def work(self) -> None:
        """Deliver what is due until told to end: one of the connections."""
        while (message := await self.queue.get()) is not None:
            await self._deliver(message)

    async def _deliver(self, message: Message) -> None:
        tally, started_s = self.tally, self.elapsed_s()
        tally.sent += 1
        tally.kinds[message.kind] += 1
        answer = await self._attempt(message)
        if answer != ACKNOWLEDGED:
            # As the real sender does: exactly once, then the message is lost.
            tally.retried += 1
            answer = await self._attempt(message)
        if answer == ACKNOWLEDGED:
            now_s = self.elapsed_s()
            tally.acknowledged += 1
            tally.answered_ms.add((now_s - started_s) * 1000)
            tally.from_plan_ms.add((now_s - message.planned_s) * 1000)
        else:
            tally.failed += 1
        if self._judge is not None:
            judged = self._judge.acknowledged if answer == ACKNOWLEDGED else self._judge.unacknowledged
            judged(message)

    async def _attempt(self, message: Message) -> str:
        answer = await self._sender.send(message.body)
        self.tally.answers[answer] += 1
        return answer
