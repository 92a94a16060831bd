"""The state of one processor across assignments and transactions: table, changelog and restore put together."""

from typing import Generic, TypeVar

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaError, Message

from runtime.clock import Clock
from runtime.kafka.transaction import TransactionalProducer
from runtime.processor import OutputRecord
from runtime.state.changelog import Changelog
from runtime.state.restore import Restorer
from runtime.state.table import StateTable

V = TypeVar("V")


class DurableState(Generic[V]):
    """What the loop tells of assignments and transactions, so that the table is always that of the changelog."""

    def __init__(self, table: StateTable[V], restorer: Restorer[V], changelog: Changelog, clock: Clock) -> None:
        """Keep `table` in step with `changelog`."""
        self._table = table
        self._restorer = restorer
        self._changelog = changelog
        self._clock = clock
        self._written: dict[int, int] = {}
        self._difference_ms: int | None = None
        self.active: set[int] = set()

    def start(self) -> None:
        """Begin to serve assignments."""
        self._restorer.start()

    def assign(self, partitions: list[int]) -> None:
        """Restore these; they become active when that is done."""
        self._restorer.submit(partitions)

    def revoke(self, partitions: list[int]) -> None:
        """Another process will own these."""
        self._restorer.withdraw(partitions)
        # What was read of them would be stale when they come back.
        self._table.drop()
        self.active.difference_update(partitions)
        for partition in partitions:
            self._table.census.pop(partition, None)

    def newly_active(self) -> set[int]:
        """Return, once, partitions whose state is restored. Raises what made a restore fail."""
        restored = self._restorer.restored()
        self._table.census.update(restored)
        self.active |= restored.keys()
        return set(restored)

    def restoring(self) -> bool:
        """Tell whether anything is still being restored."""
        return self._restorer.busy()

    def pending(self) -> bool:
        """Tell whether there is anything that a commit would store."""
        return self._table.pending()

    def write_changelog(self, producer: TransactionalProducer) -> int:
        """Add every change to the transaction; return how many."""
        records = list(self._table.changelog())
        last = {record.partition: index for index, record in enumerate(records)}
        topic = self._changelog.topic
        for index, (partition, key, value) in enumerate(records):
            note = self._note_offset if last[partition] == index else None
            producer.produce(OutputRecord(topic, partition, key, value), note)
        return len(records)

    def clock_difference_ms(self) -> int | None:
        """Return our clock less the broker's, as of the changelog records delivered so far; None for none yet."""
        return self._difference_ms

    def committed(self) -> None:
        """Store what the transaction changed, with the changelog's offsets as checkpoints."""
        writes = self._table.commit()
        for partition, offset in self._written.items():
            census = self._table.census[partition]
            writes.checkpoint(partition, self._changelog.checkpoint(offset, self._clock.now_ms(), census))
        self._table.store.write(writes)
        self._table.drop()
        self._forget()

    def aborted(self) -> None:
        """Forget what the transaction changed."""
        self._table.drop()
        self._forget()

    def close(self) -> None:
        """End the restore and close the store."""
        self._restorer.close()
        self._table.store.close()

    def _note_offset(self, error: KafkaError | None, message: object) -> None:
        if error is None and isinstance(message, Message):
            partition, offset = message.partition(), message.offset()
            kind, timestamp_ms = message.timestamp()
            if partition is not None and offset is not None:
                self._written[partition] = offset + 1
            if kind == TIMESTAMP_LOG_APPEND_TIME:
                self._difference_ms = self._clock.now_ms() - timestamp_ms

    def _forget(self) -> None:
        self._written.clear()
        self._difference_ms = None
