"""Which dead letters are redriven, which are left, and why. Pure. Source: ADR 10."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from schemas.redriven import Redriven
from segwire.inspect.dead_letters import DeadLetter, Wanted

REDRIVEN_BEFORE = "redriven before (--again sends them once more)"
FAILED_AGAIN = "failed again after they were redriven (--again sends them once more)"
SUPERSEDED = "failed again: their newest letter stands for them"
UNKNOWN_STAGE = "of a stage that this release does not know"

_STAGES = ("ingest", "fan-out", "membership", "identity")
_SINK = "sink:"


class Candidate(msgspec.Struct, frozen=True):
    """A dead letter and what its redriving depends on.

    `origin` is topic, partition and offset of the original record, and tells with `checksum` of its bytes which
    letters are of one record. `count` is how often that was sent again by now.
    """

    letter: DeadLetter
    origin: tuple[str, int, int] | None
    user_index: int | None
    checksum: int
    count: int


class Send(msgspec.Struct, frozen=True):
    """One record to send: made of the letter `made_of`, it stands for all the letters that are `marked`."""

    made_of: str
    letters: tuple[DeadLetter, ...]
    marks: tuple[Redriven, ...]


class Choice(msgspec.Struct, frozen=True):
    """Which letters are meant: all that are `wanted`, of these `ids` where there are any."""

    wanted: Wanted
    ids: frozenset[str] = frozenset()
    again: bool = False


class Plan(msgspec.Struct, frozen=True):
    """What is sent, oldest first, and how many letters that were meant are left, by reason."""

    sends: list[Send]
    left: dict[str, int]

    @property
    def letters(self) -> list[DeadLetter]:
        """The letters that are redriven."""
        return [letter for send in self.sends for letter in send.letters]


def stage_is_known(stage: str) -> bool:
    """Tell whether letters of a stage can be redriven."""
    return stage in _STAGES or sink_of(stage) is not None


def sink_of(stage: str) -> str | None:
    """Return the name of the sink whose letters these are, None for another stage."""
    if not stage.startswith(_SINK):
        return None
    # A sink with several loops names them behind a further colon.
    return stage.removeprefix(_SINK).partition(":")[0] or None


def make_plan(candidates: Sequence[Candidate], choice: Choice) -> Plan:
    """Choose from all letters there are. Letters of several users of one message are sent as one record."""
    newest = _newest(candidates)
    left: Counter[str] = Counter()
    chosen: list[Candidate] = []
    for candidate in candidates:
        if not _is_meant(candidate, choice):
            continue
        reason = _reason_to_leave(candidate, newest, choice.again)
        if reason is None:
            chosen.append(candidate)
        else:
            left[reason] += 1
    sends = [_send(group) for group in _groups(chosen)]
    return Plan(sorted(sends, key=lambda send: send.letters[0].at), dict(left))


def _is_meant(candidate: Candidate, choice: Choice) -> bool:
    return choice.wanted.matches(candidate.letter) and (not choice.ids or candidate.letter.id in choice.ids)


def _newest(candidates: Iterable[Candidate]) -> dict[str, int]:
    """Return how often the newest letter of each chain had been redriven when it was written."""
    newest: dict[str, int] = {}
    for candidate in candidates:
        letter = candidate.letter
        newest[letter.first] = max(letter.redriven, newest.get(letter.first, 0))
    return newest


def _reason_to_leave(candidate: Candidate, newest: dict[str, int], again: bool) -> str | None:
    letter = candidate.letter
    if not stage_is_known(letter.stage):
        return UNKNOWN_STAGE
    if letter.redriven < newest[letter.first]:
        return SUPERSEDED
    if letter.redriven_at is not None and not again:
        return REDRIVEN_BEFORE
    if letter.redriven and not again:
        return FAILED_AGAIN
    return None


def _groups(chosen: Iterable[Candidate]) -> Iterator[Collection[Candidate]]:
    groups: dict[object, list[Candidate]] = {}
    for candidate in chosen:
        letter = candidate.letter
        alone = letter.stage != "fan-out" or candidate.origin is None or candidate.user_index is None
        groups.setdefault(letter.id if alone else (candidate.origin, candidate.checksum), []).append(candidate)
    yield from groups.values()


def _send(group: Collection[Candidate]) -> Send:
    ordered = sorted(group, key=lambda each: each.letter.at)
    marks = tuple(Redriven(each.letter.first, each.count + 1, each.user_index) for each in ordered)
    return Send(ordered[0].letter.id, tuple(each.letter for each in ordered), marks)
