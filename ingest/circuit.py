"""Whether Kafka is relied upon: ok, slow or down. Pure; time comes in as a number.

Source: the design, *Ingest: when is 200 said*. Slow is also what down goes through on its way back: messages go to
both stores until Kafka has shown that it acknowledges.
"""

from enum import Enum, auto

import msgspec


class KafkaState(Enum):
    """What is done with live messages."""

    OK = "kafka-ok"
    """Kafka gets them; the spool those that it does not acknowledge in time."""
    SLOW = "kafka-slow"
    """Both get them; the first to have a message counts."""
    DOWN = "kafka-down"
    """The spool gets them; Kafka is probed."""


class Event(Enum):
    """What is heard of Kafka."""

    ACKNOWLEDGED = auto()
    TIMED_OUT = auto()
    """A message waited for its acknowledgement as long as it may."""
    CROWDED = auto()
    """The producer's queue is more than half full."""
    FAILED = auto()
    """All brokers are down, the client failed for good, a record was refused, or topics are missing."""
    PROBED = auto()
    """The cluster answered, and has the topics."""
    PASSED = auto()
    """Time went by; nothing is unacknowledged."""
    PASSED_WAITING = auto()
    """Time went by; something is unacknowledged."""


class CircuitLimits(msgspec.Struct, frozen=True):
    """When a state is left."""

    timeouts_max: int = 10
    """So many without an acknowledgement in between: down."""
    silence_ms: int = 750
    """So long without an acknowledgement while slow, and some are wanted: down."""
    calm_ms: int = 1000
    """So long slow without trouble: ok."""


class Circuit(msgspec.Struct, frozen=True):
    """What is known of Kafka. Begins down, as nothing was heard yet."""

    state: KafkaState = KafkaState.DOWN
    reason: str | None = "Kafka was not reached yet"
    """Why it is not relied upon."""
    timeouts: int = 0
    """Since the last acknowledgement."""
    troubled_s: float = 0.0
    """When there was trouble last."""
    heard_s: float = 0.0
    """When Kafka acknowledged last, or was given a new chance."""
    is_new: bool = True
    """Whether nothing was ever heard: the first good probe is enough then."""


def after(circuit: Circuit, event: Event, now_s: float, limits: CircuitLimits, reason: str | None = None) -> Circuit:
    """Return what is known after an event; `reason` tells people about a trouble."""
    if event is Event.FAILED:
        return _down(circuit, now_s, reason)
    if event in {Event.TIMED_OUT, Event.CROWDED}:
        return _troubled(circuit, event, now_s, limits, reason)
    if event is Event.PROBED:
        if circuit.state is not KafkaState.DOWN:
            return circuit
        return _ok(circuit, now_s) if circuit.is_new else _on_trial(now_s)
    if event is Event.ACKNOWLEDGED:
        circuit = msgspec.structs.replace(circuit, timeouts=0, heard_s=now_s)
        if circuit.state is KafkaState.DOWN:
            return _on_trial(now_s)
    if circuit.state is not KafkaState.SLOW:
        return circuit
    if event is Event.PASSED_WAITING and (now_s - circuit.heard_s) * 1000 >= limits.silence_ms:
        return _down(circuit, now_s, f"Kafka acknowledged nothing for {limits.silence_ms} ms")
    is_calm = (now_s - circuit.troubled_s) * 1000 >= limits.calm_ms
    return _ok(circuit, now_s) if is_calm else circuit


def _troubled(circuit: Circuit, event: Event, now_s: float, limits: CircuitLimits, reason: str | None) -> Circuit:
    timeouts = circuit.timeouts + (event is Event.TIMED_OUT)
    if circuit.state is KafkaState.DOWN:
        return circuit
    if timeouts >= limits.timeouts_max:
        return _down(circuit, now_s, reason)
    heard_s = now_s if circuit.state is KafkaState.OK else circuit.heard_s
    return msgspec.structs.replace(
        circuit, state=KafkaState.SLOW, reason=reason, timeouts=timeouts, troubled_s=now_s, heard_s=heard_s
    )


def _on_trial(now_s: float) -> Circuit:
    reason = "Kafka answers again and is being tried"
    return Circuit(KafkaState.SLOW, reason, troubled_s=now_s, heard_s=now_s, is_new=False)


def _ok(circuit: Circuit, now_s: float) -> Circuit:
    return Circuit(KafkaState.OK, None, troubled_s=circuit.troubled_s, heard_s=now_s, is_new=False)


def _down(circuit: Circuit, now_s: float, reason: str | None) -> Circuit:
    return Circuit(KafkaState.DOWN, reason, troubled_s=now_s, heard_s=circuit.heard_s, is_new=circuit.is_new)
