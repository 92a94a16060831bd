"""Which dead letters are redriven."""

import pytest

from schemas.redriven import Redriven
from segwire.inspect.dead_letters import DeadLetter, Wanted
from segwire.redrive.plan import (
    FAILED_AGAIN,
    REDRIVEN_BEFORE,
    SUPERSEDED,
    UNKNOWN_STAGE,
    Candidate,
    Choice,
    Plan,
    make_plan,
    sink_of,
)

NOW_MS = 1_000_000
ORIGIN = ("aam-posts", 1, 12)
AGAIN = Choice(Wanted(), again=True)


def candidate(
    name: str, *, stage: str = "fan-out", at: int = 1, redriven: int = 0, first: str | None = None,
    redriven_at: int | None = None, origin: tuple[str, int, int] | None = None, user_index: int | None = None,
    checksum: int = 0, count: int | None = None, error: str = "bad-user",
) -> Candidate:  # fmt: skip
    letter = DeadLetter(name, stage, error, "r", "dev", at, redriven, first or name, redriven_at)
    return Candidate(letter, origin, user_index, checksum, redriven if count is None else count)


def plan(*candidates: Candidate, choice: Choice = Choice(Wanted())) -> Plan:  # noqa: B008 - it is frozen
    return make_plan(candidates, choice)


def test_letters_are_sent_oldest_first_and_marked_with_themselves() -> None:
    made = plan(candidate("0-2", at=5), candidate("1-0", at=3))
    assert [(send.made_of, send.marks) for send in made.sends] == [
        ("1-0", (Redriven("1-0", 1),)),
        ("0-2", (Redriven("0-2", 1),)),
    ]
    assert made.left == {}


def test_only_what_is_wanted_is_sent() -> None:
    every = [candidate("0-1"), candidate("0-2", error="other"), candidate("0-3", stage="membership")]
    assert [x.id for x in plan(*every, choice=Choice(Wanted(error="bad-user", stage="fan-out"))).letters] == ["0-1"]
    assert [x.id for x in plan(*every, choice=Choice(Wanted(), frozenset({"0-2"}))).letters] == ["0-2"]
    assert plan(*every, choice=Choice(Wanted(error="other"), frozenset({"0-1"}))) == Plan([], {})


def test_letter_that_was_redriven_is_left_unless_again() -> None:
    before = candidate("0-1", redriven_at=NOW_MS, count=1)
    assert plan(before) == Plan([], {REDRIVEN_BEFORE: 1})
    (send,) = plan(before, choice=AGAIN).sends
    assert send.marks == (Redriven("0-1", 2),)


def test_letter_of_what_failed_again_is_left_unless_again_and_keeps_its_count_and_first_letter() -> None:
    failed = candidate("0-9", redriven=3, first="0-1")
    assert plan(failed) == Plan([], {FAILED_AGAIN: 1})
    (send,) = plan(failed, choice=AGAIN).sends
    assert send.marks == (Redriven("0-1", 4),)


def test_of_a_chain_the_newest_letter_alone_is_sent() -> None:
    chain = [
        candidate("0-1", redriven_at=10),
        candidate("0-5", redriven=1, first="0-1", redriven_at=20),
        candidate("0-9", redriven=2, first="0-1"),
    ]
    made = plan(*chain, choice=AGAIN)
    assert [letter.id for letter in made.letters] == ["0-9"]
    assert made.left == {SUPERSEDED: 2}


def test_users_of_one_message_are_sent_as_one_record() -> None:
    made = plan(
        candidate("2-1", origin=ORIGIN, user_index=4, at=2),
        candidate("0-1", origin=ORIGIN, user_index=0),
        candidate("0-2", origin=("aam-posts", 1, 13), user_index=0, at=3),
    )
    assert [(send.made_of, send.marks) for send in made.sends] == [
        ("0-1", (Redriven("0-1", 1, 0), Redriven("2-1", 1, 4))),
        ("0-2", (Redriven("0-2", 1, 0),)),
    ]
    assert len(made.letters) == 3


@pytest.mark.parametrize(
    "other",
    [
        candidate("0-2", origin=ORIGIN),
        candidate("0-2", origin=ORIGIN, user_index=1, checksum=7),
        candidate("0-2", user_index=1),
        candidate("0-2", origin=ORIGIN, user_index=1, stage="membership"),
    ],
)
def test_what_is_not_surely_of_one_message_is_sent_apart(other: Candidate) -> None:
    assert len(plan(candidate("0-1", origin=ORIGIN, user_index=0), other).sends) == 2


@pytest.mark.parametrize("stage", ["unknown", "sink:", "sink", "Ingest"])
def test_letter_of_an_unknown_stage_is_left(stage: str) -> None:
    assert plan(candidate("0-1", stage=stage)) == Plan([], {UNKNOWN_STAGE: 1})


@pytest.mark.parametrize("stage", ["ingest", "fan-out", "membership", "identity", "sink:partner-a"])
def test_letter_of_each_stage_is_sent(stage: str) -> None:
    assert len(plan(candidate("0-1", stage=stage)).sends) == 1


def test_sink_is_named_by_its_stage() -> None:
    stages = ("sink:partner-a", "sink:warehouse:changes", "fan-out")
    assert [sink_of(stage) for stage in stages] == ["partner-a", "warehouse", None]
