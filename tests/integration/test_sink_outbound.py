"""Outbound destinations as processes, a partner of ours that misbehaves, a real Kafka between."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from segwire.embedded.kafka.interface import KafkaServer
from tests.support.kafka import wait_until
from tests.support.outbound import row
from tests.support.outbound_stage import OutboundStage
from tests.support.receiver import Receiver

NOW_MS = time.time_ns() // 1_000_000_000 * 1000


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def stage(kafka: KafkaServer, topic_prefix: str, tmp_path: Path) -> Iterator[OutboundStage]:
    made = OutboundStage(kafka.bootstrap_servers, topic_prefix, tmp_path)
    yield made
    made.close()


def test_smoke(stage: OutboundStage, receiver: Receiver) -> None:
    stage.destination("partner", receiver.url)
    sink = stage.start("partner").wait_ready()
    stage.publish(row("1", number, aam_uuid=f"{number:038d}", at_ms=NOW_MS) for number in range(1, 26))
    wait_until(lambda: len(receiver.memberships()) == 25, "all arrived")
    stage.wait_done("partner")
    sink.stop()
    assert len(stage.receipts()) == 25
    assert not stage.dead_letters()
    print(sink.said(), len(receiver.requests), receiver.connections)
