"""A table of decoded state: read through to the store, changed in an overlay, made durable after a commit.

Invariant I1: the store never holds what the changelog has not committed. So changes stay in the overlay until the
transaction with their changelog records is committed, and are dropped where it is aborted.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

from runtime.errors import SegwireError
from runtime.state.store import StateStore, Timer, Writes, split_data_key

V = TypeVar("V")
NO_TIMER = 1 << 62


class Summary(NamedTuple):
    """What a restore has to know of a stored value, by the rules of now.

    `offset`: the last input offset applied; `due_ms`: as of the codec; `active`: how many active things it holds.
    """

    offset: int
    due_ms: int
    active: int


class Codec(NamedTuple, Generic[V]):
    """How a value is stored, made anew, and when it is due.

    `due_ms` returns the earliest time at which something of the value is due, at or past `NO_TIMER` for never.
    `active` returns how many active things it holds, for the census; `blank` whether nothing is to be kept, so that the
    entry is deleted. `rules` tells apart by what rules values are due: one that is decoded, or of which a `summary` is
    taken, is due by those of now, whatever it was stored under.
    """

    encode: Callable[[V], bytes]
    decode: Callable[[bytes], V]
    new: Callable[[], V]
    due_ms: Callable[[V], int]
    active: Callable[[V], int]
    blank: Callable[[V], bool]
    summary: Callable[[bytes], Summary]
    rules: str


class Census:
    """How many entries a partition has, and how many active things they hold: for the metrics."""

    __slots__ = ("active", "entries")

    def __init__(self, entries: int = 0, active: int = 0) -> None:
        """Start with these counts."""
        self.entries = entries
        self.active = active


class ChangelogRecord(NamedTuple):
    """One entry as it goes to the changelog."""

    partition: int
    key: bytes
    value: bytes | None


class StateTable(Generic[V]):
    """Values by store key (`data_key`)."""

    def __init__(self, store: StateStore, codec: Codec[V]) -> None:
        """Read through to `store`."""
        self.store = store
        self.codec = codec
        self.census: dict[int, Census] = {}
        self._values: dict[bytes, V] = {}
        self._active: dict[bytes, int] = {}
        self._due: dict[bytes, int] = {}
        self._dirty: dict[bytes, None] = {}
        self._fired: list[Timer] = []
        self._encoded: list[tuple[bytes, bytes | None]] = []

    def load(self, keys: Iterable[bytes]) -> None:
        """Have these values at hand: one read for all that are not yet."""
        missing = [key for key in dict.fromkeys(keys) if key not in self._values]
        if not missing:
            return
        decode, due_ms, new, active = self.codec.decode, self.codec.due_ms, self.codec.new, self.codec.active
        for key, raw in zip(missing, self._read(missing), strict=True):
            if raw is None:
                self._values[key], self._due[key] = new(), NO_TIMER
            else:
                value = self._values[key] = decode(raw)
                self._due[key] = due_ms(value)
                self._active[key] = active(value)

    def _read(self, keys: list[bytes]) -> list[bytes | None]:
        try:
            return self.store.get_many(keys)
        except Exception as error:
            # Not the fault of the record for which it is read.
            raise SegwireError(f"the local store of state cannot be read ({error}); see its disk") from error

    def __getitem__(self, key: bytes) -> V:
        """Return a loaded value, to be changed in place."""
        return self._values[key]

    def changed(self, key: bytes) -> None:
        """Say that a value was changed."""
        self._dirty[key] = None

    def fired(self, timer: Timer) -> None:
        """Say that a timer is spent."""
        self._fired.append(timer)

    def pending(self) -> bool:
        """Tell whether anything was changed, or any timer spent, since the last commit."""
        return bool(self._dirty or self._fired)

    def changelog(self) -> Iterator[ChangelogRecord]:
        """Encode what was changed, each entry once, for the changelog; `commit` then stores the same bytes.

        A deleted entry's value is None: a tombstone.
        """
        encode, blank, values = self.codec.encode, self.codec.blank, self._values
        self._encoded = [(key, None if blank(values[key]) else encode(values[key])) for key in self._dirty]
        for key, value in self._encoded:
            yield ChangelogRecord(*split_data_key(key), value)

    def commit(self) -> Writes:
        """Return what to store now: what `changelog` gave, with its timers; counted in the census."""
        writes = Writes()
        due_ms = self.codec.due_ms
        for timer in self._fired:
            writes.disarm(timer)
        for key, raw in self._encoded:
            writes.put(key, raw)
            self._count(key, raw is not None)
            was = self._due[key]
            due = NO_TIMER if raw is None else due_ms(self._values[key])
            if was != due:
                if was < NO_TIMER:
                    writes.disarm(Timer(was, key))
                if due < NO_TIMER:
                    writes.arm(Timer(due, key))
        return writes

    def counts(self) -> Census:
        """Return the census over all partitions that are held."""
        held = list(self.census.values())
        return Census(sum(census.entries for census in held), sum(census.active for census in held))

    def _count(self, key: bytes, kept: bool) -> None:
        census = self.census.setdefault(split_data_key(key)[0], Census())
        census.entries += kept - (key in self._active)
        census.active += self.codec.active(self._values[key]) - self._active.get(key, 0)

    def drop(self) -> None:
        """Forget every change and everything read since the last commit."""
        self._values.clear()
        self._active.clear()
        self._due.clear()
        self._dirty.clear()
        self._fired.clear()
        self._encoded.clear()
