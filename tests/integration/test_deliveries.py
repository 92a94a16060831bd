"""What was delivered, what was set aside and sent again, against a real Kafka."""

import json
from pathlib import Path

import pytest

from runtime.kafka.topics import apply_topics
from schemas.event import Partner
from schemas.partitioning import partition_of
from schemas.receipts import DeliveryReceipt, ReceiptSegment
from segwire.embedded.kafka.interface import KafkaServer
from tests.support.inspecting import PARTITIONS, Bench
from tests.support.published import USER

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
