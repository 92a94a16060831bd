"""The messages of a run in the order of sending: a pure function of the plan.

Real-time messages fill the rate; some are held back until newer ones overtook them, some are sent again, some
contradict. A batch comes on top of the rate, one message with each ordinary one, so the load doubles while it lasts.
"""

from collections import deque
from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count

import msgspec

from segwire.simulator.activity import Activity, Draft
from segwire.simulator.message import Message
from segwire.simulator.plan import SimulationPlan
from segwire.simulator.randomness import seeded

_LATE, _REPEATED, _CONTRADICTED = 0.05, 0.06, 0.03
_LONGEST_DELAY_S = 8.0


class Traffic:
    """The messages of a plan; iterate once. Endless where the plan has no duration."""

    def __init__(self, plan: SimulationPlan) -> None:
        """Seed everything from the plan; nothing is generated before it is asked for."""
        self._plan = plan
        self._rng = seeded(plan.seed, "traffic")
        self._activity = Activity(plan, seeded(plan.seed, "activity"))
        self._ready: deque[Draft] = deque()
        self._batch: deque[Draft] = deque()
        self._delayed: list[tuple[float, int, Draft]] = []
        self._tie_break = count()
        self._numbers = count()
        # Short runs have late messages too.
        self._delay_s_max = min(_LONGEST_DELAY_S, (plan.duration_s or 60.0) / 4)

    def __iter__(self) -> Iterator[Message]:
        """Yield messages with rising `number` and `planned_s`."""
        plan, slot = self._plan, 0
        next_batch_s = plan.batch_every_s
        while plan.duration_s is None or slot / plan.rate < plan.duration_s:
            at_s = slot / plan.rate
            if plan.batch_every_s > 0 and at_s >= next_batch_s:
                self._batch.extend(self._activity.batch(self._now_s(at_s)))
                next_batch_s += plan.batch_every_s
            if self._batch:
                yield self._message(self._batch.popleft(), at_s)
            yield self._message(self._next(at_s), at_s)
            slot += 1
        while self._batch:
            yield self._message(self._batch.popleft(), slot / plan.rate)
            slot += 1

    def _next(self, at_s: float) -> Draft:
        while True:
            if self._delayed and self._delayed[0][0] <= at_s:
                return heappop(self._delayed)[2]
            if self._ready:
                return self._ready.popleft()
            self._happen(at_s)

    def _happen(self, at_s: float) -> None:
        """Let something happen and sort what follows from it into now and later."""
        now_s = self._now_s(at_s)
        if self._rng.random() < _CONTRADICTED:
            contradiction = self._activity.contradict(now_s)
            if contradiction is not None:
                self._ready.append(contradiction)
        for draft in self._activity.visit(now_s):
            if self._rng.random() < _REPEATED:
                self._delay(at_s, msgspec.structs.replace(draft, kind="repeat"))
            if self._rng.random() < _LATE:
                self._delay(at_s, msgspec.structs.replace(draft, kind="late"))
            else:
                self._ready.append(draft)

    def _delay(self, at_s: float, draft: Draft) -> None:
        due_s = at_s + self._rng.random() * self._delay_s_max
        heappush(self._delayed, (due_s, next(self._tie_break), draft))

    def _now_s(self, at_s: float) -> int:
        return int(self._plan.start_ms / 1000 + at_s)

    def _message(self, draft: Draft, at_s: float) -> Message:
        return Message(
            number=next(self._numbers),
            kind=draft.kind,
            planned_s=at_s,
            destination_id=draft.destination_id,
            statements=draft.statements,
            body=draft.body,
        )
