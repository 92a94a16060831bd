"""What one event makes of a user's memberships. Pure.

Last writer wins per (client, destination, user, segment) by the segment's own `DateTime`; at equal times status 0 wins;
an older or equal repeat changes nothing; absence never removes. Source: spec §3; interfaces, *What a row means*.
"""

from processors.rules.departure import expire
from processors.rules.expiry import DAY_MS, TimeLimits
from processors.rules.identities import with_partner
from processors.rules.state import UNKNOWN, Destination, Membership, UserState
from processors.rules.story import Place, Story
from schemas.event import SegmentEvent, SegmentStatus


def apply_event(user: UserState, event: SegmentEvent, limits: TimeLimits) -> Story:
    """Apply one event to `user`, in place, and return what is to be published, in order.

    What was due by the time the event was received happens first, so that the same log tells the same story however
    late it is processed. Nothing is published for a repeat, unless it moves the time at which the membership expires.
    """
    story = Story(user, event.aam_uuid)
    if event.received_at >= user.due_at:
        expire(story, event.received_at, limits)
    if _is_news(user, event):
        _see(story, event, limits)
        if event.segments:
            _Telling(story, event, limits).run()
    return story


def _is_news(user: UserState, event: SegmentEvent) -> bool:
    """Tell whether an event is later than the user's removal: what was sent before never brings the user back."""
    if event.received_at <= user.removed_at:
        return False
    return not user.removed_at or not event.segments or any(s.verified_at > user.removed_at for s in event.segments)


def _see(story: Story, event: SegmentEvent, limits: TimeLimits) -> None:
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

    __slots__ = ("event", "limits", "origin", "story", "told", "version")

    def __init__(self, story: Story, event: SegmentEvent, limits: TimeLimits) -> None:
        self.story = story
        self.event = event
        self.limits = limits
        self.origin = story.user.add_origin(event.origin)
        self.version = 0
        self.told: set[str] = set()

    def run(self) -> None:
        event, story = self.event, self.story
        destination = story.user.destination(event.client_id, event.destination_id)
        segments = destination.segments
        today = event.received_at // DAY_MS * DAY_MS
        tomorrow = today + DAY_MS
        for said in event.segments:
            known, verified_at = segments.get(said.segment_id), said.verified_at
            if known is not None and verified_at < known.verified_at:
                continue
            if (
                known is not None
                and known.active
                and said.status == "ACTIVE"
                and today <= known.verified_at < verified_at < tomorrow
            ):
                # By far the most of what is said: verified again on the same day, so nothing moves but the last word.
                known.verified_at, known.origin = verified_at, self.origin
                story.stored = True
            elif verified_at > story.user.removed_at:
                self._apply(destination, said, known)

    def _apply(self, destination: Destination, said: SegmentStatus, known: Membership | None) -> None:
        if known is None:
            self._first(destination, said)
            return
        newer = said.verified_at > known.verified_at
        place = Place(destination.client_id, destination.destination_id, said.segment_id, known)
        if said.status == "ACTIVE":
            if newer and known.active:
                self._refresh(place, said.verified_at)
            elif newer:
                self._enter(place, said.verified_at)
        elif known.active and said.verified_at >= known.verified_at:
            self._exit(place, said.verified_at)
        elif newer:
            known.verified_at = said.verified_at
            self.story.stored = True

    def _first(self, destination: Destination, said: SegmentStatus) -> None:
        membership = Membership(said.verified_at, False, UNKNOWN, self.origin)
        destination.segments[said.segment_id] = membership
        place = Place(destination.client_id, destination.destination_id, said.segment_id, membership)
        if said.status == "ACTIVE":
            self._enter(place, said.verified_at)
        else:
            # Never entered, so it is no change; the row says that the sender has spoken.
            membership.since = said.verified_at
            self._set(place, said.verified_at)
            self.story.row(place, cause="DISQUALIFIED", version=self._take_version(said.segment_id))

    def _enter(self, place: Place, verified_at: int) -> None:
        received_at = self.event.received_at
        self._set(place, verified_at)
        expires_at = self.limits.expires_at(place.segment_id, verified_at)
        over = expires_at is not None and expires_at <= received_at
        self.story.turn(place, active=True, since=verified_at, cause="QUALIFIED", changed_at=received_at,
                        version=self._take_version(place.segment_id), expires_at=expires_at,
                        origin=self.event.origin, is_row=not over)  # fmt: skip
        if expires_at is None:
            return
        if not over:
            self.story.user.due_at = min(self.story.user.due_at, expires_at)
            return
        # Over before it was known: told whole, so that the change log does not depend on when it is computed.
        self.story.turn(place, active=False, since=expires_at, cause="EXPIRED", changed_at=received_at,
                        version=self.story.user.next_version(received_at), origin=self.event.origin)  # fmt: skip

    def _refresh(self, place: Place, verified_at: int) -> None:
        """Verify again. The row goes out only where that moves when it expires; the lower bound `due_at` may stay."""
        before = self.limits.expires_at(place.segment_id, place.membership.verified_at)
        self._set(place, verified_at)
        after = self.limits.expires_at(place.segment_id, verified_at)
        if after != before:
            self.story.row(place, cause="QUALIFIED", version=self._take_version(place.segment_id), expires_at=after)

    def _exit(self, place: Place, verified_at: int) -> None:
        self._set(place, verified_at)
        self.story.turn(place, active=False, since=verified_at, cause="DISQUALIFIED",
                        changed_at=self.event.received_at, version=self._take_version(place.segment_id),
                        origin=self.event.origin)  # fmt: skip

    def _set(self, place: Place, verified_at: int) -> None:
        place.membership.verified_at, place.membership.origin = verified_at, self.origin
        self.story.stored = True

    def _take_version(self, segment_id: str) -> int:
        """Return the one version of what the event itself says; a key that has had it gets another (I4)."""
        if not self.version or segment_id in self.told:
            self.version = self.story.user.next_version(self.event.received_at)
            self.told.clear()
        self.told.add(segment_id)
        return self.version
