"""The reader of segment events byte by byte, beside the general decoder: what one says, so does the other."""

import string
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.event import Origin, Partner, SegmentEvent, SegmentStatus, decode_event, encode_event
from schemas.heard import SAID, Heard, heard
from schemas.heard_reading import HeardReader

_PLAIN = st.text(string.ascii_letters + string.digits + "-_.: ", max_size=40)
_TEXT = _PLAIN | st.text(max_size=4)
_NUMBER = st.integers(0, 10**17) | st.integers(0, 20)
_LONG = _NUMBER | st.integers(-(2**62), 2**62 - 1)
_SEGMENT_STATUS = st.sampled_from(["ACTIVE", "INACTIVE"])


def _events(text: st.SearchStrategy[str], number: st.SearchStrategy[int]) -> st.SearchStrategy[SegmentEvent]:
    return st.builds(
        SegmentEvent,
        client_id=text,
        destination_id=text,
        aam_uuid=text,
        partner=st.none() | st.builds(Partner, text, st.none() | number),
        regions=st.lists(number, max_size=3),
        segments=st.lists(st.builds(SegmentStatus, text, _SEGMENT_STATUS, number), max_size=4),
        process_time=st.none() | number,
        received_at=number,
        source=text,
        origin=st.builds(Origin, text, number, number, number),
    )


PLAIN = _events(_PLAIN, _NUMBER)
ANY = _events(_TEXT, _LONG)
USUAL = encode_event(
    SegmentEvent(
        client_id="74323", destination_id="423", aam_uuid="0578", partner=Partner("a", 7), regions=[9, 4],
        segments=[SegmentStatus("1", "ACTIVE", 1_469_636_242_000), SegmentStatus("23", "INACTIVE", 0)],
        process_time=1_469_636_242_000, received_at=1_469_636_243_000, source="dev",
        origin=Origin("aam-posts", 0, 12, 3),
    )
)  # fmt: skip


def parts(event: Heard) -> dict[str, Any]:
    """Return everything that is in an event."""
    said = [
        (event.text[event.said[at] : event.said[at + 1]], event.said[at + 2]) for at in range(0, len(event.said), SAID)
    ]
    names = ("client_id", "destination_id", "aam_uuid", "partner", "regions", "received_at", "origin")
    return {name: getattr(event, name) for name in names} | {"said": said}


@given(st.lists(PLAIN, min_size=1, max_size=3))
def test_what_is_usual_is_read_as_the_general_decoder_does(events: list[SegmentEvent]) -> None:
    reader = HeardReader()  # it keeps what events have in common
    for event in events:
        read = reader.usual(encode_event(event))
        assert read is not None
        assert parts(read) == parts(heard(event))


@given(st.lists(ANY, min_size=1, max_size=3))
def test_what_is_not_usual_is_left_to_the_general_decoder(events: list[SegmentEvent]) -> None:
    reader = HeardReader()
    for event in events:
        read = reader.usual(encode_event(event))
        assert read is None or parts(read) == parts(heard(event))
        whole = reader.read(encode_event(event))
        assert isinstance(whole, Heard)
        assert parts(whole) == parts(heard(event))


@given(st.data())
def test_damaged_events_are_never_read_as_what_the_general_decoder_refuses(data: st.DataObject) -> None:
    value = bytearray(USUAL)
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.integers(0, len(value) - 1))
        some = st.binary(max_size=3) | st.sampled_from([b"0", b'"', b",", b"\\", b" ", b"}", b"]", b"1e3", b"null"])
        value[at : at + data.draw(st.integers(0, 9))] = data.draw(some)
    read = HeardReader().usual(bytes(value))
    if read is not None:
        event = decode_event(bytes(value))
        assert isinstance(event, SegmentEvent)
        assert parts(read) == parts(heard(event))


@given(st.integers(0, 2**63 - 1))
@example(10**18 - 1)
@example(10**18)
@example(99_999_999)
@example(100_000_000)
def test_numbers_of_every_length(number: int) -> None:
    value = USUAL.replace(b'"received_at":1469636243000', b'"received_at":%d' % number)
    read = HeardReader().usual(value)
    if number < 10**18:
        assert read is not None
    assert read is None or read.received_at == number


@given(st.binary(max_size=4), st.integers(0, len(USUAL)))
def test_an_event_cut_short_or_long_is_not_usual(more: bytes, kept: int) -> None:
    if kept < len(USUAL) or more:
        assert HeardReader().usual(USUAL[:kept] + more) is None or USUAL[:kept] + more == USUAL


def test_the_usual_event_is_read() -> None:
    read = HeardReader().usual(USUAL)
    assert read is not None
    assert parts(read)["said"] == [(b"1", 1_469_636_242_000 << 1 | 1), (b"23", 0)]
    assert msgspec.json.decode(USUAL)["received_at"] == read.received_at
