"""Brings deliveries to the partner: in messages, past the breaker, each entry once also where a batch comes again."""

import uuid
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

import structlog

from runtime import metrics
from runtime.clock import Clock
from runtime.processor import Backpressure
from sinks.breaker import Breaker, BreakerLimits, failed
from sinks.outbound.judgement import Judgement, judge
from sinks.outbound.message import Head, UserEntry, render
from sinks.outbound.packing import Delivery, Users, pack
from sinks.outbound.records import Sent
from sinks.outbound.sender import Attempts, Sender

Run = Callable[[Coroutine[Any, Any, Any]], Any]
Rendered = Callable[[Sequence[Users], Sequence[bytes]], None]

_log = structlog.get_logger()
_LIMITS = BreakerLimits()
_SECOND_MS = 1000
# Longer than a transaction takes, and most waits.
_REMEMBERED_S = 600.0


class Dispatcher:
    """Sends through one `Sender`.

    What is done is remembered until the transaction that tells of it is committed: where that is aborted, or a part of
    the batch has to wait, the same entries come again and are not sent again.
    """

    def __init__(
        self, name: str, head: Head, max_users: int, sender: Sender, run: Run, clock: Clock,
        limits: BreakerLimits = _LIMITS, rendered: Rendered | None = None,
    ) -> None:  # fmt: skip
        """Send messages of up to `max_users` entries; `run` runs a coroutine to its end.

        `rendered` is told of the messages before they are sent.
        """
        self._name = name
        self._head = head
        self._max_users = max_users
        self._sender = sender
        self._run = run
        self._clock = clock
        self._limits = limits
        self._rendered = rendered
        self._breaker = Breaker()
        self._refused_in_a_row = 0
        self._done: dict[UserEntry, Sent] = {}
        self._sent_s: dict[UserEntry, float] = {}
        self._told: set[UserEntry] = set()

    def deliver(self, deliveries: Sequence[Delivery], now_ms: int) -> dict[UserEntry, Sent]:
        """Send what was not yet, and return what became of each entry. Blocks for some seconds at most.

        Raises:
            Backpressure: some of it has to wait, so all of it comes again.
        """
        self._forget_old()
        messages = pack(deliveries, self._max_users, self._done)
        if messages:
            wait_s = self._breaker.wait_s(self._clock.monotonic_s())
            if wait_s > 0:
                raise Backpressure(wait_s)
            bodies = [render(self._head, users, now_ms) for users in messages]
            if self._rendered is not None:
                self._rendered(messages, bodies)
            attempts = self._attempt(bodies)
            self._take(messages, bodies, attempts)
        entries = [entry for delivery in deliveries for entry in delivery.entries()]
        self._told.update(entries)
        return {entry: self._done[entry] for entry in entries}

    def committed(self) -> None:
        """What was told is told for good."""
        self._drop(self._told)
        self._told.clear()

    def aborted(self) -> None:
        """What was told comes again."""
        self._told.clear()

    def _forget_old(self) -> None:
        """Forget what did not come again: its users changed in the meantime, or are another process's now."""
        before_s = self._clock.monotonic_s() - _REMEMBERED_S
        old = [entry for entry, sent_s in self._sent_s.items() if sent_s < before_s and entry not in self._told]
        self._drop(old)

    def _drop(self, entries: Iterable[UserEntry]) -> None:
        for entry in entries:
            self._done.pop(entry, None)
            self._sent_s.pop(entry, None)

    def _attempt(self, bodies: Sequence[bytes]) -> list[Attempts]:
        """Send all; after a failure a single one first, another each time, as the first may be what fails."""
        failures = self._breaker.failures
        if not failures:
            return self._send(bodies)
        chosen = failures % len(bodies)
        probe: Attempts = self._run(self._sender.probe(bodies[chosen]))
        attempts = [Attempts(())] * len(bodies)
        if probe.verdict != "failed":
            others = self._send([body for number, body in enumerate(bodies) if number != chosen])
            return [*others[:chosen], probe, *others[chosen:]]
        attempts[chosen] = probe
        return attempts

    def _send(self, bodies: Sequence[bytes]) -> list[Attempts]:
        sent: list[Attempts] = self._run(self._sender.send(bodies))
        return sent

    def _take(self, messages: Sequence[Users], bodies: Sequence[bytes], attempts: Sequence[Attempts]) -> None:
        judgement = judge(attempts, self._refused_in_a_row)
        self._refused_in_a_row = judgement.refused_in_a_row
        for number, (users, body, made) in enumerate(zip(messages, bodies, attempts, strict=True)):
            self._count(made, number in judgement.done)
            if number in judgement.done:
                sent = Sent(uuid.uuid4().hex, body, made)
                self._done.update(dict.fromkeys(users, sent))
                self._sent_s.update(dict.fromkeys(users, self._clock.monotonic_s()))
        if len(judgement.done) < len(messages):
            raise self._put_off(judgement)
        if self._breaker.failures:
            _log.info("destination_available_again", sink=self._name, failures=self._breaker.failures)
            self._breaker = Breaker()
        metrics.SINK_BREAKER_OPEN.labels(sink=self._name).set(0)

    def _put_off(self, judgement: Judgement) -> Backpressure:
        if judgement.failure is None:
            return Backpressure(0.0)
        now_s, before = self._clock.monotonic_s(), self._breaker
        self._breaker = failed(before, now_s, self._limits, judgement.failure, judgement.asked_wait_s)
        metrics.SINK_FAILURES.labels(sink=self._name).inc()
        metrics.SINK_BREAKER_OPEN.labels(sink=self._name).set(self._breaker.is_open)
        if not before.failures or (self._breaker.is_open and not before.is_open):
            _log.warning(
                "destination_unavailable", sink=self._name, reason=judgement.failure, breaker_open=self._breaker.is_open
            )  # fmt: skip
        return Backpressure(self._breaker.wait_s(now_s))

    def _count(self, made: Attempts, done: bool) -> None:
        for answer in made.answers:
            metrics.OUTBOUND_ATTEMPT_SECONDS.labels(sink=self._name).observe(answer.latency_ms / _SECOND_MS)
        if made.answers:
            result = "delivered" if made.verdict == "delivered" else "parked" if done else "put-off"
            metrics.OUTBOUND_MESSAGES.labels(sink=self._name, result=result).inc()
