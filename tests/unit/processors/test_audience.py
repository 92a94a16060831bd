"""Sizes of segments, and who enters and leaves them: counted with the commit, of the configured segments alone."""

from typing import Any, cast

import pytest
from prometheus_client import REGISTRY

from processors.audience import Audience
from processors.membership import user_codec
from processors.rules.expiry import TimeLimits
from processors.rules.membership import apply_event
from processors.rules.state import UserState
from runtime.state.counting import Counting
from runtime.state.store import Checkpoint
from runtime.state.table import Census, StateTable
from tests.support.events import active, at, event, inactive

LIMITS = TimeLimits(default_ttl_days=120)


def table_of(*segments: str) -> StateTable[UserState]:
    return StateTable(cast("Any", None), user_codec(LIMITS, segments))


def user_in(*segments: str, destinations: tuple[str, ...] = ("1",), out_of: tuple[str, ...] = ()) -> bytes:
    user = UserState()
    said = [active(at(0), name) for name in segments] + [inactive(at(0), name) for name in out_of]
    for destination in destinations:
        apply_event(user, event(*said, received_at=at(0), destination_id=destination), LIMITS)
    return user_codec(LIMITS).encode(user)


def series(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def test_sizes_follow_the_commit_and_not_what_is_dropped() -> None:
    table = table_of("7", "8")
    table.turned(3, "7", 1)
    table.drop()
    table.turned(3, "7", 1)
    table.turned(4, "7", 1)
    table.turned(4, "8", -1)
    assert table.counts().groups == {"7": 0, "8": 0}
    table.commit()
    table.drop()
    assert table.counts().groups == {"7": 2, "8": -1}
    table.commit()
    assert table.counts().groups == {"7": 2, "8": -1}


def test_a_partition_that_went_is_no_longer_counted() -> None:
    table = table_of("7")
    table.census.update({0: Census(1, 1, {"7": 5}), 1: Census(1, 1, {"7": 3})})
    del table.census[0]
    assert table.counts().groups == {"7": 3}


def test_changes_are_told_once_with_the_commit() -> None:
    audience = Audience(table_of("a1"))
    name, labels = "segwire_membership_segment_changes_total", {"segment": "a1", "change": "EXITED", "cause": "EXPIRED"}
    assert series(name, **labels) == 0  # it is there before anything happens
    audience.turned(0, "a1", "EXITED", "EXPIRED")
    audience.aborted()
    audience.turned(0, "a1", "EXITED", "EXPIRED")
    audience.committed()
    audience.aborted()
    audience.committed()
    assert series(name, **labels) == 1


def test_without_segments_nothing_is_counted_or_exposed() -> None:
    audience = Audience(table_of())
    assert audience.segments == frozenset()
    assert table_of().counts().groups == {}


def test_a_restore_counts_what_is_active_of_the_segments_at_every_destination() -> None:
    codec = user_codec(LIMITS, ["7", "8"])
    counting = Counting(codec)
    census = counting.nothing()
    for raw in (user_in("7", "9", destinations=("1", "2")), user_in("7", out_of=("8",)), user_in(out_of=("7",))):
        counting.add(census, raw, codec.summary(raw))
    assert (census.entries, census.active, census.groups) == (3, 5, {"7": 3, "8": 0})
    raw = user_in("7")
    counting.add(census, raw, codec.summary(raw), -1)
    assert (census.entries, census.active, census.groups) == (2, 4, {"7": 2, "8": 0})


@pytest.mark.parametrize(
    ("segments", "expected"),
    [(("7",), {"7": 2}), ((), {}), (("7", "8"), {"7": 2, "8": 1}), (("9",), None), (("7", "9"), None)],
)
def test_a_checkpoint_counts_where_it_has_every_segment_of_now(
    segments: tuple[str, ...], expected: dict[str, int] | None
) -> None:
    checkpoint = Checkpoint("c", "t", 1, 0, 0, entries=5, active=4, groups={"7": 2, "8": 1})
    known = Counting(user_codec(LIMITS, segments)).known(checkpoint)
    assert (None if known is None else known.groups) == expected


@pytest.mark.parametrize("checkpoint", [None, Checkpoint("c", "t", 1, 0, 0, entries=-1, active=-1, groups={"7": 2})])
def test_a_checkpoint_that_did_not_count_is_not_gone_by(checkpoint: Checkpoint | None) -> None:
    assert Counting(user_codec(LIMITS, ["7"])).known(checkpoint) is None
