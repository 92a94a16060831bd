"""A topic is deleted and made anew between two runs: what goes on, and what brings back the rest."""

import json
import subprocess
import sys
import time

import pytest

from runtime.kafka.clients import admin_client
from runtime.kafka.topics import apply_topics
from schemas.membership import SegmentMembership
from schemas.partitioning import partition_of
from tests.support.kafka import LIMIT_S, wait_until
from tests.support.posts import body, segment, user
from tests.support.processors import PARTITIONS, Pipeline

SECOND_MS = 1000
NOW_MS = time.time_ns() // 1_000_000 // SECOND_MS * SECOND_MS
USERS = [f"{number:038d}" for number in range(1, 9)]


@pytest.fixture
def pipeline(pipeline: Pipeline) -> Pipeline:
    pipeline.create_topics()
    return pipeline


def told(pipeline: Pipeline, at_ms: int, status: str) -> None:
    """Let everyone be told of at once, as of `at_ms`, and received then."""
    users = [user(each, Segments=[segment("14356", status, at_ms)]) for each in USERS]
    pipeline.post([body(*users)], at_ms)


def run(pipeline: Pipeline, at_ms: int, status: str, causes: list[str]) -> None:
    """Run both processors until all of `causes` were published for everyone, and stop them in order."""
    services = [pipeline.start("fan-out"), pipeline.start("membership")]
    for service in services:
        service.wait_ready()
    told(pipeline, at_ms, status)

    def published() -> bool:
        found: dict[str, list[str]] = {each: [] for each in USERS}
        for change in pipeline.changes():
            found[change.aam_uuid].append(change.cause)
        return all(of_user == causes for of_user in found.values())

    wait_until(published, f"{causes} for everyone")
    pipeline.wait_processed()
    for service in services:
        service.stop()


def lose(pipeline: Pipeline, topic: str) -> None:
    """Delete a topic and make it anew."""
    admin = admin_client(pipeline.kafka)
    for done in admin.delete_topics([topic], operation_timeout=LIMIT_S).values():
        done.result(LIMIT_S)
    wait_until(lambda: topic not in admin.list_topics(timeout=10).topics, f"{topic} is gone")
    wait_until(lambda: bool(apply_topics(pipeline.kafka)), f"{topic} is made anew")


def test_lost_events_are_gone_on_without_and_lost_state_is_published_from_the_store(pipeline: Pipeline) -> None:
    run(pipeline, NOW_MS - 9 * SECOND_MS, "1", ["QUALIFIED"])
    # What is processed next has the offsets that these had.
    lose(pipeline, pipeline.names.segment_events)
    refused = state(pipeline, "publish")
    assert refused.returncode == 1
    assert "it is not a topic that was made anew" in refused.stderr

    lose(pipeline, pipeline.names.membership_state)
    membership = pipeline.start("membership")
    assert membership.wait_end() == 1
    assert "write the store to it with segwire state publish" in membership.said()
    pipeline.services.remove(membership)
    done = state(pipeline, "publish")
    assert done.returncode == 0, done.stderr
    assert sum(int(line.split()[2]) for line in done.stdout.splitlines()) == len(USERS)
    # Nobody leaves of whom the state knows nothing.
    run(pipeline, NOW_MS - 8 * SECOND_MS, "0", ["QUALIFIED", "DISQUALIFIED"])


def test_lost_rows_are_published_from_the_changelog(pipeline: Pipeline) -> None:
    run(pipeline, NOW_MS - 9 * SECOND_MS, "1", ["QUALIFIED"])
    left_ms = NOW_MS - 8 * SECOND_MS
    pipeline.post([body(user(USERS[0], Segments=[segment("14356", "0", left_ms)]))], left_ms)
    services = [pipeline.start("fan-out"), pipeline.start("membership")]
    wait_until(lambda: len(pipeline.changes()) == len(USERS) + 1, "one has left")
    pipeline.wait_processed()
    for service in services:
        service.stop()
    present = [row for row in pipeline.rows() if row.aam_uuid != USERS[0]]
    assert len(present) == len(USERS) - 1
    refused = state(pipeline, "publish-rows")
    assert refused.returncode == 1
    assert "it is not a topic that was made anew" in refused.stderr

    lose(pipeline, pipeline.names.segment_membership)
    done = state(pipeline, "publish-rows", "--json")
    assert done.returncode == 0, done.stderr
    assert sum(written["rows"] for written in json.loads(done.stdout)) == len(USERS) - 1
    assert sorted(pipeline.rows(), key=by_user) == sorted(present, key=by_user)
    # In the partitions of before, and with versions that the next are above.
    assert {m.partition() for m in pipeline.read(pipeline.names.segment_membership)} == {
        partition_of(row.aam_uuid, PARTITIONS) for row in present
    }


def by_user(row: SegmentMembership) -> str:
    return row.aam_uuid


def state(pipeline: Pipeline, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "segwire.cli.main", "state", *words, "--data-dir", str(pipeline.folder)],
        env=pipeline.environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
