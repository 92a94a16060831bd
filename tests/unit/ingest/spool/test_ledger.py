import msgspec

from ingest.spool.cursor import decode_cursor, encode_cursor
from ingest.spool.ledger import Ledger, SegmentLedger
from ingest.spool.record import Position
from ingest.spool.segment import HEADER_BYTES, SegmentName
from ingest.spool.state import Pending
from tests.support.spool import NAME, RECEIVED_AT_MS

FIRST, SECOND, THIRD = Position(1, 32, 40), Position(1, 40, 60), Position(1, 60, 70)


def _ledger() -> Ledger:
    ledger = Ledger([])
    ledger.active = 1
    ledger.committed(NAME, [FIRST], RECEIVED_AT_MS)
    ledger.committed(NAME, [SECOND, THIRD], RECEIVED_AT_MS + 5000)
    return ledger


def test_committed_records_are_pending() -> None:
    ledger = _ledger()

    assert (ledger.pending_records, ledger.total_bytes) == (3, 70)


def test_segment_is_finished_when_all_is_done_and_it_no_longer_grows() -> None:
    ledger = _ledger()
    for position in (THIRD, FIRST, SECOND):
        assert list(ledger.finished()) == []
        assert ledger.mark_done(position)
    assert list(ledger.finished()) == []

    ledger.active = 2
    assert list(ledger.finished()) == [1]
    assert ledger.is_finished(1)

    ledger.drop(1)
    assert (ledger.pending_records, ledger.total_bytes) == (0, 0)


def test_late_news_of_a_closed_segment_leaves_the_active_one_active() -> None:
    ledger = _ledger()
    ledger.active = 2
    ledger.closed(1)
    assert ledger.active == 2

    ledger.closed(2)
    assert ledger.active is None


def test_repeated_mark_counts_once() -> None:
    ledger = _ledger()

    assert [ledger.mark_done(SECOND), ledger.mark_done(SECOND)] == [True, False]
    assert ledger.pending_records == 2


def test_mark_in_a_segment_that_is_gone_is_harmless() -> None:
    assert not _ledger().mark_done(Position(9, 32, 40))


def test_oldest_age_follows_what_is_done_to_a_second() -> None:
    ledger = _ledger()
    assert ledger.oldest_ms() == RECEIVED_AT_MS

    ledger.mark_done(FIRST)
    assert ledger.oldest_ms() == RECEIVED_AT_MS + 5000

    ledger.mark_done(SECOND)
    assert ledger.oldest_ms() == RECEIVED_AT_MS + 5000

    ledger.mark_done(THIRD)
    assert ledger.oldest_ms() is None


def test_oldest_age_is_that_of_the_oldest_segment_with_something_pending() -> None:
    ledger = _ledger()
    ledger.committed(SegmentName(2, NAME.salt), [Position(2, 32, 40)], RECEIVED_AT_MS + 9000)
    for position in (FIRST, SECOND, THIRD):
        ledger.mark_done(position)

    assert ledger.oldest_ms() == RECEIVED_AT_MS + 9000


def test_unreadable_records_leave_the_count_with_their_segment() -> None:
    ledger = _ledger()
    ledger.active = None
    ledger.mark_done(FIRST)
    ledger.pass_over(1, 40, 70)

    assert list(ledger.finished()) == [1]
    ledger.drop(1)
    assert ledger.pending_records == 0


def test_cursor_restores_what_is_done() -> None:
    ledger = _ledger()
    ledger.mark_done(FIRST)
    ledger.mark_done(THIRD)

    cursor = decode_cursor(encode_cursor(ledger.cursor()))
    assert cursor is not None
    segment = SegmentLedger(NAME, cursor.intervals(NAME.file_name, HEADER_BYTES))
    for position in (FIRST, SECOND, THIRD):
        segment.add(position.offset, position.end, RECEIVED_AT_MS, "dev")

    assert (segment.records, segment.pending_records) == (3, 1)
    assert segment.done.past(0) == SECOND.offset


def _of_two_sources() -> tuple[Ledger, list[Position]]:
    ledger = Ledger([])
    positions = [Position(1, at, at + 10, "ab"[at // 10 % 2]) for at in range(HEADER_BYTES, HEADER_BYTES + 60, 10)]
    for number, position in enumerate(positions):
        ledger.committed(NAME, [position], RECEIVED_AT_MS + number * 2000)
    return ledger, positions


def test_pending_records_and_the_oldest_of_them_are_known_by_source() -> None:
    ledger, positions = _of_two_sources()
    first, second = positions[0].source, positions[1].source

    assert ledger.pending() == {first: Pending(3, RECEIVED_AT_MS), second: Pending(3, RECEIVED_AT_MS + 2000)}
    for position in positions[:3]:
        ledger.mark_done(position)
    assert ledger.pending() == {first: Pending(1, RECEIVED_AT_MS + 8000), second: Pending(2, RECEIVED_AT_MS + 6000)}
    ledger.mark_done(positions[4])
    assert ledger.pending() == {second: Pending(2, RECEIVED_AT_MS + 6000)}


def test_what_a_dropped_segment_held_is_pending_of_no_source() -> None:
    ledger, _ = _of_two_sources()
    later = SegmentName(2, NAME.salt)
    ledger.committed(later, [Position(2, HEADER_BYTES, HEADER_BYTES + 10, "a")], RECEIVED_AT_MS + 60_000)
    assert ledger.pending()["a"] == Pending(4, ledger.pending()["a"].oldest_ms)

    ledger.drop(1)

    assert ledger.pending() == {"a": Pending(1, RECEIVED_AT_MS + 60_000)}


def test_a_source_whose_early_records_are_done_is_not_as_old_as_they_were() -> None:
    ledger = Ledger([])
    alone, *others = [Position(1, at, at + 10, "other") for at in range(HEADER_BYTES, HEADER_BYTES + 50, 10)]
    rare = [msgspec.structs.replace(alone, source="rare"), msgspec.structs.replace(others[-1], source="rare")]
    ledger.committed(NAME, [rare[0]], RECEIVED_AT_MS)
    ledger.committed(NAME, others[:-1], RECEIVED_AT_MS + 500)
    ledger.committed(NAME, [rare[1]], RECEIVED_AT_MS + 90_000)

    ledger.mark_done(rare[0])

    assert ledger.pending()["rare"] == Pending(1, RECEIVED_AT_MS + 90_000)


def test_cursor_of_a_segment_with_another_salt_hides_nothing() -> None:
    ledger = _ledger()
    ledger.mark_done(FIRST)

    another = SegmentName(1, b"another!")

    assert ledger.cursor().intervals(another.file_name, HEADER_BYTES).low == HEADER_BYTES
