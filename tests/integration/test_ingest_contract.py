"""The OpenAPI document against the real endpoint: schemathesis makes requests of it, good and bad, and judges."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.settings import KafkaSettings
from segwire.embedded.kafka.interface import KafkaServer
from tests.support.authentication import basic
from tests.support.ingest_process import read_records, running_ingest, with_topics

LIMIT_S = 240


@pytest.fixture
def topics(kafka: KafkaServer, topic_prefix: str) -> KafkaSettings:
    return with_topics(kafka.bootstrap_servers, topic_prefix)


# Its bodies are not encoded, so it must not say that they are.
PARAMETERS = """
[parameters]
"path.source" = "{source}"
"header.content-encoding" = "identity"
"""

SOURCES = """
sources:
  open: {allow_unauthenticated: true, max_body_bytes: 4096}
  tokens: {oauth2: {clients: [{id: sender, secret: a secret of the sender}]}}
  signed: {hmac: {keys: [{secret: kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk}]}}
"""


@pytest.mark.timeout(LIMIT_S + 60)
@pytest.mark.parametrize("source", ["open", "tokens", "signed"])
def test_nothing_is_found_against_the_contract(topics: KafkaSettings, tmp_path: Path, source: str) -> None:
    configuration = tmp_path / "segwire.yaml"
    configuration.write_text(SOURCES)
    (tmp_path / "schemathesis.toml").write_text(PARAMETERS.format(source=source))
    with running_ingest(topics, tmp_path, ["--config", str(configuration)]) as ingest:
        found = check(ingest.url, tmp_path, "--header", f"Authorization: {basic('sender', 'a secret of the sender')}")
        assert found.returncode == 0, found.stdout
        if source == "open":
            assert ingest.post(b'{"Users":[]}', path="/v1/aam/open").status == 200
            assert read_records(topics.bootstrap_servers or "", topics.topic_prefix + "aam-posts")
        assert "request_failed" not in ingest.log.read_text()


def check(url: str, directory: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run schemathesis against a document of the endpoint."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json", "--url", url),
            *("--checks", "all", "--max-examples", "30", "--seed", "7", "--no-color", *more),
        ],
        cwd=directory,
        env={**os.environ, "COLUMNS": "140"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=LIMIT_S,
        check=False,
        text=True,
    )
