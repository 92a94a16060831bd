"""Which keys belong to a user."""

from schemas.avro_codec import encode_key
from schemas.topics import AAM_POSTS, SEGMENT_MEMBERSHIP, SEGMENT_MEMBERSHIP_CHANGES
from segwire.inspect.keys import key_filter
from tests.support.published import USER, key


def test_text_key_must_be_equal() -> None:
    keep = key_filter(SEGMENT_MEMBERSHIP_CHANGES, USER)
    assert keep(USER.encode())
    assert not keep(USER.encode() + b"0")
    assert not keep(None)


def test_record_without_key_is_nobodys() -> None:
    assert not key_filter(AAM_POSTS, "")(None)


def test_avro_key_is_told_by_its_user() -> None:
    keep = key_filter(SEGMENT_MEMBERSHIP, USER)
    assert keep(encode_key(key()))
    assert not keep(encode_key(key(aam_uuid="1")))
    assert not keep(None)


def test_user_named_in_another_field_is_another() -> None:
    keep = key_filter(SEGMENT_MEMBERSHIP, USER)
    assert not keep(encode_key(key(aam_uuid="1", segment_id=USER)))
    assert not keep(encode_key(key(aam_uuid=USER + "9")))


def test_broken_key_is_nobodys() -> None:
    assert not key_filter(SEGMENT_MEMBERSHIP, USER)(b"\xff" + USER.encode())
