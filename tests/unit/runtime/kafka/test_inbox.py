"""What a processor is asked to do, handed out until it is taken."""

from typing import Any

import pytest
from confluent_kafka import OFFSET_BEGINNING, Message, TopicPartition

from runtime.kafka.inbox import Inbox
from runtime.processor import InputRecord

LOG = {0: [b"a", b"x", b"b"], 1: [b"c"]}


class Log:
    """A consumer over `LOG`; each partition is read from where it was assigned."""

    def __init__(self) -> None:
        self.next: dict[int, int] = {}

    def incremental_assign(self, places: list[TopicPartition]) -> None:
        for place in places:
            assert place.partition not in self.next
            self.next[place.partition] = 0 if place.offset == OFFSET_BEGINNING else place.offset

    def incremental_unassign(self, places: list[TopicPartition]) -> None:
        for place in places:
            del self.next[place.partition]

    def consume(self, limit: int, wait_s: float) -> list[Message]:
        assert (limit > 0, wait_s) == (True, 0.0)
        found = []
        for partition, begin in self.next.items():
            for offset in range(begin, len(LOG[partition])):
                value = LOG[partition][offset]
                found.append(Message(topic="t", partition=partition, offset=offset, value=value, timestamp=(1, 0)))
            self.next[partition] = max(begin, len(LOG[partition]))
        return found

    def close(self) -> None:
        self.next.clear()


@pytest.fixture
def inbox() -> Inbox:
    consumer: Any = Log()
    return Inbox(consumer, "t", lambda record: record.value != b"x")


def values(records: list[InputRecord]) -> list[bytes | None]:
    return [record.value for record in records]


def test_what_is_wanted_is_handed_out_until_it_is_taken(inbox: Inbox) -> None:
    assert values(inbox.read({0: 0, 1: 0})) == [b"a", b"b", b"c"]
    assert values(inbox.read({0: 0, 1: 0})) == [b"a", b"b", b"c"]
    assert values(inbox.read({0: 1, 1: 1})) == [b"b"]
    assert values(inbox.read({0: 3, 1: 1})) == []


def test_reading_begins_behind_what_was_taken_before(inbox: Inbox) -> None:
    assert values(inbox.read({0: 2})) == [b"b"]


def test_what_was_taken_in_an_aborted_transaction_comes_again(inbox: Inbox) -> None:
    inbox.read({0: 0, 1: 0})
    assert values(inbox.read({0: 3, 1: 0})) == [b"c"]
    assert values(inbox.read({0: 1, 1: 0})) == [b"b", b"c"]


def test_partition_that_is_given_away_hands_out_nothing_and_begins_anew(inbox: Inbox) -> None:
    inbox.read({0: 0, 1: 0})
    assert values(inbox.read({1: 0})) == [b"c"]
    assert values(inbox.read({0: 0, 1: 1})) == [b"a", b"b"]
    assert inbox.read({}) == []
