import pytest

from runtime.errors import SegwireError
from runtime.state.changelog import Changelog, Extent, require_changelog, usable
from runtime.state.table import Census

DAY_MS = 86_400_000
NOW_MS = 1_000 * DAY_MS
CHANGELOG = Changelog("cluster", "membership-state", 12, 7 * DAY_MS)
EXTENT = Extent(start=100, end=200)


def _usable(changelog: Changelog = CHANGELOG, *, offset: int = 150, age_ms: int = 0) -> bool:
    return usable(CHANGELOG.checkpoint(offset, NOW_MS - age_ms, Census()), changelog, EXTENT, NOW_MS)


def test_a_checkpoint_of_this_changelog_is_gone_on_from() -> None:
    assert _usable()


def test_without_a_checkpoint_there_is_nothing_to_go_on_from() -> None:
    assert not usable(None, CHANGELOG, EXTENT, NOW_MS)


@pytest.mark.parametrize(
    "other",
    [CHANGELOG._replace(cluster_id="other"), CHANGELOG._replace(topic="other"), CHANGELOG._replace(partitions=6)],
)
def test_a_checkpoint_of_another_cluster_topic_or_partition_count_is_not(other: Changelog) -> None:
    assert not _usable(other)


#   99 | 100 ---------- 200 | 201
@pytest.mark.parametrize(("offset", "good"), [(99, False), (100, True), (200, True), (201, False)])
def test_a_checkpoint_outside_the_log_is_not(offset: int, good: bool) -> None:
    assert _usable(offset=offset) is good


def test_a_checkpoint_older_than_half_the_life_of_a_tombstone_is_not() -> None:
    assert _usable(age_ms=7 * DAY_MS // 2 - 1)
    assert not _usable(age_ms=7 * DAY_MS // 2)


def test_a_store_is_not_given_up_for_a_changelog_that_was_deleted() -> None:
    held = CHANGELOG.checkpoint(150, NOW_MS, Census(7, 3))
    with pytest.raises(SegwireError, match=r"partition 4 is empty, but the local store holds 7 entries.*state publish"):
        require_changelog(held, CHANGELOG, 4, Extent(0, 0))


@pytest.mark.parametrize(
    ("changelog", "entries", "end"),
    [(CHANGELOG, 0, 0), (CHANGELOG, 7, 1), (CHANGELOG._replace(cluster_id="other"), 7, 0)],
    ids=["nothing held", "records there", "another cluster"],
)
def test_a_store_is_given_up_where_it_is_not_all_there_is(changelog: Changelog, entries: int, end: int) -> None:
    require_changelog(CHANGELOG.checkpoint(150, NOW_MS, Census(entries, 0)), changelog, 4, Extent(0, end))
