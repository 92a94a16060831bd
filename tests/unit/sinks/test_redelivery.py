"""What a sink had set aside, given to its processors again."""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import pytest

from runtime.processor import Backpressure, InputRecord, OutputRecord
from schemas.requests import BACKFILL, REDRIVE, RequestKind, request_headers
from sinks.redelivery import Redelivery


class Notes:
    """Notes what it is given; raises where it is down."""

    def __init__(self) -> None:
        self.given: list[tuple[int, int, bytes | None]] = []
        self.told: list[str] = []
        self.is_down = False

    def process(self, records: Sequence[InputRecord]) -> list[OutputRecord]:
        if self.is_down:
            raise Backpressure(1.0)
        self.given += [(record.partition, record.offset, record.value) for record in records]
        return [OutputRecord("out", 0, record.key, record.value) for record in records]

    def punctuate(self, now_ms: int, partitions: Collection[int]) -> Sequence[OutputRecord]:
        raise AssertionError((now_ms, partitions))

    def committed(self) -> None:
        self.told.append("committed")

    def aborted(self) -> None:
        self.told.append("aborted")


def request(
    value: bytes, topic: str, *, sink: str = "w", kind: RequestKind = REDRIVE, where: tuple[int, int] = (2, 7)
) -> InputRecord:
    headers: Any = request_headers(sink, kind, (topic, *where))
    return InputRecord(2, 100, b"k", value, headers, 0)


@pytest.fixture
def notes() -> dict[str, Notes]:
    return {"rows": Notes(), "changes": Notes()}


def test_each_processor_gets_its_own_records_at_the_place_that_they_had(notes: dict[str, Notes]) -> None:
    records = [request(b"r", "rows"), request(b"c", "changes", where=(2, 9)), request(b"s", "rows", where=(2, 8))]
    outputs = Redelivery("w", notes).process(records)
    assert notes["rows"].given == [(2, 7, b"r"), (2, 8, b"s")]
    assert notes["changes"].given == [(2, 9, b"c")]
    assert [output.value for output in outputs] == [b"r", b"s", b"c"]


def test_what_is_asked_of_others_is_passed_over(notes: dict[str, Notes]) -> None:
    plain = InputRecord(2, 100, b"k", b"v", None, 0)
    others = [request(b"a", "rows", sink="q"), request(b"b", "rows", kind=BACKFILL), request(b"c", "posts"), plain]
    assert Redelivery("w", notes).process(others) == []
    assert not notes["rows"].given


def test_a_request_that_was_a_dead_letter_itself_is_taken_like_the_first(notes: dict[str, Notes]) -> None:
    first = request(b"r", "rows", where=(2, 8))
    stamped = [*(first.headers or []), ("topic", b"sink-requests"), ("partition", b"5"), ("offset", b"100")]
    Redelivery("w", notes).process([msgspec.structs.replace(first, headers=stamped)])
    assert notes["rows"].given == [(2, 8, b"r")]


def test_sink_that_takes_nothing_has_everything_come_again(notes: dict[str, Notes]) -> None:
    notes["changes"].is_down = True
    with pytest.raises(Backpressure):
        Redelivery("w", notes).process([request(b"c", "changes")])


def test_processors_hear_of_the_end_of_the_transaction(notes: dict[str, Notes]) -> None:
    redelivery = Redelivery("w", notes)
    redelivery.committed()
    redelivery.aborted()
    assert redelivery.punctuate(1, [2]) == ()
    assert [each.told for each in notes.values()] == [["committed", "aborted"]] * 2
