"""When is 200 said: a pure decision over what is known of a message's way into a durable store.

Source: the design, *Ingest: when is 200 said*. Time comes in as a number; nothing here waits.
"""

from enum import Enum, auto

import msgspec


class AckState(Enum):
    """What is known of one message in Kafka's hands."""

    ACKNOWLEDGED = auto()
    """All in-sync replicas have it."""
    PENDING = auto()
    """Handed to the producer, nothing heard yet."""
    QUEUE_FULL = auto()
    """The producer has no room for it; it may get some."""
    FAILED = auto()
    """The producer gave it up, or refuses all work."""
    OVERSIZED = auto()
    """Kafka never takes a record of this size."""


class Verdict(Enum):
    """What is done about a message."""

    WAIT = auto()
    DURABLE = auto()
    """200."""
    NO_DURABLE_STORE = auto()
    """503: the sender must be told that nobody has it."""
    TOO_LARGE = auto()
    """413."""


class Limits(msgspec.Struct, frozen=True):
    """How long a message may wait for its acknowledgement, in milliseconds."""

    ack_timeout_ms: int


_FINAL = {
    AckState.ACKNOWLEDGED: Verdict.DURABLE,
    AckState.FAILED: Verdict.NO_DURABLE_STORE,
    AckState.OVERSIZED: Verdict.TOO_LARGE,
}


def decide(ack: AckState, elapsed_ms: float, limits: Limits) -> Verdict:
    """Decide about one message, `elapsed_ms` after it was handed over.

    An acknowledgement counts however late it is seen: the message is durable then.
    """
    final = _FINAL.get(ack)
    if final is not None:
        return final
    return Verdict.WAIT if elapsed_ms < limits.ack_timeout_ms else Verdict.NO_DURABLE_STORE
