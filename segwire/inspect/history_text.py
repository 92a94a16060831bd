"""A user's history in words."""

from collections.abc import Mapping

from schemas.membership import Cause
from segwire.inspect.columns import one_line
from segwire.inspect.history import ExplainedChange, ExplainedMembership, ExplainedUser
from segwire.inspect.times import format_time

_CAUSES: Mapping[Cause, str] = {
    "QUALIFIED": "the sender says that the user is in it",
    "DISQUALIFIED": "the sender says that the user is not in it",
    "EXPIRED": "its time-to-live ran out",
    "INACTIVE_USER": "the user was not seen for too long",
    "PRIVACY": "a privacy request removed the user",
}


def format_history(user: ExplainedUser, segment_names: Mapping[str, str]) -> str:
    """Write one block for each membership, its changes newest first."""
    inside = sum(m.status == "ACTIVE" for m in user.memberships)
    title = f"user {user.aam_uuid}: in {inside} of {len(user.memberships)} segments known of"
    return "\n\n".join([title, *(_block(m, segment_names) for m in user.memberships)])


def _block(membership: ExplainedMembership, segment_names: Mapping[str, str]) -> str:
    mark = "●" if membership.status == "ACTIVE" else "○"
    name = segment_names.get(membership.segment_id)
    segment = one_line(membership.segment_id) + (f" ({name})" if name else "")
    destination = one_line(membership.destination_id) or "none"
    title = (
        f"{mark} segment {segment} · client {one_line(membership.client_id)} · destination {destination}\n"
        f"  {membership.status} because {membership.cause}: {_CAUSES[membership.cause]}"
    )
    lines = [_line(change) for change in membership.changes] or [
        "  no change is published: it was never entered, or its changes are past their retention"
    ]
    return "\n".join([title, *lines])


def _line(change: ExplainedChange) -> str:
    verb = "→ entered" if change.change == "ENTERED" else "← exited "
    origin = change.origin
    by = "from" if change.cause in ("QUALIFIED", "DISQUALIFIED") else "last set by"
    return (
        f"  {verb} {format_time(change.changed_at)} because {change.cause}, "
        f"{by} message {origin.topic}[{origin.partition}]@{origin.offset}, user {origin.index} of the message"
    )
