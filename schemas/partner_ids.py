"""Data sources, the form of their IDs, and the IDs that say nothing.

Source: wire format, *Identifiers*.
"""

import re
from typing import Literal

import msgspec

Finding = Literal["ok", "wrong-form", "all-zero"]

DATA_SOURCE_ID_MAX = 2**63 - 1
PARTNER_ID_CHARACTERS_MAX = 1024

_SHOWN_CHARACTERS = 80
_NIL_UUID = "00000000-0000-0000-0000-000000000000"
_ZEROS = frozenset("0-")


class DataSource(msgspec.Struct, frozen=True):
    """A global data source of device IDs and the form of its IDs."""

    dpid: int
    name: str
    form: str
    pattern: re.Pattern[str]


class PartnerIdFinding(msgspec.Struct, frozen=True, gc=False):
    """What is to be done with a partner's ID.

    `ok`: keep it. `wrong-form`: bad input for that user, `reason` says why. `all-zero`: the device's owner limited
    ad tracking; never stored, counted.
    """

    finding: Finding
    reason: str = ""


_LOWER = ("8-4-4-4-12 lower-case hex", re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"))
_UPPER = ("8-4-4-4-12 upper-case hex", re.compile(r"[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}"))
_ALPHANUMERIC = ("letters and digits", re.compile(r"[0-9A-Za-z]+"))

DATA_SOURCES: tuple[DataSource, ...] = (
    DataSource(20914, "Google advertising ID", *_LOWER),
    DataSource(20915, "Apple IDFA", *_UPPER),
    DataSource(121963, "Roku RIDA", *_LOWER),
    DataSource(389146, "Microsoft MAID", *_ALPHANUMERIC),
    DataSource(963906, "Samsung TIFA", *_ALPHANUMERIC),
    DataSource(488258, "Amazon Fire TV", *_LOWER),
    DataSource(1171485, "LG UDID", *_LOWER),
    DataSource(1171489, "Vizio IFA", *_ALPHANUMERIC),
)

_BY_DPID = {source.dpid: source for source in DATA_SOURCES}
_OK = PartnerIdFinding("ok")
_ALL_ZERO = PartnerIdFinding("all-zero")


def check_partner_id(dpid: int | None, uuid: str) -> PartnerIdFinding:
    """Judge a non-empty partner ID by the form of its data source.

    Zeros of any length are all-zero in a device's data source; in any other, or without one, an ID is opaque and
    only the all-zero UUID is.
    """
    source = None if dpid is None else _BY_DPID.get(dpid)
    if uuid == _NIL_UUID:
        return _ALL_ZERO
    if len(uuid) > PARTNER_ID_CHARACTERS_MAX:
        return PartnerIdFinding(
            "wrong-form", f"a partner ID has {len(uuid)} characters, at most {PARTNER_ID_CHARACTERS_MAX} are accepted"
        )
    if source is None:
        return _OK
    if "0" in uuid and _ZEROS.issuperset(uuid):
        return _ALL_ZERO
    if source.pattern.fullmatch(uuid):
        return _OK
    return PartnerIdFinding(
        "wrong-form",
        f"{uuid[:_SHOWN_CHARACTERS]!r} is not a {source.name} (data source {dpid}): it must be {source.form}",
    )
