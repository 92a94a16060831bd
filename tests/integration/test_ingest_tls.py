"""HTTPS with the real endpoint: certificates that are replaced, clients that show one, proxies in front."""

import http.client
import json
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from runtime.errors import ConfigurationError, SegwireError
from runtime.http_settings import TlsSettings
from runtime.settings import KafkaSettings
from segwire.embedded.kafka.interface import KafkaServer
from segwire.own_certificate import trusting_own
from segwire.up.demo.play import poster
from tests.support.certificates import Mounted, client_context
from tests.support.ingest_process import (
    JSON,
    IngestProcess,
    command_line,
    environment,
    exchange,
    running_ingest,
    with_topics,
)
from tests.support.kafka import LIMIT_S, wait_until
from tests.support.posts import body, user

GOOD = body(user())


@pytest.fixture
def topics(kafka: KafkaServer, topic_prefix: str) -> KafkaSettings:
    return with_topics(kafka.bootstrap_servers, topic_prefix)


@pytest.fixture
def mounted(tmp_path: Path) -> Mounted:
    return Mounted(tmp_path)


def connect(ingest: IngestProcess, context: ssl.SSLContext) -> http.client.HTTPSConnection:
    address = urlsplit(ingest.url)
    assert address.scheme == "https"
    assert address.hostname is not None
    return http.client.HTTPSConnection(address.hostname, address.port, timeout=LIMIT_S, context=context)


def post(ingest: IngestProcess, context: ssl.SSLContext) -> int:
    connection = connect(ingest, context)
    try:
        return exchange(connection, GOOD).status
    finally:
        connection.close()


def test_a_new_certificate_serves_new_connections_and_open_ones_go_on(
    topics: KafkaSettings, tmp_path: Path, mounted: Mounted
) -> None:
    old = client_context(mounted.authority)
    with running_ingest(topics, tmp_path, **mounted.variables()) as ingest:
        connection = connect(ingest, old)
        assert exchange(connection, GOOD).status == 200
        replacement = trustme.CA()
        new = client_context(replacement)
        mounted.issue(replacement)
        wait_until(lambda: "certificate_replaced" in ingest.log.read_text(), "the new certificate")
        assert post(ingest, new) == 200
        assert exchange(connection, GOOD).status == 200
        connection.close()
        with pytest.raises(ssl.SSLCertVerificationError):
            post(ingest, old)
        mounted.key_file.write_bytes(b"half of a k")
        wait_until(lambda: "certificate_unusable" in ingest.log.read_text(), "the warning")
        assert post(ingest, new) == 200
        assert ingest.stop()[0] == 0


def test_senders_without_a_certificate_of_the_named_authority_stay_outside(
    topics: KafkaSettings, tmp_path: Path, mounted: Mounted
) -> None:
    senders = trustme.CA()
    mounted.trust_clients_of(senders)
    with running_ingest(topics, tmp_path, **mounted.variables(clients=True)) as ingest:
        assert post(ingest, client_context(mounted.authority, identity=senders.issue_cert("adobe"))) == 200
        for stranger in (None, trustme.CA().issue_cert("adobe")):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                post(ingest, client_context(mounted.authority, identity=stranger))


def test_large_bodies_limits_and_endings_work_over_tls(topics: KafkaSettings, tmp_path: Path, mounted: Mounted) -> None:
    variables = {**mounted.variables(), "SEGWIRE_INGEST__LIMITS__BODY_TIMEOUT_MS": "1000"}
    with running_ingest(topics, tmp_path, **variables) as ingest:
        connection = connect(ingest, client_context(mounted.authority))
        for padding in (0, 900_000, 10):
            assert exchange(connection, body(user(), padding="x" * padding)).status == 200
        connection.putrequest("POST", "/v1/aam/dev")
        connection.putheader("Content-Length", "10")
        connection.putheader("Content-Type", JSON["Content-Type"])
        connection.endheaders(b"half")
        response = connection.getresponse()
        assert response.status == 408
        assert json.loads(response.read())["type"] == "/problems/request-timeout"
        connection.close()
        assert ingest.stop()[0] == 0


def test_plain_http_at_the_port_of_tls_is_let_go(topics: KafkaSettings, tmp_path: Path, mounted: Mounted) -> None:
    with running_ingest(topics, tmp_path, **mounted.variables()) as ingest:
        address = urlsplit(ingest.url)
        with socket.create_connection((address.hostname, address.port), timeout=LIMIT_S) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            try:
                answer = plain.recv(1000)
            except ConnectionError:
                answer = b""
        assert b"HTTP/1.1" not in answer
        with socket.create_connection((address.hostname, address.port), timeout=LIMIT_S) as silent:
            # Who does not shake hands is not waited for.
            assert silent.recv(1) == b""
        assert post(ingest, client_context(mounted.authority)) == 200


def refused_start(topics: KafkaSettings, **variables: str) -> str:
    done = subprocess.run(
        command_line(),
        env=environment(topics, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=LIMIT_S,
        check=False,
        text=True,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stdout
    return done.stdout


OUTSIDE = {"SEGWIRE_INGEST__HOST": "0.0.0.0", "SEGWIRE_SOURCES__ADOBE__ALLOW_UNAUTHENTICATED": "true"}


def test_plain_http_is_not_served_to_others_unless_a_proxy_is_said_to_be_in_front(
    topics: KafkaSettings, tmp_path: Path, mounted: Mounted
) -> None:
    said = refused_start(topics, **OUTSIDE)
    assert "ingest.host: '0.0.0.0'" in said
    assert "ingest.tls" in said
    assert "ingest.behind_proxy" in said
    for variables in (mounted.variables(), {"SEGWIRE_INGEST__BEHIND_PROXY": "true"}):
        with running_ingest(topics, tmp_path, **OUTSIDE, **variables) as ingest:
            assert ingest.url.startswith("https://" if "CERT_FILE" in str(variables) else "http://")
        (tmp_path / "ready.json").unlink()


def test_certificates_that_cannot_be_used_stop_the_start(topics: KafkaSettings, mounted: Mounted) -> None:
    mounted.key_file.unlink()
    said = refused_start(topics, **mounted.variables())
    assert f"ingest.tls.key_file: '{mounted.key_file}' cannot be used" in said


@pytest.mark.parametrize(("trusted", "client"), [("[127.0.0.0/8]", "203.0.113.9"), ("[10.0.0.0/8]", "127.0.0.1")])
def test_what_a_proxy_says_of_the_sender_is_believed_of_configured_proxies_alone(
    topics: KafkaSettings, tmp_path: Path, trusted: str, client: str
) -> None:
    forwarded = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9, 127.0.0.9", "X-Forwarded-Proto": "https"}
    with running_ingest(topics, tmp_path, SEGWIRE_INGEST__TRUSTED_PROXIES=trusted) as ingest:
        assert ingest.post(GOOD, {**JSON, **forwarded}).status == 200
        assert ingest.post(GOOD, {**JSON, **forwarded}, path="/v1/aam/nobody").status == 404
        wait_until(lambda: "message_refused" in ingest.log.read_text(), "the line in the log")
        [line] = [line for line in ingest.log.read_text().splitlines() if "message_refused" in line]
        assert json.loads(line)["client"] == client


def test_the_simulator_sends_over_https(topics: KafkaSettings, tmp_path: Path, mounted: Mounted) -> None:
    with running_ingest(topics, tmp_path, **mounted.variables()) as ingest:
        simulate = [
            sys.executable,
            "-m",
            "segwire.cli.main",
            "simulate",
            "--url",
            ingest.url,
            "--duration",
            "1",
            "--json",
        ]
        done = subprocess.run(
            [*simulate, "--ca-file", str(mounted.ca_file)], capture_output=True, timeout=LIMIT_S, check=False, text=True
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["acknowledged"] > 0
        done = subprocess.run(simulate, capture_output=True, timeout=LIMIT_S, check=False, text=True)
        assert done.returncode == 1
        assert "--ca-file" in done.stderr


def test_commands_of_this_machine_trust_the_configured_certificate_under_any_name(
    topics: KafkaSettings, tmp_path: Path, mounted: Mounted
) -> None:
    mounted.issue(trustme.CA(), "ingest.example.com")
    tls = TlsSettings(cert_file=str(mounted.cert_file), key_file=str(mounted.key_file))
    with running_ingest(topics, tmp_path, **mounted.variables()) as ingest:
        poster(ingest.url, "dev", trusting_own(tls))(GOOD.decode())
        port = {"SEGWIRE_INGEST__PORT": str(urlsplit(ingest.url).port)}
        simulate = [sys.executable, "-m", "segwire.cli.main", "simulate", "--data-dir", str(tmp_path / "none")]
        done = subprocess.run(
            [*simulate, "--duration", "1", "--json"],
            env=environment(topics, **mounted.variables(), **port),
            capture_output=True,
            timeout=LIMIT_S,
            check=False,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["acknowledged"] > 0
        (tmp_path / "other").mkdir()
        other = TlsSettings(cert_file=str(Mounted(tmp_path / "other").cert_file), key_file=tls.key_file)
        with pytest.raises(SegwireError, match="certificate verify failed"):
            poster(ingest.url, "dev", trusting_own(other))(GOOD.decode())
    empty = tmp_path / "empty.crt"
    empty.write_text("")
    with pytest.raises(ConfigurationError, match=r"empty\.crt"):
        trusting_own(TlsSettings(cert_file=str(empty), key_file=tls.key_file))
