"""Outbound destinations as they are deployed: `segwire sink NAME`, and rows written as membership writes them."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import yaml
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from runtime.kafka.topics import apply_topics
from runtime.settings import KafkaSettings
from schemas.avro_codec import decode_receipt, encode_key, encode_membership
from schemas.membership import SegmentMembership
from schemas.partitioning import partition_of
from schemas.receipts import DeliveryReceipt
from schemas.topics import TopicNames, topics_for
from tests.support.kafka import LIMIT_S, read_committed, wait_until
from tests.support.outbound import DPID, key_of

PARTITIONS = 3


class SinkProcess:
    """One destination in a process of its own."""

    def __init__(self, name: str, config: Path, folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}-{uuid.uuid4().hex[:6]}.log"
        self.ready_file = self.log.with_suffix(".ready")
        kept = {key: value for key, value in os.environ.items() if not key.startswith("SEGWIRE_")}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "segwire.cli.main", "sink", name, "--config", str(config), "--port", "0",
                 "--data-dir", str(folder / name), "--ready-file", str(self.ready_file)],
                env=kept, stdout=log, stderr=log,
            )  # fmt: skip

    def wait_ready(self) -> "SinkProcess":
        wait_until(lambda: self.ready_file.exists() or self.process.poll() is not None, f"ready: {self.log}")
        assert self.process.poll() is None, self.said()
        return self

    def kill(self) -> None:
        """End it as the machine's death would."""
        self.process.kill()
        self.process.wait(LIMIT_S)

    def stop(self) -> None:
        """End it as an orchestrator does."""
        if self.process.poll() is None:
            self.process.terminate()
            assert self.process.wait(LIMIT_S) == 0, self.said()

    def said(self) -> str:
        return self.log.read_text()

    def metric(self, sample: str) -> float:
        """Return a sample of the exposition, 0 where it is not there yet."""
        (url,) = json.loads(self.ready_file.read_text())["urls"].values()
        with urlopen(f"{url}/metrics", timeout=LIMIT_S) as answer:
            lines: list[str] = answer.read().decode().splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{sample} ")), 0.0)


class OutboundStage:
    """Topics of a test's own, destinations, and what they read and write."""

    def __init__(self, bootstrap_servers: str, prefix: str, folder: Path) -> None:
        self.names = TopicNames(prefix)
        self.kafka = KafkaSettings(
            bootstrap_servers=bootstrap_servers, topic_prefix=prefix, partitions=PARTITIONS, replication_factor=1
        )
        self.folder = folder
        self.sinks: list[SinkProcess] = []
        self._destinations: dict[str, dict[str, Any]] = {}
        self._producer = Producer({"bootstrap.servers": bootstrap_servers, "enable.idempotence": True, "linger.ms": 2})

    def destination(self, name: str, url: str, **fields: Any) -> None:
        """Configure a destination that gets the segments 1 to 9; `fields` replace or add."""
        self._destinations[name] = {
            "url": url, "client_id": "partner", "destination_id": "7", "dpid": DPID, "allow_plain_http": True,
            "commit_interval_ms": 50, "segments": {str(number): {} for number in range(1, 10)}, **fields,
        }  # fmt: skip

    def start(self, name: str) -> SinkProcess:
        """Start a destination; its topics are created where they are not there."""
        apply_topics(self.kafka, topics_for(self._destinations))
        config = self.folder / "segwire.yaml"
        config.write_text(
            yaml.safe_dump({"kafka": self.kafka.model_dump(mode="json"), "destinations": self._destinations})
        )
        sink = SinkProcess(name, config, self.folder)
        self.sinks.append(sink)
        return sink

    def close(self) -> None:
        for sink in self.sinks:
            if sink.process.poll() is None:
                sink.kill()

    def publish(self, rows: Iterable[SegmentMembership]) -> None:
        """Write rows, each acknowledged."""
        for row in rows:
            self._put(row, encode_membership(row))
        assert self._producer.flush(LIMIT_S) == 0

    def delete(self, row: SegmentMembership) -> None:
        self._put(row, None)
        assert self._producer.flush(LIMIT_S) == 0

    def _put(self, row: SegmentMembership, value: bytes | None) -> None:
        partition = partition_of(row.aam_uuid, PARTITIONS)
        self._producer.produce(self.names.segment_membership, value, encode_key(key_of(row)), partition)
        self._producer.poll(0)

    def receipts(self) -> list[DeliveryReceipt]:
        return [decode_receipt(message.value() or b"") for message in self.read(self.names.delivery_receipts)]

    def dead_letters(self) -> list[Message]:
        return self.read(self.names.dead_letters)

    def behind(self, name: str) -> int:
        """Count the rows that a destination has yet to process."""
        consumer = self._consumer(f"{self.names.prefix}segwire-sink-{name}")
        try:
            where = [TopicPartition(self.names.segment_membership, number) for number in range(PARTITIONS)]
            done = {tp.partition: max(tp.offset, 0) for tp in consumer.committed(where, timeout=LIMIT_S)}
            ends = [consumer.get_watermark_offsets(tp, timeout=LIMIT_S)[1] for tp in where]
        finally:
            consumer.close()
        return sum(end - done[number] for number, end in enumerate(ends))

    def wait_done(self, name: str, limit_s: float = LIMIT_S) -> None:
        wait_until(lambda: self.behind(name) == 0, f"{name} has processed every row", limit_s)

    def read(self, topic: str) -> list[Message]:
        """Return what is committed in a topic, partition after partition."""
        return read_committed(self.kafka.bootstrap_servers or "", topic, PARTITIONS)

    def _consumer(self, group: str) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self.kafka.bootstrap_servers or "", "group.id": group,
                "isolation.level": "read_committed", "enable.auto.commit": False,
            }
        )  # fmt: skip
