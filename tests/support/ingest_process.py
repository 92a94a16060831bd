"""Runs the real endpoint as a process of its own, and speaks HTTP to it."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from confluent_kafka import Consumer, TopicPartition

from runtime.kafka.topics import apply_topics
from runtime.settings import KafkaSettings
from tests.support.kafka import LIMIT_S, wait_until

PATH = "/v1/aam/dev"
JSON = {"Content-Type": "application/json"}

Headers = list[tuple[str, bytes]]


class Reply(msgspec.Struct):
    """An answer over HTTP; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class IngestProcess:
    """A running endpoint."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, urls: Mapping[str, str]) -> None:
        self.process = process
        self.log = log
        self.url = urls["ingest"]
        self.management = urls["ingest-management"]

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection that keeps alive."""
        address = urlsplit(self.url)
        assert address.hostname is not None
        return http.client.HTTPConnection(address.hostname, address.port, timeout=LIMIT_S)

    def post(self, body: bytes, headers: Mapping[str, str] = JSON, path: str = PATH) -> Reply:
        """Send one message on a connection of its own."""
        connection = self.connect()
        try:
            return exchange(connection, body, headers, path)
        finally:
            connection.close()

    def get_management(self, path: str) -> Reply:
        """Ask the management port."""
        connection = http.client.HTTPConnection(urlsplit(self.management).netloc, timeout=LIMIT_S)
        try:
            connection.request("GET", path)
            return _reply(connection.getresponse())
        finally:
            connection.close()

    def is_ready(self) -> bool:
        """Tell what `/readyz` says."""
        return self.get_management("/readyz").status == 200

    def stop(self) -> tuple[int, float]:
        """End it by SIGTERM; return its exit code and how long it took in seconds."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LIMIT_S), time.monotonic() - began


def exchange(
    connection: http.client.HTTPConnection, body: bytes, headers: Mapping[str, str] = JSON, path: str = PATH
) -> Reply:
    """Send one message on a connection."""
    connection.request("POST", path, body, dict(headers))
    return _reply(connection.getresponse())


def _reply(response: http.client.HTTPResponse) -> Reply:
    return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())


def command_line(*arguments: str) -> list[str]:
    """Return the command that starts the endpoint."""
    return [sys.executable, "-m", "segwire.cli.main", "ingest", "--port", "0", *arguments]


def environment(kafka: KafkaSettings, **variables: str) -> dict[str, str]:
    """Return an environment whose only configuration is that of `kafka` and `variables`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SEGWIRE_")}
    configured = {
        "SEGWIRE_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "SEGWIRE_KAFKA__TOPIC_PREFIX": kafka.topic_prefix,
        # So that the same tests run against the reference: make ingest-reference.
        "SEGWIRE_INGEST__HOT_ROUTE": os.environ.get("TESTED_HOT_ROUTE"),
    }
    return {**kept, **{name: value for name, value in configured.items() if value}, **variables}


def with_topics(bootstrap_servers: str, topic_prefix: str) -> KafkaSettings:
    """Create the topics of a test and return where they are."""
    kafka = KafkaSettings(
        bootstrap_servers=bootstrap_servers, topic_prefix=topic_prefix, partitions=4, replication_factor=1
    )
    apply_topics(kafka)
    return kafka


@contextmanager
def running_ingest(
    kafka: KafkaSettings,
    directory: Path,
    arguments: Sequence[str] = (),
    wrapper: Sequence[str] = (),
    **variables: str,
) -> Iterator[IngestProcess]:
    """Start the endpoint in a directory, wait until it is ready, and end it; `wrapper` is a command that becomes it."""
    ready, log = directory / "ready.json", directory / "ingest.log"
    ready.unlink(missing_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*wrapper, *command_line("--data-dir", str(directory / "data"), "--ready-file", str(ready), *arguments)],
            env=environment(kafka, **variables),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(lambda: ready.exists() or process.poll() is not None, "the ready file")
        assert process.poll() is None, log.read_text()
        yield IngestProcess(process, log, json.loads(ready.read_text())["urls"])
    finally:
        process.kill()
        process.wait()


def read_records(bootstrap_servers: str, topic: str) -> list[tuple[bytes, Headers]]:
    """Read all there is in a topic now, over its partitions, as values and headers."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap_servers, "group.id": "reader", "enable.auto.commit": False, "log_level": 3}
    )
    try:
        partitions = consumer.list_topics(topic, timeout=LIMIT_S).topics[topic].partitions
        ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=LIMIT_S)[1] for p in partitions}
        consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
        records: list[tuple[bytes, Headers]] = []
        deadline = time.monotonic() + LIMIT_S
        while len(records) < sum(ends.values()):
            assert time.monotonic() < deadline, f"{topic}: {len(records)} of {sum(ends.values())} records"
            for message in consumer.consume(500, 0.1):
                assert message.error() is None
                assert message.key() is None
                records.append((message.value() or b"", message.headers() or []))  # type: ignore[arg-type] # bytes
        return records
    finally:
        consumer.close()
