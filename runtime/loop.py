"""The loop that hosts a processor: fetch, process, and commit outputs, offsets and state in one transaction.

Invariants: I1 the local store holds nothing that is not committed; I2 offsets, outputs, state and dead letters share
one transaction; I3 one writer per partition, by the group's generation in each commit. Source: design, *Membership*;
KIP-447.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaException

from runtime import metrics
from runtime.assignment import Assignment, Ending
from runtime.clock import Clock
from runtime.errors import SegwireError
from runtime.horizon import Horizon
from runtime.injection import reach
from runtime.isolation import Isolation
from runtime.kafka.asking import InstanceIdHeldError
from runtime.kafka.transaction import OutcomeUnknown, RecordsFailed, TransactionAborted, TransactionalProducer
from runtime.lag import LagMeter
from runtime.open_transaction import OpenTransaction
from runtime.processor import Backpressure, InputRecord, OutputRecord, Processor, TimerFailed
from runtime.processor_settings import ProcessorSettings
from runtime.rejoin import Rejoin
from runtime.service import StopSignal
from runtime.state.durable import DurableState
from runtime.watchdog import Watchdog

_log = structlog.get_logger()

_IDLE_FETCH_S = 0.1
_FETCH_S = 0.05
_PUNCTUATE_S = 1.0


class TransactionLoop:
    """Runs one processor over one input topic in one thread."""

    def __init__(
        self, *, name: str, topic: str, settings: ProcessorSettings, connect: Callable[[], Consumer],
        producer: TransactionalProducer, processor: Processor, state: DurableState[Any] | None, clock: Clock,
        isolation: Isolation, horizon: Horizon | None = None,
    ) -> None:  # fmt: skip
        """Host `processor`; without `state` it keeps nothing between records, without `horizon` it has no timers.

        `connect` makes a client that joins the group.
        """
        self._labels = {"processor": name}
        self._settings = settings
        self._processor = processor
        self._state = state
        self._clock = clock
        self._isolation = isolation
        self._horizon = horizon
        self._assignment = Assignment(
            name=name, topic=topic, connect=connect, state=state,
            ending=Ending(self._commit_before_revoke, self._abort_as_lost),
        )  # fmt: skip
        self._transaction = OpenTransaction(
            name=name, producer=producer, state=state, assignment=self._assignment, clock=clock
        )  # fmt: skip
        self._lag = LagMeter(topic, clock, name)
        self._watchdog = Watchdog(name, settings.watchdog_s, clock, self._end_stuck)
        self._rejoin = Rejoin(clock)
        self._processing = False
        self._punctuated_s = 0.0
        self._held_until_s: float | None = None

    def not_ready(self) -> str | None:
        """Return None when every assigned partition is being processed, else what is missing."""
        if not self._assignment.joined:
            return self._rejoin.reason() or "waiting for the group to assign partitions"
        if self._state is not None and self._state.restoring():
            return "restoring state from the changelog"
        return None

    def run(self, stop: StopSignal) -> None:
        """Process until `stop` is set; then commit what is open and leave.

        Raises:
            SegwireError: fenced by another process, a torn transaction.
            KafkaException: an error that only a restart can mend.
        """
        self._isolation.begin()
        self._assignment.subscribe()
        self._watchdog.start()
        if self._horizon is not None:
            self._horizon.start()
        try:
            while not stop.is_set():
                try:
                    self._step(stop)
                except InstanceIdHeldError as held:
                    self._rejoin.refused(held)
                self._watchdog.stepped()
            if self._transaction.is_open:
                self._commit()
        finally:
            # What is open is ended by the next process, too, should this fail.
            with suppress(SegwireError, KafkaException):
                if self._transaction.is_open:
                    self._abandon()
            self._isolation.end()
            self._assignment.close()
            self._watchdog.stop()
            if self._horizon is not None:
                self._horizon.stop()

    def _step(self, stop: StopSignal) -> None:
        if self._rejoin.waits():
            stop.wait(_IDLE_FETCH_S)
            self._watchdog.progressed()
            return
        if self._rejoin.is_due():
            self._assignment.join_anew()
        if self._assignment.is_lost():
            self._assignment.leave()
        if self._assignment.away(_IDLE_FETCH_S):
            return
        self._release_when_over()
        self._assignment.resume_restored()
        try:
            # Timers before records, and before any is fetched: an abort here leaves none behind.
            self._punctuate()
            self._process(self._fetch())
            if self._commit_is_due():
                self._commit()
        except TransactionAborted as aborted:
            self._roll_back(aborted)
        if self._assignment.joined:
            self._rejoin.joined()
        self._lag.refresh(self._assignment.consumer, self._assignment.partitions, self._assignment.next)
        if self._has_no_work():
            self._watchdog.progressed()

    def _has_no_work(self) -> bool:
        """Tell whether it is no fault that nothing is processed."""
        restoring = self._state is not None and self._state.restoring()
        return self._lag.behind == 0 or restoring or self._held_until_s is not None

    def _fetch(self) -> Sequence[InputRecord]:
        assignment, isolation = self._assignment, self._isolation
        portion = isolation.portion(assignment.positions())
        if isolation.careful and self._transaction.is_open:
            self._commit()  # what timers did, apart from the records
        records = assignment.fetch(portion, _FETCH_S if self._transaction.is_open else _IDLE_FETCH_S)
        if not records and isolation.careful and assignment.at_end():
            isolation.idle()
        return records

    def _process(self, records: Sequence[InputRecord]) -> None:
        if not records:
            return
        transaction, isolation = self._transaction, self._isolation
        were_careful = isolation.careful
        now, later = isolation.split(records, self._assignment.positions())
        transaction.open()
        transaction.include(records)
        if isolation.careful and not were_careful:
            raise TransactionAborted("records of which processes died are tried alone")
        if later:
            transaction.exclude(later)
        self._lag.processed(now[-1].timestamp_ms)
        letter = isolation.begin_attempt(now)
        self._processing = True
        try:
            transaction.produce(self._outputs(now) if letter is None else [letter])
        except Backpressure as pressure:
            transaction.exclude(now[pressure.processed :])
            self._hold(pressure)
            return
        except (TransactionAborted, OutcomeUnknown, SegwireError, KafkaException):
            raise
        except Exception as error:
            kind = type(error).__name__
            raise RecordsFailed("processing-failed", f"{kind}: {error}", kind) from error
        finally:
            self._processing = False
        isolation.attempted()
        reach("processed")

    def _outputs(self, records: Sequence[InputRecord]) -> Iterable[OutputRecord]:
        if len(records) <= self._settings.batch_records:
            return self._processor.process(records)
        return self._in_batches(records)

    def _in_batches(self, records: Sequence[InputRecord]) -> Iterator[OutputRecord]:
        size = self._settings.batch_records
        for begin in range(0, len(records), size):
            try:
                yield from self._processor.process(records[begin : begin + size])
            except Backpressure as pressure:
                raise Backpressure(pressure.wait_s, begin + pressure.processed) from pressure

    def _hold(self, pressure: Backpressure) -> None:
        """Commit what is done, and let the rest come again after a pause; the group sees a living member."""
        self._isolation.interrupted()
        if self._transaction.is_empty:
            self._abandon()
            self._transaction.clear()
        else:
            self._commit()
        self._assignment.hold()
        self._held_until_s = self._clock.monotonic_s() + pressure.wait_s
        metrics.BACKPRESSURE.labels(**self._labels).set(1)
        metrics.BACKPRESSURES.labels(**self._labels).inc()
        _log.info("backpressure", wait_s=pressure.wait_s)

    def _release_when_over(self) -> None:
        if self._held_until_s is None or self._clock.monotonic_s() < self._held_until_s:
            return
        self._held_until_s = None
        self._assignment.release()
        metrics.BACKPRESSURE.labels(**self._labels).set(0)

    def _punctuate(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s - self._punctuated_s < _PUNCTUATE_S or now_s < self._transaction.timers_stopped_until_s:
            return
        self._punctuated_s = now_s
        # A commit without an input offset would not be fenced by the group's generation (I3).
        partitions = [partition for partition in self._assignment.active() if partition in self._assignment.next]
        if not partitions:
            return
        try:
            outputs = self._processor.punctuate(self._timers_until_ms(partitions), partitions)
        except TimerFailed as failure:
            self._punctuated_s = 0.0  # the others, at once
            raise TransactionAborted(str(failure)) from failure
        # Timers moved without a word have to be stored too: else the same ones fill every turn, and no other gets one.
        if outputs or (self._state is not None and self._state.pending()):
            self._transaction.open()
            self._transaction.fire(partitions)
            self._transaction.produce(outputs)
            reach("fired")

    def _timers_until_ms(self, partitions: list[int]) -> int:
        """Return the time up to which timers may fire: none may overtake a record that still waits."""
        if self._horizon is None:
            return self._clock.now_ms()
        return self._horizon.reached_ms({partition: self._assignment.reached(partition) for partition in partitions})

    def _commit_is_due(self) -> bool:
        transaction = self._transaction
        if not transaction.is_open:
            return False
        full = transaction.records >= self._settings.max_transaction_records
        return full or self._isolation.careful or transaction.open_ms() >= self._settings.commit_interval_ms

    def _commit(self) -> None:
        """Commit what is open, or roll it back where that does not succeed."""
        transaction = self._transaction
        try:
            transaction.commit()
        except TransactionAborted as aborted:
            self._roll_back(aborted)
            return
        self._watchdog.progressed()
        self._processor.committed()
        self._isolation.committed(transaction.records, self._assignment.next)
        transaction.count()
        transaction.clear()

    def _roll_back(self, aborted: TransactionAborted) -> None:
        """The transaction is aborted: forget it, and fetch its records again."""
        transaction = self._transaction
        # What a processor raises may quote its records.
        reason = aborted.kind if isinstance(aborted, RecordsFailed) else str(aborted)
        _log.warning("transaction_aborted", reason=reason, records=transaction.records)
        metrics.ABORTS.labels(**self._labels).inc()
        first, records = dict(transaction.first), transaction.records
        self._abandon()
        self._assignment.rewind(first)
        transaction.clear()
        if isinstance(aborted, RecordsFailed):
            self._isolation.failed(aborted, first, records)
        else:
            self._isolation.interrupted()

    def _abandon(self) -> None:
        self._transaction.abandon()
        self._processor.aborted()

    def _commit_before_revoke(self) -> None:
        if self._transaction.is_open:
            self._commit()

    def _abort_as_lost(self) -> None:
        if self._transaction.is_open:
            self._roll_back(TransactionAborted("the group has given the partitions to others"))

    def _end_stuck(self, code: int) -> None:
        """End the process from the watchdog's thread; it is no record's fault, unless one is being processed."""
        if not self._processing:
            self._isolation.end()
        os._exit(code)
