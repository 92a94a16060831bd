"""One POST, followed through real processes to its sinks by what a collector is told."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from runtime.kafka.topics import apply_topics
from schemas.dates import format_java_date
from schemas.headers import header_text
from schemas.topics import topics_for
from segwire.embedded.postgres.server import EmbeddedPostgres
from tests.support.collector import Collector, ReceivedSpan
from tests.support.ingest_process import JSON, IngestProcess
from tests.support.kafka import wait_until
from tests.support.postgres import fresh_database, query
from tests.support.posts import body, segment, user
from tests.support.processors import Pipeline, Service
from tests.support.receiver import Receiver

ROOT = Path(__file__).parents[2]
USER, COOKIE, UNTRACED = "19393572368547369350319949416899715727", "cookie-of-a-person", "7" * 38
TRACE_ID, SENDER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACED = {**JSON, "traceparent": f"00-{TRACE_ID}-{SENDER}-01", "X-Request-Id": "r-1"}
WAREHOUSE, PARTNER = "segwire-sink-warehouse", "segwire-sink-partner"


def post_of(aam_uuid: str) -> bytes:
    now = format_java_date(time.time_ns() // 1_000_000)
    return body(user(aam_uuid, Segments=[segment("14356", "1", now)], DataPartner_UUID=COOKIE), User_DPID="12345")


class Stage:
    """Every service as it is deployed, with one configuration."""

    def __init__(self, pipeline: Pipeline, dsn: str, partner_url: str, collector_url: str) -> None:
        self.pipeline = pipeline
        apply_topics(pipeline.kafka, topics_for(["partner"]))
        self._config = pipeline.folder / "segwire.yaml"
        partner = {
            "url": partner_url, "allow_plain_http": True, "client_id": "c", "destination_id": "d", "dpid": 12345,
            "segments": {"14356": {}}, "send_traceparent": True, "commit_interval_ms": 50,
        }  # fmt: skip
        settings = {
            "sinks": {"warehouse": {"type": "postgres", "dsn": dsn, "commit_interval_ms": 50}},
            "destinations": {"partner": partner},
            "traces": {"endpoint": collector_url, "sample_ratio": 0},
        }
        self._config.write_text(yaml.safe_dump(settings))
        commands = (["process", "fan-out"], ["process", "membership"], ["sink", "warehouse"], ["sink", "partner"])
        self._ingest = self._start("ingest")
        for words in commands:
            self._start(*words)
        for service in pipeline.services:
            service.wait_ready()
        urls = json.loads(self._ingest.ready_file.read_text())["urls"]
        self.ingest = IngestProcess(self._ingest.process, self._ingest.log, urls)

    def _start(self, *words: str) -> Service:
        command = [*words, "--config", str(self._config)]
        service = Service(words[-1], self.pipeline.environment, self.pipeline.folder, command)
        self.pipeline.services.append(service)
        return service


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


@pytest.fixture
def partner() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path / "postgres") as server:
        yield server


def expected_parents(pipeline: Pipeline) -> dict[tuple[str, str], tuple[str, str] | None]:
    """Return the spans of a message that everybody gets, each with its parent; by service and name."""
    names = pipeline.names
    request = ("segwire-ingest", "POST /v1/aam/{source}")
    sent = ("segwire-ingest", f"publish {names.aam_posts}")
    exploded = ("segwire-fan-out", f"process {names.aam_posts}")
    applied = ("segwire-membership", f"process {names.segment_events}")
    told = (PARTNER, f"deliver {names.segment_membership}")
    return {
        request: None,
        sent: request,
        exploded: sent,
        applied: exploded,
        (WAREHOUSE, f"deliver {names.segment_membership}"): applied,
        (WAREHOUSE, f"deliver {names.segment_membership_changes}"): applied,
        told: applied,
        (PARTNER, "POST"): told,
    }


def carried(pipeline: Pipeline, topic: str, person: str) -> list[str | None]:
    """Return the trace IDs in the headers of a person's records."""
    found = [message for message in pipeline.read(topic) if person.encode() in (message.key() or b"")]
    assert found
    values = [header_text(message.headers(), "traceparent") for message in found]  # type: ignore[arg-type]
    return [None if value is None else value.split("-")[1] for value in values]


def test_one_post_is_followed_to_its_sinks_under_one_trace(
    pipeline: Pipeline, postgres: EmbeddedPostgres, collector: Collector, partner: Receiver
) -> None:
    dsn = fresh_database(postgres)
    stage = Stage(pipeline, dsn, partner.url, collector.url)
    expected = expected_parents(pipeline)
    assert stage.ingest.post(post_of(UNTRACED)).status == 200
    assert stage.ingest.post(post_of(USER), TRACED).status == 200

    def found() -> dict[tuple[str, str], ReceivedSpan]:
        return {(span.service, span.name): span for span in collector.of_trace(TRACE_ID)}

    wait_until(lambda: set(found()) >= set(expected), "every span is told")
    spans = found()
    assert set(spans) == set(expected)
    assert len(collector.of_trace(TRACE_ID)) == len(expected)
    parents = {key: SENDER if parent is None else spans[parent].span_id for key, parent in expected.items()}
    assert {key: span.parent_id for key, span in spans.items()} == parents
    assert not any(span.failed for span in spans.values())
    assert all(span.began_ns <= span.ended_ns for span in spans.values())

    # The partner heard of the very attempt, and of no other trace.
    wait_until(
        lambda: {USER, UNTRACED} <= {name for m in partner.messages() for name in m.users}, "the partner has both"
    )
    told = {name: request.headers.get("traceparent") for request in partner.messages() for name in request.users}
    assert told[USER] == f"00-{TRACE_ID}-{spans[PARTNER, 'POST'].span_id}-01"
    wait_until(lambda: query(dsn, "SELECT count(*) FROM segment_membership") == [(2,)], "the warehouse has both")

    # What nobody asked to trace is not, and nothing told names a person.
    assert {span.trace_id for span in collector.spans} == {TRACE_ID}
    names = pipeline.names
    for topic in (names.segment_events, names.segment_membership, names.segment_membership_changes):
        assert set(carried(pipeline, topic, USER)) == {TRACE_ID}
        assert set(carried(pipeline, topic, UNTRACED)) == {None}
    assert not [span for span in collector.spans if USER in str(span) or COOKIE in str(span)]
    request = spans["segwire-ingest", "POST /v1/aam/{source}"]
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["segwire.request_id"] == "r-1"

    # Nobody waits for a collector that is away.
    collector.close()
    assert stage.ingest.post(post_of(USER), TRACED).status == 200
    pipeline.stop()


@pytest.mark.parametrize(
    ("modules", "unwanted"),
    [
        ("processors.app, sinks.app, sinks.outbound.app, sinks.postgres.app", "opentelemetry"),
        # Its web framework imports the API, which does nothing without an SDK.
        ("ingest.app", "opentelemetry.sdk"),
    ],
)
def test_services_load_no_opentelemetry_of_theirs(modules: str, unwanted: str) -> None:
    listing = f"import sys, {modules}; print([name for name in sys.modules if name.startswith({unwanted!r})])"
    done = subprocess.run([sys.executable, "-c", listing], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
