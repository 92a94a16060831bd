"""What is in a user's state, as plain values that can be compared."""

from typing import Any

from librt.vecs import vec
from mypy_extensions import i64

from processors.rules.state import Destination, UserState

# Not from `__slots__`, which the compiled classes do not have.
_OF_DESTINATION = ("client_id", "destination_id", "segment_ids", "stamps", "since", "origins")
_OF_USER = (
    "offset", "version", "seen_day", "due_at", "removed_at", "active", "rules", "partners", "regions", "topics",
    "origins", "tombstones", "tombstone_at",
)  # fmt: skip

Membership = tuple[str, int, bool, int, int]
"""Segment, last verified, whether active, since, origin."""


def destination(client_id: str, destination_id: str, *memberships: Membership) -> Destination:
    """Return a destination with these memberships."""
    built = Destination(client_id, destination_id)
    for membership in memberships:
        built.add(*membership)
    return built


def user_state(head: dict[str, int], **lists: Any) -> UserState:
    """Return a state of these numbers and these lists."""
    user = UserState(**head)
    for name, value in lists.items():
        numbers = vec[i64]([number for origin in value for number in origin]) if name == "origins" else None
        setattr(user, name, value if numbers is None else numbers)
    return user


def parts(user: UserState) -> dict[str, Any]:
    """Return everything that is in a state."""
    destinations = [{name: _plain(getattr(each, name)) for name in _OF_DESTINATION} for each in user.destinations]
    return {name: _plain(getattr(user, name)) for name in _OF_USER} | {"destinations": destinations}


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int) else list(value)
