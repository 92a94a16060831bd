"""When rows may be written anew, without Kafka."""

from collections.abc import Iterator, Sequence
from types import SimpleNamespace

import pytest

from processors.rules.state import UserState
from processors.rules.state_codec import encode_state
from runtime.errors import SegwireError
from runtime.settings import Settings
from schemas.event import Origin
from segwire.inspect import row_publishing
from segwire.inspect.log_reader import Slice


class Topics:
    """In the place of a `LogReader`: a changelog of `states`, and the ends of the other topic, one for each look."""

    def __init__(self, *ends: int) -> None:
        self._ends = iter(ends)
        self.states: list[tuple[bytes, bytes | None]] = []

    def partitions(self, _topic: str) -> int:
        return 1

    def slices(self, topic: str, partitions: Sequence[int]) -> list[Slice]:
        end = next(self._ends) if topic == "segment-membership" else 0
        return [Slice(topic, partition, 0, end) for partition in partitions]

    def read(self, _slices: Sequence[Slice]) -> Iterator[object]:
        return (SimpleNamespace(key=lambda k=key: k, value=lambda v=value: v) for key, value in self.states)


class Silent:
    """In the place of a `RecordWriter`."""

    def __init__(self, *_: object) -> None:
        return

    def put(self, _partition: int, _key: bytes, _value: bytes) -> None:
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


def test_a_state_that_cannot_be_read_keeps_no_other_user_from_their_rows() -> None:
    user = UserState(version=7)
    user.destination("74323", "423").add("14356", 1000, active=True, since=1000, origin=0)
    user.add_origin(Origin("aam-posts", 0, 0, 0))
    good = encode_state(user)
    topics = Topics(0, 1)
    topics.states = [(b"1", b"\x00garbage"), (b"2", good), (b"3", good[:-3]), (b"4", good), (b"4", None)]
    (written,) = row_publishing.publish_rows(Settings(), topics)  # type: ignore[arg-type]
    assert (written.users, written.rows, written.unreadable) == (1, 1, 2)
    assert written.example is not None
    assert written.example.startswith("1: ")
