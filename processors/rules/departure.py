"""How memberships end without being told so: time-to-live, inactivity, removal. Pure. Source: spec §3."""

from typing import NamedTuple

from librt.vecs import vec
from mypy_extensions import i64

from processors.rules.expiry import DAY_MS, TimeLimits
from processors.rules.state import NEVER, Destination, UserState
from processors.rules.story import Story
from schemas.event import Origin
from schemas.membership import Cause, SegmentMembershipKey


def expire(story: Story, now_ms: int, limits: TimeLimits) -> None:
    """Let happen, in order of its time, all that is due for the user by `now_ms`; never early.

    An expiry due at the same time as the user's removal comes first. The exits name the time at which they were due,
    not when they were noticed. After a removal the user's rows are deleted, and in the end its marker.
    """
    user = story.user
    inactive_at = limits.inactive_at(user.seen_day) if user.seen_day else NEVER
    until = min(now_ms, inactive_at)
    for end in sorted(_ends(user, limits, until), key=_order):
        at = end.at_ms
        version = user.next_version(at)
        story.turn(
            end.destination, end.position, active=False, since=at, cause="EXPIRED", version=version, changed_at=at
        )  # fmt: skip
    if inactive_at <= now_ms:
        if user.tombstone_at < inactive_at:
            _bury(story)  # before another removal puts it off
        remove(story, inactive_at, "INACTIVE_USER", limits)
    if user.tombstone_at <= now_ms:
        _bury(story)
    if _marker_ends(user, limits) <= now_ms:
        user.removed_at = 0
        story.stored = True
    user.due_at = next_due(user, limits)


def remove(
    story: Story, at_ms: int, cause: Cause, limits: TimeLimits, origin: Origin | None = None
) -> None:  # fmt: skip
    """End every membership of the user and forget the user, but for when that was.

    Every row is published INACTIVE with the cause, naming every synced partner ID; the marker that stays keeps what was
    sent before from bringing the user back (invariant I5).
    """
    user = story.user
    version = user.next_version(at_ms)
    known = set(user.tombstones)
    for destination in user.destinations:
        for position in range(destination.count):
            if destination.stamps[position] & 1:
                story.turn(destination, position, active=False, since=at_ms, cause=cause, version=version,
                           changed_at=at_ms, origin=origin)  # fmt: skip
            else:
                destination.since[position] = at_ms
                story.row(destination, position, cause=cause, version=version)
            name = (destination.client_id, destination.destination_id, destination.segment(position).decode())
            if name not in known:
                user.tombstones.append(name)
    if user.tombstones:
        user.tombstone_at = at_ms + limits.tombstone_after_days * DAY_MS
    story.unsynced.extend(user.partners)
    user.destinations, user.partners, user.regions, user.topics, user.origins = [], [], [], [], vec[i64]()
    user.seen_day, user.removed_at = 0, at_ms
    user.due_at = next_due(user, limits)
    story.stored = True


def next_due(user: UserState, limits: TimeLimits) -> int:
    """Return the earliest time at which anything of the user is due, NEVER where nothing is."""
    inactive_at = limits.inactive_at(user.seen_day) if user.seen_day else NEVER
    ends = min([end.at_ms for end in _ends(user, limits, NEVER)], default=NEVER)
    return min(ends, inactive_at, user.tombstone_at, _marker_ends(user, limits))


def _bury(story: Story) -> None:
    """Delete the rows of before the removal, but for those that live again."""
    user = story.user
    living = {
        (destination.client_id, destination.destination_id, segment_id)
        for destination in user.destinations
        for segment_id in destination.segment_ids
    }
    for name in user.tombstones:
        if name not in living:
            client_id, destination_id, segment_id = name
            story.told.append(SegmentMembershipKey(client_id, destination_id, story.aam_uuid, segment_id))
    user.tombstones, user.tombstone_at = [], NEVER
    story.stored = True


def _marker_ends(user: UserState, limits: TimeLimits) -> int:
    """Return when a removal need no longer be remembered; a user who is back keeps the memory."""
    if not user.removed_at or user.alive or user.tombstones:
        return NEVER
    return user.removed_at + limits.marker_days * DAY_MS


class _End(NamedTuple):
    """When the membership at a position expires."""

    at_ms: int
    destination: Destination
    position: int


def _order(end: _End) -> tuple[int, str, str, str]:
    destination = end.destination
    return end.at_ms, destination.client_id, destination.destination_id, destination.segment(end.position).decode()


def _ends(user: UserState, limits: TimeLimits, until_ms: int) -> list[_End]:
    """Return when each active membership expires, those that do by `until_ms`."""
    ends: list[_End] = []
    for destination in user.destinations:
        for position, stamped in enumerate(destination.stamps):
            if stamped & 1:
                at_ms = limits.expires_at_raw(destination.segment(position), stamped >> 1)
                if at_ms is not None and at_ms <= until_ms:
                    ends.append(_End(at_ms, destination, position))
    return ends
