"""What is published of a user as things stand, with nothing happening. Pure."""

from processors.rules.expiry import TimeLimits
from processors.rules.state import UNKNOWN, UserState
from processors.rules.story import Told


def present_rows(user: UserState, limits: TimeLimits) -> list[Told]:
    """Return a row for every active membership of `user`, as the last one that told of it.

    Each has the user's version: none of theirs was higher, and the next will be.
    """
    return [
        Told(
            destination, position, "QUALIFIED",
            limits.expires_at_raw(destination.segment(position), destination.verified_at(position)),
            user, user.version, True, None,
        )
        for destination in user.destinations
        for position in range(destination.count)
        if destination.active(position) and destination.since[position] != UNKNOWN
    ]  # fmt: skip
