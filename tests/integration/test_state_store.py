"""The local store and the table over it, on a real disk."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from runtime.errors import SegwireError
from runtime.state.store import Checkpoint, StateStore, Timer, Writes, data_key, split_data_key
from runtime.state.table import NO_TIMER, Codec, StateTable, Summary


class Counted(msgspec.Struct):
    """A value that is due at `due_ms`."""

    number: int = 0
    due_ms: int = NO_TIMER


CODEC: Codec[Counted] = Codec(
    encode=msgspec.json.encode,
    decode=lambda raw: msgspec.json.decode(raw, type=Counted),
    new=Counted,
    due_ms=lambda value: value.due_ms,
    active=lambda value: value.number,
    blank=lambda value: value.number < 0,
    summary=lambda raw: Summary(0, NO_TIMER, len(raw)),
    rules="",
)
A, B = data_key(3, b"a"), data_key(3, b"b")


def _open(folder: Path) -> StateStore:
    return StateStore(folder / "state" / "membership-0", block_cache_bytes=1 << 20, memtable_bytes=1 << 20)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    opened = _open(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def table(store: StateStore) -> StateTable[Counted]:
    return StateTable(store, CODEC)


def _change(table: StateTable[Counted], key: bytes, number: int, due_ms: int = NO_TIMER) -> None:
    table.load([key])
    table[key].number, table[key].due_ms = number, due_ms
    table.changed(key)


def _commit(table: StateTable[Counted]) -> None:
    list(table.changelog())
    table.store.write(table.commit())
    table.drop()


def _due(table: StateTable[Counted], now_ms: int, partition: int = 3) -> list[tuple[int, bytes]]:
    return [(timer.due_ms, split_data_key(timer.key)[1]) for timer in table.store.due(partition, now_ms)]


def _number(table: StateTable[Counted], key: bytes) -> int:
    table.load([key])
    return table[key].number


# -- the table --------------------------------------------------------------------------------------------------------


def test_what_is_committed_is_read_again(table: StateTable[Counted]) -> None:
    _change(table, A, 1)
    _commit(table)
    assert (_number(table, A), _number(table, B)) == (1, 0)


def test_a_change_is_seen_before_the_commit_but_not_by_the_store(table: StateTable[Counted]) -> None:
    _change(table, A, 1)
    assert _number(table, A) == 1
    assert table.store.get_many([A]) == [None]


def test_an_abort_forgets_every_change_and_every_timer_of_it(table: StateTable[Counted]) -> None:
    _change(table, A, 1, due_ms=50)
    _commit(table)
    _change(table, A, 2, due_ms=70)
    table.fired(Timer(50, A))
    list(table.changelog())
    table.drop()
    assert not table.pending()
    assert (_number(table, A), _due(table, 100)) == (1, [(50, b"a")])
    assert list(table.changelog()) == []


def test_the_changelog_holds_each_change_once_with_its_last_value(table: StateTable[Counted]) -> None:
    for number in (1, 2):
        _change(table, A, number)
    _change(table, B, 7)
    found = [(record.partition, record.key, CODEC.decode(record.value or b"").number) for record in table.changelog()]
    assert found == [(3, b"a", 2), (3, b"b", 7)]


def test_a_timer_follows_its_value(table: StateTable[Counted]) -> None:
    _change(table, A, 1, due_ms=50)
    _commit(table)
    assert _due(table, 49) == []
    assert _due(table, 50) == [(50, b"a")]
    _change(table, A, 2, due_ms=70)
    _commit(table)
    assert _due(table, 100) == [(70, b"a")]
    _change(table, A, 3)
    _commit(table)
    assert _due(table, 1 << 61) == []


def test_a_spent_timer_is_gone_also_where_the_value_did_not_change(table: StateTable[Counted]) -> None:
    _change(table, A, 1, due_ms=50)
    _commit(table)
    table.store.write(_armed(Timer(40, A)))  # as one that a restore left behind
    table.fired(Timer(40, A))
    assert table.pending()
    _commit(table)
    assert _due(table, 100) == [(50, b"a")]


def test_a_spent_timer_is_armed_again_for_the_next_thing_due(table: StateTable[Counted]) -> None:
    _change(table, A, 1, due_ms=50)
    _commit(table)
    table.load([A])
    table.fired(Timer(50, A))
    _change(table, A, 1, due_ms=60)
    _commit(table)
    assert _due(table, 100) == [(60, b"a")]


def _armed(timer: Timer) -> Writes:
    writes = Writes()
    writes.arm(timer)
    return writes


def test_the_census_counts_entries_and_what_is_active_in_them(table: StateTable[Counted]) -> None:
    _change(table, A, 2)
    _change(table, B, 3)
    _commit(table)
    _change(table, A, 1)
    _commit(table)
    assert (table.counts().entries, table.counts().active) == (2, 4)


def test_a_blank_value_is_deleted_with_its_timer(table: StateTable[Counted]) -> None:
    _change(table, A, 1, due_ms=50)
    _commit(table)
    _change(table, A, -1, due_ms=60)
    assert [record.value for record in table.changelog()] == [None]
    _commit(table)
    assert (table.store.get_many([A]), _due(table, 100)) == ([None], [])


# -- the store --------------------------------------------------------------------------------------------------------


def test_timers_come_earliest_first_and_of_one_partition_alone(table: StateTable[Counted]) -> None:
    for partition, name, due_ms in ((3, b"x", 300), (3, b"y", 5), (4, b"z", 1), (2, b"w", 2), (3, b"v", 1 << 40)):
        table.store.write(_armed(Timer(due_ms, data_key(partition, name))))
    assert _due(table, 1000) == [(5, b"y"), (300, b"x")]
    assert _due(table, 1000, partition=4) == [(1, b"z")]


def test_a_partition_is_wiped_and_no_other(table: StateTable[Counted]) -> None:
    store = table.store
    for partition in (2, 3, 4):
        writes = Writes()
        writes.put(data_key(partition, b"a"), b"value")
        writes.arm(Timer(5, data_key(partition, b"a")))
        writes.checkpoint(partition, Checkpoint("cluster", "topic", 12, 9, 1))
        store.write(writes)
    store.wipe(3)
    assert [len(list(store.scan(partition))) for partition in (2, 3, 4)] == [1, 0, 1]
    assert [len(_due(table, 10, partition)) for partition in (2, 3, 4)] == [1, 0, 1]
    assert [store.checkpoint(partition) is None for partition in (2, 3, 4)] == [False, True, False]


def test_a_wipe_that_ends_anywhere_leaves_no_checkpoint_that_vouches_for_what_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill within a wipe: whatever was done by then, what is left must not look whole."""
    for steps in range(3):
        store = _open(tmp_path / str(steps))
        writes = Writes()
        writes.put(A, b"1")
        writes.arm(Timer(5, A))
        writes.checkpoint(3, Checkpoint("cluster", "topic", 4, 77, 1000))
        store.write(writes)
        left = [steps]

        def counted(call: Callable[..., None], left: list[int] = left) -> Callable[..., None]:
            def step(*arguments: object) -> None:
                if not left[0]:
                    raise KeyboardInterrupt
                left[0] -= 1
                call(*arguments)

            return step

        class Killed:
            def __init__(self, store: StateStore) -> None:
                self.delete = counted(store._db.delete)
                self.delete_range = counted(store._db.delete_range)

        real = store._db
        monkeypatch.setattr(store, "_db", Killed(store))
        with pytest.raises(KeyboardInterrupt):
            store.wipe(3)
        monkeypatch.setattr(store, "_db", real)
        store.close()
        again = _open(tmp_path / str(steps))
        whole = (list(again.scan(3)), list(again.due(3, 10))) == ([(A, b"1")], [Timer(5, A)])
        assert (again.checkpoint(3) is None) or whole
        assert (again.checkpoint(3) is None) == (steps > 0)
        again.close()


def test_everything_is_there_after_it_was_closed_and_opened(tmp_path: Path) -> None:
    store = _open(tmp_path)
    writes = Writes()
    writes.put(A, b"value")
    checkpoint = Checkpoint("cluster", "topic", 12, 9, 1)
    writes.checkpoint(3, checkpoint)
    store.write(writes)
    store.close()
    again = _open(tmp_path)
    assert again.get_many([B, A]) == [None, b"value"]
    assert again.checkpoint(3) == checkpoint
    again.close()


def test_a_directory_that_another_holds_is_refused_with_what_to_do(store: StateStore, tmp_path: Path) -> None:
    with pytest.raises(SegwireError, match=r"membership-0: another process holds it; .* another ordinal or data_dir"):
        _open(tmp_path)


def test_a_damaged_directory_says_that_it_is_only_a_cache(tmp_path: Path) -> None:
    _open(tmp_path).close()
    (tmp_path / "state" / "membership-0" / "CURRENT").write_text("nonsense")
    with pytest.raises(SegwireError, match=r"cannot be opened .* only a cache: remove it"):
        _open(tmp_path)
