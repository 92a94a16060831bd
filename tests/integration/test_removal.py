"""Removals as an operator asks for them, and the local state as one looks at it: real processes, a real Kafka."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from schemas.dates import format_java_date
from tests.support.kafka import wait_until
from tests.support.posts import body, segment, user
from tests.support.processors import Pipeline

NOW_MS = time.time_ns() // 1_000_000_000 * 1000
USER = "19393572368547369350319949416899715727"


@pytest.fixture
def pipeline(pipeline: Pipeline) -> Pipeline:
    pipeline.create_topics()
    return pipeline


def segwire(pipeline: Pipeline, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "segwire.cli.main", *words, "--data-dir", str(pipeline.folder)],
        env={**os.environ, **pipeline.environment}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def post(partner_uuid: str, at_ms: int) -> bytes:
    said = [segment("14356", "1", format_java_date(at_ms)), segment("12176", "0", format_java_date(at_ms))]
    return body(user(USER, Segments=said, DataPartner_UUID=partner_uuid), User_DPID="12345")


def causes(pipeline: Pipeline) -> list[tuple[str, str]]:
    return [(change.change, change.cause) for change in pipeline.changes()]


@pytest.mark.parametrize(
    "named", [("--aam-uuid", USER), ("--dpid", "12345", "--partner-uuid", "second")], ids=["user", "partner"]
)
def test_a_removal_ends_every_membership_names_every_id_and_is_not_undone(
    pipeline: Pipeline, named: tuple[str, ...]
) -> None:
    fan_out, membership = pipeline.start("fan-out"), pipeline.start("membership").wait_ready()
    pipeline.post([post("first", NOW_MS - 5000), post("second", NOW_MS - 4000)], NOW_MS)
    wait_until(lambda: causes(pipeline) == [("ENTERED", "QUALIFIED")], "the user came in")

    asked = segwire(pipeline, "privacy", "delete", *named, "--json")
    assert asked.returncode == 0, asked.stderr
    requested_at = json.loads(asked.stdout)["requested_at"]
    wait_until(lambda: len(causes(pipeline)) == 2, "the user is out")
    pipeline.post([post("first", NOW_MS - 5000)], requested_at + 1)
    pipeline.post([post("third", requested_at + 60_000)], requested_at + 60_001)
    wait_until(lambda: len(causes(pipeline)) == 3, "the later qualification counts")
    fan_out.stop()
    membership.stop()

    assert causes(pipeline) == [("ENTERED", "QUALIFIED"), ("EXITED", "PRIVACY"), ("ENTERED", "QUALIFIED")]
    removed = [row for row in pipeline.rows() if row.cause == "PRIVACY"]
    assert {row.segment_id for row in removed} == {"14356", "12176"}
    assert {partner.uuid for row in removed for partner in row.partners} == {"first", "second"}
    assert [partner.uuid for partner in pipeline.changes()[-1].partners] == ["third"]


def test_the_stores_agree_with_their_changelogs_and_a_damaged_one_does_not(pipeline: Pipeline) -> None:
    fan_out, membership = pipeline.start("fan-out"), pipeline.start("membership").wait_ready()
    pipeline.post([post("first", NOW_MS - 5000)], NOW_MS)
    wait_until(lambda: len(causes(pipeline)) == 1, "the user came in")
    pipeline.wait_processed()
    fan_out.stop()
    membership.stop()

    for store in ("membership", "identity"):
        verified = segwire(pipeline, "state", "verify", "--store", store)
        assert verified.returncode == 0, verified.stdout + verified.stderr
        assert "agrees with its changelog" in verified.stdout
    (held,) = [one for one in json.loads(segwire(pipeline, "state", "inspect", "--json").stdout) if one["entries"]]
    assert held["entries"] == 1

    damage(pipeline.folder / "state" / "membership-0", held["partition"])
    verified = segwire(pipeline, "state", "verify", "--json")
    assert verified.returncode == 1
    assert [state["differences"] for state in json.loads(verified.stdout) if state["differences"]] == [
        [f"{USER}: the store's value is not the changelog's"]
    ]


def damage(directory: Path, partition: int) -> None:
    from runtime.state.store import StateStore, Writes, data_key

    store = StateStore(directory, block_cache_bytes=1 << 20, memtable_bytes=1 << 20)
    writes = Writes()
    writes.put(data_key(partition, USER.encode()), b"\x01damaged")
    store.write(writes)
    store.close()


def test_a_removal_names_one_user_or_is_refused(pipeline: Pipeline) -> None:
    for words in (
        (),
        ("--aam-uuid", "1", "--partner-uuid", "2"),
        ("--aam-uuid", "1", "--dpid", "2"),
        ("--aam-uuid", ""),
    ):
        refused = segwire(pipeline, "privacy", "delete", *words)
        assert refused.returncode == 2, words
        assert "Error" in refused.stderr
