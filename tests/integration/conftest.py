"""One Kafka for all integration tests of a run, and names of its own for each test."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from segwire.embedded.kafka.interface import KafkaServer
from segwire.embedded.postgres.interface import PostgresServer
from tests.support.kafka import choose_kafka, running
from tests.support.outbound_stage import OutboundStage
from tests.support.postgres import choose_postgres
from tests.support.processors import Pipeline


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """The Kafka that `--kafka` names; started once."""
    server = choose_kafka(request.config.getoption("--kafka"), tmp_path_factory.mktemp("kafka"))
    with running(server):
        yield server


@pytest.fixture(scope="module")
def postgres(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """The PostgreSQL that `--postgres` names; started once in each file."""
    server = choose_postgres(request.config.getoption("--postgres"), tmp_path_factory.mktemp("postgres"))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def topic_prefix(request: pytest.FixtureRequest) -> str:
    """A prefix for topics, groups and transactional IDs that no other test has."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:40].strip("-")
    return f"{name}-{uuid.uuid4().hex[:8]}-"


@pytest.fixture
def pipeline(kafka: KafkaServer, topic_prefix: str, tmp_path: Path) -> Iterator[Pipeline]:
    """Processors with names of their own; their topics are not there yet."""
    made = Pipeline(kafka.bootstrap_servers, topic_prefix, tmp_path)
    yield made
    made.close()


@pytest.fixture
def stage(kafka: KafkaServer, topic_prefix: str, tmp_path: Path) -> Iterator[OutboundStage]:
    """Destinations with names of their own; their topics come with the first."""
    made = OutboundStage(kafka.bootstrap_servers, topic_prefix, tmp_path)
    yield made
    made.close()
