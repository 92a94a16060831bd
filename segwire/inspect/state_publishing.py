"""Writes a processor's local store to its changelog, where that topic was lost and the store is what is left of it."""

from collections.abc import Collection, Iterator

from confluent_kafka import KafkaError, Message, Producer

from runtime.errors import SegwireError
from runtime.kafka.clients import producer_config
from runtime.settings import KafkaSettings
from runtime.state.store import StateStore, split_data_key
from segwire.inspect.log_reader import LogReader

_FLUSH_S = 60.0
_QUEUED_MAX = 50_000


def held_partitions(store: StateStore, partitions: int, wanted: Collection[int]) -> list[int]:
    """Return which partitions the store holds, or those of them that are wanted.

    Raises:
        SegwireError: one is wanted that the store does not hold.
    """
    held = [partition for partition in range(partitions) if store.checkpoint(partition) is not None]
    missing = sorted(set(wanted) - set(held))
    if missing:
        raise SegwireError(f"partition {missing[0]}: this store holds only {held}; see segwire state inspect")
    return sorted(wanted) or held


def publish_store(
    store: StateStore, kafka: KafkaSettings, reader: LogReader, changelog: str, partitions: Collection[int]
) -> Iterator[tuple[int, int]]:
    """Write every entry of these partitions, yielding each partition with its number of entries once it is written.

    Raises:
        SegwireError: the topic has records of one of them, or the brokers do not take it.
    """
    for part in reader.slices(changelog, sorted(partitions)):
        if part.end > 0:
            raise SegwireError(
                f"{changelog} partition {part.partition} has had records: it is not a topic that was made anew, and "
                "what it holds is newer than any store; name other partitions with --partition, or, where "
                "it was lost while processors ran on, stop these and make it anew"
            )
    writing = _Writing(kafka, changelog)
    for partition in sorted(partitions):
        count = 0
        for entry, value in store.scan(partition):
            writing.put(partition, split_data_key(entry)[1], value)
            count += 1
        writing.finish()
        yield partition, count


class _Writing:
    """A producer of changelog records."""

    def __init__(self, kafka: KafkaSettings, changelog: str) -> None:
        self._changelog = changelog
        self._failed: KafkaError | None = None
        self._producer = Producer({**producer_config(kafka, linger_ms=20), "compression.type": "lz4"})

    def put(self, partition: int, key: bytes, value: bytes) -> None:
        self._producer.produce(self._changelog, value, key, partition, on_delivery=self._note)
        if len(self._producer) >= _QUEUED_MAX:
            self.finish()

    def finish(self) -> None:
        left = self._producer.flush(_FLUSH_S)
        if left or self._failed is not None:
            reason = f"{left} records were not acknowledged" if self._failed is None else self._failed.str()
            raise SegwireError(
                f"{self._changelog} does not take the state: {reason}; see segwire doctor, make the topic anew and "
                "begin again"
            )

    def _note(self, error: KafkaError | None, _: Message) -> None:
        self._failed = error or self._failed
