"""How fast the PostgreSQL sink writes a topic that is there: `python benchmarks/postgres_sink.py [--rows N]`.

An embedded Kafka, an embedded PostgreSQL and `segwire sink` as it is deployed, from the compiled wheel (`--python`:
from the checkout, not compiled), all on this machine. Measured in turn: new rows into an empty table, newer rows over
those, changes; each from the first to the last offset in the database.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
from confluent_kafka import Producer
from membership.ours import build

from runtime.kafka.topics import apply_topics
from runtime.settings import KafkaSettings
from schemas.avro_codec import encode_change, encode_key, encode_membership
from schemas.event import Origin, Partner
from schemas.membership import SegmentMembership, SegmentMembershipChange, SegmentMembershipKey
from schemas.partitioning import partition_of
from schemas.topics import TopicNames
from segwire.embedded.kafka.server import EmbeddedKafka
from segwire.embedded.postgres.server import EmbeddedPostgres

ROOT = Path(__file__).parent.parent
PARTITIONS = 12
SEGMENTS_PER_USER = 5
VERSION = 1_795_334_400_000
REACHED = "SELECT coalesce(sum(next_offset), 0)::bigint FROM segwire_sink_offset"

Make = Callable[[SegmentMembershipKey, int], tuple[str, bytes, bytes]]


def row_fields(version: int) -> dict[str, object]:
    partner = Partner("4250948725049857", 12345)
    return {
        "status": "ACTIVE", "since": version, "verified_at": version, "expires_at": version + 10_368_000_000,
        "cause": "QUALIFIED", "partners": [partner], "regions": [9], "version": version,
    }  # fmt: skip


def as_row(names: TopicNames) -> Make:
    def make(key: SegmentMembershipKey, version: int) -> tuple[str, bytes, bytes]:
        fields = {name: getattr(key, name) for name in key.__struct_fields__} | row_fields(version)
        return names.segment_membership, encode_key(key), encode_membership(SegmentMembership(**fields))

    return make


def as_change(names: TopicNames) -> Make:
    def make(key: SegmentMembershipKey, version: int) -> tuple[str, bytes, bytes]:
        fields = {name: getattr(key, name) for name in key.__struct_fields__} | row_fields(version)
        fields |= {"change": "ENTERED", "previous": None, "changed_at": version}
        change = SegmentMembershipChange(**fields, origin=Origin("aam-posts", 1, 2, 3))
        return names.segment_membership_changes, key.aam_uuid.encode(), encode_change(change)

    return make


def prepare(servers: str, make: Make, rows: int, version: int) -> None:
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000})
    chance = random.Random(1)
    for number in range(rows // SEGMENTS_PER_USER):
        user = f"{chance.getrandbits(126):038d}"
        for segment in range(SEGMENTS_PER_USER):
            topic, key, value = make(
                SegmentMembershipKey("74323", "423", user, str(14_000 + segment)), version + number
            )
            producer.produce(topic, value, key, partition_of(user, PARTITIONS))
        producer.poll(0)
    assert producer.flush(120) == 0


def cpu_s(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def measure(what: str, rows: int, sink: psutil.Process, server: psutil.Process, dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:

        def reached() -> int:
            row = connection.execute(REACHED).fetchone()
            assert row is not None
            return int(row[0])

        start = reached()
        while reached() == start:
            time.sleep(0.005)
        first, began, before = reached(), time.monotonic(), cpu_s([sink])
        database = cpu_s(server.children())
        while reached() < start + rows:
            time.sleep(0.01)
        took = time.monotonic() - began
    done = start + rows - first
    sink_us = (cpu_s([sink]) - before) / done * 1e6
    database_us = (cpu_s(server.children()) - database) / done * 1e6
    load = os.getloadavg()[0]
    print(
        f"{what:<12} {done / took:>8,.0f} rows/s   CPU us/row: sink {sink_us:.1f}, PostgreSQL {database_us:.1f}   "
        f"load average {load:.1f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--python", action="store_true", help="measure the checkout as it is, nothing compiled")
    arguments = parser.parse_args()
    rows = arguments.rows // SEGMENTS_PER_USER * SEGMENTS_PER_USER
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedKafka(Path(folder), port=0) as kafka,
        EmbeddedPostgres(Path(folder)) as postgres,
    ):
        servers = kafka.bootstrap_servers
        apply_topics(KafkaSettings(bootstrap_servers=servers, partitions=PARTITIONS, replication_factor=1))
        environment = {
            "PYTHONPATH": str(ROOT if arguments.python else build(Path(folder), compiled=True)),
            "SEGWIRE_KAFKA__BOOTSTRAP_SERVERS": servers,
            "SEGWIRE_SINKS__BENCH__TYPE": "postgres",
            "SEGWIRE_SINKS__BENCH__DSN": postgres.dsn,
        }
        command = [sys.executable, "-P", "-m", "segwire.cli.main", "sink", "bench", "--port", "0", "--data-dir", folder]
        names = TopicNames()
        # Written before the sink starts, or while it is stopped: it reads a topic that is there.
        for what, make, version in (
            ("new rows", as_row(names), VERSION),
            ("newer rows", as_row(names), VERSION + 1_000_000),
            ("changes", as_change(names), VERSION),
        ):
            prepare(servers, make, rows, version)
            with psycopg.connect(postgres.dsn, autocommit=True) as connection:
                connection.execute("CHECKPOINT")
            run(command, environment, folder, what, rows, postgres)


def run(
    command: list[str], environment: dict[str, str], folder: str, what: str, rows: int, postgres: EmbeddedPostgres
) -> None:
    with Path(folder, "sink.log").open("ab") as log:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log)
    try:
        assert postgres.pid is not None
        wait_for_tables(postgres.dsn, process)
        measure(what, rows, psutil.Process(process.pid), psutil.Process(postgres.pid), postgres.dsn)
    finally:
        process.terminate()
        process.wait(60)


def wait_for_tables(dsn: str, process: subprocess.Popen[bytes]) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        while True:
            row = connection.execute("SELECT to_regclass('segwire_sink_offset')").fetchone()
            if row is not None and row[0] is not None:
                return
            assert process.poll() is None, "the sink ended"
            time.sleep(0.002)


if __name__ == "__main__":
    main()
