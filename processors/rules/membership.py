"""What one event makes of a user's memberships. Pure.

Last writer wins per (client, destination, user, segment) by the segment's own `DateTime`; at equal times status 0 wins;
an older or equal repeat changes nothing; absence never removes. Source: spec §3; interfaces, *What a row means*.
"""

from typing import Final

from mypy_extensions import i64

from processors.rules.departure import expire
from processors.rules.expiry import DAY_MS, TimeLimits
from processors.rules.identities import with_partner
from processors.rules.state import UNKNOWN, UserState
from processors.rules.story import Story
from schemas.event import SegmentEvent
from schemas.heard import SAID, Heard, heard

_DAY_MS: Final[i64] = DAY_MS


def apply_event(user: UserState, event: SegmentEvent, limits: TimeLimits) -> Story:
    """Apply one event as `apply_heard` does."""
    return apply_heard(user, heard(event), limits)


def apply_heard(user: UserState, event: Heard, limits: TimeLimits) -> Story:
    """Apply one event to `user`, in place, and return what is to be published, in order.

    What was due by the time the event was received happens first, so that the same log tells the same story however
    late it is processed. Nothing is published for a repeat, unless it moves the time at which the membership expires.
    """
    story = Story(user, event.aam_uuid)
    if event.received_at >= user.due_at:
        expire(story, event.received_at, limits)
    if _is_news(user, event):
        _see(story, event, limits)
        if len(event.said):
            _Telling(story, event, limits).run()
    return story


def _is_news(user: UserState, event: Heard) -> bool:
    """Tell whether an event is later than the user's removal: what was sent before never brings the user back."""
    if event.received_at <= user.removed_at:
        return False
    if not user.removed_at or not len(event.said):
        return True
    return any(event.said[at] >> 1 > user.removed_at for at in range(2, len(event.said), SAID))


def _see(story: Story, event: Heard, limits: TimeLimits) -> None:
    """Note that the user was seen, with which partner ID, and where."""
    user = story.user
    day = event.received_at // DAY_MS
    if day > user.seen_day:
        user.seen_day = day
        user.due_at = min(user.due_at, limits.inactive_at(day))
        story.stored = True
    if event.partner is not None:
        partners = with_partner(user.partners, event.partner)
        if partners is not user.partners:
            story.synced.append(event.partner)
            story.unsynced.extend(gone for gone in user.partners[:1] if gone not in partners)
            user.partners = partners
            story.stored = True
    if event.regions and event.regions != user.regions:
        user.regions = event.regions
        story.stored = True


class _Telling:
    """The segments of one event, one after the other."""

    __slots__ = ("destination", "event", "limits", "origin", "positions", "story", "told", "version")

    def __init__(self, story: Story, event: Heard, limits: TimeLimits) -> None:
        user = story.user
        self.story = story
        self.event = event
        self.limits = limits
        self.origin: i64 = user.add_origin(event.origin)
        self.destination = user.destination(event.client_id, event.destination_id)
        self.positions: dict[bytes, int] | None = None
        self.version = 0
        self.told: set[bytes] = set()

    def run(self) -> None:
        event, destination, origin = self.event, self.destination, self.origin
        said, text, stamps, origins = event.said, event.text, destination.stamps, destination.origins
        today: i64 = event.received_at // _DAY_MS * _DAY_MS
        tomorrow: i64 = today + _DAY_MS
        removed_at: i64 = self.story.user.removed_at
        position: i64 = -1
        at: i64 = 0
        while at < len(said):
            begin, end, stamped = said[at], said[at + 1], said[at + 2]
            at += SAID
            # A sender mostly names a user's segments in the order of the time before.
            position += 1
            if not destination.stands(position, text, begin, end):
                position = self._position(text[begin:end])
            if position < 0:
                if stamped >> 1 > removed_at:
                    position = self._first(text[begin:end], stamped)
                    stamps, origins = destination.stamps, destination.origins
                continue
            known = stamps[position]
            known_at: i64 = known >> 1
            verified_at: i64 = stamped >> 1
            if verified_at < known_at:
                continue
            if stamped & known & 1 and today <= known_at < verified_at < tomorrow:
                # By far the most of what is said: verified again on the same day, so nothing moves but the last word.
                stamps[position], origins[position] = stamped, origin
                self.story.stored = True
            elif verified_at > removed_at:
                self._again(position, verified_at, stamped & 1 == 1)

    def _position(self, segment: bytes) -> i64:
        if self.positions is None:
            self.positions = self.destination.positions()
        return self.positions.get(segment, -1)

    def _again(self, position: i64, verified_at: i64, active: bool) -> None:
        """Hear of a membership that is known, nothing older than what is known of it."""
        stamped = self.destination.stamps[position]
        was_active, newer = stamped & 1 == 1, verified_at > stamped >> 1
        if active:
            if newer and was_active:
                self._refresh(position, verified_at)
            elif newer:
                self._enter(position, verified_at)
        elif was_active:
            self._exit(position, verified_at)
        elif newer:
            self.destination.stamps[position] = verified_at << 1
            self.story.stored = True

    def _first(self, segment: bytes, stamped: i64) -> i64:
        destination, verified_at = self.destination, stamped >> 1
        active = stamped & 1 == 1
        # Never entered where it is not active, so that is no change; the row says that the sender has spoken.
        since: i64 = UNKNOWN if active else verified_at
        position: i64 = destination.add_raw(segment, verified_at << 1, since, self.origin)
        if self.positions is not None:
            self.positions[segment] = position
        if active:
            self._enter(position, verified_at)
        else:
            self.story.row(destination, position, cause="DISQUALIFIED", version=self._take_version(segment))
        return position

    def _enter(self, position: i64, verified_at: i64) -> None:
        story, destination, received_at = self.story, self.destination, self.event.received_at
        segment = destination.segment(position)
        self._set(position, verified_at, False)
        expires_at = self.limits.expires_at_raw(segment, verified_at)
        over = expires_at is not None and expires_at <= received_at
        story.turn(destination, position, active=True, since=verified_at, cause="QUALIFIED", changed_at=received_at,
                   version=self._take_version(segment), expires_at=expires_at,
                   origin=self.event.origin, is_row=not over)  # fmt: skip
        if expires_at is None:
            return
        if not over:
            story.user.due_at = min(story.user.due_at, expires_at)
            return
        # Over before it was known: told whole, so that the change log does not depend on when it is computed.
        story.turn(destination, position, active=False, since=expires_at, cause="EXPIRED", changed_at=received_at,
                   version=story.user.next_version(received_at), origin=self.event.origin)  # fmt: skip

    def _refresh(self, position: i64, verified_at: i64) -> None:
        """Verify again. The row goes out only where that moves when it expires; the lower bound `due_at` may stay."""
        destination, limits = self.destination, self.limits
        segment = destination.segment(position)
        before = limits.expires_at_raw(segment, destination.stamps[position] >> 1)
        self._set(position, verified_at, True)
        after = limits.expires_at_raw(segment, verified_at)
        if after != before:
            version = self._take_version(segment)
            self.story.row(destination, position, cause="QUALIFIED", version=version, expires_at=after)

    def _exit(self, position: i64, verified_at: i64) -> None:
        self._set(position, verified_at, True)
        self.story.turn(self.destination, position, active=False, since=verified_at, cause="DISQUALIFIED",
                        changed_at=self.event.received_at, origin=self.event.origin,
                        version=self._take_version(self.destination.segment(position)))  # fmt: skip

    def _set(self, position: i64, verified_at: i64, active: bool) -> None:
        """Note the last word, before what follows from it."""
        self.destination.stamps[position] = verified_at << 1 | i64(active)
        self.destination.origins[position] = self.origin
        self.story.stored = True

    def _take_version(self, segment: bytes) -> int:
        """Return the one version of what the event itself says; a key that has had it gets another (I4)."""
        if not self.version or segment in self.told:
            self.version = self.story.user.next_version(self.event.received_at)
            self.told.clear()
        self.told.add(segment)
        return self.version
