"""Sends the messages of one batch: side by side, each with one retry, all within a budget of time."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from sinks.outbound.verdict import Answer, Verdict, verdict


class Attempts(NamedTuple):
    """The answers to one message, in order; none where it was not sent within the budget."""

    answers: tuple[Answer, ...]

    @property
    def verdict(self) -> Verdict | None:
        """What the last answer means, None where nothing was sent."""
        return verdict(self.answers[-1]) if self.answers else None

    @property
    def asked_wait_s(self) -> float | None:
        """How long the partner wants to be left alone, where its last answer said so."""
        return self.answers[-1].asked_wait_s if self.answers else None


class SendsMessages(Protocol):
    """Makes one attempt; as `Client`."""

    async def send(self, body: bytes) -> Answer:
        """Send a message and return the answer."""


# Of a batch: when so many have failed and none has passed, the others are not tried.
_GIVE_UP_AFTER = 5


class Sender:
    """Sends through one client."""

    def __init__(self, client: SendsMessages, connections: int, budget_s: float) -> None:
        """Send up to `connections` messages at a time; what has no answer after `budget_s` counts as not sent."""
        self._client = client
        self._connections = connections
        self._budget_s = budget_s

    async def send(self, bodies: Sequence[bytes]) -> list[Attempts]:
        """Send all, and return what became of each, in order; some are not sent where the first all fail."""
        answers: list[list[Answer]] = [[] for _ in bodies]
        places = asyncio.Semaphore(self._connections)

        passed = failed = 0

        async def one(number: int) -> None:
            nonlocal passed, failed
            async with places:
                if failed >= _GIVE_UP_AFTER and not passed:
                    return
                result = await self._with_retry(bodies[number], answers[number])
                passed += result == "delivered"
                failed += result == "failed"

        tasks = [asyncio.create_task(one(number)) for number in range(len(bodies))]
        try:
            if tasks:
                await asyncio.wait(tasks, timeout=self._budget_s)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, Exception):
                raise outcome
        unfinished = [isinstance(outcome, asyncio.CancelledError) for outcome in ended]
        return [Attempts(() if cut else tuple(made)) for cut, made in zip(unfinished, answers, strict=True)]

    async def probe(self, body: bytes) -> Attempts:
        """Send one message, once: to see whether the partner is back."""
        return Attempts((await self._client.send(body),))

    async def _with_retry(self, body: bytes, answers: list[Answer]) -> Verdict:
        """Retry a failure once, unless the partner asks to be left alone. Source: wire format, section 1."""
        answers.append(await self._client.send(body))
        if verdict(answers[0]) != "delivered" and answers[0].asked_wait_s is None:
            answers.append(await self._client.send(body))
        return verdict(answers[-1])
