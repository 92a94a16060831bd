"""Messages as they go out. Pure. Source: wire format, section 2.

Every scalar is a string, every date of the Java shape; `AAM_Destination_Id` is spelled as in every sample.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from schemas.dates import DATE_MS_MAX, format_java_date
from sinks.outbound.rules import Entry

_SECOND_MS = 1000


class Head(NamedTuple):
    """What every message of a destination says; without a data source `User_DPID` is left out."""

    client_id: str
    destination_id: str
    dpid: int | None


class UserEntry(NamedTuple):
    """One entry of `Users`: a user under one of the partner's IDs, or under the AAM ID alone."""

    aam_uuid: str
    partner_uuid: str | None
    regions: tuple[int, ...]
    entries: tuple[Entry, ...]


def render(head: Head, users: Sequence[UserEntry], process_time_ms: int) -> bytes:
    """Return a message's bytes."""
    message: dict[str, object] = {"ProcessTime": format_java_date(process_time_ms)}
    if head.dpid is not None:
        message["User_DPID"] = str(head.dpid)
    message |= {
        "Client_ID": head.client_id,
        "AAM_Destination_Id": head.destination_id,
        "User_count": str(len(users)),
        "Users": [_user(user) for user in users],
    }
    return msgspec.json.encode(message)


def _user(user: UserEntry) -> dict[str, object]:
    entry: dict[str, object] = {"AAM_UUID": user.aam_uuid}
    if user.partner_uuid is not None:
        entry["DataPartner_UUID"] = user.partner_uuid
    entry["AAM_Regions"] = [str(region) for region in user.regions]
    entry["Segments"] = [
        {
            "Segment_ID": segment.value,
            "Status": "1" if segment.active else "0",
            "DateTime": format_java_date(min(segment.at_s * _SECOND_MS, DATE_MS_MAX)),
        }
        for segment in user.entries
    ]
    return entry
