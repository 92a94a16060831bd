"""Asks the cluster again while an answer is only late: a broker that dies must not end who asks it."""

import time
from collections.abc import Mapping

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from runtime.errors import SegwireError

_ASK_S = 10.0
_PAUSE_S = 0.1

_PASSING = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001 - the client's public names
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._TIMED_OUT_QUEUE,  # noqa: SLF001 - not even sent in time: its broker is gone, or stands still
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._WAIT_COORD,  # noqa: SLF001
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.NOT_COORDINATOR,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
    }
)


_STILL_HELD = KafkaError(KafkaError.UNRELEASED_INSTANCE_ID).str()


class InstanceIdHeldError(SegwireError):
    """The group still counts on the process that had this instance ID before; only a new client may ask again."""


def passes(error: KafkaError) -> bool:
    """Tell whether an error ends by itself, as while a leader or a coordinator moves to another broker."""
    return not error.fatal() and (error.retriable() or error.code() in _PASSING)


def raise_if_over(error: KafkaError) -> None:
    """Raise where an error that a consumer handed out says that it cannot go on.

    Raises:
        KafkaException: a fatal error.
        InstanceIdHeldError: the group still has a member of this instance ID, which did not leave (KIP-848 alone).
        SegwireError: another fatal error of the group, which the client hands out without the flag of one.
    """
    if error.fatal():
        raise KafkaException(error)
    if error.code() == KafkaError._FATAL and _STILL_HELD in error.str():  # noqa: SLF001 - all it says of it
        raise InstanceIdHeldError(
            f"the consumer group still holds this member's instance ID for another process ({error.str()}); give each "
            "replica its own ordinal; the ID of a killed process is free once its session has ended"
        )
    if error.code() == KafkaError._FATAL:  # noqa: SLF001
        raise SegwireError(
            f"the consumer group gave this member's instance ID to another process ({error.str()}); give each replica "
            "its own ordinal; where there is no other process, start this one again: the ID of a killed process is "
            "free once its session has ended"
        )


def committed(consumer: Consumer, partitions: list[TopicPartition], limit_s: float) -> list[TopicPartition]:
    """Return the group's committed offsets; asks again while the coordinator moves, up to `limit_s`.

    Raises:
        KafkaException: there is no answer.
    """
    deadline_s = time.monotonic() + limit_s
    while True:
        left_s = deadline_s - time.monotonic()
        try:
            found = consumer.committed(partitions, timeout=max(min(left_s, _ASK_S), 0.1))
        except KafkaException as error:
            failure: KafkaError | None = error.args[0]
        else:
            # A partition's own failure would read as "nothing was committed".
            failure = next((tp.error for tp in found if tp.error is not None), None)
        if failure is None:
            return found
        if left_s <= 0 or not passes(failure):
            raise KafkaException(failure)
        time.sleep(_PAUSE_S)


def list_offsets(
    admin: AdminClient, wanted: Mapping[TopicPartition, OffsetSpec], isolation: IsolationLevel, limit_s: float
) -> dict[tuple[str, int], int]:
    """Return one offset per (topic, partition), -1 for a time after the last record; asks once.

    An answer that failed makes the client learn the present leaders, so that asking again can help: the client itself
    goes on with the leader and the epoch that it remembers for minutes (`FENCED_LEADER_EPOCH` again and again).

    Raises:
        KafkaException: the brokers refuse; `passes` tells whether to ask again.
        TimeoutError: no answer within `limit_s`.
    """
    futures = admin.list_offsets(dict(wanted), isolation_level=isolation, request_timeout=limit_s)
    try:
        return {(at.topic, at.partition): int(future.result(limit_s).offset) for at, future in futures.items()}
    except (KafkaException, TimeoutError):
        admin.list_topics(timeout=limit_s)
        raise
