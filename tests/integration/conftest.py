"""One Kafka for all integration tests of a run, and names of its own for each test."""

import re
import uuid
from collections.abc import Iterator

import pytest

from segwire.embedded.kafka.interface import KafkaServer
from segwire.embedded.postgres.interface import PostgresServer
from tests.support.kafka import choose_kafka, running
from tests.support.postgres import choose_postgres


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
