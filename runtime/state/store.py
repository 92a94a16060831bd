"""The local store: RocksDB as a cache of a compacted changelog.

One key space in one column family, without a write-ahead log: what is lost with the process comes back from the
changelog, from the checkpoint that was written with the data. As everything goes through one memtable, what survives a
kill is always a prefix of what was written.
"""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from rocksdict import (
    AccessType,
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    ReadOptions,
    WriteBatch,
    WriteOptions,
)

from runtime.errors import SegwireError
from runtime.state.keys import DATA, data_key, split_data_key

__all__ = ["Checkpoint", "StateStore", "Timer", "Writes", "data_key", "split_data_key"]

_TIMER, _CHECKPOINT = b"t", b"c"
_TIMER_KEY = struct.Struct(">HQ")
_LAST_DUE = (1 << 64) - 1


class Checkpoint(msgspec.Struct, frozen=True):
    """How far the store holds a changelog partition: every record below `offset`, of this very topic.

    `entries`, `active` and `groups` are the partition's census as of then, `rules` those by which its timers were
    armed.
    """

    cluster_id: str
    topic: str
    partitions: int
    offset: int
    written_at: int
    entries: int = 0
    active: int = 0
    rules: str = ""
    groups: dict[str, int] = {}


class Timer(msgspec.Struct, frozen=True):
    """Something due at `due_ms` for the entry `key` (as of `data_key`)."""

    due_ms: int
    key: bytes


class Writes:
    """A batch of writes that become visible together."""

    def __init__(self) -> None:
        """Start empty."""
        self.batch = WriteBatch(raw_mode=True)

    def put(self, key: bytes, value: bytes | None) -> None:
        """Write an entry, or delete it with None; `key` is of `data_key`."""
        if value is None:
            self.batch.delete(key)
        else:
            self.batch.put(key, value)

    def arm(self, timer: Timer) -> None:
        """Write a timer."""
        self.batch.put(_timer_key(timer), b"")

    def disarm(self, timer: Timer) -> None:
        """Delete a timer."""
        self.batch.delete(_timer_key(timer))

    def checkpoint(self, partition: int, checkpoint: Checkpoint) -> None:
        """Say how far the store now holds a partition."""
        self.batch.put(_CHECKPOINT + partition.to_bytes(2, "big"), msgspec.json.encode(checkpoint))


class StateStore:
    """Entries, timers and checkpoints by partition, in a directory of this process alone."""

    def __init__(
        self, directory: Path, *, block_cache_bytes: int, memtable_bytes: int, read_only: bool = False
    ) -> None:  # fmt: skip
        """Open or create the store.

        A store that is opened `read_only` may be in use by its processor; it shows what was last flushed.

        Raises:
            SegwireError: the directory cannot be used, or another process holds it.
        """
        if not read_only:
            directory.parent.mkdir(parents=True, exist_ok=True)
        self._path = directory
        options = _options(block_cache_bytes, memtable_bytes)
        try:
            access = AccessType.read_only(error_if_log_file_exist=False) if read_only else AccessType.read_write()
            self._db = Rdict(str(directory), options, access_type=access)
        except Exception as error:  # noqa: BLE001 - rocksdict raises bare Exception
            raise _cannot_open(directory, error) from None
        self._read_only = read_only
        self._write_options = WriteOptions()
        # A property at run time, a method in the package's stub.
        self._write_options.disable_wal = True  # type: ignore[method-assign, assignment]

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of many entries, in order; None where there is none."""
        found: list[bytes | None] = self._db.get(list(keys)) or []
        return found

    def write(self, writes: Writes) -> None:
        """Make a batch visible."""
        self._db.write(writes.batch, self._write_options)

    def checkpoint(self, partition: int) -> Checkpoint | None:
        """Return how far the store holds a partition, None where it holds nothing."""
        raw = self._db.get(_CHECKPOINT + partition.to_bytes(2, "big"))
        return None if raw is None else msgspec.json.decode(raw, type=Checkpoint)

    def scan(self, partition: int, after: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield every entry of a partition, or those past the key `after`, as (store key, value), in order."""
        begin = data_key(partition, b"" if after is None else after + b"\0")
        yield from self._range(begin, DATA + (partition + 1).to_bytes(2, "big"))

    def due(self, partition: int, now_ms: int) -> Iterator[Timer]:
        """Yield the timers of a partition that are due by `now_ms`, earliest first."""
        begin = _TIMER + _TIMER_KEY.pack(partition, 0)
        for key, _ in self._range(begin, _TIMER + _TIMER_KEY.pack(partition, now_ms + 1)):
            _, due_ms = _TIMER_KEY.unpack_from(key, 1)
            yield Timer(due_ms, data_key(partition, key[1 + _TIMER_KEY.size :]))

    def wipe(self, partition: int) -> None:
        """Forget everything of a partition.

        The checkpoint goes first: a kill in between must not leave one that vouches for entries that are gone.
        """
        following = (partition + 1).to_bytes(2, "big")
        self._db.delete(_CHECKPOINT + partition.to_bytes(2, "big"))
        self._db.delete_range(data_key(partition, b""), DATA + following)
        self._db.delete_range(_TIMER + partition.to_bytes(2, "big"), _TIMER + following)

    def bytes_on_disk(self) -> int:
        """Return the size of the store's files."""
        return int(self._db.property_int_value("rocksdb.total-sst-files-size") or 0)

    def flush(self) -> None:
        """Write what is only in memory to disk."""
        self._db.flush()

    def close(self) -> None:
        """Flush and close."""
        if not self._read_only:
            self._db.flush()
        self._db.close()

    def _range(self, begin: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        options = ReadOptions()
        options.set_iterate_upper_bound(end)
        items: Iterator[tuple[bytes, bytes]] = self._db.items(from_key=begin, read_opt=options)  # type: ignore[assignment]
        yield from items


def _timer_key(timer: Timer) -> bytes:
    partition, key = split_data_key(timer.key)
    return _TIMER + _TIMER_KEY.pack(partition, min(timer.due_ms, _LAST_DUE)) + key


def _options(block_cache_bytes: int, memtable_bytes: int) -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(memtable_bytes)
    options.set_max_write_buffer_number(3)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_keep_log_file_num(2)
    table = BlockBasedOptions()
    table.set_block_cache(Cache(block_cache_bytes))
    table.set_bloom_filter(10, False)
    options.set_block_based_table_factory(table)
    return options


def _cannot_open(directory: Path, error: Exception) -> SegwireError:
    if "lock" in str(error).lower():
        return SegwireError(
            f"state directory {directory}: another process holds it; stop that one, or give this one another ordinal "
            "or data_dir"
        )
    return SegwireError(
        f"state directory {directory}: cannot be opened ({error}); it is only a cache: remove it, and it is restored "
        "from the changelog"
    )
