"""Years in seconds: the membership processor over a real store, with a clock that the test moves."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from processors.rules.expiry import TimeLimits
from schemas.event import SegmentEvent
from tests.support.events import USER, active, at, event, inactive, partner
from tests.support.oracle import Oracle, change_of, changes_by_key, row_of, rows_by_key
from tests.support.simulated import Simulated

USERS = 100_000
TWO_YEARS_DAYS = 730

Make = Callable[[TimeLimits], Simulated]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Simulated] = []

    def one(limits: TimeLimits) -> Simulated:
        made.append(Simulated(tmp_path / str(len(made)), limits))
        return made[-1]

    yield one
    for each in made:
        each.close()


def years_of_one_user(seed: int) -> Iterator[SegmentEvent]:
    """Two years: busy months, quiet ones, and half a year in which nothing is heard."""
    chance = random.Random(seed)
    for day in range(TWO_YEARS_DAYS):
        if 200 <= day < 390 or chance.random() < 0.5:
            continue
        received_at = at(day, chance.randrange(24))
        said = [
            chance.choice((active, active, active, inactive))(received_at - chance.randrange(3_600_000), name)
            for name in chance.sample(["short", "long", "forever", "usual"], chance.randint(0, 3))
            if name != "usual" or day < 60
        ]
        yield event(*said, received_at=received_at, offset=day, partner=partner(f"p-{chance.randrange(5)}"))


def test_two_years_of_one_user_are_told_as_the_specification_says_day_by_day_or_all_at_once(make: Make) -> None:
    ttl_days = {"short": 3, "long": 200, "forever": 0}
    limits = TimeLimits(ttl_days=ttl_days)
    story = list(years_of_one_user(7))
    end_ms = at(TWO_YEARS_DAYS)
    oracle = Oracle(default_ttl_days=120, inactivity_days=120, ttl_days=ttl_days)
    oracle.hear_all(story)
    oracle.pass_time(USER, end_ms)

    daily, late = make(limits), make(limits)
    for day in range(TWO_YEARS_DAYS + 1):
        daily.pass_time(at(day))
        daily.hear([told for told in story if told.origin.offset == day])
    late.hear(story)
    late.pass_time(end_ms)

    for told in (daily, late):
        assert changes_by_key(map(change_of, told.changes())) == changes_by_key(oracle.changes)
        assert rows_by_key(map(row_of, told.rows())) == rows_by_key(oracle.rows)
    assert [change.version for change in daily.changes()] == [change.version for change in late.changes()]
    assert daily.tombstones == late.tombstones > 0
    causes = Counter(change.cause for change in daily.changes())
    assert causes.keys() == {"QUALIFIED", "DISQUALIFIED", "EXPIRED", "INACTIVE_USER"}
    assert causes["EXPIRED"] > 20


def test_a_hundred_thousand_users_are_removed_each_at_its_midnight_and_none_before(make: Make) -> None:
    """Seen on twenty days, and never again; half of the memberships live for 120 days, half for ever."""
    days = 20
    simulated = make(TimeLimits(ttl_days={"forever": 0}, tombstone_after_days=365))
    for day in range(days):
        for kind, number in (("forever", day), ("usual", day + days)):
            said = event(active(at(day, 1), kind), received_at=at(day, 2), aam_uuid=f"{number:038d}")
            simulated.hear([said])
            simulated.copy(said.aam_uuid, [f"{same:038d}" for same in range(number + 2 * days, USERS, 2 * days)])
    assert simulated.users() == USERS
    for day in range(days):
        simulated.told.clear()
        due_ms = at(day + 121)
        assert simulated.pass_time(due_ms - 1) == 0
        assert simulated.pass_time(due_ms) == USERS // days
        simulated.told = random.Random(day).sample(simulated.told, 40)
        assert {(change.segment_id, change.cause, change.since) for change in simulated.changes()} == {
            ("usual", "EXPIRED", due_ms), ("forever", "INACTIVE_USER", due_ms),
        }  # fmt: skip
