"""Writes a processor's local store to its changelog, where that topic was lost and the store is what is left of it."""

from collections.abc import Collection, Iterator

from runtime.errors import SegwireError
from runtime.settings import KafkaSettings
from runtime.state.store import StateStore, split_data_key
from segwire.inspect.log_reader import LogReader
from segwire.inspect.record_writing import RecordWriter


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
    writer = RecordWriter(kafka, changelog)
    for partition in sorted(partitions):
        count = 0
        for entry, value in store.scan(partition):
            writer.put(partition, split_data_key(entry)[1], value)
            count += 1
        writer.finish()
        yield partition, count
