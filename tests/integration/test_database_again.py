"""A database that is backfilled and gets redriven letters beside its live sink: real processes, Kafka, PostgreSQL."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from confluent_kafka import Producer

from runtime.clock import SystemClock
from runtime.kafka.reading import reader
from runtime.processor import InputRecord, OutputRecord
from runtime.settings_loader import load_settings
from schemas.avro_codec import encode_key, encode_membership
from schemas.membership import SegmentMembership
from schemas.partitioning import partition_of
from segwire.backfill.rows import RowsBackfill
from segwire.embedded.kafka.interface import KafkaServer
from segwire.embedded.postgres.interface import PostgresServer
from segwire.inspect.dead_letters import Wanted
from segwire.inspect.dead_letters_reader import list_dead_letters
from segwire.inspect.history import key_of
from segwire.redrive.plan import Choice, make_plan
from segwire.redrive.run import Redriver
from sinks.context import SinkContext
from sinks.frame import SinkProcessor
from sinks.postgres.app import rewriting_processor
from tests.support.kafka import LIMIT_S, wait_until
from tests.support.membership_log import NUL_PARTNER
from tests.support.postgres import execute, fresh_database, query
from tests.support.processors import PARTITIONS, Pipeline
from tests.support.published import row

SINK = "warehouse"
USERS = [f"{number:038d}" for number in range(1, 301)]
HELD = "SELECT aam_uuid, segment_id, version FROM segment_membership"


class Warehouse:
    """A sink, its database, and a second hand that writes to it."""

    def __init__(self, pipeline: Pipeline, dsn: str, cleanup: ExitStack) -> None:
        self.pipeline = pipeline
        self.dsn = dsn
        pipeline.environment |= {
            f"SEGWIRE_SINKS__{SINK.upper()}__TYPE": "postgres",
            f"SEGWIRE_SINKS__{SINK.upper()}__DSN": dsn,
            f"SEGWIRE_SINKS__{SINK.upper()}__COMMIT_INTERVAL_MS": "50",
        }
        pipeline.create_topics()
        settings = load_settings(Path("/dev/null"), pipeline.environment)
        self.context = SinkContext(SINK, settings, pipeline.names, cleanup)
        self._producer = Producer({"bootstrap.servers": pipeline.kafka.bootstrap_servers or "", "linger.ms": 2})

    def write(self, *rows: SegmentMembership, gone: bool = False) -> None:
        for each in rows:
            value = None if gone else encode_membership(each)
            partition = partition_of(each.aam_uuid, PARTITIONS)
            self._producer.produce(self.pipeline.names.segment_membership, value, encode_key(key_of(each)), partition)
        assert self._producer.flush(LIMIT_S) == 0

    def letter(self, record: InputRecord) -> None:
        """Set a record aside as the sink would have."""
        names = self.pipeline.names
        headers = [
            ("stage", f"sink:{SINK}".encode()), ("error", b"bad-value"), ("reason", b"r"),
            ("topic", names.segment_membership.encode()), ("partition", b"%d" % record.partition),
            ("offset", b"%d" % record.offset),
        ]  # fmt: skip
        self._producer.produce(names.dead_letters, record.value, record.key, headers=headers)  # type: ignore[arg-type]
        assert self._producer.flush(LIMIT_S) == 0

    def records(self) -> list[InputRecord]:
        read = reader(self.pipeline.kafka, self.pipeline.names.segment_membership)
        return [record for partition in range(PARTITIONS) for record in read(partition, 0, 1 << 62)]

    def backfill(self, processor: "SinkProcessor | Stops", segments: Collection[str] = ()) -> RowsBackfill:
        return RowsBackfill(
            self.pipeline.kafka, f"{self.pipeline.names.prefix}backfill", processor, segments, lambda _: None
        )

    def held(self) -> set[tuple[str, str, int]]:
        return set(query(self.dsn, HELD))


class Stops:
    """Writes, and is killed after the first batch."""

    def __init__(self, processor: SinkProcessor) -> None:
        self._processor = processor
        self.batches = 0

    def process(self, records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        if self.batches:
            raise KeyboardInterrupt
        self.batches += 1
        return self._processor.process(records)

    def punctuate(self, now_ms: int, partitions: Collection[int]) -> Sequence[OutputRecord]:
        return self._processor.punctuate(now_ms, partitions)

    def committed(self) -> None:
        self._processor.committed()

    def aborted(self) -> None:
        self._processor.aborted()


@pytest.fixture
def warehouse(kafka: KafkaServer, postgres: PostgresServer, topic_prefix: str, tmp_path: Path) -> Iterator[Warehouse]:
    pipeline = Pipeline(kafka.bootstrap_servers, topic_prefix, tmp_path)
    with ExitStack() as cleanup:
        yield Warehouse(pipeline, fresh_database(postgres), cleanup)
    for service in pipeline.services:
        if service.process.poll() is None:
            service.kill()


def test_backfill_fills_an_emptied_table_goes_on_after_a_kill_and_brings_nothing_back(warehouse: Warehouse) -> None:
    warehouse.write(*(row(aam_uuid=user, segment_id=s, version=5) for user in USERS for s in ("1", "2")))
    warehouse.pipeline.start_sink(SINK).wait_ready()
    gone = USERS[:30]
    warehouse.write(*(row(aam_uuid=user, segment_id="1") for user in gone), gone=True)
    warehouse.pipeline.wait_sunk(SINK)
    assert len(warehouse.held()) == 570

    # Lost, but for rows that are newer than the log: as if the live sink were ahead of the backfill.
    newer = USERS[40]
    execute(warehouse.dsn, f"DELETE FROM segment_membership WHERE aam_uuid <> '{newer}'")
    execute(warehouse.dsn, f"UPDATE segment_membership SET version = 9 WHERE aam_uuid = '{newer}'")
    stops = Stops(rewriting_processor(warehouse.context, warehouse.context.settings.sinks[SINK]))
    interrupted = warehouse.backfill(stops)
    with pytest.raises(KeyboardInterrupt):
        interrupted.run(interrupted.slices(), lambda _: None)
    assert 2 < len(warehouse.held()) < 570

    again = warehouse.backfill(rewriting_processor(warehouse.context, warehouse.context.settings.sinks[SINK]))
    whole, left = again.slices(restart=True), again.slices()
    assert sum(part.end - part.start for part in left) < sum(part.end - part.start for part in whole)
    told: list[int] = []
    assert again.run(left, told.append) == 0
    again.finish()
    expected = {(user, s, 9 if user == newer else 5) for user in USERS for s in ("1", "2")}
    assert warehouse.held() == expected - {(user, "1", 5) for user in gone}
    assert told == sorted(told)

    execute(warehouse.dsn, "DELETE FROM segment_membership")
    some = warehouse.backfill(rewriting_processor(warehouse.context, warehouse.context.settings.sinks[SINK]), ["2"])
    assert [part.start for part in some.slices()] == [part.start for part in whole]
    some.run(some.slices(), told.append)
    assert {segment for _, segment, _ in warehouse.held()} == {"2"}


def test_letter_is_written_where_its_row_is_still_the_last_and_marked_where_it_is_refused_again(
    warehouse: Warehouse,
) -> None:
    bad, lost, deleted, changed = USERS[:4]
    warehouse.write(
        row(aam_uuid=bad, partners=[NUL_PARTNER]), row(aam_uuid=lost), row(aam_uuid=deleted), row(aam_uuid=changed)
    )  # fmt: skip
    for record in warehouse.records():
        if record.value is not None and bad.encode() not in (record.key or b""):
            warehouse.letter(record)
    warehouse.write(row(aam_uuid=deleted), gone=True)
    warehouse.write(row(aam_uuid=changed, version=2))
    warehouse.pipeline.start_sink(SINK).wait_ready()
    warehouse.pipeline.wait_sunk(SINK)
    execute(warehouse.dsn, "DELETE FROM segment_membership")

    redriver = Redriver(warehouse.pipeline.kafka, SystemClock(), lambda _: None)
    plan = make_plan(redriver.candidates(), Choice(Wanted(stage=f"sink:{SINK}")))
    assert len(plan.sends) == 4
    redriver.send(plan.sends, 100, lambda _: None)
    wait_until(lambda: bool(warehouse.held()), "the lost row is written")

    def refused_again() -> bool:
        return any(letter.redriven for letter in list_dead_letters(warehouse.pipeline.kafka, Wanted()))

    wait_until(refused_again, "the bad row is refused again")
    (letter,) = [each for each in list_dead_letters(warehouse.pipeline.kafka, Wanted()) if each.redriven]
    assert (letter.stage, letter.error, letter.redriven) == (f"sink:{SINK}", "bad-value", 1)
    assert warehouse.held() == {(lost, "14356", 1)}
