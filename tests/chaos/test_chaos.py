"""A slice of the fault harness: one run of each theme, new seeds each time. `make chaos` is the whole of it."""

import time
from pathlib import Path

import click
import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from runtime.injection import POINTS
from runtime.state.changelog import Extent, extents
from tests.chaos.plan import THEMES, make_plan
from tests.chaos.run import run
from tests.support.cluster import Cluster
from tests.support.kafka import LIMIT_S, wait_until

LEAST_MESSAGES = 2_000


@pytest.mark.parametrize("theme", range(THEMES))
def test_nothing_is_lost_and_nothing_doubled_whatever_goes_wrong(
    theme: int, first_seed: int, cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = make_plan(first_seed + theme)
    outcome = run(plan, cluster, tmp_path, LEAST_MESSAGES)
    with capsys.disabled():
        click.echo(f"\n{outcome.line()}")
    assert not outcome.verdict.differences, outcome.story()


def test_offsets_are_told_again_soon_after_a_leader_was_killed_and_came_back(cluster: Cluster) -> None:
    topic = f"leaders-{time.monotonic_ns()}"
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})
    admin.create_topics([NewTopic(topic, 3, 3)])[topic].result(LIMIT_S)

    def told() -> bool:
        try:
            return extents(admin, topic, [0, 1, 2]) == dict.fromkeys(range(3), Extent(0, 0))
        except (KafkaException, TimeoutError):
            return False

    wait_until(told, "extents")
    # Until the group of brokers has changed its mind twice about who leads, as the client remembers it.
    for partition in (0, 1):
        cluster.kill(cluster.leader(topic, partition))
        wait_until(told, "extents while one broker is away")
        cluster.heal()
        wait_until(told, "extents when it is back")


def test_a_slice_reaches_every_point_and_both_group_protocols() -> None:
    for first in (0, THEMES, 7 * THEMES):
        plans = [make_plan(first + theme) for theme in range(THEMES)]
        assert {plan.faults[0].point for plan in plans if plan.faults[0].kind == "kill-at"} >= set(POINTS)
        assert {plan.protocol for plan in plans} == {"classic", "consumer"}
    for theme in range(THEMES):
        assert {make_plan(theme + turn * THEMES).protocol for turn in (0, 1)} == {"classic", "consumer"}


def test_a_seed_is_always_the_same_run() -> None:
    assert make_plan(4711) == make_plan(4711)
