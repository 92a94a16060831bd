"""Restores partitions from the changelog, with a consumer and a thread of its own, while healthy partitions run on.

Source: design, *Membership*, points 2 and 3.
"""

import threading
from collections.abc import Iterator
from typing import Generic, TypeVar

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from runtime import metrics
from runtime.clock import Clock
from runtime.errors import TornTransactionError
from runtime.injection import reach
from runtime.kafka.asking import passes
from runtime.state.changelog import Changelog, Extent, committed_offsets, extents, learn, require_changelog, usable
from runtime.state.counting import Counting
from runtime.state.progress import Progress
from runtime.state.store import StateStore, Timer, Writes, data_key
from runtime.state.table import NO_TIMER, Census, Codec

V = TypeVar("V")

_FOLD_RECORDS = 100_000
_FETCH_RECORDS = 5_000
_FETCH_S = 0.02
_WAITS_TOLD_S = 5.0
_RETRY_S = 0.2

_log = structlog.get_logger()


class _Partition:
    """One partition being restored.

    `position` is the next changelog offset, `latest` the last value per key; `empty`: nothing of it is stored yet.
    """

    def __init__(self, extent: Extent, position: int, committed: int | None, *, empty: bool) -> None:
        self.extent = extent
        self.position = position
        self.committed = committed
        self.empty = empty
        self.latest: dict[bytes, bytes | None] = {}

    @property
    def remaining(self) -> int:
        return max(0, self.extent.end - self.position)


class Restorer(Generic[V]):
    """Takes partitions, and gives them back when their state is that of the changelog."""

    def __init__(
        self, *, consumer: Consumer, admin: AdminClient, changelog: Changelog, input_topic: str, store: StateStore,
        codec: Codec[V], clock: Clock, processor: str,
    ) -> None:  # fmt: skip
        """Read with `consumer`: of the processor's group, but only ever assigned by hand."""
        self._consumer = consumer
        self._admin = admin
        self._changelog = changelog
        self._input_topic = input_topic
        self._store = store
        self._codec = codec
        self._counting = Counting(codec)
        self._clock = clock
        self._labels = {"processor": processor}
        self._lock = threading.Condition()
        self._wanted: set[int] = set()
        self._done: dict[int, Census] = {}
        self._failure: BaseException | None = None
        self._closed = False
        self._beginning: set[int] = set()
        self._active: dict[int, _Partition] = {}
        self._progress = Progress(clock, processor)
        self._waits_told_at_s = float("-inf")
        self._worker = threading.Thread(target=self._run, name="restore", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._worker.start()

    def submit(self, partitions: list[int]) -> None:
        """Restore these partitions, too."""
        with self._lock:
            self._wanted.update(partitions)
            metrics.RESTORING.labels(**self._labels).set(len(self._wanted))
            self._lock.notify()

    def withdraw(self, partitions: list[int]) -> None:
        """These partitions are no longer ours; returns when nothing of them is written any more."""
        with self._lock:
            self._wanted.difference_update(partitions)
            metrics.RESTORING.labels(**self._labels).set(len(self._wanted))
            for partition in partitions:
                self._done.pop(partition, None)
            # Also those of which the extent is being asked for: it would be stale when they come back.
            while self._failure is None and self._worker.is_alive() and self._held() & set(partitions):
                self._lock.wait(0.1)

    def restored(self) -> dict[int, Census]:
        """Return, once, the partitions that are ready, and what is in them.

        Raises:
            BaseException: what made the restore fail.
        """
        with self._lock:
            if self._failure is not None:
                raise self._failure
            done, self._done = self._done, {}
            return done

    def busy(self) -> bool:
        """Tell whether any partition is still being restored."""
        with self._lock:
            return bool(self._wanted)

    def close(self) -> None:
        """End the thread and its consumer."""
        with self._lock:
            self._closed = True
            self._lock.notify()
        if self._worker.is_alive():
            self._worker.join()
        self._consumer.close()

    def _held(self) -> set[int]:
        return self._active.keys() | self._beginning

    def _run(self) -> None:
        try:
            while self._wait_for_work():
                self._admit()
                self._read()
                self._finish()
        except BaseException as error:  # noqa: BLE001 - handed to the loop, which ends the service with it
            with self._lock:
                self._failure = error
                self._lock.notify_all()

    def _wait_for_work(self) -> bool:
        with self._lock:
            while not self._closed and not self._wanted and not self._active:
                self._lock.wait()
            return not self._closed

    def _admit(self) -> None:
        """Begin what is newly wanted, drop what no longer is."""
        with self._lock:
            new = sorted(self._wanted - self._active.keys())
            gone = sorted(self._active.keys() - self._wanted)
            self._beginning = set(new)
        if gone:
            self._consumer.incremental_unassign([TopicPartition(self._changelog.topic, p) for p in gone])
            with self._lock:
                for partition in gone:
                    del self._active[partition]
                self._lock.notify_all()
        if new:
            self._begin(new)
            with self._lock:
                self._beginning = set()
                self._lock.notify_all()

    def _begin(self, partitions: list[int]) -> None:
        try:
            # Committed offsets first, as they wait for open transactions; then the end, which has these in it.
            committed = committed_offsets(self._consumer, self._input_topic, partitions)
            bounds = extents(self._admin, self._changelog.topic, partitions)
            learn(self._consumer, self._changelog.topic)
        except (KafkaException, TimeoutError) as error:
            self._begin_later(partitions, error)
            return
        assignment = []
        for partition in partitions:
            position = self._start(partition, bounds[partition])
            empty = self._store.checkpoint(partition) is None
            self._active[partition] = _Partition(bounds[partition], position, committed[partition], empty=empty)
            assignment.append(TopicPartition(self._changelog.topic, partition, position))
        self._consumer.incremental_assign(assignment)
        _log.info("restore_started", partitions=partitions, remaining_records=self._remaining())

    def _begin_later(self, partitions: list[int], error: KafkaException | TimeoutError) -> None:
        """Leave the partitions wanted, so that they are begun again, where the brokers' answer is only late."""
        if isinstance(error, KafkaException) and not passes(error.args[0]):
            raise error
        now_s = self._clock.monotonic_s()
        if now_s - self._waits_told_at_s >= _WAITS_TOLD_S:
            self._waits_told_at_s = now_s
            _log.warning("restore_waits", partitions=partitions, detail=str(error) or "no answer in time")
        with self._lock:
            self._lock.wait(_RETRY_S)

    def _start(self, partition: int, extent: Extent) -> int:
        checkpoint = self._store.checkpoint(partition)
        if checkpoint is not None and usable(checkpoint, self._changelog, extent, self._clock.now_ms()):
            return checkpoint.offset
        if checkpoint is not None:
            require_changelog(checkpoint, self._changelog, partition, extent)
            _log.warning("state_rebuilt", partition=partition, checkpoint=checkpoint.offset, log_start=extent.start)
        self._store.wipe(partition)
        return extent.start

    def _read(self) -> None:
        if not any(state.remaining for state in self._active.values()):
            return
        reach("restoring")
        messages = self._consumer.consume(_FETCH_RECORDS, _FETCH_S)
        for message in messages:
            self._take(message)
        for partition, state in self._active.items():
            if len(state.latest) >= _FOLD_RECORDS:
                self._store_folded(partition, state)
        self._progress.read(len(messages), self._remaining(), self._active)

    def _take(self, message: Message) -> None:
        state, offset = self._active.get(message.partition() or 0), message.offset()
        if state is None or offset is None:
            return
        error = message.error()
        if error is None:
            key = message.key()
            if key is not None:
                state.latest[key] = message.value()
            state.position = offset + 1
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name for it
            # Past the markers of the last transactions, which are never handed out.
            state.position = max(state.position, offset)
        elif not passes(error):
            raise KafkaException(error)

    def _store_folded(self, partition: int, state: _Partition) -> None:
        """Write the last value per key, in the order of keys, which is quickest for the store."""
        writes = Writes()
        census = self._census_without(partition, state)
        for key, value in sorted(state.latest.items()):
            entry = data_key(partition, key)
            writes.put(entry, value)
            if value is not None:
                summary = self._codec.summary(value)
                self._check(partition, state, summary.offset)
                if summary.due_ms < NO_TIMER:
                    writes.arm(Timer(summary.due_ms, entry))
                if census is not None:
                    self._counting.add(census, value, summary)
        counted = Census(-1, -1) if census is None else census
        writes.checkpoint(partition, self._changelog.checkpoint(state.position, self._clock.now_ms(), counted))
        self._store.write(writes)
        state.latest.clear()
        state.empty = False

    def _census_without(self, partition: int, state: _Partition) -> Census | None:
        """Return the census but for what is to be written now, None where all has to be counted anew."""
        if state.empty:
            return self._counting.nothing()
        census = self._counting.known(self._store.checkpoint(partition))
        if census is not None:
            for raw in self._stored(partition, list(state.latest)):
                self._counting.add(census, raw, self._codec.summary(raw), -1)
        return census

    def _stored(self, partition: int, keys: list[bytes]) -> Iterator[bytes]:
        for begin in range(0, len(keys), _FETCH_RECORDS):
            portion = [data_key(partition, key) for key in keys[begin : begin + _FETCH_RECORDS]]
            yield from (raw for raw in self._store.get_many(portion) if raw is not None)

    def _check(self, partition: int, state: _Partition, offset: int) -> None:
        if state.committed is None or offset < state.committed:
            return
        # Frozen for so long that another process took the partition, it reads what that one has committed since.
        state.committed = committed_offsets(self._consumer, self._input_topic, [partition])[partition]
        if state.committed is None or offset < state.committed:
            return
        end = self._input_end(partition)
        if offset >= end:
            # A topic knows no offset past its end: the state is of one that was deleted, or is on another cluster.
            _log.error("input_made_anew", partition=partition, state_offset=offset, committed=state.committed)
            state.committed = None
        else:
            offsets = [self._codec.summary(value).offset for value in state.latest.values() if value is not None]
            ahead = max(each for each in offsets if each < end)
            raise TornTransactionError(
                f"changelog {self._changelog.topic} partition {partition} holds state of input offsets up to {ahead}, "
                f"but the group has committed only {state.committed}: a torn transaction, or the group's offsets were "
                "reset; set the group's offsets past the state's, or drop the changelog to rebuild it from the input"
            )

    def _input_end(self, partition: int) -> int:
        return extents(self._admin, self._input_topic, [partition])[partition].end

    def _finish(self) -> None:
        for partition, state in list(self._active.items()):
            if state.remaining:
                continue
            self._rearm(partition)
            self._store_folded(partition, state)
            census = self._census(partition)
            self._consumer.incremental_unassign([TopicPartition(self._changelog.topic, partition)])
            with self._lock:
                del self._active[partition]
                if partition in self._wanted:
                    self._wanted.discard(partition)
                    metrics.RESTORING.labels(**self._labels).set(len(self._wanted))
                    self._done[partition] = census
                self._lock.notify_all()
            _log.info("partition_restored", partition=partition, checkpoint=state.position)
        self._progress.left(self._remaining())

    def _rearm(self, partition: int) -> None:
        """Arm the timers anew where the rules have changed since: what is there already lives by the new ones."""
        known = self._store.checkpoint(partition)
        if known is None or known.rules == self._codec.rules:
            return
        _log.info("timers_rearmed", partition=partition)
        writes = Writes()
        for count, (entry, raw) in enumerate(self._store.scan(partition), 1):
            due_ms = self._codec.summary(raw).due_ms
            if due_ms < NO_TIMER:
                writes.arm(Timer(due_ms, entry))
            if count % _FOLD_RECORDS == 0:
                self._store.write(writes)
                writes = Writes()
        self._store.write(writes)

    def _census(self, partition: int) -> Census:
        known = self._counting.known(self._store.checkpoint(partition))
        if known is not None:
            return known
        census = self._counting.nothing()
        for _, raw in self._store.scan(partition):
            self._counting.add(census, raw, self._codec.summary(raw))
        return census

    def _remaining(self) -> int:
        return sum(state.remaining for state in self._active.values())
