"""What a batch does to the tables, whenever and however often it comes."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from prometheus_client import REGISTRY
from psycopg.conninfo import make_conninfo

from runtime.errors import SegwireError
from runtime.processor import Backpressure
from schemas.avro_codec import encode_change, encode_key, encode_membership
from schemas.event import Partner
from schemas.membership import Previous
from segwire.embedded.postgres.interface import PostgresServer
from segwire.embedded.postgres.server import EmbeddedPostgres
from sinks.breaker import BreakerLimits
from sinks.frame import SinkProcessor
from sinks.postgres.changes import ChangeTable
from sinks.sink import InvalidRecord, Retriable
from tests.support.kafka import wait_until
from tests.support.postgres import Tables, fresh_database, frozen, query, records_of, refused, table
from tests.support.published import ENTERED_MS, USER, change, exit_change, key, row
from tests.support.sinks import ManualClock

KEY = encode_key(key())
DAY_MS = 86_400_000
HELD = ("version", "status", "since", "expires_at", "source_offset")


@pytest.fixture
def tables(postgres: PostgresServer) -> Iterator[Tables]:
    made = Tables(fresh_database(postgres))
    yield made
    made.close()


def put(version: int, **fields: Any) -> tuple[bytes, bytes]:
    return KEY, encode_membership(row(version=version, **fields))


GONE = (KEY, None)
BAD = (KEY, encode_membership(row(version=9, partners=[Partner("a\0b", None)])))


def versions(tables: Tables) -> list[int]:
    return [version for (version,) in tables.query("SELECT version FROM segment_membership")]


def test_a_batch_that_comes_again_changes_nothing(tables: Tables) -> None:
    batch = records_of([put(1), put(2, status="INACTIVE", cause="EXPIRED")])
    writer = tables.sink()
    assert writer.write(batch) == []
    before = tables.query("SELECT *, xmin FROM segment_membership")
    assert writer.write(batch) == []
    assert tables.query("SELECT *, xmin FROM segment_membership") == before
    assert table(tables.dsn, "segment_membership", HELD) == [(2, "INACTIVE", ENTERED_MS, None, 1)]


def test_a_writer_that_lost_its_partition_changes_nothing(tables: Tables) -> None:
    zombie, successor = tables.sink(), tables.sink()
    batch = records_of([put(1), put(2, status="INACTIVE")])
    zombie.write(batch)
    successor.write(records_of([GONE], first=2))
    assert versions(tables) == []
    zombie.write(batch)
    assert versions(tables) == []


@pytest.mark.parametrize("written", [[put(2)], [put(1), put(2)]])
def test_an_older_row_never_replaces_a_newer_one(tables: Tables, written: list[tuple[bytes, bytes]]) -> None:
    tables.sink().write(records_of(written, first=5))
    tables.execute("TRUNCATE segwire_sink_offset")
    tables.sink().write(records_of([put(1, status="INACTIVE")]))
    assert versions(tables) == [2]


def test_a_tombstone_deletes_what_came_before_it_and_nothing_after(tables: Tables) -> None:
    log = records_of([put(1), GONE, put(7)])
    tables.sink().write(log[:2])
    assert versions(tables) == []
    tables.sink().write(log[2:])
    tables.execute("TRUNCATE segwire_sink_offset")
    for record in log:
        tables.sink().write([record])
        assert versions(tables) == [7]


def test_what_the_database_refuses_is_refused_again_when_its_batch_comes_again(tables: Tables) -> None:
    batch = records_of([put(1), BAD])
    writer = tables.sink()
    with pytest.raises(InvalidRecord):
        writer.write(batch)
    assert tables.query("SELECT * FROM segwire_sink_offset") == []
    assert writer.write(batch[:1]) == []
    assert refused(writer.write(batch[1:])) == [(1, "bad-value")]
    assert versions(tables) == [1]
    assert refused(tables.sink().write(batch)) == [(1, "bad-value")]


def test_what_is_no_row_is_refused_and_the_others_are_written(tables: Tables) -> None:
    batch = records_of([(KEY, b"{}"), put(1), (b"\xff", None)])
    found = [(0, "not-a-membership"), (2, "not-a-membership")]
    assert refused(tables.sink().write(batch)) == found
    assert versions(tables) == [1]
    assert refused(tables.sink().write(batch)) == found


def test_a_rule_of_the_operators_own_refuses_a_row_and_not_the_database(tables: Tables) -> None:
    tables.sink().write(records_of([put(1)]))
    tables.execute("ALTER TABLE segment_membership ADD CHECK (version < 5)")
    assert refused(tables.sink().write(records_of([put(6)], first=1))) == [(1, "constraint")]


def test_times_are_exact_to_the_millisecond_far_from_now_too(tables: Tables) -> None:
    times = {"since": -1, "verified_at": 1_469_636_242_123, "expires_at": 253_402_300_799_999}
    tables.sink().write(records_of([put(1, **times)]))
    tables.execute("ALTER ROLE postgres SET timezone = 'UTC'")
    held = tables.query("SELECT since::text, verified_at::text, expires_at::text FROM segment_membership")
    assert held == [("1969-12-31 23:59:59.999+00", "2016-07-27 16:17:22.123+00", "9999-12-31 23:59:59.999+00")]


def test_a_cut_connection_is_a_failure_to_be_retried_and_the_next_try_succeeds(tables: Tables) -> None:
    writer = tables.sink()
    writer.write(records_of([put(1)]))
    tables.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE application_name = 'segwire' AND datname = current_database()",
    )
    batch = records_of([put(2)], first=1)
    with pytest.raises(Retriable):
        writer.write(batch)
    assert writer.write(batch) == []
    assert versions(tables) == [2]


def test_a_frozen_server_holds_a_batch_no_longer_than_the_limit_and_the_breaker_tells(
    postgres: PostgresServer, tables: Tables
) -> None:  # fmt: skip
    name = f"frozen-{uuid.uuid4().hex[:8]}"
    clock = ManualClock()
    limits = BreakerLimits(failures_max=2)
    processor = SinkProcessor(name, "rows", "dead-letters", tables.sink(limit_s=1), clock, limits)
    tables.dsn = make_conninfo(tables.dsn, connect_timeout=2)
    processor.process(records_of([put(1)]))
    batch = records_of([put(2)], first=1)
    with frozen(postgres):
        for reason in ("no answer within 2 s", "timeout expired"):
            began_s = time.monotonic()
            with pytest.raises(Backpressure) as held:
                processor.process(batch)
            assert reason in str(held.value.__cause__)
            assert time.monotonic() - began_s < 15
            clock.at_s += held.value.wait_s
        assert metric("segwire_sink_failures_total", sink=name) == 2
        assert metric("segwire_sink_breaker_open", sink=name) == 1
    processor.process(batch)
    assert metric("segwire_sink_breaker_open", sink=name) == 0
    assert versions(tables) == [2]


def metric(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def test_pages_have_room_for_newer_rows_so_that_the_indexes_are_left_alone(tables: Tables) -> None:
    keys = [key(segment_id=f"{n:06d}") for n in range(200)]
    for turn in range(2):
        rows = [(encode_key(k), encode_membership(row(segment_id=k.segment_id, version=turn))) for k in keys]
        tables.sink().write(records_of(rows, first=200 * turn))
    tables.close()  # the server counts at the end of a session
    counts = "SELECT n_tup_upd, n_tup_hot_upd > 50 FROM pg_stat_user_tables WHERE relname = 'segment_membership'"
    wait_until(lambda: tables.query(counts) == [(200, True)], "the updates to be counted")


def test_a_database_that_is_not_there_is_a_failure_to_be_retried(tmp_path: Path) -> None:
    with pytest.raises(Retriable, match="OperationalError"):
        Tables(f"host={tmp_path} dbname=x").sink().write(records_of([put(1)]))


def test_tables_of_a_newer_version_are_left_alone(tables: Tables) -> None:
    tables.sink().write(records_of([put(1)]))
    tables.execute("INSERT INTO segwire_sink_migration (version, name) VALUES (99, 'later')")
    with pytest.raises(SegwireError, match="tables have version 99, and this Segwire knows"):
        tables.sink().write(records_of([put(2)], first=1))


def test_once_the_tables_are_there_a_role_that_can_only_write_is_enough(tables: Tables) -> None:
    tables.sink().write(records_of([put(1)]))
    role = f"writer_{uuid.uuid4().hex[:8]}"
    tables.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'writer'")
    tables.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}")
    as_writer = Tables(make_conninfo(tables.dsn, user=role, password="writer"))
    try:
        assert refused(as_writer.sink().write(records_of([put(2), (KEY, b"{}"), put(3)], first=1))) == [
            (2, "not-a-membership")
        ]
    finally:
        as_writer.close()
    assert versions(tables) == [3]


def test_tables_may_be_in_another_schema(tables: Tables) -> None:
    tables.execute("CREATE SCHEMA audience")
    elsewhere = Tables(make_conninfo(tables.dsn, options="-csearch_path=audience"))
    try:
        elsewhere.sink().write(records_of([put(4)]))
    finally:
        elsewhere.close()
    assert tables.query("SELECT version FROM audience.segment_membership") == [(4,)]


def test_offsets_of_another_topic_are_not_compared(tables: Tables) -> None:
    tables.sink(topic_id="one").write(records_of([put(1)]))
    with pytest.raises(SegwireError, match="written from another topic rows"):
        tables.sink(topic_id="two").write(records_of([put(2)]))


def test_a_database_that_went_back_gets_what_it_lost_before_it_gets_more(tables: Tables) -> None:
    keys = [encode_key(key(segment_id=str(n))) for n in range(8)]
    log = records_of([(k, encode_membership(row(segment_id=str(n)))) for n, k in enumerate(keys)])
    log[2] = records_of([(keys[2], b"{}")], first=2)[0]
    writer = tables.catching_up(log, committed=0)
    writer.write(log[:6])
    tables.execute("DELETE FROM segment_membership WHERE source_offset > 0")
    tables.execute("UPDATE segwire_sink_offset SET next_offset = 1")
    assert writer.write(log[6:7]) == []
    assert tables.query("SELECT count(*) FROM segment_membership") == [(6,)]
    tables.execute("TRUNCATE segment_membership, segwire_sink_offset")
    restarted = tables.catching_up(log, committed=7)
    assert restarted.write(log[7:]) == []
    assert tables.query("SELECT count(*), min(source_offset) FROM segment_membership") == [(7, 0)]
    assert tables.query("SELECT next_offset FROM segwire_sink_offset") == [(8,)]


def test_what_was_lost_is_written_at_the_start_where_no_record_comes_any_more(tables: Tables) -> None:
    log = records_of([put(n) for n in range(1, 12)])
    clock = ManualClock()
    sink = tables.catching_up(log, committed=11, clock=clock, part_s=2)
    processor = SinkProcessor("w", "rows", "dead-letters", sink, clock, tends=sink)
    turns = 0
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("sinks.postgres.catching_up._PART_RECORDS", 2)
        while not turns or tables.query("SELECT next_offset FROM segwire_sink_offset") != [(11,)]:
            assert processor.punctuate(0, [0]) == ()
            turns += 1
    assert (turns, versions(tables)) == (3, [11])


def test_what_is_missing_is_written_in_turns_between_which_the_loop_goes_on(tables: Tables) -> None:
    log = records_of([put(n) for n in range(1, 12)])
    clock = ManualClock()
    writer = tables.catching_up(log, committed=10, clock=clock, part_s=2)
    turns = 0
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("sinks.postgres.catching_up._PART_RECORDS", 2)
        while True:
            try:
                writer.write(log[10:])
            except Backpressure:
                turns += 1
            else:
                break
    assert (turns, versions(tables)) == (2, [11])


def test_changes_are_added_once_and_the_views_count_them(tables: Tables) -> None:
    entered = change(version=1)
    left = exit_change(2, ENTERED_MS + DAY_MS, previous=Previous("ACTIVE", ENTERED_MS))
    other = change(version=1, aam_uuid="7")
    batch = records_of([(USER.encode(), encode_change(found)) for found in (entered, left, other)])
    tables.sink(ChangeTable()).write(batch)
    tables.execute("TRUNCATE segwire_sink_offset")
    tables.sink(ChangeTable()).write([*batch, *records_of([(b"k", b"no Avro")], first=9)])
    sizes = tables.query("SELECT day::text, entered, exited, members FROM segment_size_by_day ORDER BY day")
    assert sizes == [("2016-07-27", 2, 0, 2), ("2016-07-28", 0, 1, 1)]
    by_cause = tables.query("SELECT day::text, change, cause, users FROM segment_change_by_day ORDER BY 1, 2")
    assert by_cause == [("2016-07-27", "ENTERED", "QUALIFIED", 2), ("2016-07-28", "EXITED", "DISQUALIFIED", 1)]
    tables.sink().write(records_of([put(1)], first=50))
    assert tables.query("SELECT aam_uuid, segment_id FROM segment_member") == [(USER, "14356")]
    assert tables.query("SELECT segment_id, members FROM segment_size") == [("14356", 1)]


def test_the_embedded_server_ends_with_its_parent_and_starts_again_on_its_data(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from segwire.embedded.postgres.server import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(Path(sys.argv[1])); server.start(); print(server.pid, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path.cwd()) as parent:
        assert parent.stdout is not None
        server = psutil.Process(int(parent.stdout.readline()))
        os.kill(parent.pid, signal.SIGKILL)
    wait_until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE, "the server ended")
    with EmbeddedPostgres(tmp_path) as again:
        assert query(again.dsn, "SELECT current_database()") == [("segwire",)]
