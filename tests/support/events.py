"""Events of one user for tests: a good one, and what is to be different about it; times as people say them."""

from typing import Any

from processors.rules.expiry import TimeLimits
from processors.rules.membership import apply_event
from processors.rules.state import UserState
from processors.rules.story import Story
from schemas.event import Origin, Partner, SegmentEvent, SegmentStatus
from schemas.membership import SegmentMembership

USER = "19393572368547369350319949416899715727"
CLIENT, DESTINATION, SEGMENT = "74323", "423", "14356"
TOPIC = "aam-posts"
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
DAY_0 = 20_000 * DAY_MS
"""A UTC midnight, from which tests count their days."""


def at(day: float, hour: float = 0) -> int:
    """Return the epoch ms of an hour of a day; day 0 is `DAY_0`."""
    return DAY_0 + int(day * DAY_MS + hour * HOUR_MS)


def active(verified_at: int, segment_id: str = SEGMENT) -> SegmentStatus:
    """Status 1."""
    return SegmentStatus(segment_id, "ACTIVE", verified_at)


def inactive(verified_at: int, segment_id: str = SEGMENT) -> SegmentStatus:
    """Status 0."""
    return SegmentStatus(segment_id, "INACTIVE", verified_at)


def partner(uuid: str = "4250948725049857", dpid: int | None = 12345) -> Partner:
    return Partner(uuid, dpid)


def event(*segments: SegmentStatus, received_at: int, offset: int = 0, **fields: Any) -> SegmentEvent:
    """Return an event of the one user; `fields` replace."""
    usual: dict[str, Any] = {
        "client_id": CLIENT,
        "destination_id": DESTINATION,
        "aam_uuid": USER,
        "partner": None,
        "regions": [],
        "segments": list(segments),
        "process_time": None,
        "received_at": received_at,
        "source": "dev",
        "origin": Origin(TOPIC, 3, offset, 0),
    }
    return SegmentEvent(**{**usual, **fields})


class History:
    """One user to whom events are told, one after the other."""

    def __init__(self, **limits: Any) -> None:
        self.limits = TimeLimits(**limits)
        self.user = UserState()
        self.stories: list[Story] = []

    def hear(self, *segments: SegmentStatus, received_at: int, **fields: Any) -> Story:
        """Apply the event of these segments; its offset is the number of events before it."""
        told = event(*segments, received_at=received_at, offset=len(self.stories), **fields)
        return self.apply(told)

    def apply(self, told: SegmentEvent) -> Story:
        story = apply_event(self.user, told, self.limits)
        self.stories.append(story)
        return story


def rows(story: Story) -> list[SegmentMembership]:
    """Return every row that is not deleted."""
    return [row for row in story.rows if isinstance(row, SegmentMembership)]


def told_rows(story: Story) -> list[tuple[str, str, str]]:
    """Return segment, status and cause of every row."""
    return [(row.segment_id, row.status, row.cause) for row in rows(story)]


def told_changes(story: Story) -> list[tuple[str, str, str]]:
    """Return segment, change and cause of every change."""
    return [(change.segment_id, change.change, change.cause) for change in story.changes]
