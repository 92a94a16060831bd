"""Random histories of a user at a destination, beside a model that knows only what was said and what arrived.

The model keeps every row by itself, and the partner takes the last writer by `DateTime`, Status 0 at equal times.
"""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from schemas.event import Partner
from schemas.membership import SegmentMembership
from sinks.outbound.mapping import Mapping, Schedule, Window
from sinks.outbound.memberships import apply_row, apply_tombstone, drop_deleted
from sinks.outbound.rules import Decision, Mode, decide, settle
from sinks.outbound.state import UserState, copy_state, decode_state, encode_state
from tests.support.outbound import DAY_MS, DPID, NOW_MS, key_of, row

SEGMENTS = ("1", "2")
PLACES = ("a", "b")
VALUES = ("x", "y", "z")


class Partnership:
    """One user at one destination: the sender under test, the receiver, and what must be true of both."""

    def __init__(self, mode: Mode) -> None:
        self.mode = mode
        self.now_ms = NOW_MS
        self.stored = UserState()
        self.waiting: list[tuple[SegmentMembership, bool]] = []
        self.rows: dict[tuple[str, str], SegmentMembership] = {}
        self.latest_ms: dict[tuple[str, str], int] = {}
        self.values: dict[str, str] = {"1": "x"}
        self.partners: tuple[str, ...] = ("p",)
        self.partners_stored: tuple[str, ...] = ()
        self.received: dict[str, tuple[int, int]] = {}
        self.meaning: dict[str, str] = {}
        self.acknowledged: tuple[dict[str, int], dict[str, str], tuple[str, ...], int] | None = None
        self.versions = 0
        self.in_flight = False
        self.turns: Counter[str] = Counter()
        self.told_turns: dict[str, tuple[str, int]] = {}
        self.exact = True

    def hear(self, segment: str, place: str, active: bool, later_ms: int) -> None:
        """A sender says something; like the membership processor, this lets no older word win."""
        key = (segment, place)
        at_ms = max(self.now_ms - 5000 + later_ms, self.latest_ms.get(key, 0))
        self.latest_ms[key] = at_ms
        self.versions += 1
        said = row(
            segment, self.versions, "ACTIVE" if active else "INACTIVE", at_ms, destination_id=place,
            partners=[Partner(each, DPID) for each in self.partners],
        )  # fmt: skip
        before = self.is_in(segment)
        self.rows[key] = said
        self.turns[segment] += before != self.is_in(segment)
        self.waiting.append((said, False))

    def delete(self, segment: str, place: str, *, compacted: bool) -> None:
        """The user was removed, and the row goes; where the sink was away for long, it sees only that."""
        said = self.rows.get((segment, place))
        if said is None or said.version == 0:
            return
        # Killed in the middle of a batch and then away for a week: what only that batch knew is lost, as the ADR says.
        if compacted and not self.in_flight:
            self.exact = False
            self.waiting = [each for each in self.waiting if key_of(each[0]) != key_of(said)]
        else:
            self.hear(segment, place, active=False, later_ms=0)
        # Days pass between a removal and the row's deletion, and nothing from before comes back.
        self.now_ms += 7 * DAY_MS
        self.latest_ms = {(name, at): self.now_ms for name in SEGMENTS for at in PLACES}
        # Version 0 stands for a row that is gone.
        self.rows[segment, place] = row(segment, 0, "INACTIVE", destination_id=place)
        self.waiting.append((said, True))

    def mapping(self) -> Mapping:
        return Schedule([Window(segment, value) for segment, value in self.values.items()]).at(self.now_ms)

    def send(self, fate: str) -> None:
        """Process what waits; it is acknowledged, lost on the way, or acknowledged just before a kill."""
        user = copy_state(self.stored)
        for said, deleted in self.waiting:
            if deleted:
                apply_tombstone(user, key_of(said))
            else:
                apply_row(user, said, DPID)
        decision = decide(user, self.mapping(), self.now_ms, self.mode)
        self.check(decision)
        if decision is not None and fate != "lost":
            self.arrive(decision)
        self.in_flight = fate != "acknowledged" and (self.in_flight or fate == "killed")
        if fate == "acknowledged":
            if decision is not None:
                settle(user, decision, self.mapping(), self.now_ms)
                self.settled(decision)
            drop_deleted(user)
            self.partners_stored = self.partners_heard()
            self.waiting.clear()
            self.forget_deleted()
            self.stored = UserState() if user.blank else decode_state(encode_state(user))

    def forget_deleted(self) -> None:
        """Rows go, and with the last one all that was known of the user."""
        self.rows = {key: said for key, said in self.rows.items() if said.version}
        known = {segment for segment, _ in self.rows}
        self.turns = Counter({segment: count for segment, count in self.turns.items() if segment in known})
        if not self.rows:
            self.acknowledged = None

    def arrive(self, decision: Decision) -> None:
        for entry in decision.entries:
            self.meaning[entry.value] = entry.segment_id
            status, at_s = self.received.get(entry.value, (0, -1))
            newer = entry.at_s > at_s or (entry.at_s == at_s and not entry.active)
            self.received[entry.value] = (int(entry.active), entry.at_s) if newer else (status, at_s)

    def settled(self, decision: Decision) -> None:
        told = {} if self.acknowledged is None else self.acknowledged[0]
        self.told_turns |= {entry.value: (entry.segment_id, self.turns[entry.segment_id]) for entry in decision.entries}
        told = {**told, **{entry.value: int(entry.active) for entry in decision.entries}}
        self.acknowledged = told, dict(self.values), self.partners_heard(), self.now_ms

    def partners_heard(self) -> tuple[str, ...]:
        for said, deleted in reversed(self.waiting):
            if not deleted:
                return tuple(sorted(partner.uuid for partner in said.partners))
        return self.partners_stored

    def wanted(self) -> dict[str, int]:
        """What the partner should hold, by value, of the segments of which there is a row."""
        found: dict[str, int] = {}
        for (segment, _), said in self.rows.items():
            value = self.values.get(segment)
            if value is not None:
                found[value] = max(found.get(value, 0), int(said.status == "ACTIVE"))
        return found

    def check(self, decision: Decision | None) -> None:
        """The reasons are the five of the specification, no more and no less."""
        told, values, partners, at_ms = self.acknowledged or ({}, {}, (), 0)
        wanted = self.wanted()
        expected = set()
        turned = {value for value, segment in self.mapped() if self.has_turned(value, segment)} & told.keys()
        if any(status and (not told.get(value) or value in turned) for value, status in wanted.items()):
            expected.add("new-segment")
        if self.must_hear_of_an_exit(told, wanted) or any(value in turned and not wanted[value] for value in wanted):
            expected.add("disqualified")
        if self.acknowledged is not None:
            expected |= {"mapping-changed"} if values != self.values else set()
            expected |= {"partners-changed"} if partners != self.partners_heard() else set()
            expected |= {"three-days"} if self.now_ms - at_ms >= 3 * DAY_MS else set()
        if decision is not None:
            self.check_content(decision, wanted)
        # Of a row that is gone it depends on what was heard of it before.
        if self.exact and all(said.version for said in self.rows.values()):
            assert decision is None or set(decision.reasons) == expected
            assert decision is not None or not {"new-segment", "disqualified"} & expected

    def must_hear_of_an_exit(self, told: dict[str, int], wanted: dict[str, int]) -> bool:
        never_told = any(not status and value not in told for value, status in wanted.items())
        left = any(status and not self.holds(value, wanted) for value, status in told.items())
        return never_told or left

    def mapped(self) -> list[tuple[str, str]]:
        return [(value, segment) for segment, value in self.values.items()]

    def has_turned(self, value: str, segment: str) -> bool:
        """Whether the partner was told of another segment by that value, or of this one before its last turns."""
        told_of, turns = self.told_turns.get(value, ("", 0))
        return told_of != segment or turns != self.turns[segment]

    def is_in(self, segment: str) -> bool:
        return any(said.status == "ACTIVE" for (name, _), said in self.rows.items() if name == segment)

    def holds(self, value: str, wanted: dict[str, int]) -> bool:
        """Whether the user is still in what the partner knows as `value`."""
        if value in wanted:
            return bool(wanted[value])
        return self.is_in(self.meaning[value])

    def check_content(self, decision: Decision, wanted: dict[str, int]) -> None:
        entries = {entry.value: int(entry.active) for entry in decision.entries}
        assert len(entries) == len(decision.entries)
        for value, active in entries.items():
            assert active == wanted.get(value, 0)
        if self.mode == "realtime":
            assert {value for value, status in wanted.items() if status} <= entries.keys()

    def check_in_step(self) -> None:
        """The partner holds what it should, and nobody for active who is not."""
        wanted = self.wanted()
        for value, status in wanted.items():
            # One that was gone before anything was said of it need not be known there.
            assert self.received.get(value, (0, 0))[0] == status
        for value, (status, _) in self.received.items():
            assert not status or self.holds(value, wanted)


Action = st.SearchStrategy[tuple[object, ...]]


def _hear() -> Action:
    key = (st.sampled_from(SEGMENTS), st.sampled_from(PLACES))
    return st.tuples(st.just("hear"), *key, st.booleans(), st.sampled_from([0, 300, 900, 2000]))


def _send() -> Action:
    return st.tuples(st.just("send"), st.sampled_from(["acknowledged", "lost", "killed"]))


_OTHERS: list[Action] = [
    st.tuples(st.just("delete"), st.sampled_from(SEGMENTS), st.sampled_from(PLACES), st.booleans()),
    st.tuples(st.just("map"), st.lists(st.sampled_from(SEGMENTS), unique=True), st.permutations(VALUES)),
    st.tuples(st.just("partners"), st.sampled_from([("p",), ("p", "q"), ()])),
    st.tuples(st.just("wait"), st.sampled_from([1000, DAY_MS, 3 * DAY_MS])),
]
# The same strategy given twice counts once: so these are made anew.
histories = st.lists(st.one_of(*(_hear() for _ in range(6)), *(_send() for _ in range(5)), *_OTHERS), max_size=25)


@given(histories, st.sampled_from(["realtime", "batch"]))
def test_the_partner_always_ends_where_we_are_and_nothing_is_sent_without_a_reason(
    history: list[tuple[object, ...]], mode: Mode
) -> None:
    both = Partnership(mode)
    for action in history:
        play(both, *action)
    both.send("acknowledged")
    both.check_in_step()
    both.check(decide(both.stored, both.mapping(), both.now_ms, mode))


def play(both: Partnership, name: object, *words: object) -> None:
    match name, words:
        case "hear", (str(segment), str(place), bool(active), int(later_ms)):
            both.hear(segment, place, active, later_ms)
        case "delete", (str(segment), str(place), bool(compacted)):
            both.delete(segment, place, compacted=compacted)
        case "map", (list(segments), list(values)):
            # As with a deletion: what only the batch under way knew would be lost.
            if both.in_flight:
                both.send("acknowledged")
            both.values = dict(zip(segments, values, strict=False))
        case "partners", (tuple(partners),):
            both.partners = partners
        case "wait", (int(ms),):
            both.now_ms += ms
        case "send", (str(fate),):
            both.send(fate)
        case _:
            raise AssertionError(name)
