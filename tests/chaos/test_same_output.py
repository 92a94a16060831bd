"""The same input gives the same output, whoever processes it and in which portions."""

import random
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import Message

from tests.chaos.feeder import Feeder
from tests.chaos.plan import make_plan
from tests.chaos.stage import Stage
from tests.chaos.traffic import BUSY_USERS, Input, Traffic
from tests.support.cluster import Cluster

MESSAGES = 3_000

Published = dict[tuple[str, bytes], list[bytes]]


class Way(NamedTuple):
    """How the input is processed."""

    processes: int
    batch_records: int
    max_transaction_records: int
    commit_interval_ms: int


WAYS = (Way(1, 2000, 10_000, 200), Way(2, 7, 50, 10), Way(4, 300, 1000, 50))


def in_another_order(inputs: Sequence[Input], seed: int) -> list[Input]:
    """Mix the users, and keep the order of each."""
    chance = random.Random(seed)
    by_user: dict[str, list[Input]] = {}
    for made in inputs:
        by_user.setdefault(made.aam_uuid, []).append(made)
    turns = [made.aam_uuid for made in inputs]
    chance.shuffle(turns)
    waiting = {aam_uuid: iter(of_user) for aam_uuid, of_user in by_user.items()}
    return [next(waiting[aam_uuid]) for aam_uuid in turns]


def content(topic: str, messages: Sequence[Message]) -> Published:
    """Return the values of each key, in order, as bytes."""
    found: Published = {}
    for message in messages:
        found.setdefault((topic, bytes(message.key() or b"")), []).append(bytes(message.value() or b""))
    return found


def published(stage: Stage) -> Published:
    names = stage.pipeline.names
    rows = content("rows", stage.pipeline.read(names.segment_membership))
    return rows | content("changes", stage.pipeline.read(names.segment_membership_changes))


def process(inputs: Sequence[Input], way: Way, cluster: Cluster, folder: Path) -> Published:
    """Process the input in topics of its own."""
    plan = make_plan(0)._replace(
        members=way.processes, faults=(), frail=False, batch_records=way.batch_records,
        max_transaction_records=way.max_transaction_records, commit_interval_ms=way.commit_interval_ms,
    )  # fmt: skip
    stage = Stage(plan, cluster, folder)
    stage.pipeline.create_topics()
    try:
        for member in stage.members:
            member.start()
        Feeder(cluster.bootstrap_servers, stage.pipeline.names.segment_events, inputs).finish(len(inputs))
        stage.settle()
        assert stage.notes == []
        for member in stage.members:
            member.stop()
        return published(stage)
    finally:
        for member in stage.members:
            member.kill()
        stage.delete_topics()


def test_any_number_of_processes_any_batches_and_any_order_of_users_publish_the_same_bytes(
    first_seed: int, cluster: Cluster, tmp_path: Path
) -> None:
    # A removal names its own place in the input, which is another in another order: it is left out.
    stream = Traffic(first_seed, time.time_ns() // 1_000_000, removals=False)
    inputs = list(islice(stream, MESSAGES))
    first = process(inputs, WAYS[0], cluster, tmp_path / "first")
    assert len(first) > BUSY_USERS
    for number, way in enumerate(WAYS[1:]):
        other = process(in_another_order(inputs, number), way, cluster, tmp_path / f"other-{number}")
        assert other.keys() == first.keys(), f"{way}, seed {first_seed}"
        assert [key for key in first if other[key] != first[key]] == [], f"{way}, seed {first_seed}"
