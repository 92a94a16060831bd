from collections.abc import Iterator, Sequence

from schemas.membership import SegmentMembershipChange
from segwire.simulator.model import Model
from segwire.simulator.verify import QUIET_S, Read, RowRecord, follow
from tests.support.simulation import ManualClock, change, membership_key, message, row, statement

ROW, CHANGE = RowRecord(membership_key(), row()), change()
SETTLE_S = 30.0
READ_S = 0.5


class ScriptedReader:
    """Gives each read once, half a second each, then nothing, at the end of the topics (or never there)."""

    def __init__(self, clock: ManualClock, *reads: Read, ends: bool = True) -> None:
        self._clock = clock
        self._reads: Iterator[Read] = iter(reads)
        self._nothing = Read([], 0, at_end=ends)

    def read(self) -> Read:
        self._clock.at_s += READ_S
        return next(self._reads, self._nothing)


def got(*records: RowRecord | SegmentMembershipChange, others: int = 0, at_end: bool = True) -> Read:
    return Read(records, others, at_end)


def verified(reads: Sequence[Read], *, ends: bool = True) -> tuple[int, float]:
    clock, model = ManualClock(), Model()
    model.acknowledged(message(0, statement(1)))
    start_s = clock.at_s
    _, differences = follow(
        model, ScriptedReader(clock, *reads, ends=ends), settle_s=SETTLE_S, clock=clock, progress=lambda _: None
    )
    return differences.total, clock.at_s - start_s


def test_ends_soon_after_all_agrees() -> None:
    total, took_s = verified([got(ROW, CHANGE)])
    assert total == 0
    assert took_s <= READ_S + QUIET_S + READ_S


def test_waits_for_what_is_still_under_way() -> None:
    quiet = [got()] * 40
    total, _ = verified([*quiet, got(ROW), *quiet, got(CHANGE)])
    assert total == 0


def test_reports_differences_after_the_settling_time_without_a_record() -> None:
    total, took_s = verified([got()])
    assert total == 1
    assert SETTLE_S <= took_s <= SETTLE_S + 2 * READ_S


def test_hears_a_duplicate_that_comes_just_after_all_agreed() -> None:
    total, _ = verified([got(ROW, CHANGE), got(), got(), got(CHANGE)])
    assert total == 1


def test_does_not_wait_where_no_later_record_can_mend_it() -> None:
    total, took_s = verified([got(ROW, CHANGE, CHANGE)])
    assert total == 1
    assert took_s < SETTLE_S


def test_does_not_compare_before_the_end_of_the_topics() -> None:
    others = [got(others=5000, at_end=False)] * 100
    total, took_s = verified([*others, got(ROW, CHANGE)])
    assert total == 0
    assert took_s > SETTLE_S


def test_gives_up_where_the_end_is_never_reached_and_nothing_comes() -> None:
    total, took_s = verified([], ends=False)
    assert total == 1
    assert took_s <= SETTLE_S + 2 * READ_S


def test_records_of_others_at_the_end_do_not_keep_it_waiting() -> None:
    total, took_s = verified([got(others=3)] * 200)
    assert total == 1
    assert took_s <= SETTLE_S + 2 * READ_S
