"""Which old records may still be written."""

from collections.abc import Iterator

import pytest

from runtime.processor import InputRecord
from sinks.postgres.again import LastOfKey, Tombstones


class Log:
    """One partition: keys by offset, upper case for a row, lower case for its tombstone."""

    def __init__(self, keys: str) -> None:
        self.keys = keys
        self.read_offsets: list[int] = []

    def record(self, offset: int) -> InputRecord:
        key = self.keys[offset]
        return InputRecord(0, offset, key.lower().encode(), b"row" if key.isupper() else None, None, 0)

    def read(self, partition: int, start: int, end: int) -> Iterator[InputRecord]:
        assert partition == 0
        for offset in range(start, min(end, len(self.keys))):
            self.read_offsets.append(offset)
            if self.keys[offset] != " ":  # compacted away
                yield self.record(offset)


def kept(records: list[InputRecord]) -> list[int]:
    return [record.offset for record in records]


def test_row_behind_which_there_is_a_tombstone_is_over() -> None:
    log = Log("ABCaA")
    tombstones = Tombstones(log.read)
    records = [log.record(offset) for offset in range(5)]
    tombstones.look(0, records)
    assert kept(tombstones.living(0, records, 5)) == [1, 2, 4]


def test_tombstone_that_came_since_is_seen_and_nothing_is_read_twice() -> None:
    log = Log("AB")
    tombstones = Tombstones(log.read)
    tombstones.look(0, [log.record(0)])
    assert kept(tombstones.living(0, [log.record(0)], 2)) == [0]
    log.keys += "b"
    tombstones.look(0, [log.record(1)])
    assert kept(tombstones.living(0, [log.record(1)], 3)) == []
    assert log.read_offsets == [0, 1, 2]


def test_tombstone_that_the_sink_has_yet_to_come_to_is_left_to_it() -> None:
    log = Log("A")
    tombstones = Tombstones(log.read)
    tombstones.look(0, [log.record(0)])
    log.keys += "a"
    assert kept(tombstones.living(0, [log.record(0)], 1)) == [0]


@pytest.mark.parametrize(
    ("keys", "living"),
    [("xABC", [1, 2]), ("xABa", [2]), ("xABA", [2]), ("x BC", [2]), ("x B ", [2]), ("xAbB", [1])],
)
def test_letter_is_written_where_it_is_still_the_last_of_its_key(keys: str, living: list[int]) -> None:
    letters = [Log("xAB").record(offset) for offset in (1, 2)]
    last = LastOfKey(Log(keys).read)
    last.look(0, letters)
    assert kept(last.living(0, letters, len(keys))) == living


def test_what_came_while_the_database_was_locked_is_seen() -> None:
    log = Log("A")
    last = LastOfKey(log.read)
    letter = log.record(0)
    last.look(0, [letter])
    log.keys += "A"
    assert kept(last.living(0, [letter], 2)) == []
