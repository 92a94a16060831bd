"""A request to remove a user. Pure. Source: spec §3 (d); interfaces, *What a row means*."""

from processors.rules.departure import expire, remove
from processors.rules.expiry import TimeLimits
from processors.rules.state import UserState
from processors.rules.story import Story
from schemas.event import Origin
from schemas.privacy import PrivacyRequest


def apply_privacy(user: UserState, request: PrivacyRequest, origin: Origin, limits: TimeLimits) -> Story:
    """Remove `user`, in place, and return what is to be published.

    Every membership ends with cause PRIVACY, naming every synced partner ID. A request no later than the last removal
    changes nothing. `origin` is the record that holds the request.
    """
    story = Story(user, request.aam_uuid)
    if request.requested_at > user.removed_at:
        if request.requested_at >= user.due_at:
            expire(story, request.requested_at, limits)
        remove(story, request.requested_at, "PRIVACY", limits, origin)
    return story
