"""The loop that hosts a processor: fetch, process, and commit outputs, offsets and state in one transaction.

Invariants: I1 the local store holds nothing that is not committed; I2 offsets, outputs, state and dead letters share
one transaction; I3 one writer per partition, by the group's generation in each commit. Source: design, *Membership*;
KIP-447.
"""

import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from runtime import metrics
from runtime.clock import Clock
from runtime.errors import InvariantError, SegwireError
from runtime.horizon import Horizon
from runtime.injection import reach
from runtime.kafka.asking import committed, raise_if_over
from runtime.kafka.transaction import OutcomeUnknown, TransactionAborted, TransactionalProducer
from runtime.lag import LagMeter
from runtime.processor import InputRecord, OutputRecord, Processor
from runtime.service import StopSignal
from runtime.settings import ProcessorSettings
from runtime.standing import Standing
from runtime.state.durable import DurableState
from runtime.watchdog import Watchdog

_log = structlog.get_logger()

_IDLE_FETCH_S = 0.1
_FETCH_S = 0.05
_PUNCTUATE_S = 1.0
_COMMITTED_TIMEOUT_S = 30.0
_CLOCK_DIFFERENCE_MAX_MS = 5_000
_TIMERS_STOPPED_S = 30.0
_POLL_EVERY_RECORDS = 1024


class TransactionLoop:
    """Runs one processor over one input topic in one thread."""

    def __init__(
        self, *, name: str, topic: str, settings: ProcessorSettings, consumer: Consumer,
        producer: TransactionalProducer, processor: Processor, state: DurableState[Any] | None, clock: Clock,
        horizon: Horizon | None = None,
    ) -> None:  # fmt: skip
        """Host `processor`; without `state` it keeps nothing between records, without `horizon` it has no timers."""
        self._labels = {"processor": name}
        self._topic = topic
        self._settings = settings
        self._consumer = consumer
        self._producer = producer
        self._processor = processor
        self._state = state
        self._clock = clock
        self._horizon = horizon
        self._lag = LagMeter(consumer, topic, clock, name)
        self._standing = Standing(consumer)
        self._expelled = False
        self._assigned: set[int] = set()
        self._joined = False
        self._rewound: set[int] = set()  # rolled back while a batch was being fetched
        self._next: dict[int, int] = {}  # partition -> next offset, processed or committed
        self._end: dict[int, int] = {}  # partition -> the end that was reached, past the markers of transactions
        self._first: dict[int, int] = {}  # partition -> first offset of the open transaction
        self._records = 0
        self._outputs: dict[str, int] = {}
        self._opened_s = 0.0
        self._punctuated_s = 0.0
        self._fired = False
        self._timers_stopped_until_s = 0.0
        self._failure: Exception | None = None
        self._watchdog = Watchdog(name, settings.watchdog_s, clock)

    def not_ready(self) -> str | None:
        """Return None when every assigned partition is being processed, else what is missing."""
        if not self._joined:
            return "waiting for the group to assign partitions"
        if self._state is not None and self._state.restoring():
            return "restoring state from the changelog"
        return None

    def run(self, stop: StopSignal) -> None:
        """Process until `stop` is set; then commit what is open and leave.

        Raises:
            SegwireError: fenced by another process, a torn transaction.
            KafkaException: an error that only a restart can mend.
        """
        self._subscribe()
        self._watchdog.start()
        if self._horizon is not None:
            self._horizon.start()
        try:
            while not stop.is_set():
                self._step()
                self._watchdog.stepped()
            if self._producer.open:
                self._commit()
        finally:
            # What is open is ended by the next process, too, should this fail.
            with suppress(SegwireError, KafkaException):
                if self._producer.open:
                    self._abandon()
            self._consumer.close()
            self._watchdog.stop()
            if self._horizon is not None:
                self._horizon.stop()

    def _subscribe(self) -> None:
        self._consumer.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def _step(self) -> None:
        if self._assigned and not self._expelled and self._standing.is_lost():
            self._leave()
        if self._expelled:
            self._come_back()
            return
        self._resume_restored()
        try:
            # Timers before records, and before any is fetched: an abort here leaves none behind.
            self._punctuate()
            self._process(self._fetch())
            if self._commit_is_due():
                self._commit()
        except TransactionAborted as aborted:
            self._roll_back(str(aborted))
        self._lag.refresh(self._assigned, self._next)
        if self._lag.behind == 0 or (self._state is not None and self._state.restoring()):
            self._watchdog.progressed()

    def _leave(self) -> None:
        """Give up every partition: others have processed them in the meantime."""
        _log.warning("expelled_from_group", partitions=sorted(self._assigned))
        if self._producer.open:
            self._roll_back("expelled from the group")
        self._expelled = True
        self._consumer.unsubscribe()

    def _come_back(self) -> None:
        """Join again once nothing is held any more: then whoever has the partitions commits before they are given."""
        self._fetch()
        if not self._assigned:
            self._expelled = False
            self._subscribe()

    def _fetch(self) -> list[InputRecord]:
        self._rewound.clear()
        wait_s = _FETCH_S if self._producer.open else _IDLE_FETCH_S
        messages = self._consumer.consume(self._settings.batch_records, wait_s)
        if self._failure is not None:
            raise self._failure
        reach("fetched")
        records = [record for record in map(self._record, messages) if record is not None]
        # What came after the seek, in the same fetch, was dropped with what came before it.
        for partition in sorted(self._rewound & self._assigned):
            self._seek(partition, self._next[partition])
        return records

    def _record(self, message: Message) -> InputRecord | None:
        error = message.error()
        partition, offset = message.partition(), message.offset()
        if error is not None:
            raise_if_over(error)
            if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name for it
                _log.warning("fetch_error", code=error.name(), detail=error.str())
            elif partition is not None and offset is not None and partition not in self._rewound:
                self._end[partition] = offset
            return None
        if partition is None or offset is None or partition not in self._assigned or partition in self._rewound:
            return None
        if self._state is not None and partition not in self._state.active:
            raise InvariantError(
                f"partition {partition}: a record came at offset {offset} before its state was restored"
            )
        return InputRecord(partition, offset, message.key(), message.value(), message.headers(), message.timestamp()[1])  # type: ignore[arg-type]

    def _process(self, records: Sequence[InputRecord]) -> None:
        if not records:
            return
        self._open()
        for record in records:
            self._first.setdefault(record.partition, record.offset)
            self._next[record.partition] = record.offset + 1
        self._lag.processed(records[-1].timestamp_ms)
        self._produce(self._processor.process(records))
        self._records += len(records)
        reach("processed")

    def _punctuate(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s - self._punctuated_s < _PUNCTUATE_S or now_s < self._timers_stopped_until_s:
            return
        self._punctuated_s = now_s
        active = self._assigned if self._state is None else self._state.active & self._assigned
        # A commit without an input offset would not be fenced by the group's generation (I3).
        partitions = [partition for partition in active if partition in self._next]
        if not partitions:
            return
        until_ms = self._timers_until_ms(partitions)
        outputs = self._processor.punctuate(until_ms, partitions)
        # Timers moved without a word have to be stored too: else the same ones fill every turn, and no other gets one.
        if outputs or (self._state is not None and self._state.pending()):
            self._open()
            for partition in partitions:
                self._first.setdefault(partition, self._next[partition])
            self._fired = True
            self._produce(outputs)
            reach("fired")

    def _timers_until_ms(self, partitions: list[int]) -> int:
        """Return the time up to which timers may fire: none may overtake a record that still waits."""
        if self._horizon is None:
            return self._clock.now_ms()
        return self._horizon.reached_ms({p: max(self._next[p], self._end.get(p, 0)) for p in partitions})

    def _open(self) -> None:
        if not self._producer.open:
            self._producer.begin()
            self._opened_s = self._clock.monotonic_s()

    def _produce(self, outputs: Iterable[OutputRecord]) -> None:
        produce, counts = self._producer.produce, self._outputs
        for count, output in enumerate(outputs, 1):
            produce(output)
            topic = output.topic
            counts[topic] = counts.get(topic, 0) + 1
            if count % _POLL_EVERY_RECORDS == 0:
                self._producer.poll()

    def _commit_is_due(self) -> bool:
        if not self._producer.open:
            return False
        open_ms = (self._clock.monotonic_s() - self._opened_s) * 1000
        return open_ms >= self._settings.commit_interval_ms or self._records >= self._settings.max_transaction_records

    def _commit(self) -> None:
        """Commit what is open; where the outcome is uncertain, find out what it was."""
        # The token in the offsets' metadata tells later whether this very transaction was committed.
        token = uuid.uuid4().hex
        offsets = [TopicPartition(self._topic, p, self._next[p], token) for p in sorted(self._first)]
        began_s = self._clock.monotonic_s()
        try:
            if self._state is not None:
                self._state.write_changelog(self._producer)
                self._check_clock(self._state)
            reach("changelog-written")
            self._producer.commit(offsets, self._group_metadata())
            reach("committed")
        except TransactionAborted as aborted:
            self._roll_back(str(aborted))
            return
        except OutcomeUnknown as unknown:
            _log.warning("commit_outcome_unknown", detail=str(unknown))
            self._producer.replace()
            metrics.PRODUCERS_REPLACED.labels(**self._labels).inc()
            if not self._was_committed(offsets, token):
                self._roll_back(str(unknown))
                return
        metrics.COMMIT_SECONDS.labels(**self._labels).observe(self._clock.monotonic_s() - began_s)
        self._settle()

    def _group_metadata(self) -> object:
        metadata = self._consumer.consumer_group_metadata()
        # In this order: what is lost only after this, the brokers see by the metadata.
        if self._standing.is_lost():
            raise TransactionAborted("expelled from the group")
        return metadata

    def _check_clock(self, state: DurableState[Any]) -> None:
        """Put timers off where our clock and the broker's differ: an exit must never come early."""
        if not self._fired:
            return
        self._producer.flush()
        difference_ms = state.clock_difference_ms()
        if difference_ms is None:
            return
        metrics.CLOCK_DIFFERENCE.labels(**self._labels).set(difference_ms / 1000)
        if abs(difference_ms) > _CLOCK_DIFFERENCE_MAX_MS:
            metrics.TIMERS_STOPPED.labels(**self._labels).inc()
            _log.error("timers_stopped", clock_difference_ms=difference_ms, limit_ms=_CLOCK_DIFFERENCE_MAX_MS)
            self._timers_stopped_until_s = self._clock.monotonic_s() + _TIMERS_STOPPED_S
            raise TransactionAborted("our clock and the broker's differ")

    def _was_committed(self, offsets: list[TopicPartition], token: str) -> bool:
        asked = [TopicPartition(self._topic, tp.partition) for tp in offsets]
        return any(tp.metadata == token for tp in committed(self._consumer, asked, _COMMITTED_TIMEOUT_S))

    def _settle(self) -> None:
        """The transaction is committed: store its state, count it."""
        if self._state is not None:
            self._state.committed()
        reach("stored")
        self._watchdog.progressed()
        self._processor.committed()
        metrics.RECORDS_IN.labels(**self._labels).inc(self._records)
        for topic, count in self._outputs.items():
            metrics.RECORDS_OUT.labels(topic=topic, **self._labels).inc(count)
        self._clear()

    def _roll_back(self, reason: str) -> None:
        """The transaction is aborted: forget it, and fetch its records again."""
        _log.warning("transaction_aborted", reason=reason, records=self._records)
        metrics.ABORTS.labels(**self._labels).inc()
        self._abandon()
        for partition, offset in self._first.items():
            if partition in self._assigned:
                self._seek(partition, offset)
                self._next[partition] = offset
                self._end.pop(partition, None)
                self._rewound.add(partition)
        self._clear()

    def _seek(self, partition: int, offset: int) -> None:
        where = TopicPartition(self._topic, partition, offset)
        self._consumer.pause([where])
        self._consumer.seek(where)
        if self._state is None or partition in self._state.active:
            self._consumer.resume([where])

    def _abandon(self) -> None:
        """End the transaction without effect."""
        if self._producer.open:
            self._producer.abort()
        if self._state is not None:
            self._state.aborted()
        self._processor.aborted()

    def _clear(self) -> None:
        self._first.clear()
        self._outputs.clear()
        self._records = 0
        self._fired = False

    def _resume_restored(self) -> None:
        if self._state is None:
            return
        restored = self._state.newly_active() & self._assigned
        if restored:
            self._consumer.resume([TopicPartition(self._topic, partition) for partition in sorted(restored)])
            _log.info("partitions_resumed", partitions=sorted(restored))

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            self._assign(consumer, partitions)
        except Exception as error:  # noqa: BLE001 - must not be lost in the client's callback
            self._failure = error

    def _assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = [tp.partition for tp in partitions]
        _log.info("partitions_assigned", partitions=numbers)
        if not self._assigned:
            self._standing.begin()
        for found in committed(consumer, partitions, _COMMITTED_TIMEOUT_S) if partitions else []:
            if found.offset >= 0:
                self._next[found.partition] = found.offset
        consumer.incremental_assign(partitions)
        self._assigned.update(numbers)
        if self._state is not None and numbers:
            consumer.pause(partitions)
            self._state.assign(numbers)
        self._joined = True
        metrics.ASSIGNED.labels(**self._labels).set(len(self._assigned))

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            if self._producer.open:
                self._commit()
            self._drop(consumer, partitions)
        except Exception as error:  # noqa: BLE001 - must not be lost in the client's callback
            self._failure = error

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Another process may already own these: abort, never commit."""
        try:
            _log.warning("partitions_lost", partitions=[tp.partition for tp in partitions])
            if self._producer.open:
                self._roll_back("partitions lost")
            self._drop(consumer, partitions)
        except Exception as error:  # noqa: BLE001 - must not be lost in the client's callback
            self._failure = error

    def _drop(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = [tp.partition for tp in partitions]
        _log.info("partitions_revoked", partitions=numbers)
        if self._state is not None:
            self._state.revoke(numbers)
        self._assigned.difference_update(numbers)
        for number in numbers:
            self._next.pop(number, None)
            self._end.pop(number, None)
        consumer.incremental_unassign(partitions)
        metrics.ASSIGNED.labels(**self._labels).set(len(self._assigned))
