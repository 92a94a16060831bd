"""Asks the brokers for offsets, and asks again while partitions have no leader yet."""

import time
from collections.abc import Collection

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from runtime.clock import Clock
from runtime.errors import SegwireError
from runtime.kafka.asking import list_offsets, passes

Place = tuple[str, int]

EARLIEST = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
LATEST = OffsetSpec.latest()  # type: ignore[no-untyped-call]

_TIMEOUT_S = 30.0
_PAUSE_S = 0.1


def find_offsets(
    admin: AdminClient, places: Collection[Place], spec: OffsetSpec, clock: Clock, limit_s: float = 10.0
) -> dict[Place, int]:
    """Return the offset of each partition that `spec` asks for, as a reader of committed records sees it. Blocks.

    -1 is the offset of a time after the last record.

    Raises:
        SegwireError: a partition has no leader within `limit_s`, or the brokers refuse.
    """
    wanted = {TopicPartition(topic, partition): spec for topic, partition in places}
    deadline_s = clock.monotonic_s() + limit_s
    while True:
        try:
            return list_offsets(admin, wanted, IsolationLevel.READ_COMMITTED, _TIMEOUT_S)
        except KafkaException as error:
            found: KafkaError = error.args[0]
            if not _may_pass(found) or clock.monotonic_s() > deadline_s:
                topics = ", ".join(sorted({topic for topic, _ in places}))
                raise SegwireError(
                    f"topic {topics}: {found.str()}; check that its brokers are up and that this user may read it"
                ) from None
        time.sleep(_PAUSE_S)


def _may_pass(error: KafkaError) -> bool:
    """Tell whether to ask again: a leader moves, or the topic is just being created."""
    return passes(error) or error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
