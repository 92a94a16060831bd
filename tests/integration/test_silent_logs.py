"""No line of any log tells who a user is, or what a secret is, whatever the outcome of a message."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from ingest.spool.segment import list_segments
from runtime.settings import KafkaSettings
from segwire.embedded.kafka.interface import KafkaServer
from segwire.simulator.signature import signing
from tests.support.authentication import basic
from tests.support.ingest_process import JSON, PATH, IngestProcess, running_ingest
from tests.support.kafka import LIMIT_S, wait_until
from tests.support.mounted import Mount
from tests.support.posts import body, segment, user
from tests.support.processors import Pipeline
from tests.support.silence import assert_silent

# Whatever is found of these in a log should not be there.
PERSON, PARTNER, DEVICE = "70707070707070707070707070707070707070", "partner-hidden-1", "AEBE52E7-03EE-455A-B3C4-HIDDEN"
KEY, NEXT_KEY, CLIENT_SECRET = "signing-hidden-key", "next-hidden-key", "client-hidden-secret"
TELLTALES = (PERSON[:20], "hidden", "HIDDEN", "AAM_UUID", "DataPartner_UUID")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
GOOD = body(user(PERSON, DataPartner_UUID=PARTNER), User_DPID="12345")
BAD_USERS = body(
    user(PERSON, DataPartner_UUID=DEVICE),
    user(PERSON, Segments=[segment(status=PARTNER)]),
    user(PERSON, Segments=[segment(when=PARTNER)]),
    user({"name": PERSON}),
    User_DPID="20915",
)


@pytest.fixture
def pipeline(kafka: KafkaServer, topic_prefix: str, tmp_path: Path) -> Iterator[Pipeline]:
    pipeline = Pipeline(kafka.bootstrap_servers, topic_prefix, tmp_path / "processors")
    pipeline.folder.mkdir()
    pipeline.create_topics()
    yield pipeline
    pipeline.stop()


def signature(key: str, payload: bytes) -> dict[str, str]:
    return dict(signing(key.encode(), "sha1", "X-Signature")(payload))


def statuses_of_signed(ingest: IngestProcess) -> list[int]:
    """Send what may happen to a signed message; return the answers."""

    def post(payload: bytes, path: str = "/v1/aam/signed", **headers: str) -> int:
        return ingest.post(payload, {**JSON, **signature(KEY, payload), **headers}, path).status

    return [
        post(GOOD),
        post(BAD_USERS),
        post(GOOD[:-1]),
        post(GOOD.replace(b"Users", PERSON.encode())),
        post(gzip.compress(GOOD)[:-9], **{"Content-Encoding": "gzip"}),
        post(GOOD, **{"Content-Encoding": PARTNER}),
        post(GOOD, **{"Content-Type": f"text/{PARTNER}"}),
        post(GOOD + b" " * 10_000),
        post(GOOD, **signature(NEXT_KEY, GOOD)),
        post(GOOD, **{"X-Signature": KEY, "X-Request-Id": f"{PERSON} {KEY}", "traceparent": PERSON}),
        post(GOOD, path="/v1/aam/nobody", Authorization=f"Bearer {KEY}"),
    ]


def statuses_of_tokens(ingest: IngestProcess) -> tuple[str, list[int]]:
    """Take a token and use it well and badly; return it, and the answers."""

    def ask(credentials: str) -> bytes:
        return ingest.post(
            b"grant_type=client_credentials", {**FORM, "Authorization": credentials}, "/oauth2/token"
        ).body

    def post(bearer: str, payload: bytes = GOOD) -> int:
        return ingest.post(payload, {**JSON, "Authorization": f"Bearer {bearer}"}, "/v1/aam/tokens").status

    token = json.loads(ask(basic("iris", CLIENT_SECRET)))["access_token"]
    ask(basic("iris", "hidden-guess"))
    ask(basic(PERSON, CLIENT_SECRET))
    return token, [post(token), post(token + "x"), post(KEY), post(token, GOOD[:-1])]


def delete(pipeline: Pipeline) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "segwire.cli.main", "privacy", "delete", "--aam-uuid", PERSON],
        env={**os.environ, **pipeline.environment},
        timeout=LIMIT_S,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_no_outcome_of_a_message_tells_of_its_user_or_of_a_secret(pipeline: Pipeline, tmp_path: Path) -> None:
    mount, config = Mount(tmp_path / "secrets"), tmp_path / "segwire.yaml"
    mount.publish(current=KEY, client=CLIENT_SECRET)
    hmac = {"keys": [{"secret_file": str(mount.path("current"))}]}
    clients = [{"id": "iris", "secret_file": str(mount.path("client"))}]
    signed = {"hmac": hmac, "max_body_bytes": 8192}
    config.write_text(yaml.safe_dump({"sources": {"signed": signed, "tokens": {"oauth2": {"clients": clients}}}}))
    services = [pipeline.start(name, SEGWIRE_LOG__LEVEL="info") for name in ("fan-out", "membership")]
    for service in services:
        service.wait_ready()
    with running_ingest(pipeline.kafka, tmp_path, ["--config", str(config)]) as ingest:
        assert statuses_of_signed(ingest) == [200, 200, 400, 400, 400, 415, 415, 413, 401, 401, 404]
        token, answers = statuses_of_tokens(ingest)
        assert answers == [200, 401, 401, 400]
        mount.publish(current=NEXT_KEY, client=f"{CLIENT_SECRET}-next")
        wait_until(lambda: ingest.log.read_text().count("secret_replaced") == 2, "the secrets are read again")
        assert ingest.stop()[0] == 0
    pipeline.put(pipeline.names.segment_events, PERSON.encode(), f"no event of {PERSON}".encode())
    delete(pipeline)
    pipeline.wait_processed()
    pipeline.stop()
    assert_silent(ingest.log.read_text(), *TELLTALES, *signature(KEY, GOOD).values(), *token.split("."))
    for service in services:
        assert_silent(service.said(), *TELLTALES)


def damage(spool: Path) -> None:
    """Break the first record of the newest segment, and tear its end."""
    segment_file = spool / list_segments(spool)[-1].file_name
    content = bytearray(segment_file.read_bytes())
    content[200] ^= 1
    segment_file.write_bytes(bytes(content) + content[16:60])


def test_neither_a_full_nor_a_damaged_spool_tells_of_users(tmp_path: Path) -> None:
    nobody = KafkaSettings(bootstrap_servers="127.0.0.1:1")
    small: Mapping[str, str] = {
        "SEGWIRE_INGEST__SPOOL__MAX_BYTES": str(1 << 20),
        "SEGWIRE_INGEST__SPOOL__SEGMENT_BYTES": str(1 << 18),
        "SEGWIRE_INGEST__ACK_TIMEOUT_MS": "1000",
    }
    large = body(user(PERSON, DataPartner_UUID=PARTNER), filling=" " * 300_000)
    said = ""
    with running_ingest(nobody, tmp_path, **small) as ingest:
        assert [ingest.post(large, JSON, PATH).status for _ in range(4)] == [200, 200, 200, 503]
        ingest.process.kill()
        ingest.process.wait()
        said += ingest.log.read_text()
    [spool] = (tmp_path / "data" / "spool").iterdir()
    damage(spool)
    with running_ingest(nobody, tmp_path, **small) as ingest:
        assert ingest.stop()[0] == 0
        said += ingest.log.read_text()
    for event in ("spool_full", "message_refused", "spool_corrupt"):
        assert event in said
    assert_silent(said, *TELLTALES)
