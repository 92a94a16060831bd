"""What tests of the inspecting commands need: topics of their own, a writer, the command line."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, Message, Producer

from runtime.clock import SystemClock
from runtime.settings import KafkaSettings
from schemas.avro_codec import encode_change, encode_key, encode_membership, encode_receipt
from schemas.membership import SegmentMembership, SegmentMembershipChange
from schemas.partitioning import partition_of
from schemas.receipts import DeliveryReceipt
from segwire.cli.main import main
from segwire.embedded.kafka.interface import KafkaServer
from segwire.inspect.history import key_of
from tests.support.kafka import LIMIT_S, wait_until_readable

PARTITIONS = 3

Headers = list[tuple[str, str | bytes | None]]


class Bench:
    """A Kafka with topics of its own, a writer, and the command line pointed at it."""

    def __init__(self, kafka: KafkaServer, prefix: str, directory: Path, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture
        self.servers = kafka.bootstrap_servers
        self.prefix = prefix
        self.directory = directory
        self.settings = KafkaSettings(
            bootstrap_servers=kafka.bootstrap_servers,
            topic_prefix=prefix,
            partitions=PARTITIONS,
            replication_factor=1,
        )
        # Output buffered as it is by default: what is flushed too late, or twice, would not show otherwise.
        self.env = {
            **{n: v for n, v in os.environ.items() if not n.startswith("SEGWIRE_") and n != "PYTHONUNBUFFERED"},
            "SEGWIRE_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "SEGWIRE_KAFKA__TOPIC_PREFIX": prefix,
            "SEGWIRE_KAFKA__PARTITIONS": str(PARTITIONS),
            "SEGWIRE_KAFKA__REPLICATION_FACTOR": "1",
        }

    def run(self, *args: str, code: int = 0, **env: str) -> str:
        """Run a command; return what it printed (with its errors where it must fail)."""
        with pytest.MonkeyPatch.context() as patch:
            for name in os.environ:
                if name.startswith("SEGWIRE_"):
                    patch.delenv(name)
            for name, value in {**self.env, **env}.items():
                patch.setenv(name, value)
            patch.chdir(self.directory)
            patch.setattr(sys, "argv", ["segwire", *args])
            with pytest.raises(SystemExit) as ended:
                main()
        printed = self._capture.readouterr()
        assert ended.value.code == code, printed.out + printed.err
        return printed.out + (printed.err if code else "")

    def lines(self, *args: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.run("topics", "read", *args).splitlines()]

    @contextmanager
    def transaction(self, *, commit: bool = True) -> Iterator["Writer"]:
        producer = Producer(
            {"bootstrap.servers": self.servers, "transactional.id": f"{self.prefix}writer", "log_level": 0}
        )
        producer.init_transactions(LIMIT_S)
        producer.begin_transaction()
        yield Writer(producer, self.prefix)
        producer.flush(LIMIT_S)
        if commit:
            producer.commit_transaction(LIMIT_S)
        else:
            producer.abort_transaction(LIMIT_S)
        self.settle()

    def settle(self) -> None:
        """Wait until readers of committed records see what was committed; nothing may be in a transaction now."""
        wait_until_readable(self.servers, self.prefix)


class Writer:
    """Publishes as the services do."""

    def __init__(self, producer: Producer, prefix: str) -> None:
        self._producer = producer
        self._prefix = prefix

    def put(
        self, topic: str, value: bytes | None, *, key: bytes | None = None, partition: int = 0, at: int = 0,
        headers: Headers | None = None,
    ) -> None:  # fmt: skip
        failures: list[KafkaError] = []

        def note(error: KafkaError | None, _: Message) -> None:
            failures.extend([error] if error else [])

        self._producer.produce(
            self._prefix + topic,
            value,
            key,
            partition=partition,
            timestamp=at or SystemClock().now_ms(),
            headers=headers or [],
            on_delivery=note,
        )
        assert self._producer.flush(LIMIT_S) == 0
        assert not failures

    def row(self, row: SegmentMembership, *, tombstone: bool = False) -> None:
        value = None if tombstone else encode_membership(row)
        partition = partition_of(row.aam_uuid, PARTITIONS)
        self.put("segment-membership", value, key=encode_key(key_of(row)), partition=partition)

    def change(self, change: SegmentMembershipChange) -> None:
        partition = partition_of(change.aam_uuid, PARTITIONS)
        key = change.aam_uuid.encode()
        self.put("segment-membership-changes", encode_change(change), key=key, partition=partition)

    def receipt(self, receipt: DeliveryReceipt) -> None:
        partition = partition_of(receipt.aam_uuid, PARTITIONS)
        key = receipt.aam_uuid.encode()
        self.put("delivery-receipts", encode_receipt(receipt), key=key, partition=partition)
