"""When rows may be written anew, without Kafka."""

from collections.abc import Iterator, Sequence

import pytest

from runtime.errors import SegwireError
from runtime.settings import Settings
from segwire.inspect import row_publishing
from segwire.inspect.log_reader import Slice


class Topics:
    """In the place of a `LogReader`: a changelog without users, and the ends of the other topic, one for each look."""

    def __init__(self, *ends: int) -> None:
        self._ends = iter(ends)

    def partitions(self, _topic: str) -> int:
        return 1

    def slices(self, topic: str, partitions: Sequence[int]) -> list[Slice]:
        end = next(self._ends) if topic == "segment-membership" else 0
        return [Slice(topic, partition, 0, end) for partition in partitions]

    def read(self, _slices: Sequence[Slice]) -> Iterator[object]:
        return iter(())


class Silent:
    """In the place of a `RecordWriter`."""

    def __init__(self, *_: object) -> None:
        return

    def finish(self) -> None:
        return


@pytest.fixture(autouse=True)
def _silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_publishing, "RecordWriter", Silent)


def write(*ends: int) -> list[row_publishing.Written]:
    return list(row_publishing.publish_rows(Settings(), Topics(*ends)))  # type: ignore[arg-type]


def test_a_topic_that_was_made_anew_gets_its_rows() -> None:
    assert write(0, 0) == [row_publishing.Written(partition=0, users=0, rows=0)]


def test_a_topic_that_has_had_records_is_left_alone() -> None:
    with pytest.raises(SegwireError, match=r"segment-membership partition 0 has had records: .*segwire topics apply"):
        write(1)


def test_records_of_a_processor_that_was_not_stopped_are_noticed() -> None:
    with pytest.raises(SegwireError, match=r"got 3 records of somebody else meanwhile: stop membership"):
        write(0, 3)
