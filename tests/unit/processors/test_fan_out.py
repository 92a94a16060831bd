import gzip
import json

import msgspec
import pytest

from processors.fan_out import FanOut
from runtime.processor import InputRecord, OutputRecord
from schemas.event import Origin, SegmentEvent, decode_event
from schemas.redriven import Redriven, redriven_header, redriven_marks
from schemas.topics import TopicNames
from tests.support.posts import body, segment, user

NAMES = TopicNames("eu-")
HEADERS: list[tuple[str, bytes | str | None]] = [
    ("segwire-source", b"adobe"), ("segwire-received-at-ms", b"1469636262000"), ("segwire-request-id", b"r-1"),
    ("content-type", b"application/json"), ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
]  # fmt: skip


def _record(value: bytes | None, *more: tuple[str, bytes | str | None], headers: bool = True) -> InputRecord:
    return InputRecord(3, 1234, None, value, [*HEADERS, *more] if headers else None, 1_469_636_270_000)


def _events(outputs: list[OutputRecord]) -> list[SegmentEvent]:
    decoded = [decode_event(output.value or b"") for output in outputs if output.topic == NAMES.segment_events]
    return [event for event in decoded if isinstance(event, SegmentEvent)]


def _process(*records: InputRecord) -> list[OutputRecord]:
    return list(FanOut(NAMES).process(records))


def test_each_user_becomes_an_event_keyed_by_the_user_with_where_it_came_from() -> None:
    outputs = _process(_record(body(user("1"), user("2"))))
    assert [(output.topic, output.partition, output.key) for output in outputs] == [
        ("eu-segment-events", -1, b"1"), ("eu-segment-events", -1, b"2"),
    ]  # fmt: skip
    first, second = _events(outputs)
    assert (first.received_at, first.source) == (1_469_636_262_000, "adobe")
    assert second.origin == Origin("eu-aam-posts", 3, 1234, 1)
    assert [name for name, _ in outputs[0].headers or []] == ["segwire-source", "segwire-received-at-ms", "traceparent"]


def test_a_bad_user_is_set_aside_alone_with_the_original_bytes() -> None:
    post = body(user("1"), user("2", Segments=[segment(status="7")]), user("3"))
    event, other, letter = _process(_record(post))
    assert (event.key, other.key) == (b"1", b"3")
    said = dict(letter.headers or [])
    assert (letter.topic, letter.value) == ("eu-dead-letters", post)
    assert (said["stage"], said["error"], said["user-index"]) == (b"fan-out", b"bad-status", b"1")
    assert (said["topic"], said["partition"], said["offset"]) == (b"eu-aam-posts", b"3", b"1234")
    assert (said["source"], said["segwire-request-id"], said["content-type"]) == (b"adobe", b"r-1", b"application/json")


def test_a_message_that_is_redriven_is_read_for_the_users_whom_it_set_aside() -> None:
    post = body(user("1"), user("2", Segments=[segment(status="7")]), user("3"), user("4", Segments=[segment("8")]))
    event, letter = _process(_record(post, redriven_header([Redriven("0-1", 1, 1), Redriven("0-2", 1, 2)])))
    assert event.key == b"3"
    said = dict(letter.headers or [])
    assert said["user-index"] == b"1"
    assert redriven_marks([*said.items()]) == [Redriven("0-1", 1, 1)]


def test_a_message_that_is_redriven_as_a_whole_is_read_for_all_users() -> None:
    outputs = _process(_record(body(user("1"), user("2")), redriven_header([Redriven("0-1", 1)])))
    assert [output.key for output in outputs] == [b"1", b"2"]
    (letter,) = _process(_record(b"[]", redriven_header([Redriven("0-1", 3)])))
    assert redriven_marks([*(letter.headers or [])]) == [Redriven("0-1", 3)]


@pytest.mark.parametrize("stamp", [b"1469636262000", None])
def test_a_dead_letter_says_when_the_message_was_received(stamp: bytes | None) -> None:
    record = InputRecord(3, 1, None, b"[]", [("segwire-received-at-ms", stamp)] if stamp else None, 1_469_636_270_000)
    (letter,) = _process(record)
    assert dict(letter.headers or [])["segwire-received-at-ms"] == (stamp or b"1469636270000")


@pytest.mark.parametrize("value", [None, b"", b"\xff", b"[]", b'{"Users": 1}', b"[" * 100_000])
def test_what_is_no_message_is_set_aside_whole(value: bytes | None) -> None:
    (letter,) = _process(_record(value))
    said = dict(letter.headers or [])
    assert (letter.topic, letter.value, said["error"]) == ("eu-dead-letters", value, b"malformed-message")
    assert "user-index" not in said


def test_a_compressed_post_is_read_and_set_aside_as_it_came() -> None:
    packed = gzip.compress(body(user("1"), user("2", Segments=[segment(status="7")])))
    event, letter = _process(_record(packed, ("content-encoding", b"gzip")))
    assert event.key == b"1"
    assert letter.value == packed
    assert dict(letter.headers or [])["content-encoding"] == b"gzip"


def test_a_post_that_does_not_inflate_is_set_aside() -> None:
    (letter,) = _process(_record(b"not gzip", ("content-encoding", b"gzip")))
    assert dict(letter.headers or [])["error"] == b"bad-encoding"


@pytest.mark.parametrize("stamp", [b"", b"soon", b"-5", b"1.5", b"9" * 30])
def test_without_a_readable_time_of_receipt_the_records_own_counts(stamp: bytes) -> None:
    (event,) = _events(_process(_record(body(user("1")), ("segwire-received-at-ms", stamp))))
    assert event.received_at == 1_469_636_270_000


def test_a_post_without_headers_is_of_an_unknown_source() -> None:
    (output,) = _process(_record(body(user("1")), headers=False))
    (event,) = _events([output])
    assert (event.source, event.received_at, output.headers) == ("unknown", 1_469_636_270_000, [])


def test_the_same_post_always_becomes_the_same_records() -> None:
    record = _record(body(user("1"), user("2", Segments=[segment(status="7")]), user("3")))
    assert _process(record) == _process(record)


def test_a_user_without_segments_makes_an_event_too() -> None:
    (event,) = _events(_process(_record(body(user("1", Segments=[])))))
    assert event.segments == []


def test_an_event_is_plain_json_with_every_field() -> None:
    (output,) = _process(_record(body(user("1"))))
    fields = json.loads(output.value or b"")
    assert set(fields) == {field.name for field in msgspec.structs.fields(SegmentEvent)}
    assert fields["kind"] == "segments"
