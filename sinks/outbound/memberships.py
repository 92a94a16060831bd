"""Rows of `segment-membership` applied to a user's state. Pure.

A segment may come from several senders' destinations: the user is in it while any of them says so.
"""

from schemas.membership import SegmentMembership, SegmentMembershipKey
from sinks.outbound.state import Row, Segment, UserState

_SECOND_MS = 1000


def apply_row(user: UserState, row: SegmentMembership, dpid: int | None) -> None:
    """Apply a row; an older one than is known of the same membership changes nothing.

    `dpid` is the destination's data source: IDs of others are not for it.
    """
    segment = user.segments.setdefault(row.segment_id, Segment())
    known = _row(user, segment, row.client_id, row.destination_id)
    if row.version <= known.version:
        return
    known.version, known.active = row.version, row.status == "ACTIVE"
    # `verified_at` of an exit is still that of the qualification.
    at_ms = row.verified_at if known.active else row.since
    _turn(segment, known.active, at_ms)
    segment.version = max(segment.version, row.version)
    user.partners = [partner.uuid for partner in row.partners if partner.dpid == dpid]
    user.regions = list(row.regions)


def knows(user: UserState, row: SegmentMembership) -> bool:
    """Tell whether another row of the same membership is known, so that the versions tell which one is newer."""
    segment, place = user.segments.get(row.segment_id), (row.client_id, row.destination_id)
    return segment is not None and any(user.places[held.place] == place for held in segment.rows)


def apply_tombstone(user: UserState, key: SegmentMembershipKey) -> None:
    """A row was deleted; where nobody said before that the user is out, this says it, a second after what is known.

    Not as of the deletion: who came back just before that, but is heard of after it, would be taken for out.
    """
    segment = user.segments.get(key.segment_id)
    place = (key.client_id, key.destination_id)
    if segment is None or place not in user.places:
        return
    number = user.places.index(place)
    segment.rows = [row for row in segment.rows if row.place != number]
    if segment.active:
        _turn(segment, False, (segment.at_s + 1) * _SECOND_MS)


def drop_deleted(user: UserState) -> None:
    """Forget the segments that have no row any more."""
    user.segments = {name: segment for name, segment in user.segments.items() if segment.rows}


def _row(user: UserState, segment: Segment, client_id: str, destination_id: str) -> Row:
    place = (client_id, destination_id)
    if place not in user.places:
        user.places.append(place)
    number = user.places.index(place)
    for row in segment.rows:
        if row.place == number:
            return row
    new = Row(number, -1, False)
    segment.rows.append(new)
    return new


def _turn(segment: Segment, row_is_active: bool, at_ms: int) -> None:
    active = any(row.active for row in segment.rows)
    if active == row_is_active:
        earliest_s = segment.at_s + 1 if active and not segment.active else segment.at_s
        segment.at_s = max(at_ms // _SECOND_MS, earliest_s)
    segment.turns += active != segment.active
    segment.active = active
