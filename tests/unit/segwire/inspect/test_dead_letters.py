"""Dead letters as they are listed, filtered and shown."""

import base64
import json
from typing import Any

import msgspec
import pytest
from confluent_kafka import Message

from runtime.errors import ConfigurationError
from schemas.redriven import RedriveMark, Redriven, redriven_header
from segwire.inspect.dead_letters import Wanted, parse_id, read_detail, read_letter
from segwire.inspect.dead_letters_text import format_detail, format_letters, format_redriven, format_value

AT_MS = 1_469_636_242_000
HEADERS = {
    "stage": b"fan-out",
    "error": b"bad-user",
    "reason": b"AAM_UUID is missing",
    "topic": b"aam-posts",
    "partition": b"3",
    "offset": b"1234",
    "source": b"dev",
    "user-index": b"2",
}


def letter(value: bytes | None = b'{"a": 1.50}', **headers: bytes | None) -> Message:
    chosen: Any = [(k.replace("_", "-"), v) for k, v in {**HEADERS, **headers}.items() if v is not None]
    return Message(topic="dead-letters", partition=3, offset=17, value=value, headers=chosen, timestamp=(1, AT_MS))


def test_list_has_the_documented_shape() -> None:
    assert json.loads(msgspec.json.encode([read_letter(letter())])) == [
        {
            "id": "3-17",
            "stage": "fan-out",
            "error": "bad-user",
            "reason": "AAM_UUID is missing",
            "source": "dev",
            "at": AT_MS,
            "redriven": 0,
            "first": "3-17",
            "redriven_at": None,
        }
    ]


def test_letter_tells_that_it_was_redriven_and_what_it_came_of() -> None:
    name, value = redriven_header([Redriven("0-4", 2)])
    found = read_letter(letter(**{name: value}), {"3-17": RedriveMark("3-17", "0-4", 3, AT_MS + 1000)})
    assert (found.redriven, found.first, found.redriven_at) == (2, "0-4", AT_MS + 1000)
    assert format_redriven(found.redriven, found.redriven_at) == "2016-07-27T16:17:23Z, failed again after 2"
    assert "redriven 2016-07-27T16:17:23Z" in format_detail(
        read_detail(letter(), {"3-17": RedriveMark("3-17", "3-17", 1, AT_MS + 1000)}), None
    )


def test_show_adds_the_original_record() -> None:
    found = json.loads(msgspec.json.encode(read_detail(letter())))
    assert base64.b64decode(found.pop("value")) == b'{"a": 1.50}'
    added = {"topic": "aam-posts", "partition": 3, "offset": 1234, "user_index": 2}
    assert found == {**json.loads(msgspec.json.encode(read_letter(letter()))), **added}


def test_letter_from_the_door_has_no_origin() -> None:
    message = letter(topic=None, partition=None, offset=None, **{"user-index": None})
    found = read_detail(message)
    assert (found.topic, found.partition, found.offset, found.user_index) == (None, None, None, None)
    assert "it was refused at the door" in format_detail(found, None)


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(),
        Wanted(stage="fan-out"),
        Wanted(error="bad-user"),
        Wanted(source="dev"),
        Wanted(since_ms=AT_MS),
        Wanted(stage="fan-out", error="bad-user", source="dev", since_ms=AT_MS - 1),
    ],
)
def test_filter_lets_through(wanted: Wanted) -> None:
    assert wanted.matches(read_letter(letter()))


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(stage="ingest"),
        Wanted(error="bad"),
        Wanted(source="adobe"),
        Wanted(since_ms=AT_MS + 1),
        Wanted(stage="fan-out", source="adobe"),
    ],
)
def test_filter_holds_back(wanted: Wanted) -> None:
    assert not wanted.matches(read_letter(letter()))


def test_letter_without_source_is_from_nobody() -> None:
    found = read_letter(letter(source=None))
    assert found.source is None
    assert not Wanted(source="dev").matches(found)


def test_id_is_partition_and_offset() -> None:
    assert parse_id("3-1234") == (3, 1234)


@pytest.mark.parametrize("text", ["", "3", "3-", "-3", "3-x", "3-1-2", "3:1"])
def test_other_id_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="they look like 3-1234"):
        parse_id(text)


def test_table_has_a_line_a_letter() -> None:
    assert format_letters([read_letter(letter(reason=b"a\nb"))]).splitlines() == [
        "ID    AT                    STAGE    ERROR     SOURCE  REDRIVEN  REASON",
        "3-17  2016-07-27T16:17:22Z  fan-out  bad-user  dev     -         a b",
    ]


def test_detail_names_the_record_and_prints_its_json() -> None:
    text = format_detail(read_detail(letter()), None)
    assert "from     aam-posts[3]@1234, user 2 of the message" in text
    assert text.endswith('\n\n{\n  "a": 1.50\n}')


def test_value_keeps_every_digit() -> None:
    assert "19393572368547369350319949416899715727" in format_value(b"[19393572368547369350319949416899715727]")


def test_value_that_is_no_json_is_text_or_base64() -> None:
    assert format_value(b"hello\nthere\x1b[2J") == "hello\nthere\\x1b[2J"
    assert format_value(b"\xff") == "base64: /w=="
