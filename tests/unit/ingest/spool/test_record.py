import msgspec
import pytest

from ingest.spool.record import Position, UnreadablePayload, decode_head, decode_record, encode_record
from tests.support.spool import spool_record


def test_record_comes_back_as_it_was() -> None:
    record = spool_record(7)

    assert decode_record(encode_record(record)) == record


def test_receive_time_and_source_are_read_without_the_rest() -> None:
    head = decode_head(encode_record(spool_record(7)))

    assert (head.received_at_ms, head.source) == (spool_record(7).received_at_ms, "dev")


def test_fields_added_later_are_passed_over() -> None:
    payload = msgspec.msgpack.encode([*msgspec.structs.astuple(spool_record(7)), "added later"])

    assert decode_record(payload) == spool_record(7)


@pytest.mark.parametrize("payload", [b"", b"\xc1", b"\x90", b"\x91\xa1a", b"\x96\x01\xa1\xff"])
def test_other_bytes_are_no_record(payload: bytes) -> None:
    with pytest.raises(UnreadablePayload):
        decode_record(payload)


def test_other_bytes_have_no_head() -> None:
    with pytest.raises(UnreadablePayload):
        decode_head(b"\x91\xa1a")


def test_positions_order_oldest_first() -> None:
    positions = [Position(2, 32, 40), Position(1, 50, 60), Position(1, 32, 50)]

    assert sorted(positions) == positions[::-1]
