"""How a damaged spool is mended at its start, and under way: torn tails, damaged records, lost files."""

import os
import struct
from pathlib import Path

import pytest
from google_crc32c import value as crc32c

from ingest.spool.errors import SpoolVersionUnknown
from tests.support.spool import (
    NAME,
    SALT,
    open_spool,
    replay_numbers,
    spool_record,
    write_segment,
)
from tests.support.spool_runs import SMALL, append_all, corrupt_files, metric, open_and_close, run, segments


def test_torn_tail_is_cut_and_counted_once_and_costs_nothing_else(tmp_path: Path) -> None:
    path, offsets = write_segment(tmp_path, [spool_record(i) for i in range(5)])
    os.truncate(path, offsets[-1] - 7)
    before = metric("torn_total")

    async def scenario() -> None:
        for _ in range(2):
            spool = await open_spool(tmp_path)
            assert await replay_numbers(spool) == [0, 1, 2, 3]
            await spool.append(spool_record(9))
            assert await replay_numbers(spool) == [9]
            await spool.close()
            for extra in segments(tmp_path)[1:]:
                extra.unlink()

    run(scenario())
    assert metric("torn_total") - before == 1
    assert path.stat().st_size == offsets[-2]
    assert corrupt_files(tmp_path) == []


def test_damaged_record_in_the_middle_is_set_aside_counted_once_and_passed_over(tmp_path: Path) -> None:
    path, offsets = write_segment(tmp_path, [spool_record(i) for i in range(5)])
    data = bytearray(path.read_bytes())
    data[offsets[2] + 40] ^= 1
    path.write_bytes(data)
    before = metric("corrupt_total")

    async def scenario() -> None:
        for mark in (False, True):
            spool = await open_spool(tmp_path)
            assert spool.state().pending_records == 4
            assert await replay_numbers(spool, mark=mark) == [0, 1, 3, 4]
            await spool.close()

    run(scenario())
    assert metric("corrupt_total") - before == 1
    assert segments(tmp_path) == []
    assert [file.read_bytes() for file in corrupt_files(tmp_path)] == [bytes(data[offsets[2] : offsets[3]])]


def test_damage_that_happens_while_open_is_passed_over_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        spool = await open_spool(tmp_path)
        positions = await append_all(spool, range(5))
        (path,) = segments(tmp_path)
        with path.open("r+b") as file:
            file.seek(positions[1].offset)
            file.write(bytes(30))
        assert await replay_numbers(spool, mark=True) == [0, 2, 3, 4]
        await spool.close()

    run(scenario())
    assert segments(tmp_path) == []
    assert len(corrupt_files(tmp_path)) == 1


def test_segment_removed_by_someone_does_not_stop_the_rest(tmp_path: Path) -> None:
    async def scenario() -> None:
        spool = await open_spool(tmp_path, SMALL)
        await append_all(spool, range(20))
        await append_all(spool, range(20, 40))
        segments(tmp_path)[0].unlink()
        assert await replay_numbers(spool, mark=True) == list(range(20, 40))
        await spool.close()

    run(scenario())


def test_damaged_cursor_replays_everything(tmp_path: Path) -> None:
    async def scenario() -> None:
        spool = await open_spool(tmp_path)
        for position in (await append_all(spool, range(5)))[:3]:
            spool.mark_done(position)
        await spool.close()
        cursor = bytearray((tmp_path / "cursor").read_bytes())
        cursor[-1] ^= 1
        (tmp_path / "cursor").write_bytes(cursor)

        spool = await open_spool(tmp_path)
        assert await replay_numbers(spool) == list(range(5))
        await spool.close()

    run(scenario())


def test_new_segment_never_takes_a_number_that_the_cursor_knows(tmp_path: Path) -> None:
    async def scenario() -> None:
        spool = await open_spool(tmp_path)
        for position in (await append_all(spool, range(5)))[:3]:
            spool.mark_done(position)
        await spool.close()
        segments(tmp_path)[0].unlink()

        spool = await open_spool(tmp_path)
        (position,) = await append_all(spool, [7])
        assert position.segment == 2
        assert await replay_numbers(spool) == [7]
        await spool.close()

    run(scenario())


def test_empty_and_headless_segments_are_removed(tmp_path: Path) -> None:
    (tmp_path / NAME.file_name).write_bytes(b"")
    write_segment(tmp_path, [], type(NAME)(2, SALT))
    (tmp_path / type(NAME)(3, SALT).file_name).write_bytes(b"segwspl")

    run(open_and_close(tmp_path))

    assert segments(tmp_path) == []


def test_unknown_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path, _ = write_segment(tmp_path, [spool_record(1)])
    torn, _ = write_segment(tmp_path, [spool_record(2)], type(NAME)(2, SALT))
    os.truncate(torn, torn.stat().st_size - 1)
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, 8, 9)
    struct.pack_into("<I", data, 28, crc32c(bytes(data[:28])))
    path.write_bytes(data)
    sizes = [torn.stat().st_size, path.stat().st_size]

    for _ in range(2):
        with pytest.raises(SpoolVersionUnknown, match=r"version 9 .* knows 1"):
            run(open_and_close(tmp_path))
    assert [torn.stat().st_size, path.stat().st_size] == sizes
