"""The count of what a partition holds, gone on from while records are replayed onto what is there already."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from processors.membership import user_codec
from processors.rules.expiry import TimeLimits
from processors.rules.membership import apply_event
from processors.rules.state import UserState
from runtime.state.changelog import Changelog, Extent
from runtime.state.restore import Restorer, _Partition
from runtime.state.store import StateStore
from tests.support.events import active, at, event, inactive
from tests.support.loop import Clock

LIMITS = TimeLimits(default_ttl_days=120)
CODEC = user_codec(LIMITS, ["1", "2"])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    opened = StateStore(tmp_path / "state", block_cache_bytes=1 << 20, memtable_bytes=1 << 20)
    yield opened
    opened.close()


def a_user(chance: random.Random) -> bytes:
    user = UserState()
    said = [chance.choice([active, inactive])(at(0), str(number)) for number in range(chance.randint(0, 4))]
    apply_event(user, event(*said, received_at=at(0)), LIMITS)
    return CODEC.encode(user)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_replayed_onto_a_store_is_counted_as_if_all_were_counted_anew(store: StateStore, seed: int) -> None:
    chance = random.Random(seed)
    restorer: Restorer[UserState] = Restorer(
        consumer=cast("Any", None), admin=cast("Any", None), changelog=Changelog("c", "t", 1, 1000), input_topic="in",
        store=store, codec=CODEC, clock=Clock(), processor="test",
    )  # fmt: skip
    state = _Partition(Extent(0, 0), 0, None, empty=True)
    for _ in range(6):
        for _ in range(chance.randint(0, 30)):
            state.latest[b"%d" % chance.randint(0, 40)] = a_user(chance) if chance.random() < 0.8 else None
        restorer._store_folded(0, state)
    gone_on = restorer._census(0)
    counted = restorer._counting.nothing()
    for _, raw in store.scan(0):
        restorer._counting.add(counted, raw, CODEC.summary(raw))
    known = store.checkpoint(0)
    assert known is not None
    assert known.entries >= 0, "it was not gone on from"
    assert (gone_on.entries, gone_on.active, gone_on.groups) == (counted.entries, counted.active, counted.groups)
    assert counted.groups["1"]
