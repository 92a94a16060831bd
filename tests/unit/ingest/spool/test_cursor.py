from ingest.spool.cursor import Cursor, cursor_of, decode_cursor, encode_cursor
from ingest.spool.intervals import Intervals


def test_cursor_comes_back_as_it_was() -> None:
    cursor = cursor_of({"a": Intervals(50, [(60, 70)]), "b": Intervals(32, [(40, 44), (46, 48)])})

    decoded = decode_cursor(encode_cursor(cursor))

    assert decoded == cursor
    assert decoded.intervals("a", 32).above() == [(60, 70)]
    assert decoded.intervals("a", 32).low == 50


def test_unknown_segment_has_nothing_done() -> None:
    assert Cursor().intervals("new", 32).low == 32


def test_any_damaged_byte_makes_it_no_cursor() -> None:
    data = encode_cursor(cursor_of({"a": Intervals(50, [(60, 70)])}))

    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1
        assert decode_cursor(bytes(damaged)) is None, at
        assert decode_cursor(data[:at]) is None, at


def test_cursor_of_another_version_is_none() -> None:
    assert decode_cursor(encode_cursor(Cursor(version=2))) is None
