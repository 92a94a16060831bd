"""What a dead letter is sent again as."""

from typing import Any

import pytest
from confluent_kafka import Message

from runtime.processor import OutputRecord
from schemas.partitioning import partition_of
from schemas.redriven import RedriveMark, Redriven, decode_mark, redriven_header, redriven_marks
from schemas.requests import BACKFILL, REDRIVE, is_request, request_origin
from schemas.topics import TopicNames
from segwire.inspect.dead_letters import read_letter
from segwire.redrive.plan import Send
from segwire.redrive.records import mark_records, redriven_records
from tests.support.posts import body, user

NAMES = TopicNames("eu-")
AT_MS = 1_469_636_242_000
PARTITIONS = 3
MARKS = (Redriven("0-1", 2, 3),)


def letter(stage: str, *headers: tuple[str, bytes | None], value: bytes = b"\xff") -> Message:
    said: Any = [
        ("stage", stage.encode()), ("error", b"e"), ("reason", b"r"), ("source", b"adobe"), ("topic", b"eu-t"),
        ("partition", b"2"), ("offset", b"12"), ("user-index", b"3"), *headers,
    ]  # fmt: skip
    return Message(
        topic="dead-letters", partition=0, offset=9, key=b"k", value=value, headers=said, timestamp=(1, AT_MS)
    )


def send(message: Message) -> Send:
    return Send("0-9", (read_letter(message),), MARKS)


def sent(message: Message) -> list[OutputRecord]:
    return redriven_records(NAMES, PARTITIONS, message, send(message))


@pytest.mark.parametrize(
    ("stage", "topic"),
    [
        ("ingest", "eu-aam-posts"),
        ("fan-out", "eu-aam-posts"),
        ("membership", "eu-segment-events"),
        ("identity", "eu-identity"),
    ],
)
def test_record_goes_where_it_came_from_as_it_was_received(stage: str, topic: str) -> None:
    old = redriven_header([Redriven("0-1", 1, 3)])
    message = letter(stage, ("segwire-received-at-ms", b"77"), ("content-encoding", b"gzip"), old, ("odd", None))
    (record,) = sent(message)
    assert (record.topic, record.partition, record.key, record.value) == (topic, -1, b"k", b"\xff")
    headers = record.headers or []
    assert dict(headers) == {
        "segwire-received-at-ms": b"77", "content-encoding": b"gzip", "segwire-source": b"adobe",
        "segwire-redriven": redriven_header(list(MARKS))[1],
    }  # fmt: skip
    assert len(headers) == 4


def test_message_of_unknown_time_counts_as_received_when_it_was_set_aside() -> None:
    (record,) = sent(letter("fan-out"))
    assert dict(record.headers or [])["segwire-received-at-ms"] == b"%d" % AT_MS


def test_what_a_sink_set_aside_is_asked_of_that_sink_in_the_users_partition() -> None:
    message = letter("sink:p")
    (record,) = sent(message)
    assert (record.topic, record.partition, record.key, record.value) == ("eu-sink-requests", 2, b"k", b"\xff")
    headers: Any = record.headers
    assert is_request(headers, "p", REDRIVE)
    assert not is_request(headers, "q", REDRIVE)
    assert not is_request(headers, "p", BACKFILL)
    assert redriven_marks(headers) == list(MARKS)
    assert request_origin(headers) == ("eu-t", 2, 12)


def test_a_request_that_could_not_be_processed_asks_for_the_same_record_again() -> None:
    (request,) = sent(letter("sink:p"))
    # What becomes a dead letter keeps the headers that it had.
    failed = letter("sink:p", *(request.headers or []))
    (again,) = sent(failed)
    headers: Any = again.headers
    assert is_request(headers, "p", REDRIVE)
    assert request_origin(headers) == ("eu-t", 2, 12)
    assert len(headers) == len(request.headers or [])


def test_every_user_of_a_message_to_a_partner_is_asked_for_in_the_users_partition() -> None:
    users = ["1", "2", "19393572368547369350319949416899715727"]
    value = body(*map(user, [*users, "1"]))
    records = sent(letter("sink:p", ("content-type", b"application/json"), value=value))
    assert [(r.topic, r.partition, r.key, r.value) for r in records] == [
        ("eu-sink-requests", partition_of(name, PARTITIONS), name.encode(), None) for name in users
    ]
    headers: Any = records[0].headers
    assert is_request(headers, "p", REDRIVE)
    assert redriven_marks(headers) == list(MARKS)


def test_letter_of_a_sink_that_only_looks_like_a_message_is_asked_for_as_it_is() -> None:
    (record,) = sent(letter("sink:p", ("content-type", b"application/json"), value=b"[]"))
    assert (record.partition, record.key, record.value) == (2, b"k", b"[]")


def test_every_letter_is_marked_with_its_first_one() -> None:
    (record,) = mark_records(NAMES, send(letter("fan-out")), 5)
    assert (record.topic, record.key) == ("eu-redrive-marks", b"0-9")
    assert decode_mark(record.value or b"") == RedriveMark("0-9", "0-1", 2, 5)
