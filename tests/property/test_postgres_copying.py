"""What the database is sent of a record is what the record says."""

import struct
from typing import Any, get_args

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.avro_codec import (
    AvroDecodeError,
    decode_change,
    decode_membership,
    encode_change,
    encode_membership,
    frame_prefix,
)
from schemas.dates import DATE_MS_MAX
from schemas.event import Origin, Partner
from schemas.membership import Cause, Previous, SegmentMembership, SegmentMembershipChange
from sinks.postgres.copying import CHANGE_FIELDS, MEMBERSHIP_FIELDS, change_tuple, membership_tuple

TEXTS = st.one_of(st.text(max_size=20), st.text("aä€", min_size=60, max_size=140))
TIMES = st.one_of(st.integers(0, DATE_MS_MAX), st.integers(1 << 39, 1 << 42))
LONGS = st.integers(-(2**63), 2**63 - 1)
INTS = st.integers(-(2**31), 2**31 - 1)
STATUSES = st.sampled_from(["ACTIVE", "INACTIVE"])
ROW: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(["client_id", "destination_id", "aam_uuid", "segment_id"], TEXTS),
    "status": STATUSES,
    "since": TIMES,
    "verified_at": TIMES,
    "expires_at": st.none() | TIMES,
    "cause": st.sampled_from(get_args(Cause)),
    "partners": st.lists(st.builds(Partner, TEXTS, st.none() | LONGS), max_size=4),
    "regions": st.lists(INTS, max_size=4),
    "version": LONGS,
}
ROWS = st.builds(SegmentMembership, **ROW)
CHANGES = st.builds(
    SegmentMembershipChange,
    **ROW,
    change=st.sampled_from(["ENTERED", "EXITED"]),
    previous=st.none() | st.builds(Previous, STATUSES, TIMES),
    changed_at=TIMES,
    origin=st.builds(Origin, TEXTS, INTS, LONGS, INTS),
)


def fields_of(copied: bytes) -> list[bytes | None]:
    (count,) = struct.unpack_from(">h", copied)
    fields: list[bytes | None] = []
    at = 2
    for _ in range(count):
        (size,) = struct.unpack_from(">i", copied, at)
        at += 4
        fields.append(copied[at : at + size] if size >= 0 else None)
        at += max(size, 0)
    assert at == len(copied)
    return fields


def long(value: int | None) -> bytes | None:
    return None if value is None else struct.pack(">q", value)


def row_of(row: SegmentMembership | SegmentMembershipChange) -> list[Any]:
    texts = [row.client_id, row.destination_id, row.aam_uuid, row.segment_id, row.status]
    times = [long(row.since), long(row.verified_at), long(row.expires_at)]
    lists = [msgspec.to_builtins(row.partners), row.regions]
    return [*[text.encode() for text in texts], *times, row.cause.encode(), *lists, long(row.version)]


def sent(copied: bytes) -> list[Any]:
    fields: list[Any] = fields_of(copied)
    fields[9], fields[10] = msgspec.json.decode(fields[9]), msgspec.json.decode(fields[10])
    return fields


def change_of(change: SegmentMembershipChange) -> list[Any]:
    previous, origin = change.previous, change.origin
    was = [None, None] if previous is None else [previous.status.encode(), long(previous.since)]
    numbers = [struct.pack(">i", origin.partition), long(origin.offset), struct.pack(">i", origin.index)]
    return [*row_of(change), change.change.encode(), *was, long(change.changed_at), origin.topic.encode(), *numbers]


@given(ROWS, st.integers(0, 2**62))
def test_a_row_is_sent_as_it_is(row: SegmentMembership, offset: int) -> None:
    fields = sent(membership_tuple(encode_membership(row), offset))
    assert len(fields) == MEMBERSHIP_FIELDS
    assert fields == [*row_of(row), long(offset)]


@given(CHANGES)
def test_a_change_is_sent_as_it_is(change: SegmentMembershipChange) -> None:
    fields = sent(change_tuple(encode_change(change)))
    assert len(fields) == CHANGE_FIELDS
    assert fields == change_of(change)


@given(CHANGES, st.data())
def test_what_was_cut_off_or_goes_on_is_refused(change: SegmentMembershipChange, data: st.DataObject) -> None:
    value = encode_change(change)
    cut = data.draw(st.integers(0, len(value) - 1))
    for damaged in (value[:cut], value + b"\0"):
        assert refuses(damaged)


@given(CHANGES, st.data())
def test_damaged_bytes_are_refused_or_read_as_by_the_codec(
    change: SegmentMembershipChange, data: st.DataObject
) -> None:  # fmt: skip
    value = bytearray(encode_change(change))
    for _ in range(data.draw(st.integers(1, 3))):
        value[data.draw(st.integers(5, len(value) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(value)
    if not refuses(damaged):
        assert sent(change_tuple(damaged)) == change_of(decode_change(damaged))


def test_an_array_in_blocks_with_their_sizes_is_read() -> None:
    plain = encode_membership(msgspec.structs.replace(SOME, regions=[9, 11]))
    one_block, two_blocks = bytes((4, 18, 22, 0)), bytes((1, 2, 18, 2, 22, 0))
    assert one_block in plain
    blocked = plain.replace(one_block, two_blocks)
    assert decode_membership(blocked).regions == [9, 11]
    assert membership_tuple(blocked, 7) == membership_tuple(plain, 7)


def test_the_schema_id_is_whatever_a_registry_gave() -> None:
    assert membership_tuple(frame_prefix(4711) + encode_membership(SOME)[5:], 7) == membership_tuple(
        encode_membership(SOME), 7
    )


SOME = SegmentMembership(
    client_id="1", destination_id="2", aam_uuid="3", segment_id="4", status="ACTIVE", since=5, verified_at=6,
    expires_at=None, cause="QUALIFIED", partners=[], regions=[], version=8,
)  # fmt: skip


def refuses(value: bytes) -> bool:
    try:
        change_tuple(value)
    except AvroDecodeError:
        return True
    return False
