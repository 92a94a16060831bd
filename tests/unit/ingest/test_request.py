import asyncio

import pytest
from starlette.types import Message

from ingest.problems import Refusal
from ingest.request import ClientDisconnected, RequestIds, check_head, read_body, traceparent
from tests.support.asgi import pieces

TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def read(messages: list[Message], max_body_bytes: int = 10) -> tuple[bytes, int]:
    left = list(messages)

    async def receive() -> Message:
        return left.pop(0)

    return asyncio.run(read_body(receive, max_body_bytes)), len(left)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "APPLICATION/JSON",
        "application/json;charset=utf-8",
        "application/json; charset=UTF-8",
        "application/json ;  Charset = utf8 ",
        'application/json; charset="utf-8"',
        "application/json; profile=x",
    ],
)
def test_json_in_utf_8_is_accepted_however_it_is_spelt(content_type: str) -> None:
    check_head("POST", {b"content-type": content_type.encode()}, 10)


@pytest.mark.parametrize(
    ("content_type", "said"),
    [
        (None, "no Content-Type"),
        ("", "''"),
        ("text/plain", "'text/plain'"),
        ("application/x-www-form-urlencoded", "'application/x-www-form-urlencoded'"),
        ("application/json-seq", "'application/json-seq'"),
        ("application/json; charset=latin-1", "charset 'latin-1'"),
        ("application/json; charset=utf-16", "charset 'utf-16'"),
        ("\xff\xfe", "not accepted"),
    ],
)
def test_another_media_type_is_refused_with_its_value_and_the_remedy(content_type: str | None, said: str) -> None:
    headers = {} if content_type is None else {b"content-type": content_type.encode("latin-1")}
    with pytest.raises(Refusal) as refused:
        check_head("POST", headers, 10)
    assert refused.value.problem.name == "unsupported-media-type"
    assert said in refused.value.detail
    assert "send" in refused.value.detail


def test_an_announced_length_is_refused_only_above_the_limit() -> None:
    head = {b"content-type": b"application/json"}
    check_head("POST", {**head, b"content-length": b"10"}, 10)
    with pytest.raises(Refusal, match="11 bytes, this source accepts 10"):
        check_head("POST", {**head, b"content-length": b"11"}, 10)


def test_a_body_in_pieces_is_put_together() -> None:
    assert read(pieces(b"abc", b"", b"def")) == (b"abcdef", 0)
    assert read(pieces(b"")) == (b"", 0)
    assert read(pieces(b"0123456789")) == (b"0123456789", 0)


def test_reading_stops_as_soon_as_the_body_is_too_large() -> None:
    left = pieces(b"012345", b"678901", b"never read", b"nor this")

    async def receive() -> Message:
        return left.pop(0)

    with pytest.raises(Refusal) as refused:
        asyncio.run(read_body(receive, 10))
    assert refused.value.problem.name == "too-large"
    assert refused.value.headers == [(b"connection", b"close")]
    assert len(left) == 2


def test_a_body_that_ends_too_large_leaves_the_connection_usable() -> None:
    with pytest.raises(Refusal) as refused:
        read(pieces(b"012345", b"678901"))
    assert refused.value.headers == []


@pytest.mark.parametrize("parts", [[], [b"abc"], [b"abc", b"de"]])
def test_a_sender_that_goes_away_is_no_message(parts: list[bytes]) -> None:
    with pytest.raises(ClientDisconnected):
        read(pieces(*parts, complete=False))


def test_a_sane_request_id_is_kept() -> None:
    assert RequestIds().of({b"x-request-id": b"Root=1-67-ab".replace(b"=", b":")}) == "Root:1-67-ab"


@pytest.mark.parametrize("given", [b"", b"a b", b"a\nb", b"x" * 129, "é".encode(), b"a\x00", b"a\n"])
def test_a_request_id_that_could_harm_a_log_is_replaced(given: bytes) -> None:
    assert RequestIds().of({b"x-request-id": given}).encode() != given


def test_made_request_ids_differ_within_and_between_processes() -> None:
    one, other = RequestIds(), RequestIds()
    assert len({ids.of({}) for ids in (one, other) for _ in range(100)} | {one.of({}), other.of({})}) > 100


@pytest.mark.parametrize("valid", [TRACE, TRACE.replace(b"00-", b"cc-", 1)])
def test_a_valid_trace_context_is_kept(valid: bytes) -> None:
    assert traceparent({b"traceparent": valid}) == valid


@pytest.mark.parametrize(
    "invalid",
    [
        b"",
        TRACE.upper(),
        TRACE.replace(b"00-", b"ff-", 1),
        TRACE + b"-x",
        TRACE[:-1],
        b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-" + b"0" * 16 + b"-01",
    ],
)
def test_an_invalid_trace_context_is_dropped(invalid: bytes) -> None:
    assert traceparent({b"traceparent": invalid}) is None


def test_no_trace_context_is_none() -> None:
    assert traceparent({}) is None
