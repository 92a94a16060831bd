"""What each destination was told under each identifier of a user: its receipts put together. Pure.

Of two receipts for a segment the one of the higher version tells what was delivered last: a delivery of an older row
that came late does not hide a newer one.
"""

from collections.abc import Iterable

import msgspec

from schemas.event import Partner, Status
from schemas.receipts import DeliveryOutcome, DeliveryReceipt


class DeliveredSegment(msgspec.Struct, frozen=True, kw_only=True):
    """The last status of a segment that a destination acknowledged; times in epoch ms."""

    segment_id: str
    sent_as: str | None
    status: Status
    verified_at: int
    version: int
    delivered_at: int


class Delivery(msgspec.Struct, frozen=True):
    """An acknowledged delivery: when it was sent, what was answered, at which attempt, after how long."""

    sent_at: int
    answered: int | None
    attempt: int
    latency_ms: int | None
    request_id: str


class Undelivered(msgspec.Struct, frozen=True):
    """What was tried last and not acknowledged, where nothing was delivered since."""

    sent_at: int
    outcome: DeliveryOutcome
    answered: int | None
    attempt: int
    reason: str | None
    segments: list[str]


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """One identifier at one destination. `removed`: in none of the segments, by what it acknowledged last."""

    destination: str
    aam_uuid: str
    partner: Partner | None
    removed: bool
    segments: list[DeliveredSegment]
    delivered: Delivery | None
    undelivered: Undelivered | None


class Wanted(msgspec.Struct, frozen=True):
    """Which receipts are wanted; None is any."""

    aam_uuid: str | None = None
    partner_uuid: str | None = None
    dpid: int | None = None
    destination: str | None = None

    def matches(self, receipt: DeliveryReceipt) -> bool:
        """Tell whether a receipt is wanted."""
        partner = receipt.partner
        return (
            self.aam_uuid in (None, receipt.aam_uuid)
            and self.destination in (None, receipt.destination)
            and (self.partner_uuid is None or (partner is not None and partner.uuid == self.partner_uuid))
            and (self.dpid is None or (partner is not None and partner.dpid == self.dpid))
        )


def summarise(receipts: Iterable[DeliveryReceipt]) -> list[Delivered]:
    """Put receipts together, one `Delivered` for each destination, user and identifier, in that order."""
    found: dict[tuple[str, str, Partner | None], _Identifier] = {}
    for receipt in receipts:
        key = (receipt.destination, receipt.aam_uuid, receipt.partner)
        found.setdefault(key, _Identifier()).add(receipt)
    summaries = [identifier.summary(*key) for key, identifier in found.items()]
    return sorted(summaries, key=lambda x: (x.destination, x.aam_uuid, *_rank(x.partner)))


class _Identifier:
    """The receipts of one identifier at one destination, as they come."""

    __slots__ = ("_last", "_segments", "_undelivered")

    def __init__(self) -> None:
        self._segments: dict[str, DeliveredSegment] = {}
        self._last: DeliveryReceipt | None = None
        self._undelivered: DeliveryReceipt | None = None

    def add(self, receipt: DeliveryReceipt) -> None:
        if receipt.outcome != "DELIVERED":
            self._undelivered = _later(self._undelivered, receipt)
            return
        self._last = _later(self._last, receipt)
        for sent in receipt.segments:
            known = self._segments.get(sent.segment_id)
            if known is None or (sent.version, receipt.sent_at) >= (known.version, known.delivered_at):
                self._segments[sent.segment_id] = DeliveredSegment(
                    segment_id=sent.segment_id, sent_as=sent.sent_as, status=sent.status,
                    verified_at=sent.verified_at, version=sent.version, delivered_at=receipt.sent_at,
                )  # fmt: skip

    def summary(self, destination: str, aam_uuid: str, partner: Partner | None) -> Delivered:
        segments = sorted(self._segments.values(), key=lambda segment: segment.segment_id)
        return Delivered(
            destination=destination, aam_uuid=aam_uuid, partner=partner, segments=segments,
            removed=bool(segments) and all(segment.status == "INACTIVE" for segment in segments),
            delivered=_delivery(self._last), undelivered=self._outstanding(),
        )  # fmt: skip

    def _outstanding(self) -> Undelivered | None:
        failed = self._undelivered
        if failed is None or (self._last is not None and self._last.sent_at >= failed.sent_at):
            return None
        names = [sent.segment_id for sent in failed.segments]
        return Undelivered(failed.sent_at, failed.outcome, failed.answered, failed.attempt, failed.reason, names)


def _later(known: DeliveryReceipt | None, receipt: DeliveryReceipt) -> DeliveryReceipt:
    return receipt if known is None or receipt.sent_at >= known.sent_at else known


def _delivery(receipt: DeliveryReceipt | None) -> Delivery | None:
    if receipt is None:
        return None
    return Delivery(receipt.sent_at, receipt.answered, receipt.attempt, receipt.latency_ms, receipt.request_id)


def _rank(partner: Partner | None) -> tuple[int, str]:
    if partner is None:
        return (-2, "")
    return (-1 if partner.dpid is None else partner.dpid, partner.uuid)
