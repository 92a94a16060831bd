"""When a user's segments are sent, and which: the five rules of a sender. Pure. Source: wire format, section 6.

Beyond them: whoever was told that a user is in a segment is told when the user leaves it, also where the mapping has
ended or has another value by then. Absence never means removal, so nothing else would ever tell.
"""

from collections.abc import Collection, Iterable
from typing import Literal, NamedTuple

from sinks.outbound.mapping import Mapping, fingerprint
from sinks.outbound.memberships import drop_deleted
from sinks.outbound.state import NEVER, Told, UserState

Mode = Literal["realtime", "batch"]
Reason = Literal["new-segment", "disqualified", "mapping-changed", "partners-changed", "three-days", "asked"]

_DAY_MS = 86_400_000
REPEAT_AFTER_MS = 3 * _DAY_MS


class Entry(NamedTuple):
    """One segment to be sent: as `value`, with its `DateTime` in epoch seconds.

    `version` is of the row it is from, `turns` how often the segment was entered or left by then.
    """

    segment_id: str
    value: str
    active: bool
    at_s: int
    version: int
    turns: int = 0


class Decision(NamedTuple):
    """What is sent, and why; not `whole` where it was asked for and leaves out what nobody asked for."""

    reasons: tuple[Reason, ...]
    entries: tuple[Entry, ...]
    whole: bool = True


def decide(user: UserState, mapping: Mapping, now_ms: int, mode: Mode) -> Decision | None:
    """Return what is to be sent of a user who is seen now, None where there is no reason to send."""
    current = _current(user, mapping)
    withdrawn = _withdrawn(user, {entry.value for entry in current})
    changed = [entry for entry in current if _is_news(entry, user.told.get(entry.value))] + withdrawn
    reasons = _reasons(user, mapping, now_ms, changed)
    if not reasons:
        return None
    entries = _chosen(current, withdrawn, changed, reasons, mode)
    return Decision(reasons, tuple(entries)) if entries else None


def decide_asked(
    user: UserState, mapping: Mapping, now_ms: int, mode: Mode, segments: Collection[str]
) -> Decision | None:  # fmt: skip
    """Return what is sent of a user because it was asked for, of some segments, or of all where none is named.

    What there is other reason to send goes along.
    """
    news = decide(user, mapping, now_ms, mode)
    current = _current(user, mapping)
    every = current + _withdrawn(user, {entry.value for entry in current})
    chosen = {entry.value: entry for entry in (news.entries if news else ())}
    chosen |= {entry.value: entry for entry in every if not segments or entry.segment_id in segments}
    if not chosen:
        return None
    reasons: tuple[Reason, ...] = (*(news.reasons if news else ()), "asked")
    return Decision(reasons, tuple(chosen.values()), whole=news is not None or not segments)


def settle(user: UserState, decision: Decision, mapping: Mapping, now_ms: int) -> None:
    """The partner acknowledged what was sent: remember it."""
    for entry in decision.entries:
        user.told[entry.value] = Told(entry.segment_id, entry.active, entry.at_s, entry.turns)
    if decision.whole:
        user.told_at = now_ms
        user.told_mapping = mapping.fingerprint
        user.told_partners = fingerprint(sorted(user.partners))
    drop_deleted(user)


def batch_due_ms(user: UserState, now_ms: int, news: bool) -> int:
    """Return when a user's next batch is due: a UTC midnight, and 24 h after the last; never where there is no news."""
    if not news:
        return NEVER
    midnight_ms = (now_ms // _DAY_MS + 1) * _DAY_MS
    return min(user.due_at, max(midnight_ms, user.told_at + _DAY_MS))


def _current(user: UserState, mapping: Mapping) -> list[Entry]:
    """Return the mapped segments as they are now; where two have one value, it is active if one of them is."""
    by_value: dict[str, Entry] = {}
    for segment_id, segment in user.segments.items():
        value = mapping.values.get(segment_id)
        if value is None:
            continue
        entry = Entry(segment_id, value, segment.active, segment.at_s, segment.version, segment.turns)
        by_value[value] = _of_both(entry, by_value.get(value, entry))
    return [_never_back(entry, user.told.get(entry.value)) for entry in by_value.values()]


def _of_both(one: Entry, other: Entry) -> Entry:
    # By the ID, so that of several that are active it is the same one each time.
    chosen = max(one, other, key=lambda entry: (entry.active, entry.segment_id))
    return chosen._replace(at_s=max(one.at_s, other.at_s)) if one.active == other.active else chosen


def _withdrawn(user: UserState, values: set[str]) -> list[Entry]:
    """Return what the partner holds for active under a value that is no longer mapped, and is not."""
    found = []
    for value, told in user.told.items():
        segment = user.segments.get(told.segment_id)
        if told.active and value not in values and (segment is None or not segment.active):
            at_s = told.at_s if segment is None else max(told.at_s, segment.at_s)
            version, turns = (0, told.turns) if segment is None else (segment.version, segment.turns)
            found.append(Entry(told.segment_id, value, False, at_s, version, turns))
    return found


def _never_back(entry: Entry, told: Told | None) -> Entry:
    """Let a value's `DateTime` not go back where another segment stands behind it now."""
    if told is None:
        return entry
    earliest_s = told.at_s + 1 if entry.active and not told.active else told.at_s
    if entry.segment_id != told.segment_id:
        # Of its turns each has a second of its own, also where nobody knows which of them was told.
        earliest_s = told.at_s + 1 + entry.turns
    return entry._replace(at_s=max(entry.at_s, earliest_s))


def _is_news(entry: Entry, told: Told | None) -> bool:
    """Tell whether the partner may hold something else.

    A segment that was entered and left again since is news, and so is another segment behind the same value: a process
    that was killed may have told the half of it.
    """
    if told is None or told.active != entry.active:
        return True
    return told.segment_id != entry.segment_id or told.turns != entry.turns


def _reasons(user: UserState, mapping: Mapping, now_ms: int, changed: Iterable[Entry]) -> tuple[Reason, ...]:
    statuses = {entry.active for entry in changed}
    before = user.told_at > 0
    holds: dict[Reason, bool] = {
        "new-segment": True in statuses,
        "disqualified": False in statuses,
        "mapping-changed": before and user.told_mapping != mapping.fingerprint,
        "partners-changed": before and user.told_partners != fingerprint(sorted(user.partners)),
        "three-days": before and now_ms - user.told_at >= REPEAT_AFTER_MS,
    }
    return tuple(reason for reason, is_one in holds.items() if is_one)


def _chosen(
    current: list[Entry], withdrawn: list[Entry], changed: list[Entry], reasons: tuple[Reason, ...], mode: Mode
) -> list[Entry]:
    """Return all segments that the user is in, with those that were left where one was; in a batch what changed."""
    everything = mode == "realtime" or not {"new-segment", "disqualified"}.issuperset(reasons)
    if not everything:
        return changed
    if mode == "realtime" and "disqualified" in reasons:
        return current + withdrawn
    news = {entry.value for entry in changed}
    return [entry for entry in current if entry.active or entry.value in news] + withdrawn
