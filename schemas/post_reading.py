"""Read a message: every reading of the wire format that somebody could argue about is here.

Two ways lead to one judgement. A body of strings and integers, which is nearly every one, is decoded by msgspec with
types; any other is parsed into plain objects, number by number as sent, and each user is fitted alone, so that a bad
one spoils nobody else. A user with any bad part is set aside whole.

Source: wire format, *Message*.
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from schemas.dates import parse_date_text_ms
from schemas.event import Partner, SegmentStatus, Status
from schemas.partner_ids import DATA_SOURCE_ID_MAX, check_partner_id
from schemas.post import ID_CHARACTERS_MAX, SHOWN_CHARACTERS, BadUser, Post, PostError, User
from schemas.post_check import load_message
from schemas.post_fitting import UNREADABLE, Refused, fit_head, fit_user
from schemas.post_wire import Scalar, WireHead, WirePost, WireSegment, WireUser

REGION_ID_MAX = 2**31 - 1

_decode = msgspec.json.Decoder(WirePost).decode
_DIGITS = re.compile(r"[0-9]{1,19}")
_STATUSES: dict[Scalar, Status] = {
    None: "ACTIVE",
    "1": "ACTIVE",
    1: "ACTIVE",
    "0": "INACTIVE",
    0: "INACTIVE",
}


def parse_post(body: bytes) -> Post:
    """Read a message whole: its good users, and a problem for each bad one.

    Raises:
        MalformedPost: the body is not a JSON object with an array `Users`.
    """
    try:
        post = _decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return parse_post_generally(body)
    return _read(post, post.users)


def parse_post_generally(body: bytes) -> Post:
    """Read a message as `parse_post` does, without its short cut; slower, and good for every body.

    Raises:
        MalformedPost: as `parse_post`.
    """
    message = load_message(body)
    return _read(fit_head(message), message["Users"])


def _read(head: WireHead, entries: Sequence[Any]) -> Post:
    problem = None
    client_id = destination_id = ""
    users: list[User] = []
    bad_users: list[BadUser] = []
    try:
        client_id = _read_id(head.client_id, "Client_ID", "missing-client-id", "bad-client-id")
        destination_id = _destination_id(head)
    except Refused as refused:
        problem = refused.problem("$")
    for position, entry in enumerate(entries if problem is None else ()):
        try:
            users.append(_read_user(entry, position, head.dpid))
        except Refused as refused:
            bad_users.append(BadUser(position, refused.problem(f"$.Users[{position}]")))
    return Post(
        client_id=client_id,
        destination_id=destination_id,
        process_time=_process_time(head.process_time),
        user_count_mismatch=head.user_count is not None and str(head.user_count) != str(len(entries)),
        users=users,
        bad_users=bad_users,
        problem=problem,
    )


def _read_user(user: Any, position: int, dpid: Scalar) -> User:
    wire = user if type(user) is WireUser else fit_user(user)
    partner, all_zero_id = _partner(_text(dpid), _text(wire.partner_uuid))
    return User(
        position,
        _read_id(wire.aam_uuid, "AAM_UUID", "missing-aam-uuid", "bad-aam-uuid"),
        partner,
        [_region(region) for region in wire.regions] if wire.regions else [],
        _segments(wire.segments) if wire.segments else [],
        all_zero_id,
    )


def _segments(wire: list[WireSegment]) -> list[SegmentStatus]:
    segments = []
    for position, segment in enumerate(wire):
        segment_id = segment.segment_id
        if type(segment_id) is int:
            segment_id = str(segment_id)
        status = _STATUSES.get(segment.status)
        if type(segment_id) is not str or not segment_id or len(segment_id) > ID_CHARACTERS_MAX or not status:
            segment_id, status = _read_segment(position, segment)
        when = segment.date_time
        if when is None:
            raise Refused("bad-date-time", f".Segments[{position}].DateTime", "it is missing")
        try:
            verified_at = parse_date_text_ms(when if type(when) is str else str(when))
        except ValueError as error:
            raise Refused("bad-date-time", f".Segments[{position}].DateTime", str(error)) from None
        segments.append(SegmentStatus(segment_id, status, verified_at))
    return segments


def _read_segment(position: int, segment: WireSegment) -> tuple[str, Status]:
    name = f"Segments[{position}]"
    segment_id = _read_id(segment.segment_id, f"{name}.Segment_ID", "missing-segment-id", "bad-segment-id")
    status = _STATUSES.get(segment.status)
    if status is None:
        raise Refused("bad-status", f".{name}.Status", f"{_shown(segment.status)} is neither 1 (active) nor 0")
    return segment_id, status


def _partner(dpid: str, uuid: str) -> tuple[Partner | None, bool]:
    if not uuid:
        return None, False
    if dpid and (not _DIGITS.fullmatch(dpid) or int(dpid) > DATA_SOURCE_ID_MAX):
        reason = f"the message's User_DPID {_shown(dpid)} is no data source: send an integer, or none"
        raise Refused("bad-partner-id", ".DataPartner_UUID", reason)
    source = int(dpid) if dpid else None
    found = check_partner_id(source, uuid)
    if found.finding == "wrong-form":
        raise Refused("bad-partner-id", ".DataPartner_UUID", found.reason)
    return (None, True) if found.finding == "all-zero" else (Partner(uuid, source), False)


def _region(value: str | int) -> int:
    text = _text(value)
    if _DIGITS.fullmatch(text) and int(text) <= REGION_ID_MAX:
        return int(text)
    raise Refused("bad-regions", ".AAM_Regions", f"{_shown(value)} is no region: send integers of 32 bits")


def _destination_id(head: WireHead) -> str:
    value = _text(head.destination_id) or _text(head.destination_id_as_sampled)
    return value and _read_id(value, "AAM_Destination_ID", "bad-destination-id", "bad-destination-id")


def _process_time(value: Scalar) -> int | None:
    try:
        return parse_date_text_ms(_text(value))
    except ValueError:
        return None


def _read_id(value: Scalar, name: str, missing: PostError, bad: PostError) -> str:
    text = _text(value)
    if not text:
        raise Refused(missing, f".{name}", "it is missing or empty")
    if text is UNREADABLE:
        raise Refused(bad, f".{name}", f"it is unreadable: {UNREADABLE}")
    if len(text) > ID_CHARACTERS_MAX:
        reason = f"{_shown(text)}… has {len(text)} characters, at most {ID_CHARACTERS_MAX} are accepted"
        raise Refused(bad, f".{name}", reason)
    return text


def _text(value: Scalar) -> str:
    return value if type(value) is str else "" if value is None else str(value)


def _shown(value: Scalar) -> str:
    return repr(_text(value)[:SHOWN_CHARACTERS])
