"""No line of a sink's log tells who a user is, or what a secret is, whatever becomes of a row."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from schemas.avro_codec import encode_change, encode_key, encode_membership
from schemas.event import Partner
from segwire.embedded.kafka.interface import KafkaServer
from segwire.embedded.postgres.interface import PostgresServer
from tests.support.kafka import wait_until
from tests.support.outbound import DPID, row
from tests.support.outbound_stage import OutboundStage
from tests.support.postgres import execute, fresh_database
from tests.support.processors import Pipeline
from tests.support.published import change, key
from tests.support.published import row as published_row
from tests.support.receiver import Receiver, Reply, Request
from tests.support.silence import assert_silent

PERSON = "70707070707070707070707070707070707070"
PARTNER = "partner-hidden-1"
SECRET, TOKEN, PASSWORD = "client-hidden-secret", "token-hidden-1", "database-hidden-password"
TELLTALES = (PERSON[:20], "hidden", "AAM_UUID", "DataPartner_UUID")
NOW_MS = time.time_ns() // 1_000_000_000 * 1000


# Of the users so named, on the first tries: those that fail always are set aside.
FAULTS = {
    1: [Reply(400)] * 9, 2: [Reply(500)] * 9, 3: [Reply(302)] * 9, 4: [Reply(401)], 5: [Reply(after_s=0.7)],
    6: [Reply(fault="close-mid-body")],
}  # fmt: skip


def name_of(number: int) -> str:
    return f"{PERSON[:30]}{number:08d}"


class Partners:
    """A partner who hands out a token, fails with some users, and says back what it was sent."""

    def __init__(self) -> None:
        self.faults = {name_of(number): list(replies) for number, replies in FAULTS.items()}

    def __call__(self, request: Request) -> Reply:
        if request.path == "/token":
            return Reply(body=b'{"token_type": "Bearer", "access_token": "%b"}' % TOKEN.encode())
        (name,) = request.users
        faults = self.faults.get(name)
        reply = faults.pop(0) if faults else Reply()
        return reply._replace(body=request.body, headers=(f"X-Echo: {name}",))


@pytest.fixture
def partner() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def test_no_outcome_of_a_delivery_tells_of_its_user_or_of_a_secret(
    stage: OutboundStage, partner: Receiver, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text(SECRET)
    secret = {"secret_file": str(tmp_path / "secret")}
    tokens = {"token_url": partner.url.replace("/segments", "/token"), "id": "us", **secret}
    auth = {"hmac": {"keys": [secret]}, "oauth2": tokens}
    stage.destination("partner", partner.url, auth=auth, timeout_ms=500, max_users_per_message=1)
    partner.behaviour = Partners()
    sink = stage.start("partner").wait_ready()
    stage.publish(
        row(
            "1",
            number,
            at_ms=NOW_MS - 60_000,
            aam_uuid=name_of(number),
            partners=[Partner(f"{PARTNER}-{number}", DPID)],
        )
        for number in range(1, 31)
    )
    stage.wait_done("partner")
    sink.stop()
    assert {dict(letter.headers() or [])["error"] for letter in stage.dead_letters()} >= {b"status-400", b"status-500"}
    assert_silent(sink.said(), *TELLTALES)


def test_no_outcome_of_a_write_tells_of_its_user_or_of_a_secret(
    kafka: KafkaServer, postgres: PostgresServer, topic_prefix: str, tmp_path: Path
) -> None:
    dsn, dsn_file = fresh_database(postgres), tmp_path / "dsn"
    dsn_file.write_text(make_conninfo(dsn, password=PASSWORD, host="127.0.0.1", port="1"))
    pipeline = Pipeline(kafka.bootstrap_servers, topic_prefix, tmp_path)
    pipeline.environment |= {
        "SEGWIRE_SINKS__WAREHOUSE__TYPE": "postgres", "SEGWIRE_SINKS__WAREHOUSE__DSN_FILE": str(dsn_file),
        "SEGWIRE_SINKS__WAREHOUSE__COMMIT_INTERVAL_MS": "50",
    }  # fmt: skip
    pipeline.create_topics()
    rows, changes = pipeline.names.segment_membership, pipeline.names.segment_membership_changes

    def put(version: int, partner: str) -> None:
        fields = {"aam_uuid": PERSON, "segment_id": str(version), "version": version, "partners": [Partner(partner, 1)]}
        row_key = encode_key(key(aam_uuid=PERSON, segment_id=str(version)))
        pipeline.put(rows, row_key, encode_membership(published_row(**fields)))
        pipeline.put(changes, PERSON.encode(), encode_change(change(**fields)))

    sink = pipeline.start_sink("warehouse")
    try:
        put(1, PARTNER)
        wait_until(lambda: "sink_unavailable" in sink.said(), "the database is not reached")
        dsn_file.write_text(make_conninfo(dsn, password=PASSWORD))
        sink.wait_ready()
        pipeline.wait_sunk("warehouse")
        put(2, f"{PARTNER}\0")
        pipeline.put(rows, PERSON.encode(), f"no row of {PERSON}".encode())
        pipeline.put(changes, PERSON.encode(), f"no change of {PERSON}".encode())
        pipeline.wait_sunk("warehouse")
        for table in ("segment_membership", "segment_membership_change"):
            execute(dsn, f"ALTER TABLE {table} ADD CHECK (segment_id <> '3')")
        put(3, PARTNER)
        wait_until(lambda: "CheckViolation" in sink.said() or len(pipeline.read(pipeline.names.dead_letters)) >= 4,
                   "the database refuses what its table does not take")  # fmt: skip
    finally:
        sink.kill()
    assert_silent(sink.said(), *TELLTALES)
