"""Makes the start cache, in the background: `python -m segwire.embedded.kafka.training CACHE_DIR`.

A broker of its own is started, used by a producer and a consumer, and stopped, while the Java runtime records what it
loads; from that it makes the cache. It is a process by itself, at a low priority, so that it holds up nothing and
nobody. It takes a quarter of a minute, once per Java runtime.
"""

import contextlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from segwire.embedded.kafka.broker import Broker
from segwire.embedded.kafka.cache import exclusive_or_none
from segwire.embedded.kafka.download import fetch_by_jgo
from segwire.embedded.kafka.errors import EmbeddedKafkaError
from segwire.embedded.kafka.jars import JarCache
from segwire.embedded.kafka.java import Java, find_java, prune_start_caches, start_cache_path
from segwire.embedded.kafka.pins import load_pins
from segwire.embedded.kafka.ports import HOST, any_free_port
from segwire.embedded.kafka.progress import NoProgress
from segwire.embedded.kafka.storage import Storage
from segwire.embedded.process import BoundProcess

SCRATCH_PREFIX = ".training-"
RECORDS = 2000
LIMIT_S = 60.0
# A tenth of what others get. With the least there is, it would never end beside a test suite that keeps all cores busy.
NICENESS = 10


def train(cache_dir: Path) -> None:
    """Make the start cache unless it is there, or another process makes it. Blocks."""
    java = find_java(JarCache(cache_dir, load_pins(), fetch_by_jgo, NoProgress()).ensure())
    with exclusive_or_none(cache_dir / ".training-lock") as free:
        target = start_cache_path(java, cache_dir)
        if not free or target.exists():
            return
        for leftover in cache_dir.glob(f"{SCRATCH_PREFIX}*/"):
            shutil.rmtree(leftover, ignore_errors=True)
        scratch = Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX, dir=cache_dir))
        try:
            made = _make(java, scratch)
            made.replace(target)
            prune_start_caches(cache_dir)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _make(java: Java, scratch: Path) -> Path:
    storage, recorded, made = Storage(scratch / "kafka"), scratch / "recorded", scratch / "made.aot"
    storage.make()
    port = any_free_port()
    Broker(java, storage, 0).format()
    broker = Broker(java, storage, port, ["-XX:AOTMode=record", f"-XX:AOTConfiguration={recorded}"])
    broker.start()
    try:
        _use(f"{HOST}:{port}")
    finally:
        broker.stop(LIMIT_S)  # the recording is written in the end
    flags = ["-XX:AOTMode=create", f"-XX:AOTConfiguration={recorded}", f"-XX:AOTCache={made}"]
    assembly = BoundProcess(
        java.command("kafka.Kafka", [], log=storage.log, flags=flags),
        environment=java.environment(),
        output=scratch / "assembly.log",
    )
    code = assembly.wait()
    if code != 0 or not made.exists():
        raise EmbeddedKafkaError(f"The Java runtime made no start cache (exit code {code})")
    return made


def _use(servers: str) -> None:
    """Do what the pipeline does, so that the code for it is in the cache: transactions, groups, fetches."""
    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic("training", 2, 1, config={"cleanup.policy": "compact"})])["training"].result()
    producer = Producer({"bootstrap.servers": servers, "transactional.id": "training", "acks": "all"})
    producer.init_transactions(LIMIT_S)
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "training",
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )
    with contextlib.closing(consumer):
        consumer.subscribe(["training"])
        producer.begin_transaction()
        for number in range(RECORDS):
            producer.produce("training", b"x" * 500, key=b"%d" % number)
            producer.poll(0)
        producer.commit_transaction(LIMIT_S)
        for _ in range(int(LIMIT_S)):
            if consumer.poll(1.0) is not None:
                break
        producer.begin_transaction()
        positions = consumer.position(consumer.assignment())
        producer.send_offsets_to_transaction(positions, consumer.consumer_group_metadata(), LIMIT_S)
        producer.commit_transaction(LIMIT_S)


def main() -> None:
    """Run at a low priority; a failure is told by the exit code and the output alone."""
    os.nice(NICENESS)
    train(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
