"""What users do, and what the sender then has to say: visits, batches, and the contradictions of real senders.

Source: wire format, *Transport* (real-time and batch) and *When a sender sends*.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from random import Random

import msgspec

from segwire.simulator.message import Kind, Statement
from segwire.simulator.plan import SimulationPlan
from segwire.simulator.population import (
    REGIONS,
    Destination,
    Held,
    Person,
    Population,
    make_destinations,
    segment_id,
)
from segwire.simulator.wire import Renderer, UserPart

_USERS_PER_MESSAGE_MAX = 10
_ACTIVE_MAX = 40
_HELD_MAX = 60
_STALE_BY_S_MAX = 86_400


class Draft(msgspec.Struct, frozen=True, gc=False):
    """A message that is not yet given its moment."""

    kind: Kind
    destination_id: str
    statements: tuple[Statement, ...]
    body: bytes


class Activity:
    """The simulated world: each call moves it on and returns what is to be sent. Times are epoch seconds."""

    def __init__(self, plan: SimulationPlan, rng: Random) -> None:
        """Draw everything from `rng`; users are made as they are first seen."""
        self._rng = rng
        self._keeps_changes = plan.batch_every_s > 0
        self._destinations = make_destinations(plan.seed, plan.destinations, plan.segments)
        self._population = Population(
            seed=plan.seed, users=plan.users, segments=plan.segments, start_s=plan.start_ms // 1000
        )
        self._renderer = Renderer(plan.client_id, plan.dates)
        self._changed: dict[int, dict[int, None]] = {}

    def visit(self, now_s: int) -> list[Draft]:
        """Let one user be active; return a message for each destination, at least one."""
        number, person = self._population.draw(self._rng)
        changed = self._evolve(person, now_s)
        if changed is not None and self._keeps_changes:
            self._changed.setdefault(number, {})[changed] = None
        left = changed is not None and not person.held[changed].active
        drafts = [
            self._real_time(destination, person, now_s, with_inactive=left)
            for destination in self._destinations
            if any(segment in destination.mapped for segment in person.held)
        ]
        return drafts or [self._real_time(self._destinations[0], person, now_s, with_inactive=left)]

    def contradict(self, now_s: int) -> Draft | None:
        """Let some message say the opposite of what was said: as of earlier, or as of the same second."""
        _, person = self._population.draw(self._rng)
        if not person.held:
            return None
        segment = self._rng.choice(list(person.held))
        held = person.held[segment]
        is_tie = self._rng.random() < 0.4
        at_s = held.at_s if is_tie else held.at_s - self._rng.randrange(1, _STALE_BY_S_MAX)
        if is_tie and held.active:
            person.held[segment] = Held(active=False, at_s=at_s)
        destination = next(d for d in self._destinations if segment in d.mapped)
        opposite = Statement(person.aam_uuid, segment_id(segment), not held.active, at_s)
        return self._draft("tie" if is_tie else "stale", destination, now_s, [(person, [opposite])])

    def batch(self, now_s: int) -> list[Draft]:
        """Return what changed since the last batch: for each destination, up to ten users a message."""
        changed, self._changed = self._changed, {}
        return [draft for destination in self._destinations for draft in self._batch_for(destination, changed, now_s)]

    def _batch_for(self, destination: Destination, changed: dict[int, dict[int, None]], now_s: int) -> Iterable[Draft]:
        told = (
            (person, statements)
            for number, segments in changed.items()
            if (statements := _state(person := self._population.person(number), segments, destination))
        )
        while users := list(islice(told, self._rng.choice((10, 10, 10, 9, 4)))):
            yield self._draft("batch", destination, now_s, users)

    def _evolve(self, person: Person, now_s: int) -> int | None:
        """Perhaps change one membership; return which segment's status the sender now sees differently."""
        roll, held = self._rng.random(), person.held
        active = [segment for segment, was in held.items() if was.active]
        drawn = self._population.by_popularity.draw(self._rng)
        if roll < 0.30 and len(active) < _ACTIVE_MAX and drawn not in active:
            return self._hold(person, drawn, Held(active=True, at_s=now_s))
        if 0.30 <= roll < 0.45 and active:
            return self._hold(person, self._rng.choice(active), Held(active=False, at_s=now_s))
        if 0.45 <= roll < 0.49 and drawn not in held:
            return self._hold(person, drawn, Held(active=False, at_s=now_s))
        if 0.49 <= roll < 0.75 and active:
            held[self._rng.choice(active)] = Held(active=True, at_s=now_s)
        return None

    def _hold(self, person: Person, segment: int, held: Held) -> int:
        person.held[segment] = held
        if len(person.held) > _HELD_MAX:
            # The sender forgets the disqualification that is longest ago, so that messages stay short.
            inactive = (number for number, was in person.held.items() if not was.active and number != segment)
            del person.held[min(inactive, key=lambda number: person.held[number].at_s)]
        return segment

    def _real_time(self, destination: Destination, person: Person, now_s: int, *, with_inactive: bool) -> Draft:
        users = [(person, _snapshot(person, destination, with_inactive=with_inactive))]
        if self._rng.random() < 0.08:
            _, other = self._population.draw(self._rng)
            if other is not person:
                users.append((other, _snapshot(other, destination, with_inactive=False)))
        return self._draft("visit", destination, now_s, users)

    def _draft(
        self, kind: Kind, destination: Destination, now_s: int, users: Sequence[tuple[Person, list[Statement]]]
    ) -> Draft:
        dpid, partner_uuids = self._partners(destination, [person for person, _ in users])
        parts = [
            UserPart(person.aam_uuid, partner_uuid, self._regions(), statements)
            for (person, statements), partner_uuid in zip(users, partner_uuids, strict=True)
        ]
        body = self._renderer.render(
            self._rng, destination_id=destination.destination_id, dpid=dpid, now_s=now_s, users=parts
        )
        statements = tuple(said for _, of_user in users for said in of_user)
        return Draft(kind, destination.destination_id, statements, body)

    def _partners(self, destination: Destination, people: Sequence[Person]) -> tuple[int | None, list[str | None]]:
        """Choose one data source for the whole message, and each user's ID in it."""
        roll = self._rng.random()
        crm_uuids: list[str | None] = [person.crm_uuid(destination) for person in people]
        if len(people) == 1 and people[0].devices and roll < 0.35:
            dpid, uuid = self._rng.choice(people[0].devices)
            return dpid, [uuid]
        if roll > 0.97:
            return destination.crm_dpid, [self._rng.choice((None, "")) for _ in people]
        return (None if roll > 0.90 else destination.crm_dpid), crm_uuids

    def _regions(self) -> Sequence[int]:
        count = self._rng.choice((1, 1, 1, 1, 2, 0))
        return [self._rng.choice(REGIONS) for _ in range(count)]


def _snapshot(person: Person, destination: Destination, *, with_inactive: bool) -> list[Statement]:
    """Everything the user is in at a destination; a disqualification brings all others along."""
    return [
        Statement(person.aam_uuid, segment_id(segment), held.active, held.at_s)
        for segment, held in person.held.items()
        if segment in destination.mapped and (held.active or with_inactive)
    ]


def _state(person: Person, segments: Iterable[int], destination: Destination) -> list[Statement]:
    return [
        Statement(person.aam_uuid, segment_id(segment), held.active, held.at_s)
        for segment in segments
        if segment in destination.mapped and (held := person.held.get(segment)) is not None
    ]
