"""Rows and changes as the membership processor would publish them."""

from typing import Any

from schemas.event import Origin, Partner
from schemas.membership import SegmentMembership, SegmentMembershipChange, SegmentMembershipKey

USER = "19393572368547369350319949416899715727"
ENTERED_MS = 1_469_636_242_000

_KEY = {"client_id": "74323", "destination_id": "423", "aam_uuid": USER, "segment_id": "14356"}
_ROW = {
    **_KEY,
    "status": "ACTIVE",
    "since": ENTERED_MS,
    "verified_at": ENTERED_MS,
    "expires_at": None,
    "cause": "QUALIFIED",
    "partners": [Partner("4250948725049857", 12345)],
    "regions": [9],
    "version": 1,
}
_CHANGE = {
    **_ROW,
    "change": "ENTERED",
    "previous": None,
    "changed_at": ENTERED_MS,
    "origin": Origin("aam-posts", 3, 1234, 0),
}


def key(**fields: Any) -> SegmentMembershipKey:
    return SegmentMembershipKey(**{**_KEY, **fields})


def row(**fields: Any) -> SegmentMembership:
    return SegmentMembership(**{**_ROW, **fields})


def change(**fields: Any) -> SegmentMembershipChange:
    return SegmentMembershipChange(**{**_CHANGE, **fields})


def exit_change(version: int, at_ms: int, **fields: Any) -> SegmentMembershipChange:
    """The user left by the sender's word."""
    left = {"status": "INACTIVE", "cause": "DISQUALIFIED", "change": "EXITED", "version": version}
    return change(**{**left, "changed_at": at_ms, "since": at_ms, "origin": Origin("aam-posts", 3, 2000, 1), **fields})
