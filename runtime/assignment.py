"""Which partitions of its input a process holds, how far each is, and what is fetched from them.

Invariant I3, one writer per partition: what the group takes away is told to the owner first, who ends its transaction.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from runtime import metrics
from runtime.errors import InvariantError
from runtime.injection import reach
from runtime.kafka.asking import committed, raise_if_over
from runtime.kafka.records import input_record
from runtime.kafka.transaction import TransactionAborted
from runtime.processor import InputRecord
from runtime.standing import Standing
from runtime.state.durable import DurableState

_log = structlog.get_logger()

_COMMITTED_TIMEOUT_S = 30.0


class Ending(NamedTuple):
    """What the owner does before partitions go: `revoked` may still commit, `lost` may not."""

    revoked: Callable[[], None]
    lost: Callable[[], None]


class Assignment:
    """The partitions of one topic that the group gave to one consumer, in one thread."""

    def __init__(
        self, *, name: str, topic: str, connect: Callable[[], Consumer], state: DurableState[Any] | None,
        ending: Ending,
    ) -> None:  # fmt: skip
        """Join nothing yet; with `state` a partition is fetched from as soon as that is restored."""
        self._labels = {"processor": name}
        self._topic = topic
        self._connect = connect
        self.consumer = connect()
        self._state = state
        self._ending = ending
        self._standing = Standing(self.consumer)
        self._expelled = False
        self._held = False
        self._rewound: set[int] = set()  # while a batch was being fetched
        self._failure: Exception | None = None
        self.joined = False
        self.partitions: set[int] = set()
        self.next: dict[int, int] = {}  # partition -> next offset, processed or committed
        self.end: dict[int, int] = {}  # partition -> the end that was reached, past the markers of transactions

    def subscribe(self) -> None:
        """Join the group."""
        self.consumer.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def join_anew(self) -> None:
        """Join with a new client: the group refused the old one, which held nothing."""
        self.consumer.close()
        self.consumer = self._connect()
        self._standing = Standing(self.consumer)
        self.subscribe()

    def close(self) -> None:
        """Leave the group."""
        self.consumer.close()

    def active(self) -> list[int]:
        """Return the partitions that are being processed."""
        held = self.partitions if self._state is None else self._state.active & self.partitions
        return sorted(held)

    def reached(self, partition: int) -> int:
        """Return the next offset of a partition, past the markers of transactions."""
        return max(self.next[partition], self.end.get(partition, 0))

    def positions(self) -> dict[int, int | None]:
        """Return the next offset of each partition that is held, None where it is unknown."""
        return {partition: self.next.get(partition) for partition in self.partitions}

    def at_end(self) -> bool:
        """Tell whether everything that is held was processed, if only in the open transaction."""
        ended = (self.end.get(partition, -1) >= self.next.get(partition, 0) for partition in self.partitions)
        return bool(self.partitions) and all(ended)

    def advance(self, records: Sequence[InputRecord]) -> None:
        """Say that these are processed, if only in the open transaction."""
        for record in records:
            self.next[record.partition] = record.offset + 1

    def fetch(self, limit: int, wait_s: float) -> list[InputRecord]:
        """Fetch up to `limit` records, and let the group give and take partitions. Waits up to `wait_s`.

        Raises:
            InstanceIdHeldError: the group does not take this client as a member; `join_anew` later.
            Exception: what failed when partitions came or went; the client cannot go on.
        """
        self._rewound.clear()
        messages = self.consumer.consume(limit, wait_s)
        if self._failure is not None:
            raise self._failure
        reach("fetched")
        records = [record for record in map(self._record, messages) if record is not None]
        # What came after the seek, in the same fetch, was dropped with what came before it.
        for partition in sorted(self._rewound & self.partitions):
            self._seek(partition, self.next[partition])
        return records

    def rewind(self, offsets: Mapping[int, int]) -> None:
        """Fetch again from these offsets on, where the partition is still held."""
        for partition, offset in offsets.items():
            if partition in self.partitions:
                self._seek(partition, offset)
                self.next[partition] = offset
                self.end.pop(partition, None)
                self._rewound.add(partition)

    def hold(self) -> None:
        """Fetch from no partition until `release`; the group goes on to see a living member."""
        self._held = True
        self.consumer.pause(self._places(self.partitions))

    def release(self) -> None:
        """Fetch again."""
        self._held = False
        self.consumer.resume(self._places(self.active()))

    def resume_restored(self) -> None:
        """Fetch from the partitions whose state has been restored since."""
        if self._state is None:
            return
        restored = self._state.newly_active() & self.partitions
        if restored:
            if not self._held:
                self.consumer.resume(self._places(restored))
            _log.info("partitions_resumed", partitions=sorted(restored))

    def is_lost(self) -> bool:
        """Tell whether the group has given the partitions to others without a word."""
        return bool(self.partitions) and not self._expelled and self._standing.is_lost()

    def leave(self) -> None:
        """Give up every partition: others have processed them in the meantime.

        Raises:
            SegwireError: the group gave this member's instance ID away, too; which a fetch would have said next.
        """
        _log.warning("expelled_from_group", partitions=sorted(self.partitions))
        self._ending.lost()
        self._expelled = True
        try:
            self.consumer.unsubscribe()
        except KafkaException as error:
            raise_if_over(error.args[0])
            raise

    def away(self, wait_s: float) -> bool:
        """Tell whether nothing can be fetched, as the partitions are being given up.

        Joins again once nothing is held any more: then whoever has the partitions commits before they are given.
        """
        if not self._expelled:
            return False
        self.fetch(1, wait_s)
        if not self.partitions:
            self._expelled = False
            self.subscribe()
        return True

    def group_metadata(self) -> object:
        """Return what fences a commit by the group's generation.

        Raises:
            TransactionAborted: the partitions are others' by now.
        """
        metadata = self.consumer.consumer_group_metadata()
        # In this order: what is lost only after this, the brokers see by the metadata.
        if self._standing.is_lost():
            raise TransactionAborted("expelled from the group")
        return metadata

    def was_committed(self, partitions: Sequence[int], token: str) -> bool:
        """Tell whether a transaction whose offsets bear `token` was committed."""
        found = committed(self.consumer, self._places(partitions), _COMMITTED_TIMEOUT_S)
        return any(tp.metadata == token for tp in found)

    def offsets(self, partitions: Sequence[int], token: str) -> list[TopicPartition]:
        """Return what a transaction commits of these partitions."""
        return [TopicPartition(self._topic, partition, self.next[partition], token) for partition in partitions]

    def _places(self, partitions: Sequence[int] | set[int]) -> list[TopicPartition]:
        return [TopicPartition(self._topic, partition) for partition in sorted(partitions)]

    def _record(self, message: Message) -> InputRecord | None:
        error = message.error()
        partition, offset = message.partition(), message.offset()
        if error is not None:
            raise_if_over(error)
            if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name for it
                _log.warning("fetch_error", code=error.name(), detail=error.str())
            elif partition is not None and offset is not None and partition not in self._rewound:
                self.end[partition] = offset
            return None
        if partition is None or offset is None or partition not in self.partitions or partition in self._rewound:
            return None
        self._check(partition, offset)
        return input_record(message, partition, offset)

    def _check(self, partition: int, offset: int) -> None:
        if self._state is not None and partition not in self._state.active:
            raise InvariantError(
                "I1", f"partition {partition}: a record came at offset {offset} before its state was restored"
            )
        if offset < self.next.get(partition, 0):
            raise InvariantError(
                "I3", f"partition {partition}: a record came at offset {offset}, processed up to {self.next[partition]}"
            )

    def _seek(self, partition: int, offset: int) -> None:
        where = TopicPartition(self._topic, partition, offset)
        self.consumer.pause([where])
        self.consumer.seek(where)
        if not self._held and (self._state is None or partition in self._state.active):
            self.consumer.resume([where])

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            self._assign(consumer, partitions)
        except Exception as error:  # noqa: BLE001 - must not be lost in the client's callback
            self._failure = error

    def _assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = [tp.partition for tp in partitions]
        _log.info("partitions_assigned", partitions=numbers)
        if not self.partitions:
            self._standing.begin()
        for found in committed(consumer, partitions, _COMMITTED_TIMEOUT_S) if partitions else []:
            if found.offset >= 0:
                self.next[found.partition] = found.offset
        consumer.incremental_assign(partitions)
        self.partitions.update(numbers)
        if self._held or (self._state is not None and numbers):
            consumer.pause(partitions)
        if self._state is not None and numbers:
            self._state.assign(numbers)
        self.joined = True
        metrics.ASSIGNED.labels(**self._labels).set(len(self.partitions))

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            self._ending.revoked()
            self._drop(consumer, partitions)
        except Exception as error:  # noqa: BLE001 - must not be lost in the client's callback
            self._failure = error

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Another process may already own these: abort, never commit."""
        try:
            _log.warning("partitions_lost", partitions=[tp.partition for tp in partitions])
            self._ending.lost()
            self._drop(consumer, partitions)
        except Exception as error:  # noqa: BLE001 - must not be lost in the client's callback
            self._failure = error

    def _drop(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = [tp.partition for tp in partitions]
        _log.info("partitions_revoked", partitions=numbers)
        if self._state is not None:
            self._state.revoke(numbers)
        self.partitions.difference_update(numbers)
        for number in numbers:
            self.next.pop(number, None)
            self.end.pop(number, None)
        consumer.incremental_unassign(partitions)
        metrics.ASSIGNED.labels(**self._labels).set(len(self.partitions))
