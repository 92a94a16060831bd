import msgspec
import pytest

from schemas.avro_codec import (
    AvroDecodeError,
    decode_change,
    decode_key,
    decode_membership,
    decode_receipt,
    encode_change,
    encode_key,
    encode_membership,
    encode_receipt,
    fixed_schema_id,
    schema_id_of,
)
from schemas.event import Origin, Partner
from schemas.membership import Previous, SegmentMembership, SegmentMembershipChange, SegmentMembershipKey
from schemas.receipts import DeliveryReceipt, ReceiptSegment
from schemas.topics import AAM_POSTS

KEY = SegmentMembershipKey("74323", "423", "0578", "14356")
ROW = SegmentMembership(
    client_id="74323",
    destination_id="423",
    aam_uuid="0578",
    segment_id="14356",
    status="ACTIVE",
    since=1_469_636_242_000,
    verified_at=1_469_636_242_000,
    expires_at=None,
    cause="QUALIFIED",
    partners=[Partner("ab", 12345), Partner("c")],
    regions=[9],
    version=77,
)
CHANGE = SegmentMembershipChange(
    **msgspec.structs.asdict(ROW),
    change="EXITED",
    previous=Previous("INACTIVE", 0),
    changed_at=1,
    origin=Origin("t", 2, 300, 0),
)

RECEIPT = DeliveryReceipt(
    destination="p",
    aam_uuid="0578",
    partner=Partner("ab", 12345),
    segments=[ReceiptSegment(segment_id="14356", sent_as="S", status="INACTIVE", verified_at=1, version=77)],
    sent_at=2,
    outcome="REFUSED",
    answered=503,
    attempt=2,
    latency_ms=30,
    request_id="r",
    reason="full",
)

# Bytes that are in topics: whoever changes them breaks what was written.
KEY_BYTES = bytes.fromhex("0a3734333233 06343233 0830353738 0a3134333536")
ROW_BYTES = KEY_BYTES + bytes.fromhex("00a0a9abd2c555a0a9abd2c555 00 00 0402f2c001046162000263 00 0212 00 9a01")
RECEIPT_BYTES = bytes.fromhex(
    "0270 0830353738 0202f2c001046162 02 0a3134333536020253 02 02 9a01 00 04 02 02ee07 04 023c 0272 020866756c6c"
)
CHANGE_BYTES = ROW_BYTES + bytes.fromhex("02 020200 02 0274 04 d804 00")


def test_key_is_unframed_and_stays_the_same_bytes() -> None:
    assert encode_key(KEY) == KEY_BYTES
    assert decode_key(KEY_BYTES) == KEY


def test_row_stays_the_same_bytes_behind_its_frame() -> None:
    assert encode_membership(ROW).hex() == (b"\0\0\0\0\x02" + ROW_BYTES).hex()
    assert decode_membership(b"\0\0\0\0\x02" + ROW_BYTES) == ROW


def test_change_stays_the_same_bytes_behind_its_frame() -> None:
    assert encode_change(CHANGE).hex() == (b"\0\0\0\0\x03" + CHANGE_BYTES).hex()
    assert decode_change(b"\0\0\0\0\x03" + CHANGE_BYTES) == CHANGE


def test_receipt_stays_the_same_bytes_behind_its_frame() -> None:
    assert encode_receipt(RECEIPT).hex() == (b"\0\0\0\0\x04" + RECEIPT_BYTES).hex()
    assert decode_receipt(b"\0\0\0\0\x04" + RECEIPT_BYTES) == RECEIPT


def test_schema_id_of_a_registry_is_framed_and_read_past() -> None:
    value = encode_membership(ROW, schema_id=0x01020304)
    assert value[:5] == b"\0\x01\x02\x03\x04"
    assert schema_id_of(value) == 0x01020304
    assert decode_membership(value) == ROW


@pytest.mark.parametrize("value", [b"", b"\0\0\0\0", b"\x01\0\0\0\x02" + ROW_BYTES, ROW_BYTES])
def test_value_without_a_frame_is_refused(value: bytes) -> None:
    with pytest.raises(AvroDecodeError, match="must begin with byte 0"):
        decode_membership(value)


@pytest.mark.parametrize("binary", [ROW_BYTES[:-1], ROW_BYTES[:20], ROW_BYTES + b"\0", CHANGE_BYTES])
def test_value_that_is_too_short_or_too_long_is_refused(binary: bytes) -> None:
    with pytest.raises(AvroDecodeError):
        decode_membership(b"\0\0\0\0\x02" + binary)


def test_long_of_more_than_64_bits_is_refused() -> None:
    with pytest.raises(OverflowError, match="64 bits"):
        encode_membership(msgspec.structs.replace(ROW, version=2**63))


def test_topic_without_avro_values_has_no_schema_id() -> None:
    with pytest.raises(ValueError, match="aam-posts are not Avro"):
        fixed_schema_id(AAM_POSTS)
