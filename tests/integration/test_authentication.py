"""Who may send, with the real endpoint as a process, a real Kafka, and the simulator as the sender."""

import gzip
import http.client
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from runtime.settings import KafkaSettings
from schemas.dates import format_java_date
from segwire.embedded.kafka.interface import KafkaServer
from segwire.simulator.signature import signing
from tests.support.authentication import basic
from tests.support.ingest_process import (
    JSON,
    IngestProcess,
    Reply,
    command_line,
    environment,
    exchange,
    read_records,
    running_ingest,
    with_topics,
)
from tests.support.kafka import LIMIT_S, wait_until
from tests.support.mounted import Mount
from tests.support.posts import body, segment, user
from tests.support.processors import Pipeline

OLD, NEW, NEXT = ("old-hidden-key", "new-hidden-key", "next-hidden-key")
CLIENT, CLIENT_SECRET = "iris", "hidden+client%20secret"
GOOD = body(user())
FORM = "application/x-www-form-urlencoded"

Sources = dict[str, Any]
Start = Callable[..., AbstractContextManager[IngestProcess]]


@pytest.fixture
def mount(tmp_path: Path) -> Mount:
    mount = Mount(tmp_path / "secrets")
    mount.publish(current=NEW, previous=OLD, client=CLIENT_SECRET + "\n")
    return mount


@pytest.fixture
def sources(mount: Mount) -> Sources:
    hmac = {"keys": [{"secret_file": str(mount.path(name))} for name in ("current", "previous")]}
    oauth2 = {"clients": [{"id": CLIENT, "secret_file": str(mount.path("client"))}]}
    other = {"clients": [{"id": "other", "secret": CLIENT_SECRET}]}
    return {
        "signed": {"hmac": hmac},
        "tokens": {"oauth2": oauth2},
        "both": {"hmac": hmac, "oauth2": oauth2},
        "other": {"oauth2": other},
    }


@pytest.fixture
def topics(kafka: KafkaServer, topic_prefix: str) -> KafkaSettings:
    return with_topics(kafka.bootstrap_servers, topic_prefix)


@pytest.fixture
def start(topics: KafkaSettings, sources: Sources, tmp_path: Path) -> Start:
    @contextmanager
    def started(name: str = "one", **ingest: Any) -> Iterator[IngestProcess]:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "ready.json").unlink(missing_ok=True)
        config = folder / "segwire.yaml"
        config.write_text(yaml.safe_dump({"sources": sources, "ingest": ingest}))
        arguments = ["--config", str(config), "--data-dir", str(folder / "data")]
        with running_ingest(topics, folder, arguments) as process:
            yield process

    return started


@pytest.fixture
def ingest(start: Start) -> Iterator[IngestProcess]:
    with start() as process:
        yield process


def signature(key: str, payload: bytes = GOOD) -> dict[str, str]:
    return dict(signing(key.encode(), "sha1", "X-Signature")(payload))


def post(ingest: IngestProcess, source: str, headers: Mapping[str, str], payload: bytes = GOOD) -> Reply:
    return ingest.post(payload, {**JSON, **headers}, f"/v1/aam/{source}")


def ask_token(
    ingest: IngestProcess, authorization: str = basic(CLIENT, CLIENT_SECRET), content_type: str = FORM, **headers: str
) -> Reply:
    payload = b"grant_type=client_credentials"
    sent = {"Authorization": authorization, "Content-Type": content_type, **headers}
    return ingest.post(payload, sent, "/oauth2/token")


def token(ingest: IngestProcess) -> dict[str, str]:
    return {"Authorization": f"Bearer {json.loads(ask_token(ingest).body)['access_token']}"}


def problem(reply: Reply) -> tuple[int, str]:
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["www-authenticate"]
    return reply.status, json.loads(reply.body)["type"].rpartition("/")[2]


def stored(topics: KafkaSettings, topic: str = "aam-posts") -> list[bytes]:
    return [value for value, _ in read_records(topics.bootstrap_servers or "", topics.topic_prefix + topic)]


def metric(ingest: IngestProcess, line: str) -> float:
    found = re.search(rf"^{re.escape(line)} (.+)$", ingest.get_management("/metrics").body.decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def reloads(ingest: IngestProcess) -> float:
    return metric(ingest, 'segwire_secret_reloads_total{result="replaced"}')


def test_only_authentic_messages_are_stored(ingest: IngestProcess, topics: KafkaSettings) -> None:
    bearer = token(ingest)
    packed = gzip.compress(GOOD)
    accepted = [
        post(ingest, "signed", signature(NEW)),
        post(ingest, "signed", signature(OLD)),
        post(ingest, "signed", {**signature(NEW, packed), "Content-Encoding": "gzip"}, packed),
        post(ingest, "tokens", bearer),
        post(ingest, "both", {**bearer, **signature(OLD)}),
    ]
    assert [reply.status for reply in accepted] == [200] * 5
    torn = GOOD[:-1]
    refused = {
        "bad-signature": [
            post(ingest, "signed", {}),
            post(ingest, "signed", bearer),
            post(ingest, "signed", signature(NEXT)),
            post(ingest, "signed", signature(NEW, GOOD + b" ")),
            post(ingest, "signed", {**signature(NEW, GOOD), "Content-Encoding": "gzip"}, packed),
            post(ingest, "signed", {}, torn),
            post(ingest, "both", bearer),
        ],
        "bad-token": [
            post(ingest, "tokens", {}),
            post(ingest, "tokens", signature(NEW)),
            post(ingest, "tokens", {"Authorization": bearer["Authorization"] + "x"}),
            post(ingest, "other", bearer),
            post(ingest, "both", signature(NEW)),
            post(ingest, "tokens", {}, torn),
        ],
    }
    for name, replies in refused.items():
        assert [problem(reply) for reply in replies] == [(401, name)] * len(replies)
    assert sorted(stored(topics)) == sorted([packed, *[GOOD] * 4])
    assert stored(topics, "dead-letters") == []


def test_malformed_bytes_of_an_authentic_sender_are_set_aside(ingest: IngestProcess, topics: KafkaSettings) -> None:
    assert post(ingest, "signed", signature(NEW, b"{"), b"{").status == 400
    assert stored(topics, "dead-letters") == [b"{"]


def test_a_key_ends_on_time(sources: Sources, start: Start) -> None:
    ends_at_s = int(time.time()) + 10
    not_after = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends_at_s))
    sources["signed"]["hmac"] = {"keys": [{"secret": OLD, "not_after": not_after}, {"secret": NEW}]}
    with start() as ingest:
        accepted_from_s = [0.0]

        def refused() -> bool:
            asked_s = time.time()
            if post(ingest, "signed", signature(OLD)).status == 200:
                accepted_from_s.append(asked_s)
                return False
            return True

        wait_until(refused, "the key has ended")
        assert accepted_from_s[-1] <= ends_at_s <= time.time()
        assert post(ingest, "signed", signature(NEW)).status == 200
        assert metric(ingest, 'segwire_ingest_valid_keys{source="signed"}') == 1


def test_a_secret_that_vanishes_is_kept_and_seen_in_the_metrics(ingest: IngestProcess, mount: Mount) -> None:
    mount.path("current").unlink()
    failed = 'segwire_secret_reloads_total{result="failed"}'
    wait_until(lambda: metric(ingest, failed) == 1, "the failure is counted")
    assert post(ingest, "signed", signature(NEW)).status == 200


def test_the_token_endpoint_answers_as_the_standard_says(ingest: IngestProcess) -> None:
    for content_type in (FORM, f"{FORM};charset=UTF-8", f"{FORM} ; charset = utf-8"):
        reply = ask_token(ingest, content_type=content_type, **{"Accept-Encoding": "gzip"})
        assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
        assert (reply.headers["cache-control"], reply.headers["pragma"]) == ("no-store", "no-cache")
        members = json.loads(reply.body)
        assert (members["token_type"], members["expires_in"]) == ("Bearer", 3600)
    for reply, status, code in (
        (ask_token(ingest, basic(CLIENT, "wrong")), 401, "invalid_client"),
        (ask_token(ingest, "Basic ?"), 401, "invalid_client"),
        (ask_token(ingest, content_type="application/json"), 400, "invalid_request"),
        (ingest.post(b"x" * 20_000, {"Content-Type": FORM}, "/oauth2/token"), 413, "invalid_request"),
    ):
        assert (reply.status, json.loads(reply.body)["error"]) == (status, code)
        assert reply.headers["cache-control"] == "no-store"
        assert ("www-authenticate" in reply.headers) is (status == 401)
    assert metric(ingest, 'segwire_ingest_tokens_total{result="invalid_client"}') == 2


def test_tokens_outlive_a_restart(start: Start) -> None:
    with start() as ingest:
        bearer = token(ingest)
    with start() as ingest:
        assert post(ingest, "tokens", bearer).status == 200


def test_tokens_expire(sources: Sources, start: Start) -> None:
    sources["tokens"]["oauth2"]["token_ttl_s"] = sources["both"]["oauth2"]["token_ttl_s"] = 2
    with start() as ingest:
        asked_s = time.time()
        bearer = token(ingest)
        wait_until(lambda: post(ingest, "tokens", bearer).status == 401, "it has expired")
        # Rounded up to a whole second, since `exp` is one.
        assert time.time() - asked_s >= 2
        assert post(ingest, "tokens", token(ingest)).status == 200


def test_replicas_with_the_same_key_files_take_each_others_tokens(tmp_path: Path, start: Start) -> None:
    first, second = tmp_path / "first.key", tmp_path / "second.key"
    first.write_text("f" * 32 + "\n")
    second.write_text("s" * 32 + "\n")
    with start("one", token_key_files=[str(first), str(second)]) as one:
        with start("two", token_key_files=[str(second), str(first)]) as two:
            assert post(two, "tokens", token(one)).status == 200
            assert post(one, "tokens", token(two)).status == 200
        with start("three") as stranger:
            assert problem(post(one, "tokens", token(stranger))) == (401, "bad-token")


@pytest.mark.parametrize("held", [None, b"", b"\n"])
def test_a_secret_that_cannot_be_used_stops_the_start(
    held: bytes | None, topics: KafkaSettings, tmp_path: Path
) -> None:
    secret, config = tmp_path / "secret", tmp_path / "segwire.yaml"
    if held is not None:
        secret.write_bytes(held)
    config.write_text(yaml.safe_dump({"sources": {"adobe": {"hmac": {"keys": [{"secret_file": str(secret)}]}}}}))
    done = subprocess.run(
        command_line("--config", str(config)),
        cwd=tmp_path,
        env=environment(topics),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 2
    assert f"sources.adobe.hmac.keys.0.secret_file: '{secret}'" in done.stderr


def test_the_contract_says_how_to_authenticate(ingest: IngestProcess) -> None:
    connection = ingest.connect()
    connection.request("GET", "/openapi.json")
    contract = json.loads(connection.getresponse().read())
    connection.close()
    schemes = contract["components"]["securitySchemes"]
    assert schemes["signature-x-signature-sha1"]["name"] == "X-Signature"
    assert schemes["token"]["flows"]["clientCredentials"]["tokenUrl"] == "/oauth2/token"
    operation = contract["paths"]["/v1/aam/{source}"]["post"]
    alternatives = {frozenset(each) for each in operation["security"]}
    signed, bearer = frozenset({"signature-x-signature-sha1"}), frozenset({"token"})
    assert alternatives == {signed, bearer, signed | bearer}
    assert {"200", "400", "401", "413"} <= set(contract["paths"]["/oauth2/token"]["post"]["responses"])
    assert "www-authenticate" in operation["responses"]["401"]["headers"]


def simulate(ingest: IngestProcess, source: str, *options: str) -> tuple[int, dict[str, Any], str]:
    shape = ("--url", ingest.url, "--source", source, "--rate", "50", "--duration", "3", "--batch-every", "0", "--json")
    done = subprocess.run(
        [sys.executable, "-m", "segwire.cli.main", "simulate", *shape, *options],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def test_the_simulator_signs_and_takes_tokens_also_short_ones(sources: Sources, start: Start, mount: Mount) -> None:
    sources["tokens"]["oauth2"]["token_ttl_s"] = sources["both"]["oauth2"]["token_ttl_s"] = 1
    signs = ("--hmac-secret-file", str(mount.path("current")))
    takes = ("--oauth2-client-id", CLIENT, "--oauth2-secret-file", str(mount.path("client")))
    with start() as ingest:
        for source, options in (("signed", signs), ("tokens", takes), ("both", signs + takes)):
            code, report, said = simulate(ingest, source, *options)
            assert code == 0, said
            assert (report["sent"], report["acknowledged"]) == (150, 150)
            assert report["answers"]["200"] == 150
        code, _, said = simulate(ingest, "signed", *signs, "--hmac-algorithm", "sha256")
        assert code == 1
        assert "answers: 401" in said
        code, _, said = simulate(ingest, "tokens", *takes[:2], "--oauth2-secret-file", str(mount.path("current")))
        assert code == 1
        assert "answered 401, error invalid_client" in said


def test_replayed_signed_requests_change_nothing_downstream(
    kafka: KafkaServer, topic_prefix: str, sources: Sources, tmp_path: Path
) -> None:
    pipeline = Pipeline(kafka.bootstrap_servers, topic_prefix, tmp_path)
    pipeline.create_topics()
    config = tmp_path / "segwire.yaml"
    config.write_text(yaml.safe_dump({"sources": sources}))
    verified_at = format_java_date(time.time_ns() // 1_000_000)
    bodies = [body(user(f"{number:038d}", Segments=[segment(when=verified_at)])) for number in range(20)]
    try:
        for name in ("fan-out", "membership"):
            pipeline.start(name).wait_ready()
        with running_ingest(pipeline.kafka, tmp_path, ["--config", str(config)]) as ingest:
            send_all(ingest, bodies)
            pipeline.wait_processed()
            rows, changes = pipeline.rows(), pipeline.changes()
            assert (len(rows), len(changes)) == (20, 20)
            for _ in range(3):
                send_all(ingest, reversed(bodies))
            pipeline.wait_processed()
        assert len(pipeline.events()) == 80
        assert (pipeline.rows(), pipeline.changes()) == (rows, changes)
    finally:
        pipeline.stop()


def send_all(ingest: IngestProcess, bodies: Any) -> None:
    connection: http.client.HTTPConnection = ingest.connect()
    for payload in bodies:
        assert exchange(connection, payload, {**JSON, **signature(NEW, payload)}, "/v1/aam/signed").status == 200
    connection.close()
