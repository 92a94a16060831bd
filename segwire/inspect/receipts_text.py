"""What was delivered, in words: a line for each identifier."""

from collections.abc import Sequence

from schemas.event import Partner, Status
from segwire.inspect.columns import format_columns, one_line
from segwire.inspect.receipts import Delivered
from segwire.inspect.times import format_time

_HEADER = ("DESTINATION", "USER", "IDENTIFIER", "REMOVED", "IN", "OUT OF", "DELIVERED", "NOT DELIVERED")


def format_delivered(found: Sequence[Delivered]) -> str:
    """Write a table, a line for each identifier at each destination."""
    rows = [
        (
            one_line(x.destination),
            one_line(x.aam_uuid),
            _identifier(x.partner),
            _removed(x),
            _segments(x, "ACTIVE"),
            _segments(x, "INACTIVE"),
            _delivery(x),
            _undelivered(x),
        )
        for x in found
    ]
    return format_columns(_HEADER, rows)


def _identifier(partner: Partner | None) -> str:
    if partner is None:
        return "-"
    return one_line(partner.uuid if partner.dpid is None else f"{partner.dpid}|{partner.uuid}")


def _removed(x: Delivered) -> str:
    if x.removed:
        return "yes"
    inside = any(segment.status == "ACTIVE" for segment in x.segments)
    return "no" if inside else "never told"


def _segments(x: Delivered, status: Status) -> str:
    return one_line(", ".join(s.segment_id for s in x.segments if s.status == status), 60) or "-"


def _delivery(x: Delivered) -> str:
    if x.delivered is None:
        return "never"
    latency = "" if x.delivered.latency_ms is None else f" in {x.delivered.latency_ms} ms"
    retry = ", the retry" if x.delivered.attempt > 1 else ""
    return f"{format_time(x.delivered.sent_at)}: {x.delivered.answered or '-'}{latency}{retry}"


def _undelivered(x: Delivered) -> str:
    last = x.undelivered
    if last is None:
        return "-"
    answered = "" if last.answered is None else f" {last.answered}"
    reason = f" ({one_line(last.reason)})" if last.reason else ""
    return f"{format_time(last.sent_at)}: {last.outcome}{answered}{reason}"
