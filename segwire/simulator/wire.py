"""How a message looks on the wire, in the many shapes that real senders use for the same thing.

Every scalar may be a string or a number, the destination's field has two spellings, Status 1 may be left out.
Source: wire format, *Message*.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from random import Random

import msgspec

from schemas.dates import format_java_date
from segwire.simulator.message import Statement
from segwire.simulator.plan import DateShape

_encoder = msgspec.json.Encoder()

Scalar = str | int | msgspec.Raw


class UserPart(msgspec.Struct, frozen=True):
    """One user of a message. `partner_uuid` None leaves the field out."""

    aam_uuid: str
    partner_uuid: str | None
    regions: Sequence[int]
    statements: Sequence[Statement]


class Renderer:
    """Turns users into a body; which of the equal shapes it takes is drawn for each message."""

    def __init__(self, client_id: str, dates: DateShape) -> None:
        self._client_id = client_id
        self._dates = dates

    def render(
        self, rng: Random, *, destination_id: str, dpid: int | None, now_s: int, users: Sequence[UserPart]
    ) -> bytes:
        """Return the JSON bytes of one message. `dpid` None leaves the data source out."""
        shape = rng.getrandbits(16)
        scalar = _number_where_possible if shape & 3 == 0 else _text
        date = self._date_shape(rng)
        bare_aam_uuid, leave_out_active = shape & 0x1C == 0, shape & 0xE0 == 0
        document: dict[str, object] = {
            "ProcessTime": date(now_s),
            "Client_ID": scalar(self._client_id),
            "AAM_Destination_ID" if shape & 0x100 else "AAM_Destination_Id": scalar(destination_id),
            "User_count": scalar(str(len(users))),
        }
        if dpid is not None:
            document["User_DPID"] = scalar(str(dpid))
        document["Users"] = [
            self._user(user, scalar, date, bare_aam_uuid=bare_aam_uuid, leave_out_active=leave_out_active)
            for user in users
        ]
        return _encoder.encode(document)

    def _user(
        self,
        user: UserPart,
        scalar: Callable[[str], Scalar],
        date: Callable[[int], str | int],
        *,
        bare_aam_uuid: bool,
        leave_out_active: bool,
    ) -> dict[str, object]:
        numeric = _number_where_possible if bare_aam_uuid else _text
        document: dict[str, object] = {"AAM_UUID": numeric(user.aam_uuid)}
        if user.partner_uuid is not None:
            document["DataPartner_UUID"] = scalar(user.partner_uuid)
        if user.regions:
            document["AAM_Regions"] = [scalar(str(region)) for region in user.regions]
        active, inactive = scalar("1"), scalar("0")
        document["Segments"] = [
            {"Segment_ID": scalar(said.segment_id), "DateTime": date(said.at_s)}
            if said.active and leave_out_active
            else {
                "Segment_ID": scalar(said.segment_id),
                "Status": active if said.active else inactive,
                "DateTime": date(said.at_s),
            }
            for said in user.statements
        ]
        return document

    def _date_shape(self, rng: Random) -> Callable[[int], str | int]:
        return rng.choice(tuple(_DATES.values())) if self._dates == "mixed" else _DATES[self._dates]


def _text(value: str) -> Scalar:
    return value


def _number_where_possible(value: str) -> Scalar:
    """A bare number, digit for digit, where the text is how JSON writes one (no leading zero)."""
    if value.isascii() and value.isdecimal() and (value[0] != "0" or value == "0"):
        return msgspec.Raw(value.encode())
    return value


@lru_cache(maxsize=65_536)
def _java(at_s: int) -> str:
    return format_java_date(at_s * 1000)


def _iso(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _epoch_ms(at_s: int) -> int:
    return at_s * 1000


_DATES: dict[str, Callable[[int], str | int]] = {"java": _java, "iso": _iso, "epoch-ms": _epoch_ms}
