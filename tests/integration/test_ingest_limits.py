"""The real endpoint under senders that are slow, large, many or wrong."""

import contextlib
import gzip
import json
import re
import socket
import statistics
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from runtime.settings import KafkaSettings
from segwire.embedded.kafka.interface import KafkaServer
from tests.support.ingest_process import (
    JSON,
    PATH,
    IngestProcess,
    exchange,
    read_records,
    running_ingest,
    with_topics,
)
from tests.support.kafka import LIMIT_S, wait_until
from tests.support.posts import body, user
from tests.support.slow_senders import dripping

GOOD = body(user())
SLOW_SENDERS = 300
LIMITS = "SEGWIRE_INGEST__LIMITS__"


@pytest.fixture
def topics(kafka: KafkaServer, topic_prefix: str) -> KafkaSettings:
    return with_topics(kafka.bootstrap_servers, topic_prefix)


@pytest.fixture
def ingest(topics: KafkaSettings, tmp_path: Path) -> Iterator[IngestProcess]:
    with running_ingest(topics, tmp_path) as process:
        yield process


def connect(ingest: IngestProcess) -> socket.socket:
    address = urlsplit(ingest.url)
    connection = socket.create_connection((address.hostname, address.port), timeout=LIMIT_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def head(length_bytes: int, *more: str) -> bytes:
    lines = [f"POST {PATH} HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {length_bytes}"]
    return "\r\n".join([*lines, *more, "", ""]).encode()


def receive_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def ended(ingest: IngestProcess, reason: str) -> float:
    """Return how many connections the endpoint has ended for a reason."""
    exposition = ingest.get_management("/metrics").body.decode()
    found = re.search(rf'segwire_ingest_connections_ended_total{{reason="{reason}"}} (\S+)', exposition)
    return float(found[1]) if found else 0.0


def p99_ms(ingest: IngestProcess, messages: int = 400) -> float:
    took_ms = []
    connection = ingest.connect()
    for _ in range(messages):
        began = time.perf_counter()
        assert exchange(connection, GOOD).status == 200
        took_ms.append((time.perf_counter() - began) * 1000)
    connection.close()
    return statistics.quantiles(took_ms, n=100)[98]


@pytest.mark.quiet
def test_slow_senders_cost_the_others_at_most_twice_the_time(topics: KafkaSettings, tmp_path: Path) -> None:
    alone_ms, beside_ms = [], []
    with running_ingest(topics, tmp_path) as ingest:
        p99_ms(ingest)
        for _ in range(5):
            alone_ms.append(p99_ms(ingest))
            with dripping(ingest.url, SLOW_SENDERS):
                beside_ms.append(p99_ms(ingest))
    assert statistics.median(beside_ms) <= 2 * statistics.median(alone_ms), (alone_ms, beside_ms)


@pytest.mark.parametrize(
    ("said", "limit", "status"),
    [
        (b"", "HEAD", None),
        (b"POST ", "HEAD", 408),
        (head(len(GOOD)), "BODY", 408),
        (head(len(GOOD)) + GOOD[:-1], "BODY", 408),
        (head(len(GOOD)) + GOOD, "IDLE", 200),
    ],
)
def test_a_connection_that_makes_no_progress_is_ended_with_the_reason(
    topics: KafkaSettings, tmp_path: Path, said: bytes, limit: str, status: int | None
) -> None:
    with (
        running_ingest(topics, tmp_path, **{f"{LIMITS}{limit}_TIMEOUT_MS": "1000"}) as ingest,
        connect(ingest) as connection,
    ):
        connection.sendall(said)
        began = time.monotonic()
        answers = receive_all(connection)
        assert 0.7 < time.monotonic() - began < 5
        assert re.findall(rb"HTTP/1.1 (\d+) ", answers) == ([] if status is None else [str(status).encode()])
        if status == 408:
            assert json.loads(answers.partition(b"\r\n\r\n")[2])["type"] == "/problems/request-timeout"
        assert ended(ingest, "idle" if limit == "IDLE" else f"{limit.lower()}-timeout") == 1
        assert ingest.post(GOOD).status == 200


def test_a_full_worker_makes_room_and_loses_nothing(topics: KafkaSettings, tmp_path: Path) -> None:
    with (
        running_ingest(topics, tmp_path, **{f"{LIMITS}MAX_CONNECTIONS": "20"}) as ingest,
        contextlib.ExitStack() as stack,
    ):
        receiving = stack.enter_context(connect(ingest))
        receiving.sendall(head(len(GOOD)) + GOOD[:-1])
        idle = [stack.enter_context(connect(ingest)) for _ in range(19)]
        for connection in idle:
            connection.sendall(head(len(GOOD)) + GOOD)
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        for _ in range(30):
            newcomer = stack.enter_context(connect(ingest))
            newcomer.sendall(head(len(GOOD)) + GOOD)
            assert newcomer.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert ended(ingest, "made-room") == 30
        receiving.sendall(GOOD[-1:])
        assert receiving.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_a_worker_full_of_fresh_requests_turns_newcomers_away_at_once(topics: KafkaSettings, tmp_path: Path) -> None:
    with (
        running_ingest(topics, tmp_path, **{f"{LIMITS}MAX_CONNECTIONS": "8"}) as ingest,
        contextlib.ExitStack() as stack,
    ):
        receiving = [stack.enter_context(connect(ingest)) for _ in range(8)]
        for connection in receiving:
            connection.sendall(head(len(GOOD)) + GOOD[:-1])
        wait_until(lambda: b"segwire_ingest_connections 8.0" in ingest.get_management("/metrics").body, "8 connections")
        with connect(ingest) as newcomer:
            assert refused_at_once(newcomer)
        for connection in receiving:
            connection.sendall(GOOD[-1:])
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert ingest.post(GOOD).status == 200


def refused_at_once(newcomer: socket.socket) -> bool:
    try:
        newcomer.sendall(head(len(GOOD)) + GOOD)
        return newcomer.recv(1000) == b""
    except ConnectionError:
        return True


def test_a_gzip_bomb_stops_at_the_limit(ingest: IngestProcess) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(900)) + packer.flush()
    assert 800_000 < len(bomb) < 1 << 20
    nested = gzip.compress(bomb, 1)
    headers = {**JSON, "Content-Encoding": "gzip"}
    process = psutil.Process(ingest.process.pid)
    assert ingest.post(GOOD).status == 200
    before_bytes = process.memory_info().rss
    for _ in range(5):
        reply = ingest.post(bomb, headers)
        assert reply.status == 413
        assert json.loads(reply.body)["type"] == "/problems/too-large"
    assert ingest.post(nested, headers).status == 400
    # The bodies as received, and one inflated to the limit, may still be there.
    assert process.memory_info().rss - before_bytes < 16 << 20
    assert ingest.post(GOOD).status == 200


@pytest.mark.parametrize(
    "deep",
    [
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b'{"Users":[' + b"[" * 400_000 + b"]" * 400_000 + b"]}",
        b'{"Users":[],"x":' + b'{"a":' * 150_000 + b"1" + b"}" * 150_000 + b"}",
    ],
)
def test_deep_json_is_malformed_and_kept(ingest: IngestProcess, topics: KafkaSettings, deep: bytes) -> None:
    reply = ingest.post(deep)
    assert reply.status == 400
    assert json.loads(reply.body)["type"] == "/problems/malformed-message"
    [(value, _)] = read_records(topics.bootstrap_servers or "", topics.topic_prefix + "dead-letters")
    assert value == deep
    assert ingest.post(GOOD).status == 200


@pytest.mark.parametrize(
    ("sent", "status", "problem"),
    [
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400, "bad-request"),
        (head(5, "Transfer-Encoding: chunked") + b"0\r\n\r\n", 400, "bad-request"),
        (head(5, "Content-Length: 6") + b"hello!", 400, "bad-request"),
        (head(5, "X-Large: " + "a" * 20_000), 431, "head-too-large"),
        (head(5, "X-Endless: " + "a" * 3_000_000), 431, "head-too-large"),
        (b"GET /" + b"a" * 100_000, 431, "head-too-large"),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404, "unknown-route"),
        (f"OPTIONS {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode(), 405, "method-not-allowed"),
        (f"TRACE {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode(), 405, "method-not-allowed"),
    ],
)
def test_what_is_no_request_for_us_gets_its_problem(
    ingest: IngestProcess, sent: bytes, status: int, problem: str
) -> None:
    with connect(ingest) as connection:
        connection.sendall(sent)
        answers = receive_all(connection)
    answer_head, _, document = answers.partition(b"\r\n\r\n")
    assert answer_head.startswith(b"HTTP/1.1 %d " % status)
    assert b"application/problem+json" in answer_head
    assert json.loads(document)["type"] == f"/problems/{problem}"
    assert ingest.post(GOOD).status == 200


@pytest.mark.parametrize("path", ["/v1/aam/nobody", "/openapi.json"])
def test_a_sender_that_asks_first_and_is_refused_cannot_leave_the_end_in_doubt(
    ingest: IngestProcess, path: str
) -> None:
    with connect(ingest) as connection:
        connection.sendall(head(len(GOOD), "Expect: 100-continue").replace(PATH.encode(), path.encode()))
        connection.sendall(head(len(GOOD)) + GOOD)
        answers = receive_all(connection)
    assert len(re.findall(rb"HTTP/1.1 \d+ ", answers)) == 1
    assert b"connection: close" in answers


def test_a_sender_that_closes_its_side_hears_its_answer(ingest: IngestProcess, topics: KafkaSettings) -> None:
    with connect(ingest) as connection:
        connection.sendall(head(len(GOOD)) + GOOD)
        connection.shutdown(socket.SHUT_WR)
        assert receive_all(connection).startswith(b"HTTP/1.1 200 ")


def test_who_never_reads_answers_takes_no_memory(ingest: IngestProcess) -> None:
    process = psutil.Process(ingest.process.pid)
    before_bytes = process.memory_info().rss
    request = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            connection = stack.enter_context(connect(ingest))
            connection.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                for _ in range(1000):
                    connection.sendall(request * 200)
        assert ingest.post(GOOD).status == 200
        assert process.memory_info().rss - before_bytes < 64 << 20
