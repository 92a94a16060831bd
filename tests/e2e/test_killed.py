"""SIGKILL in the middle of traffic: nothing acknowledged is lost, nothing is published twice."""

import signal
import socket
from contextlib import ExitStack, suppress
from typing import Any

import psutil
import pytest

from tests.e2e.conftest import StartUp
from tests.support.kafka import wait_until
from tests.support.published_topics import assert_one_story
from tests.support.stack import LIMIT_S, Simulation, Up, simulating

TRAFFIC = ("--rate", "150", "--users", "1000", "--segments", "50", "--batch-every", "2")
AT_LEAST = 200


def wait_for_traffic(up: Up, simulation: Simulation) -> None:
    """Wait until a good number more messages were acknowledged."""
    start = up.acknowledged()
    wait_until(lambda: up.acknowledged() >= max(start, 0) + AT_LEAST, "traffic", LIMIT_S)
    assert simulation.is_sending


def assert_verified(report: dict[str, Any]) -> None:
    assert {sort: found["count"] for sort, found in report["differences"].items() if found["count"]} == {}, report
    assert report["exit_code"] == 0
    assert report["acknowledged"] >= 2 * AT_LEAST


def test_everything_is_killed_and_started_again_and_kafka_finds_its_port_taken(start_up: StartUp) -> None:
    up = start_up()
    with simulating(up, *TRAFFIC) as simulation, ExitStack() as others:
        wait_for_traffic(up, simulation)
        kafka_before = up.bootstrap_servers
        up.kill_everything()
        host, _, port = kafka_before.rpartition(":")
        with suppress(OSError):  # another test's Kafka has it already
            others.enter_context(socket.create_server((host, int(port))))
        up.start()
        assert up.bootstrap_servers != kafka_before
        wait_for_traffic(up, simulation)
        report = simulation.finish()
    assert_verified(report)
    assert_one_story(up)


@pytest.mark.parametrize("name", ["ingest", "fan-out", "membership", "kafka"])
def test_killed_service_comes_back_and_nothing_is_lost(shared_up: Up, name: str) -> None:
    with simulating(shared_up, *TRAFFIC) as simulation:
        wait_for_traffic(shared_up, simulation)
        killed = shared_up.child(name)
        killed.kill()
        wait_until(lambda: not killed.is_running(), f"{name} is gone", LIMIT_S)
        assert shared_up.child(name).pid != killed.pid
        wait_for_traffic(shared_up, simulation)
        report = simulation.finish()
    assert_verified(report)
    assert f"{'Kafka' if name == 'kafka' else name} ended with " in shared_up.said


def test_nothing_outlives_a_killed_up(start_up: StartUp) -> None:
    up = start_up()
    family = up.family()
    assert len(family) >= 4
    with simulating(up, *TRAFFIC) as simulation:
        wait_for_traffic(up, simulation)
        up.process.send_signal(signal.SIGKILL)
        _, alive = psutil.wait_procs(family, LIMIT_S)
    assert not alive
