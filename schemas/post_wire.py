"""The names and shapes of the wire, as msgspec reads them: nothing is judged here.

A scalar is a string or an integer of JSON. A body with anything else in these places (a fraction, which must be kept
digit for digit, an integer of thousands of digits, a wrong type) does not fit and is read by the general way of
`schemas.post_reading`.
"""

import msgspec

Scalar = str | int | None


class WireSegment(msgspec.Struct, gc=False):
    """An entry of `Segments`."""

    segment_id: Scalar = msgspec.field(name="Segment_ID", default=None)
    status: Scalar = msgspec.field(name="Status", default=None)
    date_time: Scalar = msgspec.field(name="DateTime", default=None)


class WireUser(msgspec.Struct, gc=False):
    """An entry of `Users`."""

    aam_uuid: Scalar = msgspec.field(name="AAM_UUID", default=None)
    partner_uuid: Scalar = msgspec.field(name="DataPartner_UUID", default=None)
    regions: list[str | int] | None = msgspec.field(name="AAM_Regions", default=None)
    segments: list[WireSegment] | None = msgspec.field(name="Segments", default=None)


class WireHead(msgspec.Struct, gc=False):
    """A message without its users. The destination's name is spelt both ways in the field."""

    client_id: Scalar = msgspec.field(name="Client_ID", default=None)
    destination_id: Scalar = msgspec.field(name="AAM_Destination_ID", default=None)
    destination_id_as_sampled: Scalar = msgspec.field(name="AAM_Destination_Id", default=None)
    dpid: Scalar = msgspec.field(name="User_DPID", default=None)
    process_time: Scalar = msgspec.field(name="ProcessTime", default=None)
    user_count: Scalar = msgspec.field(name="User_count", default=None)


class WirePost(WireHead, kw_only=True, gc=False):
    """A message."""

    users: list[WireUser] = msgspec.field(name="Users")
