"""The spool on real files: durability, replay, mending, and its directory's one holder."""

import asyncio
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from ingest.spool.adoption import adopt
from ingest.spool.errors import SpoolClosed, SpoolFull, SpoolLocked
from ingest.spool.inspection import SourceReport, inspect_spool, inspect_spools
from ingest.spool.record import Position
from ingest.spool.spool import Spool
from ingest.spool.state import Level, Pending, SpoolLimits
from runtime.clock import SystemClock
from tests.support.producer import HandClock
from tests.support.spool import (
    RECEIVED_AT_MS,
    number_of,
    open_spool,
    replay_numbers,
    spool_record,
)
from tests.support.spool_runs import LIMIT_S, SMALL, append_all, metric, run, segments, until


def test_appended_records_are_replayed_in_their_order_as_they_were(tmp_path: Path) -> None:
    async def scenario() -> None:
        spool = await open_spool(tmp_path, SMALL)
        await append_all(spool, range(50))
        assert len(segments(tmp_path)) == 1
        await append_all(spool, range(50, 60))
        assert len(segments(tmp_path)) == 2
        assert await replay_numbers(spool) == list(range(60))
        assert await spool.replay() == []
        await spool.close()

    run(scenario())


def test_what_is_not_done_is_replayed_after_a_restart_and_what_is_done_is_not(tmp_path: Path) -> None:
    async def scenario() -> None:
        spool = await open_spool(tmp_path)
        positions = await append_all(spool, range(20))
        for number in (0, 1, 5, 19, 6):
            spool.mark_done(positions[number])
        assert spool.state().pending_records == 15
        await spool.close()

        spool = await open_spool(tmp_path)
        assert spool.state().pending_records == 15
        assert await replay_numbers(spool, mark=True) == [2, 3, 4, *range(7, 19)]
        await spool.close()
        assert segments(tmp_path) == []

    run(scenario())


def test_late_acknowledgement_before_the_replay_spares_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        spool = await open_spool(tmp_path)
        positions = await append_all(spool, range(4))
        spool.mark_done(positions[1])
        spool.mark_done(positions[1])
        assert await replay_numbers(spool) == [0, 2, 3]
        await spool.close()

    run(scenario())


def test_given_back_records_come_again_before_others(tmp_path: Path) -> None:
    async def scenario() -> None:
        spool = await open_spool(tmp_path)
        positions = await append_all(spool, range(6))
        first = await spool.replay(records_max=4)
        assert [number_of(one.record) for one in first] == [0, 1, 2, 3]
        spool.give_back(one.position for one in (first[3], first[1], first[2]))
        spool.mark_done(positions[2])
        assert await replay_numbers(spool) == [1, 3, 4, 5]
        await spool.close()

    run(scenario())


def test_record_longer_than_a_batch_and_than_a_segment_is_replayed(tmp_path: Path) -> None:
    async def scenario() -> None:
        spool = await open_spool(tmp_path, SMALL)
        await append_all(spool, range(3), body_bytes=50_000)
        batch = await spool.replay(bytes_max=100)
        assert [number_of(one.record) for one in batch] == [0]
        assert await replay_numbers(spool) == [1, 2]
        await spool.close()

    run(scenario())


def test_finished_segments_are_removed_and_a_drained_one_as_well(tmp_path: Path) -> None:
    async def scenario() -> None:
        spool = await open_spool(tmp_path, SMALL)
        for start in range(0, 40, 5):
            await append_all(spool, range(start, start + 5), body_bytes=200)
        assert len(segments(tmp_path)) > 2
        await replay_numbers(spool, mark=True)
        await until(lambda: spool.state().segments == 0, "the segments are removed")
        assert spool.state().used_bytes == 0
        assert segments(tmp_path) == []
        await append_all(spool, [100])
        assert await replay_numbers(spool) == [100]
        await spool.close()

    run(scenario())


def test_segments_that_come_and_go_under_way_take_no_pending_record_with_them(tmp_path: Path) -> None:
    async def scenario() -> None:
        spool = await open_spool(tmp_path, SpoolLimits(segment_bytes=1200, unsaved_marks_max=50, cursor_interval_ms=5))
        pending = set[int]()

        async def sender(first: int) -> None:
            for number in range(first, first + 400):
                position = await spool.append(spool_record(number))
                if number % 97:
                    spool.mark_done(position)
                else:
                    pending.add(number)

        await asyncio.gather(*(sender(i * 400) for i in range(3)))
        await spool.close()

        spool = await open_spool(tmp_path)
        assert sorted(await replay_numbers(spool)) == sorted(pending)
        await spool.close()

    run(scenario())


def test_late_news_of_a_closed_segment_does_not_touch_the_one_after_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        spool = await open_spool(tmp_path, SpoolLimits(segment_bytes=1200))
        spool.mark_done(await spool.append(spool_record(1, 500)))
        await asyncio.sleep(0)  # now the writer has been asked to close the drained segment
        second = spool.append(spool_record(2, 500))
        await asyncio.sleep(0)  # and to write another one
        both_done = threading.Event()
        spool._writer.run(both_done.set)
        assert both_done.wait(LIMIT_S)  # a loop too busy to hear of either before both are done
        spool.mark_done(await second)
        await until(lambda: spool.state().segments == 0, "both segments are removed")
        await spool.append(spool_record(3))
        await spool.close()

        spool = await open_spool(tmp_path)
        assert await replay_numbers(spool) == [3]
        await spool.close()

    run(scenario())


def test_waiters_share_syncs(tmp_path: Path) -> None:
    async def scenario() -> None:
        spool = await open_spool(tmp_path)
        before = metric("fsync_seconds_count")
        await append_all(spool, range(1000))
        assert metric("fsync_seconds_count") - before <= 3
        await spool.close()

    run(scenario())


def test_bound_is_never_exceeded_nothing_is_evicted_and_room_comes_back(tmp_path: Path) -> None:
    limits = SpoolLimits(bytes_max=20_000, segment_bytes=2000)

    async def scenario() -> None:
        spool = await open_spool(tmp_path, limits)
        levels, stored = [], 0
        while spool.state().level is not Level.FULL:
            with suppress(SpoolFull):
                await spool.append(spool_record(stored))
                stored += 1
                levels.append(spool.state().level)
        with pytest.raises(SpoolFull, match=r"its 20000 bytes are used; it empties by itself"):
            await spool.append(spool_record(stored))
        assert levels == sorted(levels, key=[Level.OK, Level.HIGH].index)
        assert levels.count(Level.HIGH) == pytest.approx(stored * 0.2, abs=stored * 0.05)
        assert spool.state().level is Level.FULL
        assert sum(path.stat().st_size for path in segments(tmp_path)) == spool.state().used_bytes <= 20_000

        assert await replay_numbers(spool, mark=True) == list(range(stored))
        await until(lambda: spool.state().segments == 0, "room is made")
        assert spool.state().level is Level.OK
        await spool.append(spool_record(1))
        await spool.close()

    run(scenario())


def test_bound_counts_what_is_only_on_its_way(tmp_path: Path) -> None:
    async def scenario() -> None:
        spool = await open_spool(tmp_path, SpoolLimits(bytes_max=2000))
        outcomes = await asyncio.gather(*(spool.append(spool_record(i)) for i in range(50)), return_exceptions=True)
        stored = [outcome for outcome in outcomes if isinstance(outcome, Position)]
        assert 0 < len(stored) < 15
        assert all(isinstance(outcome, SpoolFull) for outcome in outcomes[len(stored) :])
        assert segments(tmp_path)[0].stat().st_size <= 2000
        await spool.close()

    run(scenario())


def test_cancelled_append_is_stored_or_not_but_harms_nobody(tmp_path: Path) -> None:
    async def scenario() -> None:
        spool = await open_spool(tmp_path)
        first, second = spool.append(spool_record(1)), spool.append(spool_record(2))
        first.cancel()
        await second
        assert await replay_numbers(spool) == [1, 2]
        await spool.close()

    run(scenario())


def test_closing_stores_what_was_appended_and_refuses_what_comes_after(tmp_path: Path) -> None:
    async def scenario() -> None:
        spool = await open_spool(tmp_path)
        pending = [spool.append(spool_record(i)) for i in range(10)]
        await spool.close()
        assert all(future.done() and future.exception() is None for future in pending)
        with pytest.raises(SpoolClosed):
            await spool.append(spool_record(11))
        await spool.close()

        spool = await open_spool(tmp_path)
        assert await replay_numbers(spool) == list(range(10))
        await spool.close()

    run(scenario())


def test_state_and_gauges_tell_age_records_and_bytes(tmp_path: Path) -> None:
    async def scenario() -> None:
        spool = await open_spool(tmp_path / "worker-7")
        await append_all(spool, range(3))
        state = spool.state()
        assert (state.pending_records, state.segments, state.oldest_ms) == (3, 1, RECEIVED_AT_MS)
        assert metric("records", spool="worker-7") == 3
        assert metric("bytes", spool="worker-7") == state.used_bytes
        age_s = (SystemClock().now_ms() - RECEIVED_AT_MS) / 1000
        assert metric("oldest_age_seconds", spool="worker-7") == pytest.approx(max(age_s, 0), abs=60)
        await spool.close()
        assert REGISTRY.get_sample_value("segwire_ingest_spool_bytes", {"spool": "worker-7"}) is None

    run(scenario())


def test_disk_that_hangs_is_told_until_it_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()
    sync = os.fdatasync

    def hang(fd: int) -> None:
        assert answers.wait(LIMIT_S)
        sync(fd)

    async def scenario() -> None:
        clock = HandClock()
        spool = await Spool.open(tmp_path, SpoolLimits(), clock)
        monkeypatch.setattr("ingest.spool.active.os.fdatasync", hang)
        first = spool.append(spool_record(1))
        clock.now_s += 1.9
        second = spool.append(spool_record(2))
        assert (spool.state().level, spool.state().trouble) == (Level.OK, None)
        clock.now_s += 0.2
        state = spool.state()
        assert state.level is Level.FAILED
        assert "stored nothing for 2 s" in (state.trouble or "")
        answers.set()
        await asyncio.gather(first, second)
        assert (spool.state().level, spool.state().trouble) == (Level.OK, None)
        clock.now_s += 10
        assert spool.state().level is Level.OK
        await spool.close()

    run(scenario())


def test_second_holder_is_refused_with_the_first_ones_name(tmp_path: Path) -> None:
    async def scenario() -> None:
        spool = await open_spool(tmp_path)
        with pytest.raises(SpoolLocked, match=rf"held by process {os.getpid()} \(.+\); stop it"):
            await open_spool(tmp_path)
        await spool.close()
        await (await open_spool(tmp_path)).close()

    run(scenario())


def test_orphans_are_adopted_replayed_and_removed_but_neither_living_nor_expected_workers(tmp_path: Path) -> None:
    async def scenario() -> None:
        for name in ("worker-0", "worker-1", "worker-2", "worker-3"):
            spool = await open_spool(tmp_path / name)
            if name != "worker-3":
                await append_all(spool, range(3))
            await spool.close()
        (tmp_path / "other").mkdir()
        living = await open_spool(tmp_path / "worker-1")

        adopted = await adopt(tmp_path, except_for={"worker-0"}, limits=SMALL, clock=SystemClock())

        assert [spool.name for spool in adopted] == ["worker-2"]
        assert await replay_numbers(adopted[0], mark=True) == [0, 1, 2]
        await adopted[0].close(remove_if_empty=True)
        await living.close()

    run(scenario())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "worker-0", "worker-1"]


def test_adopted_spool_that_is_not_empty_stays(tmp_path: Path) -> None:
    async def scenario() -> None:
        spool = await open_spool(tmp_path / "worker-2")
        await append_all(spool, range(3))
        await spool.close()
        (adopted,) = await adopt(tmp_path, except_for=(), limits=SMALL, clock=SystemClock())
        adopted.mark_done((await adopted.replay())[0].position)
        await adopted.close(remove_if_empty=True)

        (adopted,) = await adopt(tmp_path, except_for=(), limits=SMALL, clock=SystemClock())
        assert await replay_numbers(adopted) == [1, 2]
        await adopted.close(remove_if_empty=True)

    run(scenario())


def test_inspection_sees_a_spool_in_use_without_touching_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        directory = tmp_path / "worker-0"
        spool = await open_spool(directory, SpoolLimits(cursor_interval_ms=1))
        positions = await append_all(spool, range(5))
        spool.mark_done(positions[0])
        await until((directory / "cursor").exists, "the cursor is saved")
        with segments(directory)[0].open("ab") as file:
            file.write(b"half a")

        (report,) = inspect_spools(tmp_path)

        assert report == inspect_spool(directory)
        assert report.held_by is not None
        assert report.held_by.pid == os.getpid()
        assert (report.records, report.pending_records, report.cursor) == (5, 4, "sound")
        assert report.oldest_ms == RECEIVED_AT_MS + 1
        assert report.sources == [SourceReport("dev", 4, RECEIVED_AT_MS + 1)]
        assert spool.pending() == {"dev": Pending(4, RECEIVED_AT_MS)}
        shown = {"spool": "worker-0", "source": "dev"}
        assert REGISTRY.get_sample_value("segwire_ingest_spool_source_records", shown) == 4
        age_s = REGISTRY.get_sample_value("segwire_ingest_spool_source_oldest_age_seconds", shown)
        assert age_s == pytest.approx((SystemClock().now_ms() - RECEIVED_AT_MS) / 1000, abs=60)
        assert (report.segments[0].unfinished_bytes, report.corrupt_files) == (6, 0)
        assert await replay_numbers(spool) == [1, 2, 3, 4]
        await spool.close()

    run(scenario())


@pytest.mark.parametrize("as_json", [False, True])
def test_inspect_command_tells_of_every_worker(tmp_path: Path, as_json: bool) -> None:
    async def scenario() -> None:
        spool = await open_spool(tmp_path / "spool" / "worker-0")
        await append_all(spool, range(5))
        await spool.close()

    run(scenario())
    command = [sys.executable, "-m", "segwire.cli.main", "spool", "inspect", "--data-dir", str(tmp_path)]
    done = subprocess.run(
        [*command, "--json"] if as_json else command, capture_output=True, text=True, timeout=LIMIT_S, check=True
    )

    assert "worker-0" in done.stdout
    assert ('"pending_records":5' if as_json else "pending   5 of 5 records") in done.stdout
    assert done.stderr == ""
