"""Records as JSON."""

import base64
import gzip
import json
from typing import Any

import msgspec
from confluent_kafka import Message

from schemas.avro_codec import encode_change, encode_key, encode_membership
from schemas.topics import (
    AAM_POSTS,
    MEMBERSHIP_STATE,
    SEGMENT_EVENTS,
    SEGMENT_MEMBERSHIP,
    SEGMENT_MEMBERSHIP_CHANGES,
    Topic,
)
from segwire.inspect.decoding import encode_line, view_record
from tests.support.published import change, key, row


def line(topic: Topic, **fields: Any) -> dict[str, Any]:
    message = Message(topic=topic.name, partition=3, offset=17, timestamp=(1, 1234), **fields)
    text = encode_line(view_record(topic, message))
    assert "\n" not in text
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def test_every_line_has_the_documented_fields() -> None:
    found = line(AAM_POSTS, value=b"{}", headers=[("segwire-source", b"dev")])
    assert found == {
        "topic": "aam-posts",
        "partition": 3,
        "offset": 17,
        "timestamp": 1234,
        "key": None,
        "value": {},
        "headers": {"segwire-source": "dev"},
    }


def test_avro_key_and_row_are_decoded() -> None:
    found = line(SEGMENT_MEMBERSHIP, key=encode_key(key()), value=encode_membership(row()))
    assert found["key"] == msgspec.to_builtins(key())
    assert found["value"] == msgspec.to_builtins(row())


def test_change_is_decoded_and_its_key_is_text() -> None:
    found = line(SEGMENT_MEMBERSHIP_CHANGES, key=b"0123", value=encode_change(change()))
    assert found["key"] == "0123"
    assert found["value"] == msgspec.to_builtins(change())


def test_tombstone_is_null() -> None:
    assert line(SEGMENT_MEMBERSHIP, key=encode_key(key()), value=None)["value"] is None


def test_broken_avro_is_shown_with_the_reason() -> None:
    value = line(SEGMENT_MEMBERSHIP, key=b"\xff", value=b"nonsense")["value"]
    assert base64.b64decode(value["base64"]) == b"nonsense"
    assert value["error"]


def test_json_keeps_every_digit_and_stays_on_its_line() -> None:
    body = b'{"AAM_UUID": 19393572368547369350319949416899715727,\r\n "x": 1.10}'
    message = Message(topic="aam-posts", partition=0, offset=0, value=body, timestamp=(1, 1))
    text = encode_line(view_record(AAM_POSTS, message))
    assert "19393572368547369350319949416899715727" in text
    assert "1.10" in text
    assert "\n" not in text
    assert "\r" not in text


def test_zipped_post_is_inflated() -> None:
    packed = gzip.compress(b'{"Users": []}')
    assert line(AAM_POSTS, value=packed, headers=[("content-encoding", b"gzip")])["value"] == {"Users": []}


def test_what_is_not_json_is_base64() -> None:
    for body in (b"\xff\xfe", b"{", b"NaN", b"", b"\xef\xbb\xbf{}"):
        assert line(AAM_POSTS, value=body)["value"] == {"base64": base64.b64encode(body).decode()}, body


def test_private_state_is_base64() -> None:
    assert line(MEMBERSHIP_STATE, key=b"1", value=b"\x82\xa1")["value"] == {"base64": "gqE="}


def test_event_is_json() -> None:
    assert line(SEGMENT_EVENTS, key=b"1", value=b'{"kind":"segments"}')["value"] == {"kind": "segments"}


def test_header_that_is_no_text_is_base64() -> None:
    assert line(AAM_POSTS, value=b"1", headers=[("h", b"\xff"), ("n", None)])["headers"] == {
        "h": {"base64": "/w=="},
        "n": None,
    }
