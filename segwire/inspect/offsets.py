"""Asks the brokers for offsets, and asks again while partitions have no leader yet."""

import time
from collections.abc import Collection

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from runtime.clock import Clock
from runtime.errors import SegwireError

Place = tuple[str, int]

EARLIEST = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
LATEST = OffsetSpec.latest()  # type: ignore[no-untyped-call]

_TIMEOUT_S = 30.0
_PAUSE_S = 0.1
# What a topic says while it is being created, or while its leader moves.
_PASSING = frozenset(
    {KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE, KafkaError.UNKNOWN_TOPIC_OR_PART}
)


def find_offsets(
    admin: AdminClient, places: Collection[Place], spec: OffsetSpec, clock: Clock, limit_s: float = 10.0
) -> dict[Place, int]:
    """Return the offset of each partition that `spec` asks for, as a reader of committed records sees it. Blocks.

    -1 is the offset of a time after the last record.

    Raises:
        SegwireError: a partition has no leader within `limit_s`, or the brokers refuse.
    """
    deadline_s = clock.monotonic_s() + limit_s
    while True:
        try:
            return _ask(admin, places, spec)
        except KafkaException as error:
            found: KafkaError = error.args[0]
            if found.code() not in _PASSING or clock.monotonic_s() > deadline_s:
                topics = ", ".join(sorted({topic for topic, _ in places}))
                raise SegwireError(
                    f"topic {topics}: {found.str()}; check that its brokers are up and that this user may read it"
                ) from None
        time.sleep(_PAUSE_S)
        # The client remembers leaders: this makes it learn the present ones.
        admin.list_topics(timeout=_TIMEOUT_S)


def _ask(admin: AdminClient, places: Collection[Place], spec: OffsetSpec) -> dict[Place, int]:
    futures = admin.list_offsets(
        {TopicPartition(topic, partition): spec for topic, partition in places},
        isolation_level=IsolationLevel.READ_COMMITTED,
        request_timeout=_TIMEOUT_S,
    )
    return {(at.topic, at.partition): int(future.result(_TIMEOUT_S).offset) for at, future in futures.items()}
