"""What was delivered, what was set aside and sent again, against a real Kafka."""

import json
from pathlib import Path
from typing import Any

import pytest

from processors.fan_out import FanOut
from runtime.clock import SystemClock
from runtime.errors import SegwireError
from runtime.kafka.topics import apply_topics
from runtime.processor import InputRecord
from schemas.event import Partner
from schemas.partitioning import partition_of
from schemas.receipts import DeliveryReceipt, ReceiptSegment
from schemas.topics import TopicNames
from segwire.embedded.kafka.interface import KafkaServer
from segwire.inspect.dead_letters import Wanted
from segwire.inspect.decoding import raw_headers
from segwire.inspect.log_reader import LogReader
from segwire.redrive.plan import Choice, make_plan
from segwire.redrive.run import Redriver
from tests.support.inspecting import PARTITIONS, Bench, Headers
from tests.support.posts import body, segment, user
from tests.support.published import USER
from tests.support.up import ManualClock

NEIGHBOUR = next(str(n) for n in range(100) if partition_of(str(n), PARTITIONS) == partition_of(USER, PARTITIONS))
AT_MS = 1_469_636_242_000


@pytest.fixture
def bench(kafka: KafkaServer, topic_prefix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bench:
    bench = Bench(kafka, topic_prefix, tmp_path, capsys)
    apply_topics(bench.settings)
    return bench


def removal(aam_uuid: str = USER, partner: str = "ID-1", destination: str = "partner-a") -> DeliveryReceipt:
    sent = ReceiptSegment(segment_id="14356", status="INACTIVE", verified_at=AT_MS, version=7)
    return DeliveryReceipt(
        destination=destination, aam_uuid=aam_uuid, partner=Partner(partner, 12345), segments=[sent], sent_at=AT_MS,
        outcome="DELIVERED", answered=200, latency_ms=12,
    )  # fmt: skip


def test_receipts_tell_whether_the_removal_was_delivered(bench: Bench) -> None:
    with bench.transaction() as writer:
        for receipt in (removal(), removal(destination="partner-b"), removal(NEIGHBOUR), removal(NEIGHBOUR, "ID-10")):
            writer.receipt(receipt)
        writer.put("delivery-receipts", b"not ours", key=USER.encode(), partition=partition_of(USER, PARTITIONS))

    def found(*args: str) -> list[tuple[str, str, str]]:
        answers = json.loads(bench.run("receipts", *args, "--json"))
        assert all(answer["removed"] for answer in answers)
        return [(x["destination"], x["aam_uuid"], x["partner"]["uuid"]) for x in answers]

    of_user = [("partner-a", USER, "ID-1"), ("partner-b", USER, "ID-1")]
    assert found("--aam-uuid", USER) == of_user
    assert found("--aam-uuid", USER, "--destination", "partner-b") == of_user[1:]
    assert found("--partner-uuid", "ID-1") == [of_user[0], ("partner-a", NEIGHBOUR, "ID-1"), of_user[1]]
    assert found("--partner-uuid", "ID-10", "--dpid", "12345") == [("partner-a", NEIGHBOUR, "ID-10")]
    assert "yes" in bench.run("receipts", "--aam-uuid", USER)
    for nothing in (["--aam-uuid", USER + "0"], ["--partner-uuid", "ID-1", "--dpid", "1"]):
        assert "there is no receipt for" in bench.run("receipts", *nothing, code=1)


def letter(stage: str, error: str, *more: tuple[str, bytes]) -> Headers:
    described = [("stage", stage.encode()), ("error", error.encode()), ("reason", b"r"), ("source", b"dev")]
    return [*described, *more]


def letters(bench: Bench, *args: str) -> dict[str, dict[str, Any]]:
    return {found["id"]: found for found in json.loads(bench.run("dead-letters", "list", "--json", *args))}


def redrive(bench: Bench, *args: str) -> dict[str, Any]:
    done: dict[str, Any] = json.loads(bench.run("dead-letters", "redrive", "--yes", "--json", *args))
    bench.settle()
    return done


def fan_out(bench: Bench) -> list[str | None]:
    """Process what is in aam-posts as fan-out does; return the users of whom there are events."""
    reader = LogReader(bench.settings)
    names = TopicNames(bench.prefix)
    found = list(reader.read(reader.slices(names.aam_posts, range(PARTITIONS))))
    records = [InputRecord(m.partition() or 0, m.offset() or 0, m.key(), m.value(), raw_headers(m), 0) for m in found]
    outputs = FanOut(names).process(records)
    with bench.transaction() as writer:
        for output in outputs:
            if output.topic == names.dead_letters:
                writer.put("dead-letters", output.value, key=output.key, headers=[*(output.headers or [])])
    return [output.key.decode() for output in outputs if output.topic == names.segment_events and output.key]


def test_letter_is_redriven_once_and_what_fails_again_says_so(bench: Bench) -> None:
    post = body(user("1"), user("2", Segments=[segment(status="7")]), user("3"))
    origin = [("topic", b"aam-posts"), ("partition", b"1"), ("offset", b"12")]
    with bench.transaction() as writer:
        for index, at in ((1, AT_MS), (2, AT_MS + 1)):
            more = [*origin, ("user-index", b"%d" % index), ("segwire-received-at-ms", b"77")]
            writer.put("dead-letters", post, at=at, headers=letter("fan-out", "bad-status", *more))
        writer.put("dead-letters", b"{}", partition=1, key=b"9", headers=letter("membership", "malformed-event"))

    told = bench.run("dead-letters", "redrive", "--stage", "fan-out", "--dry-run")
    assert "2 dead letters to redrive, as 1 record\n" in told
    assert bench.lines("aam-posts") == []

    assert redrive(bench, "--stage", "fan-out")["redriven"] == ["0-0", "0-1"]
    (sent,) = bench.lines("aam-posts")
    assert sent["headers"]["segwire-received-at-ms"] == "77"
    assert letters(bench)["0-0"]["redriven_at"] is not None
    assert letters(bench)["1-0"]["redriven_at"] is None
    again = redrive(bench, "--stage", "fan-out")
    assert (again["redriven"], sum(again["left"].values())) == ([], 2)

    # The second user has recovered, the first has not; the others were processed the first time.
    assert fan_out(bench) == ["3"]
    (failed,) = [found for found in letters(bench).values() if found["redriven"]]
    assert (failed["redriven"], failed["first"], failed["redriven_at"]) == (1, "0-0", None)
    assert "failed again after 1" in bench.run("dead-letters", "list")
    assert redrive(bench, "--stage", "fan-out")["redriven"] == []
    assert redrive(bench, "--stage", "fan-out", "--again")["redriven"] == ["0-1", failed["id"]]
    assert letters(bench)[failed["id"]]["redriven_at"] is not None
    assert redrive(bench, "1-0")["redriven"] == ["1-0"]
    (event,) = bench.lines("segment-events")
    assert (event["key"], event["value"]) == ("9", {})


def test_redriving_that_stops_in_the_middle_goes_on_where_it_was(bench: Bench) -> None:
    with bench.transaction() as writer:
        for number in range(5):
            writer.put("dead-letters", b"%d" % number, partition=number % 2, headers=letter("fan-out", "e"))
    clock = SystemClock()
    first = Redriver(bench.settings, clock, lambda _: None)
    plan = make_plan(first.candidates(), Choice(Wanted()))
    first.send(plan.sends[:2], 1, lambda _: None)

    other = Redriver(bench.settings, clock, lambda _: None)
    other.take_over()
    with pytest.raises(SegwireError, match="another process has taken it over"):
        first.send(plan.sends[2:], 1, lambda _: None)
    rest = make_plan(other.candidates(), Choice(Wanted()))
    told: list[int] = []
    other.send(rest.sends, 2, told.append)
    assert told == [2, 3]
    assert sorted(found["value"] for found in bench.lines("aam-posts")) == [0, 1, 2, 3, 4]


def test_rate_is_kept_and_a_sink_is_asked_in_the_users_partition(bench: Bench) -> None:
    with bench.transaction() as writer:
        for _ in range(4):
            writer.put("dead-letters", b"{}", headers=letter("sink:p", "e", ("partition", b"2")))
    slept: list[float] = []
    redriver = Redriver(bench.settings, ManualClock(), slept.append)
    redriver.send(make_plan(redriver.candidates(), Choice(Wanted())).sends, 2, lambda _: None)
    assert slept == [0.0, 1.0]
    assert {found["partition"] for found in bench.lines("sink-requests")} == {2}
    assert "there is no dead letter 2-7" in bench.run("dead-letters", "redrive", "2-7", code=1)
