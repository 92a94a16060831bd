import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.rules.explode import explode
from schemas.event import decode_event, encode_event
from schemas.post import MalformedPost, Post
from schemas.post_check import check_post
from schemas.post_reading import parse_post, parse_post_generally
from tests.support.posts import WHEN, message, segment, user
from tests.support.samples import seed_body

DIGITS = st.integers(0, 10**45).map(str)
TEXTS = st.text(min_size=1, max_size=20)
IDS = st.one_of(DIGITS, TEXTS)
DATES = st.sampled_from([WHEN, "2016-07-27T16:17:22Z", "1469636242000"])
GOOD_SEGMENTS = st.builds(segment, IDS, st.sampled_from(["0", "1", None]), DATES)
GOOD_USERS = st.builds(
    user,
    IDS,
    DataPartner_UUID=st.one_of(st.none(), st.just(""), IDS),
    AAM_Regions=st.one_of(st.none(), st.lists(st.integers(0, 99).map(str), max_size=3)),
    Segments=st.lists(GOOD_SEGMENTS, max_size=4),
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
# Halves of surrogate pairs too.
ANY_CHARACTER = st.characters()
JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        FLOATS,
        st.text(ANY_CHARACTER, max_size=20),
        st.sampled_from([WHEN, "1", "0"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)),
    max_leaves=8,
)
SEGMENTS = st.fixed_dictionaries({}, optional=dict.fromkeys(("Segment_ID", "Status", "DateTime", "note"), JSON))
USERS = st.one_of(
    JSON,
    GOOD_USERS,
    st.builds(lambda good, name, value: {**good, name: value}, GOOD_USERS, st.sampled_from(sorted(user())), JSON),
    st.builds(
        lambda good, segments: {**good, "Segments": segments},
        GOOD_USERS,
        st.lists(st.one_of(GOOD_SEGMENTS, SEGMENTS), max_size=3),
    ),
)
HEADS = st.fixed_dictionaries(
    {},
    optional={
        "Client_ID": JSON,
        "AAM_Destination_ID": JSON,
        "AAM_Destination_Id": JSON,
        "User_DPID": st.one_of(JSON, st.sampled_from([20914, "20914", 12345])),
        "ProcessTime": JSON,
        "User_count": JSON,
    },
)


def read(text: bytes) -> Post | None:
    """Read `text` both ways and hold every promise about any bytes."""
    try:
        post = parse_post(text)
    except MalformedPost:
        # It may be content with more: what it lets through is set aside behind it.
        with contextlib.suppress(MalformedPost):
            check_post(text)
        return None
    users = check_post(text)
    assert post.problem is not None or len(post.users) + len(post.bad_users) == users
    result = explode(text, received_at=0, source="dev", topic="aam-posts", partition=0, offset=0)
    for event in result.events:
        assert decode_event(encode_event(event)) == event
    for finding in result.findings:
        assert finding.reason.encode()
    return post


def read_both_ways(text: bytes) -> Post | None:
    post = read(text)
    if post is not None:
        assert parse_post_generally(text) == post
    return post


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_malformed(text: bytes) -> None:
    read_both_ways(text)


@given(st.binary(max_size=200))
def test_any_bytes_as_the_users_are_read_or_malformed(inner: bytes) -> None:
    read_both_ways(b'{"Client_ID": "1", "Users": [' + inner + b"]}")


@given(JSON)
def test_any_json_is_read_or_malformed(value: Any) -> None:
    read_both_ways(json.dumps(value).encode())


@given(HEADS, st.lists(USERS, max_size=4), st.booleans())
def test_any_mixture_of_good_and_bad_parts_is_read_alike_both_ways(
    head: dict[str, Any], users: list[Any], ascii_only: bool
) -> None:
    text = json.dumps({**message(*users), **head}, ensure_ascii=ascii_only)
    assert read_both_ways(text.encode("utf-8", "surrogatepass")) is not None


@given(st.data())
def test_damaged_seed_sample_is_read_or_malformed(data: st.DataObject) -> None:
    text = bytearray(seed_body("nl"))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        until = data.draw(st.integers(at, min(at + 20, len(text))))
        text[at:until] = data.draw(st.one_of(st.binary(max_size=3), st.sampled_from([b'"', b"\\ud800", b"-0", b"1.0"])))
    read_both_ways(bytes(text))


@given(st.lists(GOOD_USERS, max_size=4))
def test_good_users_are_all_read(users: list[dict[str, Any]]) -> None:
    post = read_both_ways(json.dumps(message(*users)).encode())
    assert post is not None
    assert [good.aam_uuid for good in post.users] == [entry["AAM_UUID"] for entry in users]


@given(st.lists(GOOD_USERS, min_size=1, max_size=4), JSON, st.data())
def test_bad_user_changes_nothing_for_the_others(users: list[Any], bad: Any, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(users)))
    post = parse_post(json.dumps(message(*users[:at], {"AAM_UUID": [bad]}, *users[at:])).encode())
    alone = parse_post(json.dumps(message(*users)).encode())
    assert [entry.position for entry in post.bad_users] == [at]
    shifted = [entry.position + (entry.position >= at) for entry in alone.users]
    assert [entry.position for entry in post.users] == shifted
    assert [entry.segments for entry in post.users] == [entry.segments for entry in alone.users]


@given(DIGITS, DIGITS, DIGITS, st.sampled_from(["0", "1"]))
def test_numbers_are_read_as_the_strings_of_their_digits(uuid: str, partner: str, segment_id: str, status: str) -> None:
    def text(quote: str) -> bytes:
        entry = (
            f'{{"AAM_UUID": {quote}{uuid}{quote}, "DataPartner_UUID": {quote}{partner}{quote}, "Segments": '
            f'[{{"Segment_ID": {quote}{segment_id}{quote}, "Status": {quote}{status}{quote}, "DateTime": "{WHEN}"}}]}}'
        )
        return f'{{"Client_ID": {quote}7{quote}, "Users": [{entry}]}}'.encode()

    post = read_both_ways(text(""))
    assert post == read_both_ways(text('"'))
    assert post is not None
    assert post.users[0].aam_uuid == uuid


@pytest.mark.parametrize("depth", range(100, 1100, 50))
def test_nesting_of_any_depth_is_read_or_malformed(depth: int) -> None:
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        inner = opening * depth + b"1" + closing * depth
        read(b'{"Client_ID": 1, "note": ' + inner + b', "Users": []}')
        read(b'{"Client_ID": 1, "Users": [{"AAM_UUID": ' + inner + b"}]}")
