"""A broken invariant as an operator meets it: real processes, a real Kafka, offsets that somebody set."""

import json
import re
import shutil
import time
from urllib.error import HTTPError
from urllib.request import urlopen

from confluent_kafka import Consumer, TopicPartition

from schemas.event import encode_event
from schemas.partitioning import partition_of
from tests.support.events import USER, active, event
from tests.support.kafka import LIMIT_S, wait_until
from tests.support.processors import PARTITIONS, Pipeline, Service

NOW_MS = time.time_ns() // 1_000_000_000 * 1000
PARTITION = partition_of(USER, PARTITIONS)


def put(pipeline: Pipeline, segment_id: str) -> None:
    told = event(active(NOW_MS - 5000, segment_id), received_at=NOW_MS)
    pipeline.put(pipeline.names.segment_events, USER.encode(), encode_event(told))


def set_offset(pipeline: Pipeline, offset: int) -> None:
    """Set what membership has committed, in the place of its last process, which the group still counts on."""
    group = f"{pipeline.names.prefix}segwire-membership"
    stand_in = Consumer(
        {
            "bootstrap.servers": pipeline.kafka.bootstrap_servers or "", "group.id": group,
            "group.instance.id": f"{group}-0", "partition.assignment.strategy": "cooperative-sticky",
            "enable.auto.commit": False,
        }
    )  # fmt: skip
    stand_in.subscribe([pipeline.names.segment_events])
    wait_until(lambda: stand_in.poll(0.05) is None and bool(stand_in.assignment()), "the stand-in has the partitions")
    place = TopicPartition(pipeline.names.segment_events, PARTITION, offset)
    stand_in.commit(offsets=[place], asynchronous=False)
    stand_in.close()


def logged(service: Service, event: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in service.said().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


def refusal(url: object) -> str:
    try:
        urlopen(f"{url}/readyz", timeout=LIMIT_S).close()
    except HTTPError as refused:
        with refused:
            return str(json.loads(refused.read())["reason"])
    return ""


def test_state_that_is_ahead_of_its_group_is_told_of_until_the_end_and_mended_as_the_manual_says(
    pipeline: Pipeline,
) -> None:
    pipeline.create_topics()
    membership = pipeline.start("membership")
    for segment_id in ("1", "2", "3"):
        put(pipeline, segment_id)
    wait_until(lambda: pipeline.committed() == 3, "the user came in")
    membership.stop()
    set_offset(pipeline, 1)
    shutil.rmtree(pipeline.folder / "state" / "membership-0")

    broken = pipeline.start("membership")
    wait_until(lambda: bool(logged(broken, "invariant_broken")), "the alarm")
    url = logged(broken, "service_started")[0]["management"]
    assert re.fullmatch(
        rf"invariant I2 is broken: changelog {pipeline.names.membership_state} partition {PARTITION} holds state of "
        "input offsets up to 2, but the group has committed only 1: a torn transaction, or the group's offsets were "
        "reset; .*", refusal(url),
    )  # fmt: skip
    with urlopen(f"{url}/metrics", timeout=LIMIT_S) as answer:
        assert b'segwire_processor_invariant_broken{invariant="I2",processor="membership"} 1.0' in answer.read()
    broken.process.terminate()
    # By itself it would stay for a minute.
    assert broken.process.wait(LIMIT_S / 2) == 1
    assert not broken.ready_file.exists()

    set_offset(pipeline, 3)
    membership = pipeline.start("membership")
    put(pipeline, "4")
    wait_until(lambda: pipeline.committed() == 4, "it goes on")
    membership.stop()
    assert [change.segment_id for change in pipeline.changes()] == ["1", "2", "3", "4"]
