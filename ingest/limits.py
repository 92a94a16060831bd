"""How long and how much of a connection is waited for. Pure."""

from enum import Enum, auto

import msgspec


class Waiting(Enum):
    """What a connection is kept open for."""

    NEXT = auto()
    """The first byte of another request."""
    HEAD = auto()
    """A request's head; a new connection's first one has this long too."""
    BODY = auto()
    """A request's body."""
    ANSWER = auto()
    """Our own answer."""
    END = auto()
    """Refused: the sender gets the time to read why."""


class Overdue(Enum):
    """What has lasted too long; the values are labels of a metric."""

    IDLE = "idle"
    HEAD = "head-timeout"
    BODY = "body-timeout"
    READER = "answer-not-read"
    REFUSED = "refused"


class Limits(msgspec.Struct, frozen=True):
    """What one worker grants to its connections."""

    max_connections: int = 10_000
    max_head_bytes: int = 16_384
    head_timeout_s: float = 10.0
    body_timeout_s: float = 10.0
    idle_timeout_s: float = 75.0
    linger_s: float = 2.0


def overdue(waiting: Waiting, waited_s: float, unread_s: float, limits: Limits) -> Overdue | None:
    """Return why a connection is to be ended, None where it may go on.

    `unread_s` is how long the sender has not been reading what it was answered.
    """
    if unread_s > limits.body_timeout_s:
        return Overdue.READER
    allowed_s, reason = {
        Waiting.NEXT: (limits.idle_timeout_s, Overdue.IDLE),
        Waiting.HEAD: (limits.head_timeout_s, Overdue.HEAD),
        Waiting.BODY: (limits.body_timeout_s, Overdue.BODY),
        Waiting.END: (limits.linger_s, Overdue.REFUSED),
    }.get(waiting, (float("inf"), Overdue.IDLE))
    return reason if waited_s > allowed_s else None


# A sender expects its answer within 3000 ms (wire format, *Transport*): who takes longer to send has given up.
_GIVEN_UP_S = 3.0


def expendable(waiting: Waiting, waited_s: float) -> bool:
    """Tell whether a connection may be ended to make room: no request that anyone still waits for is on it."""
    if waiting in {Waiting.NEXT, Waiting.END}:
        return True
    return waiting is not Waiting.ANSWER and waited_s > _GIVEN_UP_S
