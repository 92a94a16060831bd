"""When is 200 said: a pure decision over what is known of a message's way into a durable store.

Source: the design, *Ingest: when is 200 said*. Time comes in as a number; nothing here waits.
"""

from enum import Enum, auto

import msgspec

from ingest.circuit import KafkaState


class AckState(Enum):
    """What is known of one message in Kafka's hands."""

    NOT_SENT = auto()
    PENDING = auto()
    """Handed to the producer, nothing heard yet."""
    QUEUE_FULL = auto()
    """The producer has no room for it; it may get some."""
    FAILED = auto()
    """The producer gave it up, or refused it; it may be handed over again."""
    ACKNOWLEDGED = auto()
    """All in-sync replicas have it."""
    OVERSIZED = auto()
    """Kafka never takes a record of this size."""


class SpoolStep(Enum):
    """What is known of one message in the spool's hands."""

    NOT_TRIED = auto()
    WRITING = auto()
    STORED = auto()
    """Synced to disk."""
    REFUSED = auto()
    """No room, or the disk failed."""


class Verdict(Enum):
    """How a message ends."""

    DURABLE = auto()
    """200."""
    NO_DURABLE_STORE = auto()
    """503: the sender must be told that nobody has it."""
    TOO_LARGE = auto()
    """413."""


class Step(Enum):
    """What is done about a message that has no verdict yet."""

    WAIT = auto()
    PRODUCE = auto()
    """Hand it to the Kafka producer."""
    SPOOL = auto()
    """Append it to the spool."""


class Limits(msgspec.Struct, frozen=True):
    """How long a message may wait, in milliseconds since it was received."""

    ack_wait_ms: int
    """For Kafka's acknowledgement, before the spool gets it as well."""
    ack_timeout_ms: int
    """For any store, before it is refused."""


_NOT_WITH_KAFKA = frozenset({AckState.NOT_SENT, AckState.QUEUE_FULL, AckState.FAILED})


def decide(kafka: KafkaState, ack: AckState, spool: SpoolStep, elapsed_ms: float, limits: Limits) -> Step | Verdict:
    """Decide what is next for one message, `elapsed_ms` after it was received.

    What one store has is durable, however late it is seen. A message that neither took is tried with both until its
    time is over.
    """
    if ack is AckState.ACKNOWLEDGED or spool is SpoolStep.STORED:
        return Verdict.DURABLE
    if ack is AckState.OVERSIZED:
        return Verdict.TOO_LARGE
    if elapsed_ms >= limits.ack_timeout_ms:
        return Verdict.NO_DURABLE_STORE
    overdue = elapsed_ms >= limits.ack_wait_ms
    if spool is SpoolStep.NOT_TRIED:
        return _first_step(kafka, ack, overdue)
    # A spool that refused leaves Kafka; one whose disk hangs does so when it takes too long.
    if ack in _NOT_WITH_KAFKA and (spool is SpoolStep.REFUSED or overdue):
        return Step.PRODUCE
    return Step.WAIT


def _first_step(kafka: KafkaState, ack: AckState, overdue: bool) -> Step:
    if kafka is KafkaState.DOWN:
        return Step.SPOOL
    if ack is AckState.NOT_SENT:
        return Step.PRODUCE
    waits = ack is AckState.PENDING and kafka is KafkaState.OK and not overdue
    return Step.WAIT if waits else Step.SPOOL
