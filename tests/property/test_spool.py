"""Whatever happens to a spool's bytes, everything that was not hit is read, and nothing is invented."""

import asyncio
import itertools
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.spool.frame import Damaged, Whole, scan
from ingest.spool.intervals import Intervals
from ingest.spool.record import decode_record
from ingest.spool.segment import HEADER_BYTES
from tests.support.spool import NAME, number_of, open_spool, replay_numbers, segment_bytes, spool_record, write_segment

sizes = st.lists(st.integers(8, 300), min_size=1, max_size=8)


def _hit(offsets: list[int], at: int) -> int | None:
    """Return which record a byte belongs to; None for the segment's header."""
    return next((i for i in range(len(offsets) - 1) if offsets[i] <= at < offsets[i + 1]), None)


@given(sizes, st.data())
def test_flipped_byte_costs_at_most_its_own_record(body_sizes: list[int], data: st.DataObject) -> None:
    records = [spool_record(i, size) for i, size in enumerate(body_sizes)]
    whole, offsets = segment_bytes(records)
    at = data.draw(st.integers(HEADER_BYTES, len(whole) - 1))
    flipped = bytearray(whole)
    flipped[at] ^= data.draw(st.integers(1, 255))

    parts = list(scan(bytes(flipped)[HEADER_BYTES:], NAME.salt, HEADER_BYTES))

    read = {number_of(decode_record(part.payload)) for part in parts if isinstance(part, Whole)}
    assert read >= set(range(len(records))) - {_hit(offsets, at)}
    assert [part.offset for part in parts] == [HEADER_BYTES, *(part.end for part in parts[:-1])]
    assert parts[-1].end == len(whole)


@given(sizes, st.data())
def test_bytes_overwritten_anywhere_cost_only_the_records_they_touch(
    body_sizes: list[int], data: st.DataObject
) -> None:
    records = [spool_record(i, size) for i, size in enumerate(body_sizes)]
    whole, offsets = segment_bytes(records)
    start = data.draw(st.integers(HEADER_BYTES, len(whole) - 1))
    rubbish = data.draw(st.binary(min_size=1, max_size=200))[: len(whole) - start]
    damaged = whole[:start] + rubbish + whole[start + len(rubbish) :]

    read = {
        number_of(decode_record(part.payload))
        for part in scan(damaged[HEADER_BYTES:], NAME.salt, HEADER_BYTES)
        if isinstance(part, Whole)
    }

    touched = {_hit(offsets, at) for at in range(start, start + len(rubbish))}
    assert read >= set(range(len(records))) - touched


@given(sizes, st.data())
def test_cut_anywhere_leaves_what_was_whole_and_a_torn_tail(body_sizes: list[int], data: st.DataObject) -> None:
    whole, offsets = segment_bytes([spool_record(i, size) for i, size in enumerate(body_sizes)])
    cut = data.draw(st.integers(HEADER_BYTES, len(whole)))

    parts = list(scan(whole[HEADER_BYTES:cut], NAME.salt, HEADER_BYTES))

    count = sum(end <= cut for end in offsets[1:])
    assert sum(isinstance(part, Whole) for part in parts) == count
    assert [part for part in parts if isinstance(part, Damaged)] == (
        [] if cut in offsets else [Damaged(offsets[count], cut, torn=True)]
    )


@given(st.binary(max_size=300))
def test_rubbish_holds_no_records_and_no_crash(rubbish: bytes) -> None:
    assert all(isinstance(part, Damaged) for part in scan(rubbish, NAME.salt, HEADER_BYTES))


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 10)), max_size=30))
def test_intervals_are_the_set_of_what_was_added(added: list[tuple[int, int]]) -> None:
    intervals, model = Intervals(0), set[int]()
    for start, length in added:
        span = set(range(start, start + length))
        assert intervals.add(start, start + length) == (not span <= model)
        model |= span

    for offset in range(60):
        assert intervals.past(offset) == next(i for i in range(offset, 99) if i not in model)
    assert intervals.low == next(i for i in range(99) if i not in model)
    ranges = [(0, intervals.low), *intervals.above()]
    assert {i for start, end in ranges for i in range(start, end)} == model
    assert all(before[1] < after[0] for before, after in itertools.pairwise(ranges))


@settings(max_examples=60)
@given(sizes, st.data())
def test_spool_with_any_flipped_byte_opens_and_replays_every_other_record(
    body_sizes: list[int], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path, offsets = write_segment(Path(directory), [spool_record(i, size) for i, size in enumerate(body_sizes)])
        at = data.draw(st.integers(0, offsets[-1] - 1))
        flipped = bytearray(path.read_bytes())
        flipped[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(flipped)

        async def read() -> list[int]:
            spool = await open_spool(Path(directory))
            try:
                return await replay_numbers(spool, mark=True)
            finally:
                await spool.close()

        numbers = asyncio.run(read())
        everything = set(range(len(body_sizes)))
        assert everything - {_hit(offsets, at)} <= set(numbers) <= everything
        assert numbers == sorted(numbers)
        assert not path.exists()
