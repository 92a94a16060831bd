import msgspec
import pytest

from schemas.event import Origin, SegmentEvent, decode_event, encode_event
from schemas.privacy import PrivacyRequest, encode_privacy_request

SEEN = SegmentEvent(
    client_id="74323",
    destination_id="423",
    aam_uuid="0578",
    partner=None,
    regions=[],
    segments=[],
    process_time=None,
    received_at=3,
    source="dev",
    origin=Origin("aam-posts", 0, 0, 0),
)


def test_event_comes_back_as_it_was() -> None:
    assert decode_event(encode_event(SEEN)) == SEEN


def test_kind_is_written() -> None:
    assert encode_event(SEEN).startswith(b'{"kind":"segments",')


def test_event_of_an_unknown_kind_is_none() -> None:
    assert decode_event(b'{"kind": "consent", "aam_uuid": "0578"}') is None


@pytest.mark.parametrize("value", [b"", b"{}", b'{"kind": "segments"}', b"[]", b'{"kind": 1}'])
def test_what_is_no_event_is_refused(value: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_event(value)


def test_request_for_removal_comes_back_as_it_was() -> None:
    request = PrivacyRequest(aam_uuid="0578", requested_at=7, request_id="r")

    assert decode_event(encode_privacy_request(request)) == request
