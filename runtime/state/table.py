"""A table of decoded state: read through to the store, changed in an overlay, made durable after a commit.

Invariant I1: the store never holds what the changelog has not committed. So changes stay in the overlay until the
transaction with their changelog records is committed, and are dropped where it is aborted.

What was changed may be encoded portion by portion (`fold`): a transaction's worth of decoded values takes much memory,
and would no longer be in the CPU's cache when it is encoded.
"""

from collections.abc import Callable, Iterable
from typing import Final, Generic, NamedTuple, TypeVar

from runtime.errors import SegwireError
from runtime.state.keys import split_data_key
from runtime.state.store import StateStore, Timer, Writes

V = TypeVar("V")
NO_TIMER: Final = 1 << 62


class Summary(NamedTuple):
    """What a restore has to know of a stored value, by the rules of now.

    `offset`: the last input offset applied; `due_ms`: as of the codec; `active`: how many active things it holds.
    """

    offset: int
    due_ms: int
    active: int


class Groups(NamedTuple):
    """By what active things are counted apart: `of` returns, for each one in a stored value, its name if in `names`."""

    names: frozenset[str]
    of: Callable[[bytes], Iterable[str]]


class Codec(NamedTuple, Generic[V]):
    """How a value is stored, made anew, and when it is due.

    `due_ms` returns the earliest time at which something of the value is due, at or past `NO_TIMER` for never.
    `active` returns how many active things it holds, for the census; `blank` whether nothing is to be kept, so that the
    entry is deleted. `rules` tells apart by what rules values are due: one that is decoded, or of which a `summary` is
    taken, is due by those of now, whatever it was stored under. With `groups` active things are also counted by group.
    """

    encode: Callable[[V], bytes]
    decode: Callable[[bytes], V]
    new: Callable[[], V]
    due_ms: Callable[[V], int]
    active: Callable[[V], int]
    blank: Callable[[V], bool]
    summary: Callable[[bytes], Summary]
    rules: str
    groups: Groups | None = None


class Census:
    """How many entries a partition has, and how many active things they hold, also by group: for the metrics."""

    __slots__ = ("active", "entries", "groups")

    def __init__(self, entries: int = 0, active: int = 0, groups: dict[str, int] | None = None) -> None:
        """Start with these counts."""
        self.entries = entries
        self.active = active
        self.groups: dict[str, int] = {} if groups is None else groups


class ChangelogRecord(NamedTuple):
    """One entry as it goes to the changelog."""

    partition: int
    key: bytes
    value: bytes | None


class _Loaded(Generic[V]):
    """A decoded value, and what the overlay or the store held of it."""

    __slots__ = ("active", "changed", "due_ms", "stored", "value")

    def __init__(self, value: V, stored: bool, due_ms: int, active: int) -> None:
        self.value = value
        self.stored = stored
        self.due_ms = due_ms
        self.active = active
        self.changed = False


class _Change:
    """An entry of the overlay: what to store, None to delete it; and, as of the last commit, what is stored."""

    __slots__ = ("active", "active_before", "due_before_ms", "due_ms", "raw", "stored_before")

    def __init__(self, stored_before: bool, due_before_ms: int, active_before: int) -> None:
        self.stored_before = stored_before
        self.due_before_ms = due_before_ms
        self.active_before = active_before
        self.raw: bytes | None = None
        self.due_ms = NO_TIMER
        self.active = 0


class StateTable(Generic[V]):
    """Values by store key (`data_key`)."""

    def __init__(self, store: StateStore, codec: Codec[V]) -> None:
        """Read through to `store`."""
        self.store = store
        self.codec = codec
        self.census: dict[int, Census] = {}
        self._portion: dict[bytes, _Loaded[V]] = {}
        self._overlay: dict[bytes, _Change] = {}
        self._fired: list[Timer] = []
        self._touched = False
        self._turned: dict[tuple[int, str], int] = {}

    def load(self, keys: Iterable[bytes]) -> None:
        """Have these values at hand: one read for all that are not yet.

        Raises:
            SegwireError: the store, or what it holds, cannot be read.
        """
        portion, overlay = self._portion, self._overlay
        decode, due_ms, new, active = self.codec.decode, self.codec.due_ms, self.codec.new, self.codec.active
        missing: list[bytes] = []
        for key in dict.fromkeys(keys):
            if key in portion:
                continue
            change = overlay.get(key)
            if change is None:
                missing.append(key)
            else:
                value = new() if change.raw is None else decode(change.raw)
                portion[key] = _Loaded(value, change.raw is not None, change.due_ms, change.active)
        if not missing:
            return
        try:
            for key, raw in zip(missing, self.store.get_many(missing), strict=True):
                if raw is None:
                    portion[key] = _Loaded(new(), False, NO_TIMER, 0)
                else:
                    value = decode(raw)
                    portion[key] = _Loaded(value, True, due_ms(value), active(value))
        except Exception as error:
            # Of a disk, or of another release: never the fault of the record for which it is read.
            raise SegwireError(f"the local state cannot be read: {error}") from error

    def __getitem__(self, key: bytes) -> V:
        """Return a loaded value, to be changed in place."""
        return self._portion[key].value

    def changed(self, key: bytes) -> None:
        """Say that a value was changed."""
        self._portion[key].changed = self._touched = True

    def turned(self, partition: int, group: str, by: int) -> None:
        """Say that so many more active things of a group are in a partition; of the groups of the codec alone."""
        turned = self._turned
        turned[partition, group] = turned.get((partition, group), 0) + by

    def fold(self) -> None:
        """Encode what was changed, and let go of everything loaded: what is wanted again has to be loaded again."""
        self._encode()
        self._portion.clear()

    def fired(self, timer: Timer) -> None:
        """Say that a timer is spent."""
        self._fired.append(timer)
        self._touched = True

    def pending(self) -> bool:
        """Tell whether anything was changed, or any timer spent, since the last commit."""
        return self._touched

    def changelog(self) -> Iterable[ChangelogRecord]:
        """Return what was changed, each entry once, for the changelog; `commit` then stores the same bytes.

        A deleted entry's value is None: a tombstone.
        """
        self._encode()
        return [ChangelogRecord(*split_data_key(key), change.raw) for key, change in self._overlay.items()]

    def commit(self) -> Writes:
        """Return what to store now: what `changelog` gave, with its timers; counted in the census."""
        writes = Writes()
        for timer in self._fired:
            writes.disarm(timer)
        for key, change in self._overlay.items():
            writes.put(key, change.raw)
            self._count(key, change)
            was, due = change.due_before_ms, change.due_ms
            if was != due:
                if was < NO_TIMER:
                    writes.disarm(Timer(was, key))
                if due < NO_TIMER:
                    writes.arm(Timer(due, key))
        for (partition, group), by in self._turned.items():
            groups = self.census.setdefault(partition, Census()).groups
            groups[group] = groups.get(group, 0) + by
        return writes

    def counts(self) -> Census:
        """Return the census over all partitions that are held."""
        held = list(self.census.values())
        groups = {
            name: sum(census.groups.get(name, 0) for census in held)
            for name in (self.codec.groups.names if self.codec.groups is not None else ())
        }
        return Census(sum(census.entries for census in held), sum(census.active for census in held), groups)

    def drop(self) -> None:
        """Forget every change and everything read since the last commit."""
        self._portion.clear()
        self._overlay.clear()
        self._fired.clear()
        self._turned.clear()
        self._touched = False

    def _encode(self) -> None:
        """Bring the overlay up to date."""
        encode, due_ms, active, blank = self.codec.encode, self.codec.due_ms, self.codec.active, self.codec.blank
        for key, loaded in self._portion.items():
            if not loaded.changed:
                continue
            loaded.changed = False
            change = self._overlay.get(key)
            if change is None:
                change = self._overlay[key] = _Change(loaded.stored, loaded.due_ms, loaded.active)
            value = loaded.value
            change.active = active(value)
            if blank(value):
                change.raw, change.due_ms = None, NO_TIMER
            else:
                change.raw, change.due_ms = encode(value), due_ms(value)

    def _count(self, key: bytes, change: _Change) -> None:
        census = self.census.setdefault(split_data_key(key)[0], Census())
        census.entries += (change.raw is not None) - change.stored_before
        census.active += change.active - change.active_before
