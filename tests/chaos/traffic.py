"""An endless stream of events of few users, the same for the same seed; pure.

Of the *busy* users the times lie ahead of every clock and move on, so that what expires does so by the times in the
events alone, however late they are processed. An *aged* user is heard of once, long ago, so that all that is due falls
due at once: by a timer.
"""

import random
from collections.abc import Iterator
from typing import NamedTuple

from schemas.event import Origin, Partner, SegmentEvent, SegmentStatus, Status, encode_event
from schemas.privacy import PrivacyRequest, encode_privacy_request

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
TTL_DAYS = 2
INACTIVITY_DAYS = 5
TOMBSTONE_AFTER_DAYS = 9
SEGMENT_TTL_DAYS = {"1": 0, "2": 1}
BUSY_USERS = 40
SEGMENTS = 6
TOPIC = "aam-posts"


class Input(NamedTuple):
    """One record of `segment-events`."""

    aam_uuid: str
    value: bytes
    aged: bool


class Traffic:
    """Makes one record after the other; `start_ms` is the present of the wall clock."""

    def __init__(self, seed: int, start_ms: int, *, removals: bool = True) -> None:
        self._chance = random.Random(seed)
        self._start_ms = start_ms
        self._at_ms = start_ms + 10 * DAY_MS
        self._removals = removals
        self._made = 0
        self._said: dict[str, list[SegmentStatus]] = {}

    def __iter__(self) -> Iterator[Input]:
        while True:
            yield self._next()

    def _next(self) -> Input:
        self._made += 1
        kind = self._chance.random()
        if kind < 0.03:
            return self._aged()
        self._at_ms += self._chance.choice((0, 1, 60_000, HOUR_MS, HOUR_MS))
        # A few of the users are rare, so that some are gone for longer than the limit of inactivity.
        number = self._chance.randrange(BUSY_USERS)
        if number % 10 == 0 and self._chance.random() < 0.8:
            number += 1
        aam_uuid = f"{number + 1:038d}"
        if kind < 0.035 and self._removals:
            request = PrivacyRequest(aam_uuid=aam_uuid, requested_at=self._at_ms, request_id=f"r-{self._made}")
            return Input(aam_uuid, encode_privacy_request(request), False)
        event = self._event(aam_uuid, self._at_ms, self._segments(aam_uuid))
        return Input(aam_uuid, encode_event(event), False)

    def _aged(self) -> Input:
        received_at = self._start_ms - self._chance.randint(12, 100) * DAY_MS
        aam_uuid = f"9{self._made:037d}"
        segments = [
            SegmentStatus(str(number), self._chance.choice(("ACTIVE", "ACTIVE", "INACTIVE")), received_at - number)
            for number in range(self._chance.randint(1, 4))
        ]
        return Input(aam_uuid, encode_event(self._event(aam_uuid, received_at, segments)), True)

    def _segments(self, aam_uuid: str) -> list[SegmentStatus]:
        said = self._said.setdefault(aam_uuid, [])
        segments = [self._segment(said) for _ in range(self._chance.randint(0, 3))]
        said.extend(segments)
        del said[:-20]
        return segments

    def _segment(self, said: list[SegmentStatus]) -> SegmentStatus:
        """Something new, a repeat, another word of the very same time, or something older."""
        kind = self._chance.random()
        if said and kind < 0.15:
            return self._chance.choice(said)
        if said and kind < 0.25:
            before = self._chance.choice(said)
            return SegmentStatus(before.segment_id, self._chance.choice(("ACTIVE", "INACTIVE")), before.verified_at)
        late_ms = self._chance.choice((0, 1000, HOUR_MS, 30 * HOUR_MS, 4 * DAY_MS))
        status: Status = self._chance.choice(("ACTIVE", "ACTIVE", "ACTIVE", "INACTIVE"))
        return SegmentStatus(str(self._chance.randrange(SEGMENTS)), status, self._at_ms - late_ms)

    def _event(self, aam_uuid: str, received_at: int, segments: list[SegmentStatus]) -> SegmentEvent:
        partner = None
        if self._chance.random() < 0.3:
            partner = Partner(f"p-{self._chance.randrange(60)}", self._chance.choice((None, 7, 8)))
        regions = [self._chance.randint(1, 9)] if self._chance.random() < 0.1 else []
        return SegmentEvent(
            client_id="74323",
            destination_id=self._chance.choice(("423", "424")),
            aam_uuid=aam_uuid,
            partner=partner,
            regions=regions,
            segments=segments,
            process_time=None,
            received_at=received_at,
            source="chaos",
            origin=Origin(TOPIC, self._made % 3, self._made, 0),
        )
