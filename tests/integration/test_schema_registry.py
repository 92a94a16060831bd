"""A real schema registry: what is registered, what it refuses, and that strangers read our Avro with it."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fastavro
import httpx2
import psutil
import pytest

from runtime.clock import SystemClock
from runtime.registry.client import IncompatibleSchemaError, RegistryClient
from runtime.registry.ids import schema_id
from runtime.registry_settings import SchemaRegistrySettings
from runtime.settings import Settings
from schemas.avro_codec import encode_key, encode_membership, fixed_schema_id, schema_id_of
from schemas.avro_schema import load_schema, schema_text
from schemas.event import encode_event
from schemas.membership import SegmentMembership
from schemas.partitioning import partition_of
from schemas.subjects import COMPATIBILITY, subjects, value_subject
from schemas.topics import SEGMENT_MEMBERSHIP, SEGMENT_MEMBERSHIP_CHANGES, TOPICS
from segwire.embedded.data_lock import is_alive
from segwire.embedded.kafka.interface import KafkaServer
from segwire.inspect.history import key_of
from tests.support import foreign
from tests.support.events import active, event
from tests.support.inspecting import PARTITIONS, Bench
from tests.support.kafka import LIMIT_S, create_topic, read_all, wait_until
from tests.support.processors import Service
from tests.support.published import USER, row
from tests.support.registry import fetch_registry

# The first test may have to fetch 159 MB.
pytestmark = pytest.mark.timeout(600)
# A start takes seconds, on a busy machine half a minute.
START_LIMIT_S = 180.0

Field = dict[str, Any]
Start = Callable[[], "SegwireRegistry"]


class SegwireRegistry:
    """`segwire registry` as a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._ready = folder / "ready.json"
        self._ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "segwire.cli.main", "registry", "--port", "0", "--data-dir", str(folder)]
        self.process = subprocess.Popen([*command, "--ready-file", str(self._ready)])

    def wait(self) -> str:
        """Return the URL when it answers."""
        wait_until(lambda: self._ready.exists() or self.process.poll() is not None, "a ready file", START_LIMIT_S)
        assert self.process.poll() is None
        return str(json.loads(self._ready.read_text())["urls"]["registry"])

    def java(self) -> psutil.Process:
        (found,) = (p for p in psutil.Process(self.process.pid).children() if "quarkus-run.jar" in p.cmdline())
        return found

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="module")
def started(data_dir: Path) -> Iterator[SegwireRegistry]:
    """One registry for all of these tests: their topics have prefixes of their own."""
    fetch_registry()
    server = SegwireRegistry(data_dir)
    try:
        server.wait()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="module")
def url(started: SegwireRegistry) -> str:
    found = started.wait()
    with RegistryClient(SchemaRegistrySettings(url=found)) as connected:
        connected.register("of-others-value", '"string"')  # so that no ID of ours is by chance the fixed one
    return found


@pytest.fixture
def client(url: str) -> Iterator[RegistryClient]:
    with RegistryClient(SchemaRegistrySettings(url=url)) as connected:
        yield connected


@pytest.fixture
def bench(kafka: KafkaServer, url: str, topic_prefix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bench:
    """The command line, configured with the registry."""
    made = Bench(kafka, topic_prefix, tmp_path, capsys)
    made.env["SEGWIRE_SCHEMA_REGISTRY__URL"] = url
    return made


def with_field(**field: Any) -> str:
    """Return the schema of a row with one field more."""
    schema = load_schema("SegmentMembership")
    return json.dumps({**schema, "fields": [*schema["fields"], {"name": "score", "type": "long", **field}]})


def publish(bench: Bench, url: str, rows: list[SegmentMembership]) -> int:
    """Write rows as the membership service does where this registry is configured; return their schema ID."""
    where = {"data_dir": str(bench.directory), "kafka": {"topic_prefix": bench.prefix}, "schema_registry": {"url": url}}
    found = schema_id(Settings.model_validate(where), SEGMENT_MEMBERSHIP)
    with bench.transaction() as writer:
        for each in rows:
            writer.put("segment-membership", encode_membership(each, found), key=encode_key(key_of(each)))
    return found


def test_apply_registers_every_schema_once_and_guards_it(bench: Bench, client: RegistryClient) -> None:
    first = bench.run("topics", "apply")
    for subject in subjects(bench.prefix, TOPICS):
        assert client.find(subject.name, schema_text(subject.record)) is not None
        assert client.compatibility(subject.name) == COMPATIBILITY
    assert f"{bench.prefix}segment-membership-value: registered SegmentMembership with ID " in first
    assert bench.run("topics", "apply") == "nothing to do\n"
    assert "✓ subject" in bench.run("doctor")


def test_a_change_that_breaks_readers_is_refused_by_the_registry(bench: Bench, client: RegistryClient) -> None:
    bench.run("topics", "apply")
    subject = f"{bench.prefix}segment-membership-value"
    with pytest.raises(IncompatibleSchemaError, match="score"):
        client.register(subject, with_field())
    assert client.register(subject, with_field(default=0)) != client.find(subject, schema_text("SegmentMembership"))
    assert bench.run("topics", "apply") == "nothing to do\n"


def test_apply_is_refused_where_our_own_schema_breaks_others_and_nothing_is_made(
    bench: Bench, client: RegistryClient
) -> None:
    subject = f"{bench.prefix}segment-membership-value"
    client.register(subject, with_field())
    said = bench.run("topics", "apply", code=1)
    for part in ("schema SegmentMembership", subject, "score", COMPATIBILITY, "kafka.topic_prefix"):
        assert part in said
    assert client.find(subject, schema_text("SegmentMembership")) is None
    assert client.find(f"{bench.prefix}delivery-receipts-value", schema_text("DeliveryReceipt")) is None
    assert "✗ topic" in bench.run("doctor", code=1)
    create_topic(bench.servers, f"{bench.prefix}aam-posts", 3)  # so it was not there


def test_a_reader_needs_nothing_of_ours_but_what_the_registry_gives(bench: Bench, url: str) -> None:
    bench.run("topics", "apply")
    known = publish(bench, url, [row(), row(segment_id="2", status="INACTIVE", cause="PRIVACY")])
    topic = f"{bench.prefix}segment-membership"
    wait_until(lambda: len(read_all(bench.servers, topic)) == 2, "both rows are committed")
    rows = []
    for value in read_all(bench.servers, topic):
        assert value is not None
        assert (value[0], int.from_bytes(value[1:5])) == (0, known)
        schema = httpx2.get(f"{url}/schemas/ids/{known}").json()["schema"]
        decoded: Any = fastavro.schemaless_reader(io.BytesIO(value[5:]), json.loads(schema), None)
        rows.append((decoded["aam_uuid"], decoded["segment_id"], decoded["cause"]))
    assert rows == [(USER, "14356", "QUALIFIED"), (USER, "2", "PRIVACY")]
    assert "✓ records of" in bench.run("doctor")


def test_the_membership_service_writes_the_ids_of_the_registry(
    bench: Bench, client: RegistryClient, tmp_path: Path
) -> None:
    bench.run("topics", "apply")
    variables = {name: value for name, value in bench.env.items() if name.startswith("SEGWIRE_")}
    service = Service("membership", variables, tmp_path)
    partition = partition_of(USER, PARTITIONS)
    now_ms = SystemClock().now_ms()
    with bench.transaction() as writer:
        said = encode_event(event(active(now_ms), received_at=now_ms))
        writer.put("segment-events", said, key=USER.encode(), partition=partition)
    try:
        for topic in (SEGMENT_MEMBERSHIP, SEGMENT_MEMBERSHIP_CHANGES):
            subject = value_subject(bench.prefix, topic)
            place = (bench.servers, bench.prefix + topic.name, partition)
            wait_until(lambda place=place: bool(read_all(*place)), f"a record in {topic.name}")  # type: ignore[misc]
            found = {schema_id_of(value) for value in read_all(*place) if value is not None}
            assert found == {client.find(subject.name, schema_text(subject.record))}
            assert found != {fixed_schema_id(topic)}
        service.stop()
    finally:
        service.kill()


def test_records_whose_ids_the_registry_does_not_know_are_found(bench: Bench) -> None:
    bench.run("topics", "apply")
    with bench.transaction() as writer:
        writer.put("segment-membership", encode_membership(row(), 9_999_999), key=encode_key(key_of(row())))
    said = bench.run("doctor", code=1)
    assert "schema ID 9999999" in said
    assert "0016" in said


def test_a_registry_that_is_away_is_named(bench: Bench) -> None:
    said = bench.run("topics", "apply", code=1, SEGWIRE_SCHEMA_REGISTRY__URL="http://127.0.0.1:1/apis/ccompat/v7")
    assert "schema_registry.url: http://127.0.0.1:1/apis/ccompat/v7 does not answer" in said


def test_a_url_of_something_else_is_told(bench: Bench, url: str) -> None:
    said = bench.run("topics", "apply", code=1, SEGWIRE_SCHEMA_REGISTRY__URL=url.removesuffix("/apis/ccompat/v7"))
    assert "/apis/ccompat/v7" in said


@pytest.mark.skipif("FOREIGN" not in os.environ and not foreign.program().exists(), reason=foreign.MISSING)
def test_a_go_program_reads_our_rows_with_the_schema_of_the_registry(bench: Bench, url: str) -> None:
    bench.run("topics", "apply")
    published = [row(segment_id=str(number), version=number) for number in range(1, 51)]
    published += [row(segment_id="over", status="INACTIVE", cause="EXPIRED", expires_at=None, regions=[])]
    known = publish(bench, url, published)
    found = foreign.read(bench.servers, url, f"{bench.prefix}segment-membership", len(published))
    assert {record["schema_id"] for record in found} == {known}
    assert {
        (r["value"]["segment_id"], r["value"]["status"], r["value"]["cause"], r["value"]["version"]) for r in found
    } == {(each.segment_id, each.status, each.cause, each.version) for each in published}


@pytest.mark.skipif("FOREIGN" not in os.environ, reason="`make foreign` starts the registry a second time")
def test_schemas_and_their_ids_are_there_after_a_kill(tmp_path: Path) -> None:
    server = SegwireRegistry(tmp_path)
    try:
        with RegistryClient(SchemaRegistrySettings(url=server.wait())) as first:
            known = first.register("kept-value", schema_text("SegmentMembership"))
            first.set_compatibility("kept-value", COMPATIBILITY)
        server.kill()
        server = SegwireRegistry(tmp_path)
        with RegistryClient(SchemaRegistrySettings(url=server.wait())) as second:
            assert second.find("kept-value", schema_text("SegmentMembership")) == known
            assert second.compatibility("kept-value") == COMPATIBILITY
    finally:
        server.kill()


def test_the_registry_ends_with_the_process_that_started_it(started: SegwireRegistry) -> None:
    java = started.java()
    started.kill()  # the last of these tests
    wait_until(lambda: not is_alive(java.pid), "the registry's end", LIMIT_S)
