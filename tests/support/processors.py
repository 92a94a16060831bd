"""The two processors as real child processes on a real Kafka, and what they read and write."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from urllib.request import urlopen

from confluent_kafka import Consumer, Message, Producer, TopicPartition

from runtime.kafka.asking import committed
from runtime.kafka.topics import apply_topics
from runtime.settings import KafkaSettings
from schemas.avro_codec import decode_change, decode_membership
from schemas.event import SegmentEvent, decode_event
from schemas.membership import SegmentMembership, SegmentMembershipChange
from schemas.partitioning import partition_of
from schemas.topics import TopicNames
from tests.support.kafka import LIMIT_S, read_committed, wait_until

PARTITIONS = 3


class Service:
    """One processor as `segwire process NAME`, or another command, in a process of its own."""

    def __init__(
        self, name: str, environment: dict[str, str], folder: Path, words: Sequence[str] | None = None
    ) -> None:
        self.name = name
        self.log = folder / f"{name}-{uuid.uuid4().hex[:6]}.log"
        self.ready_file = self.log.with_suffix(".ready")
        command = [sys.executable, "-m", "segwire.cli.main", *(words or ("process", name)), "--port", "0"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--data-dir", str(folder), "--ready-file", str(self.ready_file)],
                env={**os.environ, **environment}, stdout=log, stderr=log,
            )  # fmt: skip

    def wait_ready(self) -> "Service":
        wait_until(lambda: self.ready_file.exists() or self.process.poll() is not None, f"ready: {self.log}")
        assert self.process.poll() is None, self.said()
        return self

    def wait_end(self) -> int:
        return self.process.wait(LIMIT_S)

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


class Pipeline:
    """Fan-out and membership over topics of their own."""

    def __init__(self, bootstrap_servers: str, prefix: str, folder: Path) -> None:
        self.names = TopicNames(prefix)
        self.kafka = KafkaSettings(
            bootstrap_servers=bootstrap_servers, topic_prefix=prefix, partitions=PARTITIONS, replication_factor=1
        )
        self.folder = folder
        self.environment = {
            "SEGWIRE_KAFKA__BOOTSTRAP_SERVERS": bootstrap_servers,
            "SEGWIRE_KAFKA__TOPIC_PREFIX": prefix,
            "SEGWIRE_KAFKA__PARTITIONS": str(PARTITIONS),
            "SEGWIRE_KAFKA__REPLICATION_FACTOR": "1",
            "SEGWIRE_MEMBERSHIP__COMMIT_INTERVAL_MS": "50",
            "SEGWIRE_FAN_OUT__COMMIT_INTERVAL_MS": "50",
        }
        self.services: list[Service] = []
        self._producer = Producer({"bootstrap.servers": bootstrap_servers, "enable.idempotence": True, "linger.ms": 2})

    def create_topics(self) -> None:
        apply_topics(self.kafka)

    def start(self, name: str, folder: Path | None = None, **environment: str) -> Service:
        service = Service(name, {**self.environment, **environment}, folder or self.folder)
        self.services.append(service)
        return service

    def start_sink(self, name: str, **environment: str) -> Service:
        words = ("sink", name)
        service = Service(f"sink-{name}", {**self.environment, **environment}, self.folder, words)
        self.services.append(service)
        return service

    def stop(self) -> None:
        """Stop every service, in the order of the way of a message."""
        for service in self.services:
            service.stop()

    def close(self) -> None:
        """Kill what still runs."""
        for service in self.services:
            if service.process.poll() is None:
                service.kill()

    def post(
        self, bodies: Sequence[bytes], received_at: int, headers: Sequence[tuple[str, bytes]] = (),
        appended_at: int | None = None,
    ) -> None:  # fmt: skip
        """Write bodies as the endpoint would, now or at `appended_at` (epoch ms); each is acknowledged."""
        appended = {} if appended_at is None else {"timestamp": appended_at}
        stamp = [("segwire-source", b"dev"), ("segwire-received-at-ms", b"%d" % received_at), *headers]
        for body in bodies:
            self._producer.produce(self.names.aam_posts, body, headers=stamp, **appended)  # type: ignore[arg-type]
        assert self._producer.flush(LIMIT_S) == 0

    def put(self, topic: str, key: bytes, value: bytes) -> None:
        """Write a record to a user-keyed topic."""
        partition = partition_of(key.decode(), PARTITIONS)
        self._producer.produce(topic, value, key, partition)
        assert self._producer.flush(LIMIT_S) == 0

    def wait_processed(self) -> None:
        """Wait until both groups have committed all there is."""
        wait_until(lambda: self._behind("fan-out", self.names.aam_posts) == 0, "fan-out is at the end")
        wait_until(lambda: self._behind("membership", self.names.segment_events) == 0, "membership is at the end")

    def metric(self, service: Service, sample: str) -> float:
        """Return a sample of a service's exposition, 0 where it is not there yet."""
        url = json.loads(service.ready_file.read_text())["urls"][f"{service.name}-management"]
        with urlopen(f"{url}/metrics", timeout=LIMIT_S) as answer:
            lines: list[str] = answer.read().decode().splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{sample} ")), 0.0)

    def events(self) -> list[SegmentEvent]:
        """Return the events in the order of each partition, which is all the order that there is."""
        found = [decode_event(message.value() or b"") for message in self.read(self.names.segment_events)]
        return [event for event in found if isinstance(event, SegmentEvent)]

    def changes(self) -> list[SegmentMembershipChange]:
        return [decode_change(m.value() or b"") for m in self.read(self.names.segment_membership_changes)]

    def rows(self) -> list[SegmentMembership]:
        return [decode_membership(m.value() or b"") for m in self.read(self.names.segment_membership)]

    def read(self, topic: str) -> list[Message]:
        """Return what is committed in a topic, partition after partition."""
        return read_committed(self.kafka.bootstrap_servers or "", topic, PARTITIONS)

    def committed(self) -> int:
        """Return how far membership is, over all partitions (markers of transactions included)."""
        return sum(max(offset, 0) for offset in self._committed("membership", self.names.segment_events).values())

    def wait_sunk(self, name: str, limit_s: float = LIMIT_S) -> None:
        """Wait until a PostgreSQL sink has committed all there is."""
        names = self.names
        loops = {f"sink-{name}": names.segment_membership, f"sink-{name}:changes": names.segment_membership_changes}
        for loop, topic in loops.items():
            wait_until(lambda at=(loop, topic): self._behind(*at) == 0, f"{loop} is at the end", limit_s)  # type: ignore[misc]

    def _committed(self, processor: str, topic: str) -> dict[int, int]:
        consumer = self._consumer(f"{self.names.prefix}segwire-{processor}")
        try:
            where = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
            return {tp.partition: tp.offset for tp in committed(consumer, where, LIMIT_S)}
        finally:
            consumer.close()

    def _behind(self, processor: str, topic: str) -> int:
        """Count the records that a group has yet to process; markers of transactions do not count."""
        offsets = self._committed(processor, topic)
        return sum(1 for m in self.read(topic) if (m.offset() or 0) >= max(offsets[m.partition() or 0], 0))

    def _consumer(self, group: str) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self.kafka.bootstrap_servers or "", "group.id": group,
                "isolation.level": "read_committed", "enable.auto.commit": False,
            }
        )  # fmt: skip
