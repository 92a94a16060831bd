from ingest.spool.frame import FRAME_HEAD, MARKER, Damaged, Whole, head_of, scan
from tests.support.spool import SALT

BASE = 32


def _frames(*payloads: bytes) -> bytes:
    data = b""
    for payload in payloads:
        data += head_of(SALT, BASE + len(data), payload) + payload
    return data


def _scan(data: bytes) -> list[Whole | Damaged]:
    return list(scan(data, SALT, BASE))


def _payloads(data: bytes) -> list[bytes]:
    return [part.payload for part in _scan(data) if isinstance(part, Whole)]


def test_whole_frames_come_back_with_their_places() -> None:
    data = _frames(b"one", b"", b"three")

    parts = _scan(data)

    assert _payloads(data) == [b"one", b"", b"three"]
    assert parts[0] == Whole(BASE, BASE + FRAME_HEAD.size + 3, b"one")
    assert [part.offset for part in parts[1:]] == [part.end for part in parts[:-1]]


def test_nothing_comes_of_nothing() -> None:
    assert _scan(b"") == []


def test_damaged_payload_costs_exactly_its_own_frame() -> None:
    data = bytearray(_frames(b"one", b"two", b"three"))
    data[data.index(b"two")] ^= 1

    parts = _scan(bytes(data))

    assert _payloads(bytes(data)) == [b"one", b"three"]
    assert [part for part in parts if isinstance(part, Damaged)] == [Damaged(BASE + 19, BASE + 38, torn=False)]


def test_damaged_head_costs_exactly_its_own_frame() -> None:
    data = bytearray(_frames(b"one", b"two", b"three"))
    data[19 + 5] ^= 1

    assert _payloads(bytes(data)) == [b"one", b"three"]


def test_damaged_marker_costs_nothing() -> None:
    data = bytearray(_frames(b"one", b"two"))
    data[19] ^= 1

    assert _payloads(bytes(data)) == [b"one", b"two"]


def test_write_cut_short_is_torn_wherever_it_was_cut() -> None:
    whole, last = _frames(b"one"), _frames(b"one", b"two")

    for cut in range(len(whole) + 1, len(last)):
        parts = _scan(last[:cut])
        assert parts[1:] == [Damaged(BASE + len(whole), BASE + cut, torn=True)], cut


def test_zeros_at_the_end_are_torn() -> None:
    data = _frames(b"one")

    assert _scan(data + bytes(100))[1:] == [Damaged(BASE + len(data), BASE + len(data) + 100, torn=True)]


def test_damaged_last_frame_of_full_length_is_not_torn() -> None:
    data = bytearray(_frames(b"one", b"two"))
    data[-1] ^= 1

    assert _scan(bytes(data))[1:] == [Damaged(BASE + 19, BASE + 38, torn=False)]


def test_frame_inside_a_payload_is_not_found_when_its_outer_head_is_damaged() -> None:
    inner = _frames(b"forged")
    forged_with_another_salt = head_of(b"attacker", BASE + FRAME_HEAD.size, b"forged") + b"forged"
    for payload in (inner, forged_with_another_salt, MARKER * 10):
        data = bytearray(_frames(payload, b"next"))
        data[6] ^= 1

        assert _payloads(bytes(data)) == [b"next"]


def test_frame_at_another_offset_is_not_believed() -> None:
    assert not [part for part in scan(_frames(b"one"), SALT, BASE + 1) if isinstance(part, Whole)]


def test_frame_of_another_segment_is_not_believed() -> None:
    assert not [part for part in scan(_frames(b"one"), b"another!", BASE) if isinstance(part, Whole)]
