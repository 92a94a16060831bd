"""What happens to a run: everything that can be chosen is chosen from the seed, before it starts; pure.

`seed % THEMES` says what the run is mainly about, so that as many runs of successive seeds have met everything.
"""

import random
from typing import Literal, NamedTuple

from runtime.injection import POINTS, Point

SESSION_S = 6.0

Kind = Literal[
    "kill-at", "kill", "freeze", "freeze-at", "rebalance-at", "drop-state", "join-and-leave",
    "broker-kill", "broker-freeze", "broker-kill-at", "broker-freeze-at", "end-transaction", "clock",
]  # fmt: skip
Role = Literal["transactions", "group", "input"]

THEMES = len(POINTS) + 5
_ZOMBIE, _BROKER, _ANSWERS, _REBALANCE, _CLOCK = range(len(POINTS), THEMES)


class Fault(NamedTuple):
    """One thing that goes wrong. `nth`: at which passing of `point`; `seconds`: how long it lasts, or until it is."""

    kind: Kind
    member: int = 0
    point: Point = "processed"
    nth: int = 1
    seconds: float = 0.0
    role: Role = "transactions"
    trouble: str = ""
    shift_ms: int = 0

    def short(self) -> str:
        return f"{self.kind}({self.point})" if self.kind.endswith("-at") else self.kind


class Plan(NamedTuple):
    """A whole run."""

    seed: int
    protocol: Literal["classic", "consumer"]
    members: int
    commit_interval_ms: int
    batch_records: int
    max_transaction_records: int
    frail: bool
    faults: tuple[Fault, ...]


def make_plan(seed: int) -> Plan:
    """Return the run of a seed."""
    chance = random.Random(f"plan {seed}")
    theme = seed % THEMES
    # Of successive seeds each theme meets both protocols, and of one round half of the themes meet each.
    protocol: Literal["classic", "consumer"] = "classic" if (seed // THEMES + theme) % 2 == 0 else "consumer"
    members = chance.choice((2, 3)) if theme == _REBALANCE else chance.choice((1, 1, 2, 2, 3))
    main = _main(chance, theme, members)
    faults = [*main, *(_extra(chance, members) for _ in range(chance.choice((0, 0, 0, 1, 2))))]
    return Plan(
        seed=seed,
        protocol=protocol,
        members=members,
        commit_interval_ms=chance.choice((10, 50, 200)),
        batch_records=chance.choice((1, 20, 200, 2000)),
        max_transaction_records=chance.choice((50, 300, 10_000)),
        frail=any(fault.kind == "end-transaction" for fault in faults),
        faults=tuple(faults),
    )


def _main(chance: random.Random, theme: int, members: int) -> list[Fault]:
    member = chance.randrange(members)
    if theme < len(POINTS):
        return [Fault("kill-at", member, POINTS[theme], _nth(chance, POINTS[theme]))]
    seconds = SESSION_S + chance.choice((1.0, 3.0))
    if theme == _ZOMBIE:
        point = chance.choice(POINTS)
        return [
            chance.choice((Fault("freeze", member, seconds=seconds), _at(chance, "freeze-at", member, point, seconds)))
        ]
    if theme == _BROKER:
        role: Role = chance.choice(("transactions", "group", "input"))
        point = chance.choice(("changelog-written", "offsets-sent", "processed"))
        down_s = chance.choice((1.0, 4.0, 8.0))
        kind: Kind = chance.choice(("broker-kill-at", "broker-freeze-at"))
        return [_at(chance, kind, member, point, down_s)._replace(role=role)]
    if theme == _ANSWERS:
        return [_answers(chance, member) for _ in range(2)]
    if theme == _REBALANCE:
        points: tuple[Point, ...] = ("changelog-written", "offsets-sent", "restoring", "fired", "committed")
        return [
            _at(chance, "rebalance-at", member, point, chance.choice((0.5, 2.0, SESSION_S + 3.0)))
            for point in chance.sample(points, 2)
        ]
    shift_ms = chance.choice((-3_600_000, -20_000, 20_000, 86_400_000, 200 * 86_400_000))
    return [Fault("clock", member, seconds=3.0, shift_ms=shift_ms)]


def _extra(chance: random.Random, members: int) -> Fault:
    member = chance.randrange(members)
    point = chance.choice(POINTS)
    return chance.choice(
        (
            Fault("kill", member, seconds=chance.random() * 2),
            Fault("kill-at", member, point, _nth(chance, point)),
            Fault("drop-state", member),
            Fault("freeze", member, seconds=chance.random() * 2),
            Fault("join-and-leave", members, seconds=chance.random() * 3),
            Fault("broker-kill", role="group", seconds=chance.random()),
            Fault("broker-freeze", role="transactions", seconds=chance.random() * 3),
            _answers(chance, member),
        )
    )


def _answers(chance: random.Random, member: int) -> Fault:
    trouble = chance.choice(("delay-answer", "lose-answer", "lose-request", "delay-request"))
    # Within the timeout of a transaction, and beyond it.
    return Fault(
        "end-transaction", member, nth=chance.randint(1, 4), seconds=chance.choice((0.5, 3.0, 7.0)), trouble=trouble
    )


def _at(chance: random.Random, kind: Kind, member: int, point: Point, seconds: float) -> Fault:
    return Fault(kind, member, point, _nth(chance, point), seconds)


def _nth(chance: random.Random, point: Point) -> int:
    """A start passes `restoring` and `fired` but a few times."""
    if point == "restoring":
        return 1
    return chance.randint(1, 3 if point == "fired" else 20)
