"""`DeliveryReceipt`: what was sent of one user under one identifier to one destination, and the answer.

The value of the topic `delivery-receipts`, keyed and partitioned by the AAM UUID. The Avro schema is
`schemas/avro/DeliveryReceipt.avsc`, the codec `schemas.avro_codec`; times are epoch milliseconds.
"""

from typing import Literal

import msgspec

from schemas.event import Partner, Status

DeliveryOutcome = Literal["DELIVERED", "REFUSED", "FAILED", "PARKED"]


class ReceiptSegment(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One segment that was sent; `sent_as` is the ID that the destination was told, None where it is `segment_id`."""

    segment_id: str
    sent_as: str | None = None
    status: Status
    verified_at: int
    version: int


class DeliveryReceipt(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One identifier of one user at one destination: what was sent, when, and which answer came.

    DELIVERED was answered 200, REFUSED otherwise, FAILED not in time (so nobody knows whether it arrived); PARKED was
    set aside without being sent. `attempt` is 1, 2 for the retry, 0 where nothing was sent. `request_id` is the same
    for all that travelled in one message.
    """

    destination: str
    aam_uuid: str
    partner: Partner | None
    segments: list[ReceiptSegment]
    sent_at: int
    outcome: DeliveryOutcome
    answered: int | None = None
    attempt: int = 1
    latency_ms: int | None = None
    request_id: str = ""
    reason: str | None = None
