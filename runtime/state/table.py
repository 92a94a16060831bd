"""A table of decoded state: read through to the store, changed in an overlay, made durable after a commit.

Invariant I1: the store never holds what the changelog has not committed. So changes stay in the overlay until the
transaction with their changelog records is committed, and are dropped where it is aborted.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

from runtime.state.store import StateStore, Timer, Writes, split_data_key

V = TypeVar("V")
NO_TIMER = 1 << 62


class Codec(NamedTuple, Generic[V]):
    """How a value is stored, made anew, and when it is due.

    `due_ms` returns the earliest time at which something of the value is due, at or past `NO_TIMER` for never.
    `offset` returns the last input offset in an encoded value.
    """

    encode: Callable[[V], bytes]
    decode: Callable[[bytes], V]
    new: Callable[[], V]
    due_ms: Callable[[V], int]
    offset: Callable[[V], int]


class ChangelogRecord(NamedTuple):
    """One entry as it goes to the changelog."""

    partition: int
    key: bytes
    value: bytes


class StateTable(Generic[V]):
    """Values by store key (`data_key`)."""

    def __init__(self, store: StateStore, codec: Codec[V]) -> None:
        """Read through to `store`."""
        self.store = store
        self.codec = codec
        self._values: dict[bytes, V] = {}
        self._due: dict[bytes, int] = {}
        self._dirty: dict[bytes, None] = {}
        self._fired: list[Timer] = []
        self._encoded: list[tuple[bytes, bytes]] = []

    def load(self, keys: Iterable[bytes]) -> None:
        """Have these values at hand: one read for all that are not yet."""
        missing = [key for key in dict.fromkeys(keys) if key not in self._values]
        if not missing:
            return
        decode, due_ms, new = self.codec.decode, self.codec.due_ms, self.codec.new
        for key, raw in zip(missing, self.store.get_many(missing), strict=True):
            if raw is None:
                self._values[key], self._due[key] = new(), NO_TIMER
            else:
                value = self._values[key] = decode(raw)
                self._due[key] = due_ms(value)

    def __getitem__(self, key: bytes) -> V:
        """Return a loaded value, to be changed in place."""
        return self._values[key]

    def changed(self, key: bytes) -> None:
        """Say that a value was changed."""
        self._dirty[key] = None

    def fired(self, timer: Timer) -> None:
        """Say that a timer is spent."""
        self._fired.append(timer)

    def changelog(self) -> Iterator[ChangelogRecord]:
        """Encode what was changed, each entry once, for the changelog; `commit` then stores the same bytes."""
        encode = self.codec.encode
        self._encoded = [(key, encode(self._values[key])) for key in self._dirty]
        for key, value in self._encoded:
            yield ChangelogRecord(*split_data_key(key), value)

    def commit(self, writes: Writes) -> None:
        """Store what `changelog` gave, with its timers, in one batch together with what is already in `writes`."""
        due_ms = self.codec.due_ms
        for timer in self._fired:
            writes.disarm(timer)
        for key, raw in self._encoded:
            writes.put(key, raw)
            was, due = self._due[key], due_ms(self._values[key])
            if was != due:
                if was < NO_TIMER:
                    writes.disarm(Timer(was, key))
                if due < NO_TIMER:
                    writes.arm(Timer(due, key))
        self.store.write(writes)
        self.drop()

    def drop(self) -> None:
        """Forget every change and everything read since the last commit."""
        self._values.clear()
        self._due.clear()
        self._dirty.clear()
        self._fired.clear()
        self._encoded.clear()
