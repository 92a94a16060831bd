"""Fit plain JSON objects to the shapes of the wire, each user alone.

This is how a body is read that the typed decoder does not take whole: the parts that do not fit are refused by name,
the others go on.
"""

from typing import Any

import msgspec

from schemas.post import PostError, Problem
from schemas.post_wire import Scalar, WireHead, WireSegment, WireUser

UNREADABLE = "(neither a string nor a number, or not valid Unicode)"
"""Stands for a field of the head that is no scalar; to be known by identity."""

_USER_FIELDS = WireUser.__struct_encode_fields__
_SEGMENT_FIELDS = WireSegment.__struct_encode_fields__
_ERRORS_BY_FIELD: tuple[tuple[str, PostError], ...] = (
    ("Segment_ID", "bad-segment-id"),
    ("Status", "bad-status"),
    ("DateTime", "bad-date-time"),
    ("Segments", "bad-segments"),
    ("AAM_Regions", "bad-regions"),
    ("DataPartner_UUID", "bad-partner-id"),
    ("AAM_UUID", "bad-aam-uuid"),
)


class Refused(Exception):  # noqa: N818 - named for what it tells
    """A part of a message is bad input: `error`, the path of the part in its user or head, and why."""

    def __init__(self, error: PostError, where: str, reason: str) -> None:
        """Keep the three; `where` begins with a dot or is empty."""
        super().__init__(reason)
        self.error = error
        self.where = where
        self.reason = reason

    def problem(self, of: str) -> Problem:
        """Return the problem of the user or head at the JSON path `of`."""
        return Problem(self.error, f"{of}{self.where}: {self.reason}")


def fit_user(user: Any) -> WireUser:
    """Fit one entry of `Users`.

    Raises:
        Refused: it is not an object, or a field that is read has a wrong type or is not valid Unicode.
    """
    if not isinstance(user, dict):
        raise Refused("bad-user", "", "a user must be a JSON object")
    try:
        wire = msgspec.convert(_known(user), WireUser)
        msgspec.json.encode(wire)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$")
        found: PostError = next((kind for field, kind in _ERRORS_BY_FIELD if f".{field}" in path), "bad-user")
        raise Refused(found, path.rstrip("`"), reason) from None
    except UnicodeError:
        raise Refused("bad-text", "", "a string of this user is not valid Unicode (UTF-8)") from None
    return wire


def _known(user: dict[str, Any]) -> dict[str, Any]:
    # The name of a field that is not read may be no valid Unicode; that spoils nothing.
    kept = {name: user[name] for name in _USER_FIELDS if name in user}
    if isinstance(segments := kept.get("Segments"), list):
        kept["Segments"] = [
            {name: segment[name] for name in _SEGMENT_FIELDS if name in segment}
            if isinstance(segment, dict)
            else segment
            for segment in segments
        ]
    return kept


def fit_head(message: dict[str, Any]) -> WireHead:
    """Fit the message's own fields; what is no scalar of valid Unicode becomes `UNREADABLE`."""
    return WireHead(
        client_id=_scalar(message.get("Client_ID")),
        destination_id=_scalar(message.get("AAM_Destination_ID")),
        destination_id_as_sampled=_scalar(message.get("AAM_Destination_Id")),
        dpid=_scalar(message.get("User_DPID")),
        process_time=_scalar(message.get("ProcessTime")),
        user_count=_scalar(message.get("User_count")),
    )


def _scalar(value: Any) -> Scalar:
    if value is None:
        return None
    if not isinstance(value, str):
        return UNREADABLE
    try:
        value.encode()
    except UnicodeError:
        return UNREADABLE
    return value
