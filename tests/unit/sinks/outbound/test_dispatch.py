"""Deliveries on their way to a partner that may be down."""

import asyncio
from collections.abc import Iterator

import pytest

from runtime.processor import Backpressure
from sinks.breaker import BreakerLimits
from sinks.outbound.dispatch import Dispatcher
from sinks.outbound.message import Head
from sinks.outbound.packing import Delivery
from sinks.outbound.rules import Decision, Entry
from sinks.outbound.sender import Sender
from sinks.outbound.state import UserState
from sinks.outbound.verdict import Answer
from tests.support.loop import Clock
from tests.support.outbound import DPID, NOW_MS
from tests.support.partners import FakePartner, answer

LIMITS = BreakerLimits(failures_max=3, retry_s=1, open_s=5, open_max_s=30)
HEAD = Head("c", "d", DPID)


def delivery(name: str, at_s: int = 1) -> Delivery:
    entries = (Entry("1", "1", True, at_s, 1),)
    return Delivery(name.encode(), name, UserState(partners=["p"]), Decision((), entries), (0, 0))


class Line:
    """A dispatcher with one user per message."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.clock = Clock()
        self.bad: dict[str, Answer] = {}
        self.partner = FakePartner(self.behave)
        sender = Sender(self.partner, 4, 30)
        self.dispatcher = Dispatcher("p", HEAD, 1, sender, self.runner.run, self.clock, LIMITS)

    def behave(self, body: bytes) -> Answer:
        return next((bad for name, bad in self.bad.items() if name == "*" or f'"{name}"' in body.decode()), answer())

    def deliver(self, *names: str) -> dict[str, bool]:
        """Return the users that are done, and whether they are parked."""
        done = self.dispatcher.deliver([delivery(name) for name in names], NOW_MS)
        return {entry.aam_uuid: sent.parked for entry, sent in done.items()}

    def pressed(self, *names: str) -> float:
        with pytest.raises(Backpressure) as pressure:
            self.deliver(*names)
        return pressure.value.wait_s

    def sent_to(self, name: str) -> int:
        return sum(f'"{name}"' in body.decode() for body in self.partner.bodies)


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made.runner.close()


def test_what_is_delivered_is_not_sent_again_before_its_transaction_is_committed(line: Line) -> None:
    assert line.deliver("a", "b") == {"a": False, "b": False}
    line.dispatcher.aborted()
    assert line.deliver("a", "b") == {"a": False, "b": False}
    assert len(line.partner.bodies) == 2
    line.dispatcher.committed()
    line.deliver("a")
    assert line.sent_to("a") == 2


def test_one_that_fails_while_others_pass_is_parked_after_its_retry(line: Line) -> None:
    line.bad["a"] = answer(500)
    assert line.deliver("a", "b") == {"a": True, "b": False}
    assert line.sent_to("a") == 2


def test_while_the_partner_is_down_everything_waits_longer_and_longer(line: Line) -> None:
    line.bad["*"] = answer(None)
    waits_s = []
    for _ in range(5):
        waits_s.append(line.pressed("a", "b"))
        line.clock.at_s += waits_s[-1]
    assert waits_s == [1, 2, 5, 10, 20]
    # Both with a retry at first, then one message at a time.
    assert len(line.partner.bodies) == 4 + 4


def test_nothing_is_sent_before_the_wait_is_over(line: Line) -> None:
    line.bad["*"] = answer(500)
    assert line.pressed("a") == 1
    line.clock.at_s += 0.25
    assert line.pressed("a") == pytest.approx(0.75)
    assert line.sent_to("a") == 2


def test_a_partner_that_is_back_gets_everything_and_waits_are_short_again(line: Line) -> None:
    line.bad["*"] = answer(500)
    line.clock.at_s += line.pressed("a", "b", "c")
    line.bad.clear()
    assert line.deliver("a", "b", "c") == {"a": False, "b": False, "c": False}
    line.dispatcher.committed()
    line.bad["*"] = answer(500)
    assert line.pressed("a") == 1


def test_one_bad_message_does_not_keep_the_partner_from_being_found_back(line: Line) -> None:
    line.bad["*"] = answer(500)
    line.clock.at_s += line.pressed("a", "b")
    line.bad = {"a": answer(500)}
    while True:
        try:
            assert line.deliver("a", "b") == {"a": True, "b": False}
            break
        except Backpressure as pressure:
            line.clock.at_s += pressure.wait_s
    assert line.sent_to("b") == 3


def test_what_waits_comes_again_alone(line: Line) -> None:
    line.bad["b"] = answer(503, 9.0)
    assert line.pressed("a", "b") == 9
    line.clock.at_s += 9
    line.bad.clear()
    assert line.deliver("a", "b", "c") == {"a": False, "b": False, "c": False}
    assert (line.sent_to("a"), line.sent_to("b")) == (1, 2)


def test_a_commit_of_something_else_does_not_make_what_waits_forgotten(line: Line) -> None:
    line.bad["b"] = answer(503, 9.0)
    line.pressed("a", "b")
    line.dispatcher.committed()
    line.clock.at_s += 9
    line.bad.clear()
    line.deliver("a", "b")
    assert line.sent_to("a") == 1


def test_another_content_is_another_delivery(line: Line) -> None:
    line.deliver("a")
    line.dispatcher.aborted()
    line.dispatcher.deliver([delivery("a", at_s=2)], NOW_MS)
    assert line.sent_to("a") == 2


def test_what_did_not_come_again_is_sent_again_when_it_is_wanted_later(line: Line) -> None:
    line.bad["b"] = answer(503, 9.0)
    line.pressed("a", "b")
    line.bad.clear()
    line.clock.at_s += 601
    assert line.deliver("a") == {"a": False}
    assert line.sent_to("a") == 2
    line.dispatcher.committed()
    line.clock.at_s += 601
    line.deliver("a")
    assert line.dispatcher._done.keys() == set(delivery("a").entries())
