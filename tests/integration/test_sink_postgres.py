"""The PostgreSQL sink as it is deployed: real processes, a real Kafka, a real PostgreSQL."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from segwire.embedded.kafka.interface import KafkaServer
from segwire.embedded.postgres.interface import PostgresServer
from tests.support.kafka import wait_until
from tests.support.membership_log import (
    CHANGE_COLUMNS,
    ROW_COLUMNS,
    MembershipLog,
    expected_changes,
    expected_rows,
    header_bytes,
    refused_changes,
    refused_rows,
)
from tests.support.postgres import execute, fresh_database, query, table
from tests.support.processors import PARTITIONS, Pipeline, Service

# `make sink-kills` wants more.
KILLS = int(os.environ.get("SINK_KILLS", "2"))
SINK = "warehouse"
# After the database has committed and before Kafka has; then around Kafka's own commit.
_POINTS = ("processed", "offsets-sent", "committed", "fetched", "changelog-written")


class Warehouse:
    """A sink, its database and what is written to its topics."""

    def __init__(self, pipeline: Pipeline, server: PostgresServer, seed: int) -> None:
        self.pipeline = pipeline
        self.server = server
        self.dsn = fresh_database(server)
        self.log = MembershipLog(pipeline.kafka.bootstrap_servers or "", pipeline.names, PARTITIONS, seed)
        for name in (SINK, "again"):
            prefix = f"SEGWIRE_SINKS__{name.upper()}__"
            values = {"TYPE": "postgres", "DSN": self.dsn, "COMMIT_INTERVAL_MS": "50"}
            pipeline.environment |= {prefix + setting: value for setting, value in values.items()}
        pipeline.create_topics()

    def start(self, name: str = SINK, **environment: str) -> Service:
        return self.pipeline.start_sink(name, **environment)

    def wait_for_progress(self) -> None:
        """Wait until more is written to both tables."""
        reached = "SELECT topic, sum(next_offset) FROM segwire_sink_offset GROUP BY topic"
        before = dict(query(self.dsn, reached))
        wait_until(
            lambda: all(now > before.get(topic, 0) + 50 for topic, now in query(self.dsn, reached)),
            "more is written to both tables",
        )

    def assert_rows_equal_the_topics(self) -> None:
        names = self.pipeline.names
        rows = expected_rows(self.pipeline.read(names.segment_membership))
        assert table(self.dsn, "segment_membership", ROW_COLUMNS) == rows
        changes = expected_changes(self.pipeline.read(names.segment_membership_changes))
        assert table(self.dsn, "segment_membership_change", CHANGE_COLUMNS) == changes
        self._assert_refused_ones_are_dead_letters()

    def _assert_refused_ones_are_dead_letters(self) -> None:
        names = self.pipeline.names
        dead = [header_bytes(message) for message in self.pipeline.read(names.dead_letters)]
        origins = [(headers["topic"], int(headers["partition"]), int(headers["offset"])) for headers in dead]
        assert len(set(origins)) == len(origins)
        changes = refused_changes(self.pipeline.read(names.segment_membership_changes))
        # A bad row that was followed by a good one in the same batch is not missed.
        may_be, must_be = refused_rows(self.pipeline.read(names.segment_membership))
        assert changes
        assert changes | must_be <= set(origins) <= changes | may_be
        assert {(headers["stage"], headers["error"]) for headers in dead} <= {
            (f"sink:{SINK}".encode(), b"bad-value"),
            (f"sink:{SINK}".encode(), b"not-a-change"),
        }


@pytest.fixture
def warehouse(kafka: KafkaServer, postgres: PostgresServer, topic_prefix: str, tmp_path: Path) -> Iterator[Warehouse]:
    made = Warehouse(Pipeline(kafka.bootstrap_servers, topic_prefix, tmp_path), postgres, seed=5)
    yield made
    for service in made.pipeline.services:
        if service.process.poll() is None:
            service.kill()


def test_rows_equal_the_topics_after_kills_under_traffic_a_restarted_database_and_a_cut_connection(
    warehouse: Warehouse,
) -> None:
    warehouse.log.write(500)
    warehouse.log.start()
    try:
        for turn in range(KILLS):
            if turn % 2:
                service = warehouse.start().wait_ready()
                if turn == 1:
                    warehouse.server.stop()
                    warehouse.server.start()
                warehouse.wait_for_progress()
                service.kill()
                continue
            service = warehouse.start(FAULT_INJECTION=f"{_POINTS[turn % len(_POINTS)]}:{3 + turn % 7}:kill")
            assert service.wait_end() == -9, service.said()
        service = warehouse.start().wait_ready()
        execute(
            warehouse.dsn,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'segwire' AND datname = current_database()",
        )
        warehouse.wait_for_progress()
    finally:
        warehouse.log.stop()
    warehouse.pipeline.wait_sunk(SINK, limit_s=60 + 20 * KILLS)
    service.stop()
    warehouse.assert_rows_equal_the_topics()


def test_a_replay_from_the_start_leaves_the_same_rows(warehouse: Warehouse) -> None:
    warehouse.log.write(2_000)
    warehouse.start().wait_ready()
    warehouse.pipeline.wait_sunk(SINK)
    warehouse.pipeline.stop()
    warehouse.assert_rows_equal_the_topics()
    held = query(warehouse.dsn, "SELECT * FROM segment_membership ORDER BY 1, 2, 3, 4")
    execute(warehouse.dsn, "TRUNCATE segwire_sink_offset")
    # A sink of another name is a group of its own, which begins at the start.
    warehouse.start("again").wait_ready()
    warehouse.pipeline.wait_sunk("again")
    warehouse.pipeline.stop()
    assert query(warehouse.dsn, "SELECT * FROM segment_membership ORDER BY 1, 2, 3, 4") == held


def test_a_database_that_was_emptied_gets_everything_again(warehouse: Warehouse) -> None:
    warehouse.log.write(500)
    warehouse.start().wait_ready()
    warehouse.pipeline.wait_sunk(SINK)
    warehouse.pipeline.stop()
    execute(warehouse.dsn, "TRUNCATE segment_membership, segment_membership_change, segwire_sink_offset")
    warehouse.start().wait_ready()
    warehouse.log.write(200)
    warehouse.pipeline.wait_sunk(SINK)
    warehouse.pipeline.stop()
    warehouse.assert_rows_equal_the_topics()
