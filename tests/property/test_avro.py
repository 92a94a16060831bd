import io
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

import fastavro
import msgspec
from hypothesis import example, given
from hypothesis import strategies as st
from librt.strings import BytesWriter

from schemas.avro_codec import (
    FRAME_BYTES,
    AvroDecodeError,
    decode_change,
    decode_key,
    decode_membership,
    decode_receipt,
    encode_change,
    encode_key,
    encode_membership,
    encode_receipt,
    schema_id_of,
)
from schemas.avro_rows import MembershipEncoder
from schemas.avro_schema import RECORD_NAMES, RecordName, load_schema
from schemas.avro_varint import Sizes, encode_long, write_long
from schemas.dates import DATE_MS_MAX
from schemas.event import Origin, Partner, Status
from schemas.membership import (
    Cause,
    ChangeKind,
    Previous,
    SegmentMembership,
    SegmentMembershipChange,
    SegmentMembershipKey,
)
from schemas.receipts import DeliveryOutcome, DeliveryReceipt, ReceiptSegment

REFERENCES = {name: fastavro.parse_schema(load_schema(name)) for name in RECORD_NAMES}

TEXTS = st.one_of(
    st.text(max_size=20), st.text("aä", min_size=60, max_size=70), st.text("€", min_size=400, max_size=420)
)
TIMES = st.integers(0, DATE_MS_MAX)
LONGS = st.integers(-(2**63), 2**63 - 1)
STATUSES: st.SearchStrategy[Status] = st.sampled_from(["ACTIVE", "INACTIVE"])
CAUSES: st.SearchStrategy[Cause] = st.sampled_from(["QUALIFIED", "DISQUALIFIED", "EXPIRED", "INACTIVE_USER", "PRIVACY"])
CHANGE_KINDS: st.SearchStrategy[ChangeKind] = st.sampled_from(["ENTERED", "EXITED"])
PARTNERS = st.builds(Partner, TEXTS, st.one_of(st.none(), LONGS))
REGIONS = st.integers(-(2**31), 2**31 - 1)
KEYS = st.builds(SegmentMembershipKey, TEXTS, TEXTS, TEXTS, TEXTS)
ROWS = st.builds(
    SegmentMembership,
    client_id=TEXTS,
    destination_id=TEXTS,
    aam_uuid=TEXTS,
    segment_id=TEXTS,
    status=STATUSES,
    since=TIMES,
    verified_at=TIMES,
    expires_at=st.one_of(st.none(), TIMES),
    cause=CAUSES,
    partners=st.lists(PARTNERS, max_size=5),
    regions=st.lists(REGIONS, max_size=5),
    version=LONGS,
)
CHANGES = st.builds(
    lambda row, change, previous, changed_at, origin: SegmentMembershipChange(
        **msgspec.structs.asdict(row), change=change, previous=previous, changed_at=changed_at, origin=origin
    ),
    ROWS,
    CHANGE_KINDS,
    st.one_of(st.none(), st.builds(Previous, STATUSES, TIMES)),
    TIMES,
    st.builds(Origin, TEXTS, REGIONS, LONGS, REGIONS),
)
OUTCOMES: st.SearchStrategy[DeliveryOutcome] = st.sampled_from(["DELIVERED", "REFUSED", "FAILED", "PARKED"])
SENT = st.builds(
    ReceiptSegment,
    segment_id=TEXTS,
    sent_as=st.one_of(st.none(), TEXTS),
    status=STATUSES,
    verified_at=TIMES,
    version=LONGS,
)
RECEIPTS = st.builds(
    DeliveryReceipt,
    destination=TEXTS,
    aam_uuid=TEXTS,
    partner=st.one_of(st.none(), PARTNERS),
    segments=st.lists(SENT, max_size=5),
    sent_at=TIMES,
    outcome=OUTCOMES,
    answered=st.one_of(st.none(), REGIONS),
    attempt=REGIONS,
    latency_ms=st.one_of(st.none(), LONGS),
    request_id=TEXTS,
    reason=st.one_of(st.none(), TEXTS),
)


def reference_encode(record: RecordName, value: Any) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, REFERENCES[record], msgspec.to_builtins(value))
    return stream.getvalue()


def reference_decode(record: RecordName, binary: bytes) -> Any:
    decoded = fastavro.schemaless_reader(io.BytesIO(binary), REFERENCES[record], None)
    return msgspec.to_builtins(decoded, builtin_types=(datetime,))


def times_in_ms(value: Any) -> Any:
    """Turn the times of the reference's values into epoch ms, exactly."""
    if isinstance(value, datetime):
        return (value - datetime.fromtimestamp(0, value.tzinfo)) // (datetime.resolution * 1000)
    if isinstance(value, dict):
        return {name: times_in_ms(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [times_in_ms(inner) for inner in value]
    return value


@given(KEYS)
def test_key_is_encoded_and_decoded_as_the_reference_does(key: SegmentMembershipKey) -> None:
    binary = encode_key(key)
    assert binary == reference_encode("SegmentMembershipKey", key)
    assert decode_key(binary) == key


@given(ROWS)
def test_row_is_encoded_and_decoded_as_the_reference_does(row: SegmentMembership) -> None:
    value = encode_membership(row)
    assert value == b"\0\0\0\0\x02" + reference_encode("SegmentMembership", row)
    assert decode_membership(value) == row
    assert times_in_ms(reference_decode("SegmentMembership", value[FRAME_BYTES:])) == msgspec.to_builtins(row)


@given(CHANGES)
def test_change_is_encoded_and_decoded_as_the_reference_does(change: SegmentMembershipChange) -> None:
    value = encode_change(change)
    assert value == b"\0\0\0\0\x03" + reference_encode("SegmentMembershipChange", change)
    assert decode_change(value) == change
    decoded = times_in_ms(reference_decode("SegmentMembershipChange", value[FRAME_BYTES:]))
    assert decoded == msgspec.to_builtins(change)


@given(RECEIPTS)
def test_receipt_is_encoded_and_decoded_as_the_reference_does(receipt: DeliveryReceipt) -> None:
    value = encode_receipt(receipt)
    assert value == b"\0\0\0\0\x04" + reference_encode("DeliveryReceipt", receipt)
    assert decode_receipt(value) == receipt
    decoded = times_in_ms(reference_decode("DeliveryReceipt", value[FRAME_BYTES:]))
    assert decoded == msgspec.to_builtins(receipt)


@given(CHANGES, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_encoding_in_steps_gives_the_same_bytes(change: SegmentMembershipChange, row_id: int, change_id: int) -> None:
    encoder = MembershipEncoder(row_id, change_id)
    prefix = encoder.user_prefix(change.client_id, change.destination_id, change.aam_uuid)
    lists = encoder.user_lists(change.partners, change.regions)
    key = encoder.key(prefix, change.segment_id.encode())
    body = encoder.body(
        key, change.status == "ACTIVE", change.since, change.verified_at, change.expires_at, change.cause, lists,
        change.version,
    )  # fmt: skip
    fields = msgspec.structs.asdict(change)
    row = SegmentMembership(**{name: fields[name] for name in SegmentMembership.__struct_fields__})
    assert key == encode_key(
        SegmentMembershipKey(change.client_id, change.destination_id, change.aam_uuid, change.segment_id)
    )
    assert encoder.row(body) == encode_membership(row, row_id)
    changed = encoder.change(body, change.change, change.previous, encoder.source(change.changed_at, change.origin))
    assert changed == encode_change(change, change_id)
    assert schema_id_of(changed) == change_id


DECODERS = [decode_key, decode_membership, decode_change, decode_receipt]


@given(st.binary(max_size=100), st.sampled_from(DECODERS), st.booleans())
def test_any_bytes_decode_or_are_refused(binary: bytes, decode: Callable[[bytes], object], framed: bool) -> None:
    with suppress(AvroDecodeError):
        decode(b"\0\0\0\0\x02" + binary if framed else binary)


@given(CHANGES, st.data())
def test_damaged_change_decodes_or_is_refused(change: SegmentMembershipChange, data: st.DataObject) -> None:
    value = bytearray(encode_change(change))
    at = data.draw(st.integers(0, len(value) - 1))
    value[at:] = data.draw(st.binary(max_size=10)) + value[at + data.draw(st.integers(0, 10)) :]
    with suppress(AvroDecodeError):
        decode_change(bytes(value))


@given(LONGS)
@example(-(2**63))
@example(2**63 - 1)
@example(2**13)
@example(2**27)
def test_long_is_encoded_as_the_specification_says(value: int) -> None:
    rest = value * 2 if value >= 0 else -value * 2 - 1
    expected = bytearray()
    while rest > 0x7F:
        expected.append(rest & 0x7F | 0x80)
        rest >>= 7
    expected.append(rest)
    assert encode_long(value) == bytes(expected)
    written = BytesWriter()
    write_long(written, value)
    assert written.getvalue() == bytes(expected)


@given(st.integers(0, 5000))
def test_sizes_are_longs(size: int) -> None:
    assert Sizes()[size] == encode_long(size)
