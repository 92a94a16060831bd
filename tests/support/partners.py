"""Partners without a network: what they answer is decided by a test."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from sinks.outbound.verdict import Answer


def answer(status: int | None = 200, wait_s: float | None = None) -> Answer:
    """Return an answer as the client gives it; None is a timeout."""
    error = "" if status == 200 else "timeout" if status is None else f"status-{status}"
    return Answer(status, error, error, 1000, 5, wait_s)


class FakePartner:
    """Answers by the body; counts how many messages are under way at once."""

    def __init__(self, behaviour: Callable[[bytes], Answer] = lambda _: answer()) -> None:
        self.behaviour = behaviour
        self.bodies: list[bytes] = []
        self.under_way = 0
        self.under_way_max = 0
        self.hang = asyncio.Event()
        self.hangs = False

    async def send(self, body: bytes) -> Answer:
        self.bodies.append(body)
        self.under_way += 1
        self.under_way_max = max(self.under_way, self.under_way_max)
        try:
            await asyncio.sleep(0)
            if self.hangs:
                await self.hang.wait()
            return self.behaviour(body)
        finally:
            self.under_way -= 1


def in_turn(*answers: Answer) -> Callable[[bytes], Answer]:
    """Return a behaviour that gives these answers, and then the last of them."""
    left = list(answers)

    def behave(_: bytes) -> Answer:
        with suppress(IndexError):
            return left.pop(0) if len(left) > 1 else left[0]
        raise AssertionError("no answers")

    return behave
