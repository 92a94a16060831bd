import pytest

from ingest.connections import Connections
from ingest.limits import Limits, Overdue, Waiting


class FakeConnection:
    def __init__(self, waiting: Waiting, since_s: float, *, busy: bool = False) -> None:
        self.waiting = waiting
        self.since_s = since_s
        self.unread_since_s: float | None = None
        self.busy = busy
        self.ended: Overdue | str | None = None

    def has_waited(self) -> bool:
        return not self.busy

    def end(self, reason: Overdue) -> None:
        self.ended = reason

    def abort(self) -> None:
        self.ended = "aborted"


class Time:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def full_of(*connections: FakeConnection) -> Connections:
    them = Connections(Limits(max_connections=len(connections)), Time())
    for connection in connections:
        assert them.add(connection)
    return them


def test_the_longest_idle_makes_room() -> None:
    old, young = FakeConnection(Waiting.NEXT, 900), FakeConnection(Waiting.NEXT, 999)
    receiving, answering = FakeConnection(Waiting.BODY, 990), FakeConnection(Waiting.ANSWER, 900)
    them = full_of(young, receiving, answering, old)
    assert them.add(FakeConnection(Waiting.HEAD, 1000))
    assert [c.ended for c in (old, young, receiving, answering)] == ["aborted", None, None, None]


def test_a_slow_sender_makes_room_where_nobody_is_idle() -> None:
    slow, fresh = FakeConnection(Waiting.BODY, 996), FakeConnection(Waiting.BODY, 998)
    them = full_of(fresh, slow)
    assert them.add(FakeConnection(Waiting.HEAD, 1000))
    assert (slow.ended, fresh.ended) == ("aborted", None)


def test_nobody_makes_room_whose_request_somebody_waits_for() -> None:
    them = full_of(FakeConnection(Waiting.ANSWER, 0), FakeConnection(Waiting.HEAD, 0, busy=True))
    assert not them.add(FakeConnection(Waiting.HEAD, 1000))
    assert not them.add(FakeConnection(Waiting.HEAD, 1000))


def test_there_is_room_again_when_an_answer_is_out() -> None:
    busy = FakeConnection(Waiting.ANSWER, 1000)
    them = full_of(busy)
    assert not them.add(FakeConnection(Waiting.HEAD, 1000))
    busy.waiting, them.full = Waiting.NEXT, False
    assert them.add(FakeConnection(Waiting.HEAD, 1000))


def test_a_flood_is_not_searched_for_each() -> None:
    them = full_of(*(FakeConnection(Waiting.NEXT, n) for n in range(640)))
    assert them.add(FakeConnection(Waiting.HEAD, 1000))
    assert all(them.add(FakeConnection(Waiting.HEAD, 1000)) for _ in range(9))
    assert not them.full


@pytest.mark.parametrize("busy", [False, True])
def test_only_who_is_waited_for_is_overdue(busy: bool) -> None:
    connection = FakeConnection(Waiting.HEAD, 0, busy=busy)
    them = full_of(connection)
    them.look()
    assert connection.ended == (None if busy else Overdue.HEAD)


def test_who_does_not_read_is_ended_although_answers_wait_for_him() -> None:
    connection = FakeConnection(Waiting.ANSWER, 1000, busy=True)
    connection.unread_since_s = 900
    full_of(connection).look()
    assert connection.ended is Overdue.READER
