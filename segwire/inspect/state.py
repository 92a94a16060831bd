"""Compares a processor's local store with its changelog, partition by partition."""

from pathlib import Path

import msgspec

from runtime.errors import SegwireError
from runtime.settings import Settings
from runtime.state.store import Checkpoint, StateStore, split_data_key
from schemas.topics import TopicNames
from segwire.inspect.log_reader import LogReader

_CACHE_BYTES = 8 << 20
_EXAMPLES_MAX = 10

STORES = ("membership", "identity")


class PartitionState(msgspec.Struct, frozen=True, kw_only=True):
    """One partition of a store; `behind_records` entries have changed since it was last flushed."""

    partition: int
    entries: int
    bytes: int
    checkpoint: Checkpoint
    behind_records: int | None = None
    differences: list[str] | None = None


def open_store(settings: Settings, name: str, ordinal: int) -> StateStore:
    """Open a store to look at; its processor may be running.

    Raises:
        SegwireError: there is none, or it cannot be read.
    """
    directory = Path(settings.data_dir) / "state" / f"{name}-{ordinal}"
    if not directory.is_dir():
        raise SegwireError(
            f"state directory {directory}: there is none; name the processor's --data-dir and --ordinal"
        )  # fmt: skip
    return StateStore(directory, block_cache_bytes=_CACHE_BYTES, memtable_bytes=_CACHE_BYTES, read_only=True)


def inspect_store(store: StateStore, partitions: int) -> list[PartitionState]:
    """Return what the store holds of each partition that it has a checkpoint of."""
    found = []
    for partition in range(partitions):
        checkpoint = store.checkpoint(partition)
        if checkpoint is None:
            continue
        sizes = [len(key) + len(value) for key, value in store.scan(partition)]
        found.append(
            PartitionState(partition=partition, entries=len(sizes), bytes=sum(sizes), checkpoint=checkpoint)
        )  # fmt: skip
    return found


def verify_store(
    store: StateStore, reader: LogReader, changelog: str, states: list[PartitionState]
) -> list[PartitionState]:
    """Return the same with what differs from the changelog as of each checkpoint, up to ten examples each."""
    return [_verify(store, reader, changelog, state) for state in states]


def changelog_of(settings: Settings, name: str) -> str:
    """Return the name of a store's changelog topic."""
    names = TopicNames(settings.kafka.topic_prefix)
    return names.membership_state if name == "membership" else names.identity_state


def _verify(store: StateStore, reader: LogReader, changelog: str, state: PartitionState) -> PartitionState:
    wanted: dict[bytes, bytes | None] = {}
    newer: set[bytes] = set()
    for message in reader.read(reader.slices(changelog, [state.partition])):
        key, offset = message.key(), message.offset()
        if key is None or offset is None:
            continue
        if offset < state.checkpoint.offset:
            wanted[key] = message.value()
        else:
            newer.add(key)
    held = {split_data_key(key)[1]: value for key, value in store.scan(state.partition)}
    # The record of before the checkpoint may be compacted away where a newer one follows.
    keys = (wanted.keys() | held.keys()) - newer
    found = [text for key in sorted(keys) if (text := _difference(wanted.get(key), held.get(key), key)) is not None]
    return msgspec.structs.replace(state, behind_records=len(newer), differences=found[:_EXAMPLES_MAX])


def _difference(wanted: bytes | None, held: bytes | None, key: bytes) -> str | None:
    if wanted == held:
        return None
    name = key.decode("utf-8", "replace")
    if held is None:
        return f"{name}: in the changelog, not in the store"
    if wanted is None:
        return f"{name}: in the store, not in the changelog"
    return f"{name}: the store's value is not the changelog's"
