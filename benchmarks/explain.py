"""How long `segwire explain` takes on a topic of a million changes.

    .venv/bin/python benchmarks/explain.py [--changes 1000000] [--rounds 5]

Starts an embedded Kafka, fills the topics once (about a minute), and runs the command as a user does. CPU is user and
system time of the command; on a machine that does other things the wall time says more about those.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from confluent_kafka import Producer

from runtime.kafka.topics import apply_topics
from runtime.settings import KafkaSettings
from schemas.avro_codec import encode_change, encode_key, encode_membership
from schemas.partitioning import partition_of
from schemas.topics import TopicNames
from segwire.embedded.kafka.progress import NoProgress
from segwire.embedded.kafka.server import EmbeddedKafka
from tests.support.published import ENTERED_MS, change, key, row

PARTITIONS = 12
SEGMENTS = 50


def fill(kafka: KafkaSettings, changes: int) -> str:
    """Publish as many changes, and a row for each second one; return a user."""
    names = TopicNames(kafka.topic_prefix)
    producer = Producer(
        {
            "bootstrap.servers": kafka.bootstrap_servers or "",
            "linger.ms": 50,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    users = [f"{number:038d}" for number in range(1, changes // SEGMENTS + 1)]
    for segment in range(SEGMENTS):
        for user in users:
            partition, at = partition_of(user, PARTITIONS), ENTERED_MS + segment
            which = {"aam_uuid": user, "segment_id": str(segment), "version": at}
            value = encode_change(change(**which, changed_at=at))
            producer.produce(names.segment_membership_changes, value, user.encode(), partition)
            if segment % 2 == 0:
                name = encode_key(key(aam_uuid=user, segment_id=str(segment)))
                producer.produce(names.segment_membership, encode_membership(row(**which)), name, partition)
        producer.flush()
    return users[len(users) // 2]


def explain(kafka: KafkaSettings, user: str) -> tuple[float, float]:
    """Run the command; return its wall and CPU time in seconds."""
    before, began_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "segwire.cli.main", "explain", user, "--json"], check=True, capture_output=True,
        env={**os.environ, "SEGWIRE_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers or ""},
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - began_s, cpu_s


def main() -> None:
    """Fill, explain, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedKafka(Path(folder), port=0, progress=NoProgress())
        server.start()
        try:
            kafka = KafkaSettings(
                bootstrap_servers=server.bootstrap_servers, partitions=PARTITIONS, replication_factor=1
            )  # fmt: skip
            apply_topics(kafka)
            user = fill(kafka, chosen.changes)
            for _ in range(chosen.rounds):
                wall_s, cpu_s = explain(kafka, user)
                print(f"wall {wall_s:.2f} s, CPU {cpu_s:.2f} s, load average {os.getloadavg()[0]:.0f}")
        finally:
            server.stop()


if __name__ == "__main__":
    main()
