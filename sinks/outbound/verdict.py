"""What an answer means. Pure. Source: wire format, section 1: success is exactly 200."""

from email.utils import parsedate_to_datetime
from typing import Literal, NamedTuple

Verdict = Literal["delivered", "refused", "failed"]

_OK = 200
_CLIENT_ERRORS = range(400, 500)
# These speak of the endpoint, our credentials or the moment, and any other message would fare the same.
_NOT_THE_MESSAGE = frozenset({401, 402, 403, 404, 405, 407, 408, 421, 423, 424, 425, 426, 429, 451})
_MAY_ASK_TO_WAIT = frozenset({429, 503})
_WAIT_MAX_S = 3600.0


class Answer(NamedTuple):
    """What became of one attempt: a status, or None with `error` as the stable class of what went wrong.

    `sent_at_ms` is epoch ms. `asked_wait_s` is how long the partner wants to be left alone, where it said so.
    """

    status: int | None
    error: str
    reason: str
    sent_at_ms: int
    latency_ms: int
    asked_wait_s: float | None = None


def verdict(answer: Answer) -> Verdict:
    """Sort an answer: `refused` is said of this message, `failed` may be of the partner as a whole."""
    if answer.status == _OK and not answer.error:
        return "delivered"
    if answer.status in _CLIENT_ERRORS and answer.status not in _NOT_THE_MESSAGE:
        return "refused"
    return "failed"


def asked_wait_s(status: int, retry_after: str | None, now_ms: int) -> float | None:
    """Read `Retry-After` of an answer that may carry one: seconds, or a date. Source: RFC 9110, section 10.2.3."""
    if status not in _MAY_ASK_TO_WAIT or not retry_after:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _WAIT_MAX_S)
    try:
        at = parsedate_to_datetime(text)
        return min(max(at.timestamp() - now_ms / 1000, 0.0), _WAIT_MAX_S)
    except (TypeError, ValueError, OverflowError):
        return None
