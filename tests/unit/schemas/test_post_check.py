import pytest

from schemas.post import MalformedPost
from schemas.post_check import check_post
from tests.support.posts import body, user
from tests.support.samples import SEED_LANGUAGES, seed_body


@pytest.mark.parametrize("language", SEED_LANGUAGES)
def test_seed_sample_is_a_message_of_two_users(language: str) -> None:
    assert check_post(seed_body(language)) == 2


def test_message_without_users_is_a_message() -> None:
    assert check_post(b'{"Users": []}') == 0


def test_bad_users_are_no_matter_here() -> None:
    assert check_post(body(5, None, [], {}, user())) == 5


@pytest.mark.parametrize(
    "text",
    [
        b'{"Users": [{"AAM_UUID": "\\ud800"}]}',
        b'{"Users": [{"AAM_UUID": "\xff"}]}',
        b'{"note": "\xff\\udfff", "Users": [{}]}',
    ],
)
def test_broken_text_inside_a_message_is_no_reason_to_refuse_it(text: bytes) -> None:
    assert check_post(text) == 1


@pytest.mark.parametrize(
    ("text", "where", "reason"),
    [
        (b"", "byte 0", "not JSON"),
        (b"hello", "byte 0", "not JSON"),
        (b'{"Users": [}', "byte 11", "not JSON"),
        (b'{"a": "\xc3\xa4", "Users": [}', "byte 22", "not JSON"),
        (b'{"Users": []} x', "byte 14", "not JSON"),
        (b'{"Users": []}{"Users": []}', "byte 13", "not JSON"),
        (b'{"Users": [01]}', "byte 12", "not JSON"),
        (b'{"Users": [NaN]}', "$", "NaN"),
        (b'{"Users": ["\x01"]}', "byte 12", "not JSON"),
        (b'\xef\xbb\xbf{"Users": []}', "byte 0", "not JSON"),
        ('{"Users": []}'.encode("utf-16"), "byte 0", "not JSON"),
        (b"[]", "$", "not a JSON object"),
        (b"null", "$", "not a JSON object"),
        (b"{}", "$.Users", "missing"),
        (b'{"users": []}', "$.Users", "missing"),
        (b'{"Users": {}}', "$.Users", "not an array"),
        (b'{"Users": null}', "$.Users", "not an array"),
    ],
)
def test_what_is_no_message_is_refused_with_where_and_why(text: bytes, where: str, reason: str) -> None:
    with pytest.raises(MalformedPost) as refusal:
        check_post(text)
    assert refusal.value.where == where
    assert reason in refusal.value.reason


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("head", [b"", b'{"Users": [', b'{"note": '])
def test_depth_bomb_is_refused(head: bytes, opening: bytes) -> None:
    with pytest.raises(MalformedPost):
        check_post(head + opening * 1_000_000)
