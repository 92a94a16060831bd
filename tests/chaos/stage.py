"""What the faults of a run act on: the cluster, the members, and time."""

import time
from collections.abc import Callable
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.chaos.judge import expect
from tests.chaos.member import Member
from tests.chaos.plan import SESSION_S, Plan
from tests.chaos.traffic import INACTIVITY_DAYS, SEGMENT_TTL_DAYS, TOMBSTONE_AFTER_DAYS, TTL_DAYS
from tests.support.cluster import Cluster
from tests.support.kafka import LIMIT_S, wait_until
from tests.support.processors import PARTITIONS, Pipeline

TRANSACTION_S = 5
SETTLE_LIMIT_S = 120.0
_ASK_S = 5.0


class Stage:
    """What the faults of a run act on: the cluster, the members, and time."""

    def __init__(self, plan: Plan, cluster: Cluster, folder: Path) -> None:
        self.plan = plan
        self.cluster = cluster
        self.prefix = f"chaos-{plan.seed}-{time.monotonic_ns() % 100_000}-"
        self.pipeline = Pipeline(cluster.bootstrap_servers, self.prefix, folder)
        self.pipeline.kafka = self.pipeline.kafka.model_copy(update={"replication_factor": 3})
        self.group = f"{self.prefix}segwire-membership"
        servers = cluster.frail_servers if plan.frail else cluster.bootstrap_servers
        self._environment = environment_of(plan, servers, self.prefix)
        self._folder = folder
        self.members = [self.new_member(ordinal) for ordinal in range(plan.members)]
        self.notes: list[str] = []

    def new_member(self, ordinal: int) -> Member:
        return Member(ordinal, self._folder, self._environment)

    def tend(self) -> None:
        for member in self.members:
            member.tend()

    def wait(self, condition: Callable[[], bool], what: str, limit_s: float) -> bool:
        """Wait for a condition while whoever ends is started again; note where it does not come."""

        def tended() -> bool:
            self.tend()
            return condition()

        try:
            wait_until(tended, what, limit_s)
        except AssertionError:
            self.notes.append(f"not within {limit_s:.0f} s: {what}")
            return False
        return True

    def last(self, seconds: float) -> None:
        """Let a fault last, while whoever ends is started again."""
        until_s = time.monotonic() + seconds

        def over() -> bool:
            self.tend()
            return time.monotonic() >= until_s

        wait_until(over, "the fault has lasted", seconds + 60)

    def settle(self) -> None:
        """Wait until everything is processed, and everything published that follows from it and from time."""
        for member in self.members:
            member.wake()
        self.wait(self.all_processed, "every message is processed", SETTLE_LIMIT_S)
        names = self.pipeline.names
        oracle = expect(self.pipeline.read(names.segment_events))
        self.wait(
            lambda: len(self.pipeline.read(names.segment_membership_changes)) >= len(oracle.changes),
            "every change is published", SETTLE_LIMIT_S,
        )  # fmt: skip
        rows = sum(map(len, oracle.published.values()))
        self.wait(
            lambda: len(self.pipeline.read(names.segment_membership)) >= rows,
            "every row and every tombstone is published", SETTLE_LIMIT_S,
        )  # fmt: skip

    def delete_topics(self) -> None:
        """Leave the cluster as it was: hundreds of runs would be too much for it."""
        admin = AdminClient({"bootstrap.servers": self.cluster.bootstrap_servers, "log_level": 0})
        names = [name for name in admin.list_topics(timeout=LIMIT_S).topics if name.startswith(self.prefix)]
        for future in admin.delete_topics(names).values():
            future.result(LIMIT_S)

    def all_processed(self) -> bool:
        """Tell whether the group has committed the end of every partition; its input has no transactions' markers."""
        try:
            offsets, ends = self._progress()
        except KafkaException:
            return False
        return offsets == ends

    def committed(self) -> int:
        """Return how many messages are processed."""
        try:
            return sum(self._progress()[0])
        except KafkaException:
            return 0

    def _progress(self) -> tuple[list[int], list[int]]:
        topic = self.pipeline.names.segment_events
        where = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
        consumer = Consumer({"bootstrap.servers": self.cluster.bootstrap_servers, "group.id": self.group})
        try:
            ends = [consumer.get_watermark_offsets(place, timeout=_ASK_S)[1] for place in where]
            offsets = [max(found.offset, 0) for found in consumer.committed(where, timeout=_ASK_S)]
        finally:
            consumer.close()
        return offsets, ends


def environment_of(plan: Plan, servers: str, prefix: str) -> dict[str, str]:
    """Return the settings of a run's members."""
    membership = {
        "GROUP_PROTOCOL": plan.protocol,
        "COMMIT_INTERVAL_MS": plan.commit_interval_ms,
        "BATCH_RECORDS": plan.batch_records,
        "MAX_TRANSACTION_RECORDS": plan.max_transaction_records,
        "SESSION_TIMEOUT_MS": int(SESSION_S * 1000),
        "TRANSACTION_TIMEOUT_MS": TRANSACTION_S * 1000,
        "WATCHDOG_S": 60,
        "DEFAULT_TTL_DAYS": TTL_DAYS,
        "INACTIVITY_DAYS": INACTIVITY_DAYS,
        "TOMBSTONE_AFTER_DAYS": TOMBSTONE_AFTER_DAYS,
        "REMOVAL_MARKER_DAYS": 36_500,
        **{f"SEGMENTS__{segment}__TTL_DAYS": days for segment, days in SEGMENT_TTL_DAYS.items()},
    }
    return {
        "SEGWIRE_KAFKA__BOOTSTRAP_SERVERS": servers,
        "SEGWIRE_KAFKA__TOPIC_PREFIX": prefix,
        "SEGWIRE_KAFKA__PARTITIONS": str(PARTITIONS),
        "SEGWIRE_LOG__FORMAT": "json",
        **{f"SEGWIRE_MEMBERSHIP__{name}": str(value) for name, value in membership.items()},
    }
