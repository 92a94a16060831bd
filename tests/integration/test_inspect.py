"""The commands that look into a running system, against a real Kafka."""

import base64
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from runtime.clock import SystemClock
from runtime.kafka.topics import apply_topics
from schemas.partitioning import partition_of
from schemas.topics import TOPICS
from segwire.embedded.kafka.interface import KafkaServer
from segwire.inspect.log_reader import LogReader
from tests.support.inspecting import PARTITIONS, Bench, Headers
from tests.support.kafka import LIMIT_S, wait_until
from tests.support.published import ENTERED_MS, USER, change, exit_change, row

OTHER = next(str(n) for n in range(100) if partition_of(str(n), PARTITIONS) == partition_of(USER, PARTITIONS))
ELSEWHERE = next(str(n) for n in range(100) if partition_of(str(n), PARTITIONS) != partition_of(USER, PARTITIONS))


@pytest.fixture
def empty(kafka: KafkaServer, topic_prefix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bench:
    return Bench(kafka, topic_prefix, tmp_path, capsys)


@pytest.fixture
def bench(empty: Bench) -> Bench:
    apply_topics(empty.settings)
    return empty


def test_topics_are_applied_once_and_mended(empty: Bench) -> None:
    assert "missing" in empty.run("topics", "describe")
    assert empty.run("topics", "apply").count("created with 3 partitions") == len(TOPICS)
    assert empty.run("topics", "apply") == "nothing to do\n"

    admin = AdminClient({"bootstrap.servers": empty.servers})
    spoilt = ConfigResource(
        ResourceType.TOPIC,
        f"{empty.prefix}aam-posts",
        incremental_configs=[ConfigEntry("retention.ms", "1000000", incremental_operation=AlterConfigOpType.SET)],
    )
    for future in admin.incremental_alter_configs([spoilt]).values():
        future.result(LIMIT_S)

    def seen() -> bool:
        return "retention.ms is 1000000, not 604800000" in empty.run("topics", "describe")

    wait_until(seen, "the changed setting")
    (posts, *_) = json.loads(empty.run("topics", "describe", "--json"))
    assert posts["differing"] == {"retention.ms": "604800000"}
    assert "✗ topic" in empty.run("doctor", code=1)
    assert empty.run("topics", "apply") == f"{empty.prefix}aam-posts: set retention.ms=604800000\n"


def test_another_partition_count_is_refused_with_the_remedy(bench: Bench) -> None:
    message = bench.run("topics", "apply", code=2, SEGWIRE_KAFKA__PARTITIONS="5")
    assert "set kafka.partitions: 3" in message


def test_committed_records_alone_are_read_and_decoded(bench: Bench) -> None:
    with bench.transaction(commit=False) as writer:
        writer.row(row(version=98))
    with bench.transaction() as writer:
        writer.row(row())
        writer.row(row(), tombstone=True)
    with bench.transaction(commit=False) as writer:
        writer.row(row(version=99))
    first, second = bench.lines("segment-membership")
    assert (first["value"]["version"], first["key"]["aam_uuid"]) == (1, USER)
    assert (second["value"], second["key"]) == (None, first["key"])
    assert first["partition"] == partition_of(USER, PARTITIONS)


def test_posts_are_read_as_json_or_base64(bench: Bench) -> None:
    with bench.transaction() as writer:
        writer.put("aam-posts", b'{"Users":\n []}', headers=[("segwire-source", b"dev")])
        writer.put("aam-posts", b"\xff")
    values = bench.lines(f"{bench.prefix}aam-posts")
    assert [v["value"] for v in values] == [{"Users": []}, {"base64": "/w=="}]
    assert values[0]["headers"] == {"segwire-source": "dev"}


def test_key_picks_one_user_in_every_topic(bench: Bench) -> None:
    with bench.transaction() as writer:
        for user in (USER, OTHER, ELSEWHERE):
            writer.row(row(aam_uuid=user))
            writer.change(change(aam_uuid=user))
            # Not where the user would be: this topic is not partitioned by user.
            writer.put(
                "aam-posts", user.encode(), key=user.encode(), partition=(partition_of(user, PARTITIONS) + 1) % 3
            )
    for topic in ("segment-membership", "segment-membership-changes"):
        (found,) = bench.lines(topic, "--key", USER)
        assert found["value"]["aam_uuid"] == USER
    (found,) = bench.lines("aam-posts", "--key", OTHER)
    assert found["key"] == OTHER
    assert bench.lines("segment-membership", "--key", "42424242") == []


def test_reading_starts_where_it_is_told(bench: Bench) -> None:
    with bench.transaction() as writer:
        for n in range(5):
            writer.put("aam-posts", str(n).encode(), at=ENTERED_MS + n * 1000)

    def values(*args: str) -> list[int]:
        return [found["value"] for found in bench.lines("aam-posts", *args)]

    assert values() == [0, 1, 2, 3, 4]
    assert values("--from", "beginning", "--limit", "2") == [0, 1]
    assert values("--from", "3") == [3, 4]
    assert values("--from", "2016-07-27T16:17:24.500Z") == [3, 4]
    assert values("--from", "2030-01-01") == []
    assert values("--from", "end") == []
    assert values("--from", "77777") == []


def test_busy_topic_ends_where_it_was_when_the_reading_began(bench: Bench) -> None:
    reader = LogReader(bench.settings)
    with bench.transaction() as writer:
        writer.put("aam-posts", b"1")
        writer.put("aam-posts", b"2")
    slices = reader.slices(f"{bench.prefix}aam-posts", range(PARTITIONS))
    with bench.transaction() as writer:
        writer.put("aam-posts", b"3")
    assert [message.value() for message in reader.read(slices)] == [b"1", b"2"]


def test_follow_prints_what_comes(bench: Bench) -> None:
    command = [sys.executable, "-m", "segwire.cli.main", "topics", "read", "aam-posts", "--follow"]
    with bench.transaction() as writer:
        writer.put("aam-posts", b"1")
    with subprocess.Popen(
        [*command, "--limit", "2"], env=bench.env, cwd=bench.directory, stdout=subprocess.PIPE
    ) as tail:
        watch = threading.Timer(120, tail.kill)
        watch.start()
        assert tail.stdout is not None
        assert json.loads(tail.stdout.readline())["value"] == 1
        with bench.transaction() as writer:
            writer.put("aam-posts", b"2", partition=2)
        assert json.loads(tail.stdout.readline())["value"] == 2
        assert tail.wait(LIMIT_S) == 0
        watch.cancel()


@pytest.mark.parametrize(
    ("command", "reader", "lines"),
    [("topics read aam-posts", "head -n 1", 1), ("topics read aam-posts --limit 2", "true", 0), ("doctor", "true", 0)],
)
def test_closed_pipe_ends_quietly(bench: Bench, command: str, reader: str, lines: int) -> None:
    with bench.transaction() as writer:
        for _ in range(100):
            writer.put("aam-posts", b'"%s"' % (b"x" * 2_000))
    script = f"{sys.executable} -m segwire.cli.main {command} | {reader}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", script], env=bench.env, cwd=bench.directory, capture_output=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"\n") == lines


def test_explain_tells_why(bench: Bench) -> None:
    left_ms = ENTERED_MS + 60_000
    with bench.transaction() as writer:
        writer.row(row())
        writer.change(change())
        writer.change(change(aam_uuid=OTHER))
        writer.row(row(aam_uuid=OTHER))
        writer.row(row(aam_uuid=OTHER, segment_id=USER))
        writer.row(row(segment_id="2", version=5))
        writer.row(row(segment_id="3"))
        writer.row(row(segment_id="3"), tombstone=True)
    with bench.transaction() as writer:
        writer.row(row(status="INACTIVE", cause="DISQUALIFIED", since=left_ms, version=2))
        writer.change(exit_change(2, left_ms))
    with bench.transaction(commit=False) as writer:
        writer.change(change(version=3))
    found = json.loads(bench.run("explain", USER, "--json"))
    assert found["aam_uuid"] == USER
    assert [(m["segment_id"], m["status"], m["cause"]) for m in found["memberships"]] == [
        ("2", "ACTIVE", "QUALIFIED"),
        ("14356", "INACTIVE", "DISQUALIFIED"),
    ]
    changes = found["memberships"][1]["changes"]
    assert [(c["change"], c["version"], c["changed_at"]) for c in changes] == [
        ("EXITED", 2, left_ms),
        ("ENTERED", 1, ENTERED_MS),
    ]
    assert changes[1]["origin"] == {"topic": "aam-posts", "partition": 3, "offset": 1234, "index": 0}
    text = bench.run("explain", USER)
    assert "← exited  2016-07-27T16:18:22Z because DISQUALIFIED, from message aam-posts[3]@2000, user 1" in text


def test_unknown_user_exits_1(bench: Bench) -> None:
    with bench.transaction() as writer:
        writer.row(row())
    assert "is unknown" in bench.run("explain", USER + "0", code=1)


def test_missing_topics_are_told_of_with_the_remedy(empty: Bench) -> None:
    for command in (["explain", USER], ["dead-letters", "list"], ["topics", "read", "aam-posts"]):
        assert "segwire topics apply" in empty.run(*command, code=1)


def letter(stage: str, source: str, index: int = 0) -> Headers:
    return [
        ("stage", stage.encode()),
        ("error", b"bad-user"),
        ("reason", "Größe".encode()),
        ("topic", b"aam-posts"),
        ("partition", b"1"),
        ("offset", b"12"),
        ("source", source.encode()),
        ("user-index", str(index).encode()),
    ]


def test_dead_letters_are_listed_filtered_and_shown(bench: Bench) -> None:
    now_ms = SystemClock().now_ms()
    with bench.transaction() as writer:
        writer.put("dead-letters", b"{}", partition=2, at=now_ms - 7_200_000, headers=letter("ingest", "dev"))
        writer.put("dead-letters", b'{"a": 1}', partition=1, at=now_ms - 60_000, headers=letter("fan-out", "dev", 4))
        writer.put("dead-letters", b"\xff", partition=0, at=now_ms - 30_000, headers=letter("fan-out", "adobe"))
    with bench.transaction() as writer:
        writer.put("dead-letters", b"late", partition=1, at=now_ms - 9_000, headers=letter("membership", "adobe"))

    def ids(*args: str) -> list[str]:
        return [found["id"] for found in json.loads(bench.run("dead-letters", "list", "--json", *args))]

    assert ids() == ["2-0", "1-0", "0-0", "1-2"]
    assert ids("--since", "1h") == ["1-0", "0-0", "1-2"]
    assert ids("--stage", "ingest") == ["2-0"]
    assert ids("--source", "dev", "--error", "bad-user", "--since", "1h") == ["1-0"]
    assert ids("--error", "other") == []
    assert "Größe" in bench.run("dead-letters", "list")

    shown = json.loads(bench.run("dead-letters", "show", "1-0", "--json"))
    assert base64.b64decode(shown.pop("value")) == b'{"a": 1}'
    assert shown == {
        "id": "1-0",
        "stage": "fan-out",
        "error": "bad-user",
        "reason": "Größe",
        "source": "dev",
        "at": now_ms - 60_000,
        "redriven": 0,
        "first": "1-0",
        "redriven_at": None,
        "topic": "aam-posts",
        "partition": 1,
        "offset": 12,
        "user_index": 4,
    }
    assert '"a": 1' in bench.run("dead-letters", "show", "1-0")
    # 1-1 is the marker of a transaction's end, and no record.
    for absent in ("1-1", "1-7", "9-0"):
        assert "there is no dead letter" in bench.run("dead-letters", "show", absent, code=1)


def test_no_dead_letters_is_said(bench: Bench) -> None:
    assert bench.run("dead-letters", "list") == "no dead letters\n"
    assert bench.run("dead-letters", "list", "--json") == "[]\n"


def test_doctor_finds_a_healthy_system_healthy_and_leaves_nothing(bench: Bench) -> None:
    with bench.transaction() as writer:
        writer.row(row())
        writer.change(change())
    findings = json.loads(bench.run("doctor", "--json"))
    assert all(finding["ok"] for finding in findings)
    checked = " ".join(finding["check"] for finding in findings)
    for check in ("configuration", "versions", "disk", "schemas", "brokers", "segment-membership", "clock of broker"):
        assert check in checked
    admin = AdminClient({"bootstrap.servers": bench.servers})

    def gone() -> bool:
        return not any(
            "segwire-doctor" in name and name.startswith(bench.prefix) for name in admin.list_topics().topics
        )

    wait_until(gone, "the doctor's topic is deleted")


def test_doctor_finds_foreign_records_and_an_idle_group(bench: Bench) -> None:
    with bench.transaction() as writer:
        writer.put("segment-membership", b"not ours", key=b"x")
        writer.put("aam-posts", b"{}")
        writer.put("aam-posts", b"{}")
    group = f"{bench.prefix}fan-out"
    reader = Consumer({"bootstrap.servers": bench.servers, "group.id": group})
    reader.commit(offsets=[TopicPartition(f"{bench.prefix}aam-posts", 0, 1)], asynchronous=False)
    reader.close()
    findings = {f["check"]: f for f in json.loads(bench.run("doctor", "--json", code=1))}
    assert findings[f"records of {bench.prefix}segment-membership"]["ok"] is False
    idle = findings[f"consumer group {group}"]
    assert idle["ok"] is False
    assert "and no member" in idle["value"]
    assert "start its service" in idle["remedy"]


def test_doctor_says_when_nobody_answers(empty: Bench) -> None:
    text = empty.run("doctor", code=1, SEGWIRE_KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert "✗ brokers" in text
    assert "? clocks: not checked" in text
