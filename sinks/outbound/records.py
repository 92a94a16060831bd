"""What is published of a delivery: a receipt for every identifier and attempt, a dead letter for what was parked."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from runtime.dead_letters import dead_letter
from runtime.processor import InputRecord, OutputRecord
from schemas import headers
from schemas.avro_codec import RECEIPT_SCHEMA_ID, encode_receipt
from schemas.event import Partner
from schemas.receipts import DeliveryOutcome, DeliveryReceipt, ReceiptSegment
from schemas.redriven import Redriven, redriven_header
from schemas.topics import TopicNames
from sinks.outbound.message import UserEntry
from sinks.outbound.rules import Entry
from sinks.outbound.sender import Attempts
from sinks.outbound.verdict import Answer, verdict

_SECOND_MS = 1000


class Sent(NamedTuple):
    """One message and what became of it for good: it was delivered, or it is parked."""

    request_id: str
    body: bytes
    attempts: Attempts

    @property
    def parked(self) -> bool:
        """Whether it becomes a dead letter."""
        return self.attempts.verdict != "delivered"


class Records:
    """Makes the records of one destination."""

    def __init__(
        self, names: TopicNames, destination: str, dpid: int | None, schema_id: int = RECEIPT_SCHEMA_ID
    ) -> None:
        """Publish to the topics of `names`; partner IDs are of the data source `dpid`, receipts of `schema_id`."""
        self._names = names
        self.destination = destination
        self.service = f"sink-{destination}"
        self.requests_topic = names.sink_requests
        self._dpid = dpid
        self._schema_id = schema_id

    @property
    def stage(self) -> str:
        """The stage of the destination's dead letters. Source: interfaces, *Topics*."""
        return f"sink:{self.destination}"

    def receipts(self, partition: int, user: UserEntry, sent: Sent) -> Iterator[OutputRecord]:
        """Yield the receipts of one identifier of one user, in the order of the attempts."""
        answers = sent.attempts.answers
        for number, answer in enumerate(answers, 1):
            yield self._receipt(partition, user, sent, answer, _outcome(answer), number)
        if sent.parked:
            yield self._receipt(partition, user, sent, answers[-1], "PARKED", 0)

    def parked(
        self, sent: Sent, aam_uuid: str, origin: tuple[int, int], marks: Sequence[Redriven] = ()
    ) -> OutputRecord:  # fmt: skip
        """Return the dead letter of a message; `origin` is partition and offset of the row that led to it.

        `marks` are of the letters that were redriven with it.
        """
        answer = sent.attempts.answers[-1]
        return dead_letter(
            self._names.dead_letters,
            stage=self.stage,
            error=answer.error,
            reason=answer.reason,
            source=None,
            key=aam_uuid.encode(),
            value=sent.body,
            origin=(self._names.segment_membership, *origin),
            passed_on=[(headers.CONTENT_TYPE, b"application/json"), (headers.REQUEST_ID, sent.request_id.encode())],
            original=[redriven_header(list(marks))] if marks else None,
        )

    def malformed(self, record: InputRecord, reason: str) -> OutputRecord:
        """Return the dead letter of a record that is no row."""
        return dead_letter(
            self._names.dead_letters,
            stage=self.stage,
            error="malformed-row",
            reason=reason,
            source=None,
            key=record.key,
            value=record.value,
            origin=(self._names.segment_membership, record.partition, record.offset),
            original=record.headers,
        )

    def _receipt(
        self, partition: int, user: UserEntry, sent: Sent, answer: Answer, outcome: DeliveryOutcome, attempt: int
    ) -> OutputRecord:
        receipt = DeliveryReceipt(
            destination=self.destination,
            aam_uuid=user.aam_uuid,
            partner=None if user.partner_uuid is None else Partner(user.partner_uuid, self._dpid),
            segments=[_segment(entry) for entry in user.entries],
            sent_at=answer.sent_at_ms,
            outcome=outcome,
            answered=answer.status,
            attempt=attempt,
            latency_ms=answer.latency_ms if attempt else None,
            request_id=sent.request_id,
            reason=answer.reason or None,
        )
        return OutputRecord(
            self._names.delivery_receipts, partition, user.aam_uuid.encode(), encode_receipt(receipt, self._schema_id)
        )  # fmt: skip


def _outcome(answer: Answer) -> DeliveryOutcome:
    if verdict(answer) == "delivered":
        return "DELIVERED"
    return "FAILED" if answer.status is None else "REFUSED"


def _segment(entry: Entry) -> ReceiptSegment:
    return ReceiptSegment(
        segment_id=entry.segment_id,
        sent_as=None if entry.value == entry.segment_id else entry.value,
        status="ACTIVE" if entry.active else "INACTIVE",
        verified_at=entry.at_s * _SECOND_MS,
        version=entry.version,
    )
