"""Users, rows and destinations for tests of what goes out."""

from typing import Any

from schemas.event import Partner
from schemas.membership import SegmentMembership, SegmentMembershipKey
from sinks.outbound.mapping import Mapping, Schedule, Window
from sinks.outbound.memberships import apply_row
from sinks.outbound.state import UserState

USER = "19393572368547369350319949416899715727"
DPID = 12345
SECOND_MS = 1000
DAY_MS = 86_400_000
NOW_MS = 1_700_000_000_000
NOW_S = NOW_MS // SECOND_MS


def row(segment_id: str, version: int, status: str = "ACTIVE", at_ms: int = NOW_MS, **fields: Any) -> SegmentMembership:
    """Return a row that was qualified or disqualified at `at_ms`."""
    given: dict[str, Any] = {
        "client_id": "74323",
        "destination_id": "423",
        "aam_uuid": USER,
        "segment_id": segment_id,
        "status": status,
        "since": at_ms,
        "verified_at": at_ms,
        "expires_at": None,
        "cause": "QUALIFIED" if status == "ACTIVE" else "DISQUALIFIED",
        "partners": [Partner("cookie-1", DPID)],
        "regions": [9],
        "version": version,
        **fields,
    }
    return SegmentMembership(**given)


def key_of(of: SegmentMembership) -> SegmentMembershipKey:
    return SegmentMembershipKey(of.client_id, of.destination_id, of.aam_uuid, of.segment_id)


def user_of(*rows: SegmentMembership) -> UserState:
    """Return a user of whom these rows came."""
    user = UserState()
    for each in rows:
        apply_row(user, each, DPID)
    return user


def mapping(now_ms: int = NOW_MS, /, **values: str) -> Mapping:
    """Return a mapping of segments to values; `s` is put before no ID, so that names may be used: `s1="a"`."""
    return Schedule([Window(name.removeprefix("s"), value) for name, value in values.items()]).at(now_ms)
