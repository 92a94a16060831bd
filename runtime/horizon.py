"""Up to when timers may fire: no record that was received before may still wait.

The same log tells the same story however late it is processed; a timer that overtook a waiting record would publish an
exit that the record prevents. So a time counts as reached when every processor upstream has committed all that was
appended before it, and when this one has then processed its own input to the end. A time is asked for a little in the
past, as a message is appended a little after it was received.
"""

import threading
from collections.abc import Mapping
from typing import NamedTuple

import structlog
from confluent_kafka import Consumer, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from runtime import metrics
from runtime.clock import Clock
from runtime.kafka.asking import committed, list_offsets
from runtime.state.changelog import extents

_log = structlog.get_logger()

GRACE_MS = 5_000
_CHECK_S = 1.0
_TIMEOUT_S = 10.0


class _Candidate(NamedTuple):
    at_ms: int
    ends: Mapping[int, int]


class Horizon:
    """Asks the cluster from a thread of its own; the loop compares with its positions."""

    def __init__(
        self, admin: AdminClient, member: Consumer, input_topic: str, upstream_topic: str, clock: Clock
    ) -> None:  # fmt: skip
        """Watch what feeds `input_topic`; `member` is of the group that reads `upstream_topic`, assigned nothing."""
        self._admin = admin
        self._member = member
        self._input_topic = input_topic
        self._upstream_topic = upstream_topic
        self._clock = clock
        self._candidate: _Candidate | None = None
        self._reached_ms = 0
        self._over: set[int] = set()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="horizon", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._done.set()
        if self._thread.is_alive():
            self._thread.join()
        self._member.close()

    def reached_ms(self, positions: Mapping[int, int]) -> int:
        """Return the time up to which timers may fire in these partitions, 0 for none yet.

        `positions` are the next offsets of the partitions that are processed, past the markers of transactions.
        """
        if not positions.keys() <= self._over:
            # Another partition: its own records may wait.
            self._over, self._candidate, self._reached_ms = set(positions), None, 0
        candidate = self._candidate
        if candidate is not None and all(offset >= candidate.ends.get(p, 0) for p, offset in positions.items()):
            self._reached_ms = candidate.at_ms
            self._candidate = None
        return self._reached_ms

    def _run(self) -> None:
        while not self._done.wait(_CHECK_S):
            if self._candidate is not None:
                continue
            try:
                self._candidate = self._look(self._clock.now_ms() - GRACE_MS)
                metrics.HORIZON_CHECKS.labels(result="waiting" if self._candidate is None else "free").inc()
            except KafkaException as error:
                _log.info("horizon_unknown", detail=error.args[0].str())
            except TimeoutError:
                _log.info("horizon_unknown", detail="no answer")

    def _look(self, at_ms: int) -> _Candidate | None:
        """Return `at_ms` and the end of the input then, None while something upstream still waits."""
        partitions = self._partitions(self._upstream_topic)
        done = self._committed(partitions)
        begun = extents(self._admin, self._upstream_topic, partitions)
        asked = {TopicPartition(self._upstream_topic, p): OffsetSpec.for_timestamp(at_ms) for p in partitions}
        found = list_offsets(self._admin, asked, IsolationLevel.READ_UNCOMMITTED, _TIMEOUT_S)
        for (_, partition), offset in found.items():
            wanted = offset if offset >= 0 else begun[partition].end
            if done.get(partition, begun[partition].start) < wanted:
                return None
        own = extents(self._admin, self._input_topic, self._partitions(self._input_topic))
        return _Candidate(at_ms, {partition: extent.end for partition, extent in own.items()})

    def _partitions(self, topic: str) -> list[int]:
        return sorted(self._admin.list_topics(topic, timeout=_TIMEOUT_S).topics[topic].partitions)

    def _committed(self, partitions: list[int]) -> dict[int, int]:
        wanted = [TopicPartition(self._upstream_topic, partition) for partition in partitions]
        return {tp.partition: tp.offset for tp in committed(self._member, wanted, _TIMEOUT_S) if tp.offset >= 0}
