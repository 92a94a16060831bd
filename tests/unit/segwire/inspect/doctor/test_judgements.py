"""What the checks make of what they find."""

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Message

from runtime.errors import UnreachableKafkaError
from runtime.kafka.topics import TopicState
from runtime.settings import KafkaSettings
from schemas.avro_codec import encode_change, encode_key, encode_membership
from schemas.topics import (
    AAM_POSTS,
    DEAD_LETTERS,
    SEGMENT_EVENTS,
    SEGMENT_MEMBERSHIP,
    SEGMENT_MEMBERSHIP_CHANGES,
    Topic,
)
from segwire.inspect.doctor.clocks import Skew, judge_skews
from segwire.inspect.doctor.cluster import judge_topics
from segwire.inspect.doctor.contracts import check_schemas, judge_record
from segwire.inspect.doctor.examination import attempt
from segwire.inspect.doctor.finding import Finding
from segwire.inspect.doctor.groups import judge_group
from segwire.inspect.doctor.machine import FREE_BYTES_MIN, judge_free_space
from tests.support.published import change, key, row

KAFKA = KafkaSettings(partitions=12, replication_factor=3)


def judged(**fields: Any) -> Finding:
    wanted = AAM_POSTS.configuration()
    base = {"partitions": 12, "replication_factor": 3, "settings": wanted, "wanted": wanted}
    (finding,) = judge_topics([TopicState(**{"topic": AAM_POSTS, "name": "aam-posts", **base, **fields})], KAFKA)
    return finding


def test_topic_as_wanted_is_fine() -> None:
    assert judged() == Finding(
        "topic aam-posts", ok=True, value="12 partitions, replication factor 3, settings as wanted"
    )


@pytest.mark.parametrize(
    ("fields", "value", "remedy"),
    [
        ({"partitions": 0, "replication_factor": 0}, "missing", "segwire topics apply"),
        ({"partitions": 6}, "but 12 partitions are configured", "set kafka.partitions: 6"),
        ({"replication_factor": 1}, "but 3 is configured", "kafka.replication_factor"),
        ({"settings": {"cleanup.policy": "compact"}}, "cleanup.policy is compact, not delete", "segwire topics apply"),
    ],
)
def test_topic_that_differs_says_how_and_what_to_do(fields: dict[str, Any], value: str, remedy: str) -> None:
    finding = judged(**fields)
    assert finding.ok is False
    assert value in finding.value
    assert remedy in (finding.remedy or "")


COMMITTED = {("t", 0): 10, ("t", 1): 5}


def test_group_at_work_may_be_behind() -> None:
    finding = judge_group("g", COMMITTED, {("t", 0): 12, ("t", 1): 5}, idle=False)
    assert finding == Finding("consumer group g", ok=True, value="2 records behind")


def test_group_without_members_may_not() -> None:
    finding = judge_group("g", COMMITTED, {("t", 0): 12, ("t", 1): 5}, idle=True)
    assert finding.ok is False
    assert "start its service" in (finding.remedy or "")


def test_group_without_members_that_has_read_all_is_fine() -> None:
    assert judge_group("g", COMMITTED, COMMITTED, idle=True).ok


def test_topic_made_anew_is_not_ahead() -> None:
    assert judge_group("g", COMMITTED, {("t", 0): 0}, idle=False).value == "0 records behind"


@pytest.mark.parametrize(("ahead_ms", "uncertainty_ms", "ok"), [
    (0, 1, True), (5000, 0, True), (-5000, 0, True), (5001, 0, False), (-9000, 10, False), (5300, 400, True),
])  # fmt: skip
def test_clock_may_differ_by_five_seconds(ahead_ms: int, uncertainty_ms: int, ok: bool) -> None:
    (finding,) = judge_skews([Skew(1, ahead_ms, uncertainty_ms)])
    assert finding.ok is ok
    assert (finding.remedy is None) is ok


def test_disk_needs_room() -> None:
    assert judge_free_space("/", FREE_BYTES_MIN).ok
    assert judge_free_space("/", FREE_BYTES_MIN - 1).ok is False


def test_schemas_load_and_their_ids_differ() -> None:
    (finding,) = check_schemas()
    assert finding.ok, finding
    assert "SegmentMembershipChange 3" in finding.value


def reason(topic: Topic, **fields: Any) -> str | None:
    return judge_record(topic, Message(topic=topic.name, partition=0, offset=0, timestamp=(1, 1), **fields))


def test_records_as_published_can_be_read() -> None:
    assert reason(SEGMENT_MEMBERSHIP, key=encode_key(key()), value=encode_membership(row())) is None
    assert reason(SEGMENT_MEMBERSHIP, key=encode_key(key()), value=None) is None
    assert reason(SEGMENT_MEMBERSHIP_CHANGES, key=b"1", value=encode_change(change())) is None
    assert reason(SEGMENT_EVENTS, key=b"1", value=b'{"kind":"of-a-later-version"}') is None
    assert reason(AAM_POSTS, value=b"anything") is None


def test_records_of_others_are_told_of() -> None:
    assert reason(SEGMENT_MEMBERSHIP, key=b"\xff", value=encode_membership(row())) is not None
    assert reason(SEGMENT_MEMBERSHIP, key=encode_key(key()), value=b"{}") is not None
    assert reason(SEGMENT_MEMBERSHIP_CHANGES, key=b"1", value=None) is not None
    assert reason(SEGMENT_EVENTS, value=b"{") is not None
    assert reason(DEAD_LETTERS, value=b"", headers=[("stage", b"x")]) == "headers are missing: error, reason"


def test_schema_id_of_another_is_told_of() -> None:
    found = reason(SEGMENT_MEMBERSHIP, key=encode_key(key()), value=encode_membership(row(), 77))
    assert found == "schema ID 77 instead of 2"


def test_check_that_fails_itself_is_a_finding_with_the_errors_own_remedy() -> None:
    def unreachable() -> list[Finding]:
        raise UnreachableKafkaError("no broker answered at 'x'; check the address")

    def refused() -> list[Finding]:
        raise KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED, "not yours"))

    assert attempt("brokers", unreachable) == [
        Finding("brokers", False, "no broker answered at 'x'", "check the address")
    ]
    (finding,) = attempt("topics", refused)
    assert (finding.ok, finding.value) == (False, "not yours")
    assert finding.remedy
