"""What the open transaction holds, and how it ends: outputs, offsets and state together, or nothing (invariant I2)."""

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from confluent_kafka import TopicPartition

from runtime import metrics
from runtime.assignment import Assignment
from runtime.clock import Clock
from runtime.injection import reach
from runtime.kafka.transaction import OutcomeUnknown, TransactionAborted, TransactionalProducer, TransactionDoomed
from runtime.processor import InputRecord, OutputRecord
from runtime.state.durable import DurableState

_log = structlog.get_logger()

_CLOCK_DIFFERENCE_MAX_MS = 5_000
_TIMERS_STOPPED_S = 30.0
_POLL_EVERY_RECORDS = 1024


class OpenTransaction:
    """One transaction after the other."""

    def __init__(
        self, *, name: str, producer: TransactionalProducer, state: DurableState[Any] | None, assignment: Assignment,
        clock: Clock,
    ) -> None:  # fmt: skip
        """Write with `producer`, and commit the offsets of `assignment` and the changes of `state` with it."""
        self._labels = {"processor": name}
        self._producer = producer
        self._state = state
        self._assignment = assignment
        self._clock = clock
        self._opened_s = 0.0
        self.first: dict[int, int] = {}  # partition -> first offset
        self.records = 0
        self.outputs: dict[str, int] = {}
        self.fired = False
        self.timers_stopped_until_s = 0.0

    @property
    def is_open(self) -> bool:
        """Whether there is one."""
        return self._producer.open

    @property
    def is_empty(self) -> bool:
        """Whether committing it would change nothing."""
        return not self.records and not self.outputs and not self.fired

    def open(self) -> None:
        """Begin one, where none is open."""
        if not self._producer.open:
            self._producer.begin()
            self._opened_s = self._clock.monotonic_s()

    def open_ms(self) -> float:
        """Return for how long it has been open."""
        return (self._clock.monotonic_s() - self._opened_s) * 1000

    def include(self, records: Sequence[InputRecord]) -> None:
        """Take in records that are to be processed."""
        for record in records:
            self.first.setdefault(record.partition, record.offset)
        self.records += len(records)
        self._assignment.advance(records)

    def exclude(self, records: Sequence[InputRecord]) -> None:
        """Let records come again that were included last, and of which nothing was produced."""
        self.records -= len(records)
        first: dict[int, int] = {}
        for record in records:
            first.setdefault(record.partition, record.offset)
        self._assignment.rewind(first)
        for partition, offset in first.items():
            if self.first[partition] == offset and not self.fired:
                del self.first[partition]

    def fire(self, partitions: Sequence[int]) -> None:
        """Take in timers of these partitions; the offsets are committed, too, and so fenced by the generation (I3)."""
        for partition in partitions:
            self.first.setdefault(partition, self._assignment.next[partition])
        self.fired = True

    def produce(self, outputs: Iterable[OutputRecord]) -> None:
        """Add records.

        Raises:
            TransactionAborted: the broker did not take what is queued in time; `RecordsFailed`: nor ever will.
            FencedError: another process has the transactional ID.
        """
        produce, counts = self._producer.produce, self.outputs
        for count, output in enumerate(outputs, 1):
            try:
                produce(output)
            except TransactionDoomed:
                self._producer.raise_failure(self._offsets(""), self._assignment.group_metadata())
            topic = output.topic
            counts[topic] = counts.get(topic, 0) + 1
            if count % _POLL_EVERY_RECORDS == 0:
                self._producer.poll()

    def commit(self) -> None:
        """Commit, and store the state; where the outcome is uncertain, find out what it was.

        Raises:
            TransactionAborted: it did not happen; `abandon` it. `RecordsFailed`: by what was in it.
            FencedError: another process has the transactional ID.
        """
        # The token in the offsets' metadata tells later whether this very transaction was committed.
        token = uuid.uuid4().hex
        offsets = self._offsets(token)
        began_s = self._clock.monotonic_s()
        try:
            if self._state is not None:
                self._state.write_changelog(self._producer)
                self._check_clock(self._state)
            reach("changelog-written")
            self._producer.commit(offsets, self._assignment.group_metadata())
            reach("committed")
        except TransactionDoomed:
            self._producer.raise_failure(offsets, self._assignment.group_metadata())
        except OutcomeUnknown as unknown:
            _log.warning("commit_outcome_unknown", detail=str(unknown))
            self._producer.replace()
            metrics.PRODUCERS_REPLACED.labels(**self._labels).inc()
            if not self._assignment.was_committed(sorted(self.first), token):
                raise TransactionAborted(str(unknown)) from None
        metrics.COMMIT_SECONDS.labels(**self._labels).observe(self._clock.monotonic_s() - began_s)
        if self._state is not None:
            self._state.committed()
        reach("stored")

    def abandon(self) -> None:
        """End it without effect."""
        if self._producer.open:
            self._producer.abort()
        if self._state is not None:
            self._state.aborted()

    def count(self) -> None:
        """Count what was committed."""
        metrics.RECORDS_IN.labels(**self._labels).inc(self.records)
        for topic, count in self.outputs.items():
            metrics.RECORDS_OUT.labels(topic=topic, **self._labels).inc(count)

    def clear(self) -> None:
        """Forget what was in it."""
        self.first.clear()
        self.outputs.clear()
        self.records = 0
        self.fired = False

    def _offsets(self, token: str) -> list[TopicPartition]:
        return self._assignment.offsets(sorted(self.first), token)

    def _check_clock(self, state: DurableState[Any]) -> None:
        """Put timers off where our clock and the broker's differ: an exit must never come early."""
        if not self.fired:
            return
        self._producer.flush()
        difference_ms = state.clock_difference_ms()
        if difference_ms is None:
            return
        metrics.CLOCK_DIFFERENCE.labels(**self._labels).set(difference_ms / 1000)
        if abs(difference_ms) > _CLOCK_DIFFERENCE_MAX_MS:
            metrics.TIMERS_STOPPED.labels(**self._labels).inc()
            _log.error("timers_stopped", clock_difference_ms=difference_ms, limit_ms=_CLOCK_DIFFERENCE_MAX_MS)
            self.timers_stopped_until_s = self._clock.monotonic_s() + _TIMERS_STOPPED_S
            raise TransactionAborted("our clock and the broker's differ")
