"""The real endpoint as a process, against a real Kafka."""

import gzip
import http.client
import json
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from runtime.settings import KafkaSettings
from segwire.embedded.kafka.interface import KafkaServer
from tests.support.ingest_process import (
    JSON,
    PATH,
    IngestProcess,
    command_line,
    environment,
    exchange,
    read_records,
    running_ingest,
    with_topics,
)
from tests.support.kafka import LIMIT_S, wait_until
from tests.support.posts import body, user

GOOD = body(user())
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
# What the sender waits for an answer.
SENDER_TIMEOUT_S = 3.0


@pytest.fixture
def topics(kafka: KafkaServer, topic_prefix: str) -> KafkaSettings:
    return with_topics(kafka.bootstrap_servers, topic_prefix)


@pytest.fixture
def ingest(topics: KafkaSettings, tmp_path: Path) -> Iterator[IngestProcess]:
    with running_ingest(topics, tmp_path) as process:
        yield process


def posts(kafka: KafkaSettings) -> list[bytes]:
    return [value for value, _ in read_records(kafka.bootstrap_servers or "", kafka.topic_prefix + "aam-posts")]


def raw_connection(ingest: IngestProcess) -> socket.socket:
    address = urlsplit(ingest.url)
    return socket.create_connection((address.hostname, address.port), timeout=LIMIT_S)


def head(length_bytes: int, *more: str) -> bytes:
    lines = [f"POST {PATH} HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {length_bytes}"]
    return "\r\n".join([*lines, *more, "", ""]).encode()


def test_an_answered_message_is_in_kafka_with_its_bytes_and_headers(
    ingest: IngestProcess, topics: KafkaSettings
) -> None:
    packed = gzip.compress(GOOD)
    before_ms = time.time_ns() // 1_000_000
    reply = ingest.post(packed, {**JSON, "Content-Encoding": "gzip", "traceparent": TRACE, "X-Request-Id": "it-1"})
    after_ms = time.time_ns() // 1_000_000
    assert (reply.status, reply.body, reply.headers["content-type"]) == (200, b"{}", "application/json")
    assert reply.headers["x-request-id"] == "it-1"
    [(value, pairs)] = read_records(topics.bootstrap_servers or "", topics.topic_prefix + "aam-posts")
    headers = dict(pairs)
    assert value == packed
    assert before_ms <= int(headers.pop("segwire-received-at-ms")) <= after_ms
    assert headers == {
        "segwire-source": b"dev",
        "segwire-request-id": b"it-1",
        "content-type": b"application/json",
        "content-encoding": b"gzip",
        "traceparent": TRACE.encode(),
    }


def test_a_malformed_message_is_a_dead_letter_before_it_is_refused(
    ingest: IngestProcess, topics: KafkaSettings
) -> None:
    torn = GOOD[:-1]
    reply = ingest.post(torn)
    assert reply.status == 400
    assert reply.headers["content-type"] == "application/problem+json"
    assert json.loads(reply.body)["type"].endswith("malformed-message")
    [(value, pairs)] = read_records(topics.bootstrap_servers or "", topics.topic_prefix + "dead-letters")
    assert value == torn
    assert dict(pairs)["stage"] == b"ingest"
    assert dict(pairs)["error"] == b"malformed-message"
    assert dict(pairs)["source"] == b"dev"
    assert posts(topics) == []


def test_a_connection_serves_many_messages_of_any_size_up_to_the_limit(
    ingest: IngestProcess, topics: KafkaSettings
) -> None:
    bodies = [body(user(), n=n, padding="x" * padding) for n, padding in enumerate([0, 70_000, 10, 900_000, 0])]
    connection = ingest.connect()
    assert [exchange(connection, each).status for each in bodies] == [200] * len(bodies)
    connection.close()
    assert sorted(posts(topics)) == sorted(bodies)


def test_a_body_over_the_limit_gets_its_answer_although_the_sender_still_writes(ingest: IngestProcess) -> None:
    reply = ingest.post(b" " * (3 << 20))
    assert reply.status == 413
    assert json.loads(reply.body)["type"].endswith("too-large")
    assert ingest.post(GOOD).status == 200


def test_a_sender_that_asks_first_is_told_before_it_sends(ingest: IngestProcess) -> None:
    with raw_connection(ingest) as sender:
        sender.sendall(head(len(GOOD), "Expect: 100-continue"))
        assert sender.recv(1000).startswith(b"HTTP/1.1 100 ")
        sender.sendall(GOOD)
        assert sender.recv(1000).startswith(b"HTTP/1.1 200 ")
    with raw_connection(ingest) as sender:
        sender.sendall(head(50 << 20, "Expect: 100-continue"))
        assert sender.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_senders_that_are_slow_or_go_away_disturb_nobody(ingest: IngestProcess, topics: KafkaSettings) -> None:
    with raw_connection(ingest) as leaving, raw_connection(ingest) as slow:
        leaving.sendall(head(len(GOOD)) + GOOD[:10])
        slow.sendall(head(len(GOOD)) + GOOD[:10])
        assert ingest.post(GOOD).status == 200
        leaving.close()
        for place in range(10, len(GOOD), 20):
            slow.sendall(GOOD[place : place + 20])
        assert slow.recv(1000).startswith(b"HTTP/1.1 200 ")
    assert posts(topics) == [GOOD, GOOD]


def test_pipelined_requests_are_answered_in_order(ingest: IngestProcess) -> None:
    first, second = (head(len(GOOD), f"X-Request-Id: p-{n}") + GOOD for n in (1, 2))
    third = head(1, "X-Request-Id: p-3", "Connection: close") + b"{"
    with raw_connection(ingest) as sender:
        sender.sendall(first + second + third)
        answers = receive_all(sender)
    assert re.findall(rb"HTTP/1.1 (\d+) ", answers) == [b"200", b"200", b"400"]
    assert re.findall(rb"x-request-id: p-(\d)", answers) == [b"1", b"2", b"3"]


@pytest.mark.parametrize("piece_bytes", [1_000_000, 7])
def test_a_request_that_offers_another_protocol_is_read_whole(
    ingest: IngestProcess, topics: KafkaSettings, piece_bytes: int
) -> None:
    offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
    requests = (head(len(GOOD), *offer) + GOOD) * 2 + head(len(GOOD), "Connection: close") + GOOD
    with raw_connection(ingest) as sender:
        sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for place in range(0, len(requests), piece_bytes):
            sender.sendall(requests[place : place + piece_bytes])
        answers = receive_all(sender)
    assert re.findall(rb"HTTP/1.1 (\d+) ", answers) == [b"200"] * 3
    assert posts(topics) == [GOOD] * 3


def receive_all(sender: socket.socket) -> bytes:
    return b"".join(iter(lambda: sender.recv(65536), b""))


def test_other_routes_and_methods_are_answered_on_the_same_connection(ingest: IngestProcess) -> None:
    connection = ingest.connect()
    for method, path, status in [
        ("HEAD", PATH, 405),
        ("GET", "/openapi.json", 200),
        ("HEAD", "/nothing", 404),
        ("GET", "/problems/too-large", 200),
        ("GET", "/docs", 200),
    ]:
        connection.request(method, path)
        response = connection.getresponse()
        assert response.status == status
        assert response.headers["x-request-id"]
        assert (response.read() == b"") == (method == "HEAD")
    assert exchange(connection, GOOD).status == 200
    connection.close()


def test_the_management_port_tells_health_and_counts(ingest: IngestProcess) -> None:
    assert ingest.post(GOOD).status == 200
    assert ingest.post(GOOD, path="/v1/aam/nobody").status == 404
    assert ingest.get_management("/livez").status == 200
    assert ingest.is_ready()
    exposition = ingest.get_management("/metrics").body.decode()
    assert 'segwire_ingest_answers_total{problem="",source="dev",status="200"} 1.0' in exposition
    assert 'segwire_ingest_answers_total{problem="unknown-source",source="unknown",status="404"} 1.0' in exposition
    assert f'segwire_ingest_body_bytes_total{{source="dev"}} {float(len(GOOD))}' in exposition
    assert "segwire_ingest_in_flight 0.0" in exposition


def test_a_stop_under_traffic_loses_nothing_that_was_acknowledged(ingest: IngestProcess, topics: KafkaSettings) -> None:
    acknowledged: list[bytes] = []
    refused: list[int] = []

    def send(sender: int) -> None:
        connection = ingest.connect()
        try:
            for number in range(1_000_000):
                payload = body(user(), sender=sender, number=number)
                status = exchange(connection, payload).status
                if status == 200:
                    acknowledged.append(payload)
                else:
                    refused.append(status)
        except (OSError, http.client.HTTPException):
            connection.close()

    senders = [threading.Thread(target=send, args=(n,)) for n in range(8)]
    for sender in senders:
        sender.start()
    wait_until(lambda: len(acknowledged) > 200, "200 acknowledged messages")
    code, took_s = ingest.stop()
    for sender in senders:
        sender.join(LIMIT_S)
    assert code == 0
    assert took_s < 20
    assert refused == []
    stored = set(posts(topics))
    assert set(acknowledged) <= stored


def test_a_request_that_is_being_received_is_finished_before_the_end(topics: KafkaSettings, tmp_path: Path) -> None:
    with (
        running_ingest(topics, tmp_path, SEGWIRE_INGEST__DRAIN_GRACE_MS="0") as ingest,
        raw_connection(ingest) as sender,
    ):
        sender.sendall(head(len(GOOD)) + GOOD[:10])
        assert ingest.post(GOOD).status == 200
        ingest.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "ingest_draining" in ingest.log.read_text(), "the drain")
        assert not ingest.is_ready()
        sender.sendall(GOOD[10:])
        answer = sender.recv(1000)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in answer
        assert ingest.process.wait(LIMIT_S) == 0
    assert posts(topics) == [GOOD, GOOD]


def test_it_serves_on_for_a_while_after_it_said_that_it_ends_but_keeps_no_connection(
    topics: KafkaSettings, tmp_path: Path
) -> None:
    with running_ingest(topics, tmp_path, SEGWIRE_INGEST__DRAIN_GRACE_MS="20000") as ingest:
        connection = ingest.connect()
        kept = [exchange(connection, GOOD) for _ in range(3)]
        ingest.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not ingest.is_ready(), "not ready")
        last = [exchange(connection, GOOD), ingest.post(GOOD), ingest.post(b"[]")]
        connection.close()
    assert [(reply.status, reply.headers.get("connection")) for reply in kept] == [(200, None)] * 3
    assert [(reply.status, reply.headers.get("connection")) for reply in last] == [
        (200, "close"), (200, "close"), (400, "close"),
    ]  # fmt: skip
    assert posts(topics) == [GOOD] * 5


def test_a_sender_that_never_ends_does_not_hold_the_drain(topics: KafkaSettings, tmp_path: Path) -> None:
    with running_ingest(topics, tmp_path, SEGWIRE_INGEST__DRAIN_TIMEOUT_MS="1000") as ingest:
        with raw_connection(ingest) as sender:
            sender.sendall(head(len(GOOD)) + GOOD[:10])
            assert ingest.post(GOOD).status == 200
            code, took_s = ingest.stop()
        assert code == 0
        assert took_s < 20


def refused_start(kafka: KafkaSettings, *arguments: str, **variables: str) -> tuple[int, str]:
    done = subprocess.run(
        command_line(*arguments),
        env=environment(kafka, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=LIMIT_S,
        check=False,
        text=True,
    )
    assert "Traceback" not in done.stdout
    return done.returncode, done.stdout


def test_a_busy_port_is_named_with_the_remedy(topics: KafkaSettings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = refused_start(topics, "--port", str(port))
    assert code == 1
    assert f"ingest 127.0.0.1:{port} cannot be opened" in said
    assert "--port 0" in said


def test_without_a_kafka_in_the_configuration_it_does_not_start() -> None:
    code, said = refused_start(KafkaSettings())
    assert code == 2
    assert "kafka.bootstrap_servers" in said
