"""Writes the rows of all active memberships anew, from the processor's changelog, where their topic was lost."""

from collections.abc import Iterator

import msgspec

from processors.app import membership_encoder, time_limits
from processors.published import UserRecords
from processors.rules.expiry import TimeLimits
from processors.rules.present import present_rows
from processors.rules.state_codec import StateDamagedError, StateVersionError, decode_state
from runtime.errors import SegwireError
from runtime.settings import Settings
from schemas.avro_rows import MembershipEncoder
from schemas.topics import TopicNames
from segwire.inspect.log_reader import LogReader
from segwire.inspect.record_writing import RecordWriter


class Written(msgspec.Struct, frozen=True):
    """What was written to one partition; users whose state cannot be read are counted, with one for an example."""

    partition: int
    users: int
    rows: int
    unreadable: int = 0
    example: str | None = None


def publish_rows(settings: Settings, reader: LogReader) -> Iterator[Written]:
    """Write the rows of one partition after the other; the state of one at a time is held in memory.

    Raises:
        SegwireError: the topic has records, or gets some of somebody else meanwhile; or the brokers do not take it.
    """
    names = TopicNames(settings.kafka.topic_prefix)
    partitions = range(reader.partitions(names.segment_membership))
    for part in reader.slices(names.segment_membership, partitions):
        if part.end > 0:
            raise SegwireError(
                f"{part.topic} partition {part.partition} has had records: it is not a topic that was made anew, and "
                "what it holds may be newer; where membership ran on, or this was interrupted, see that membership is "
                "stopped, delete the topic and make it anew: segwire topics apply"
            )
    encoder, limits = membership_encoder(settings), time_limits(settings.membership)
    writer = RecordWriter(settings.kafka, names.segment_membership)
    for partition in partitions:
        states = _states(reader, names.membership_state, partition)
        written = _write(writer, partition, states, encoder, limits)
        writer.finish()
        _require_alone(reader, names.segment_membership, partition, written.rows)
        yield written


def _write(
    writer: RecordWriter, partition: int, states: dict[bytes, bytes], encoder: MembershipEncoder, limits: TimeLimits
) -> Written:
    """Write the rows of a partition's users; one whose state cannot be read must not keep the others from theirs."""
    users, rows, unreadable, example = 0, 0, 0, None
    for uuid, raw in states.items():
        try:
            told = present_rows(decode_state(raw), limits)
        except (StateDamagedError, StateVersionError) as error:
            unreadable, example = unreadable + 1, example or f"{uuid.decode('utf-8', 'replace')}: {error}"
            continue
        records = UserRecords(encoder, uuid.decode())
        for membership in told:
            key = records.key(membership)
            writer.put(partition, key, records.row(records.body(key, membership)))
        users, rows = users + bool(told), rows + len(told)
    return Written(partition, users, rows, unreadable, example)


def _states(reader: LogReader, changelog: str, partition: int) -> dict[bytes, bytes]:
    states: dict[bytes, bytes] = {}
    for message in reader.read(reader.slices(changelog, [partition])):
        key, value = message.key(), message.value()
        if key is not None and value is None:
            states.pop(key, None)
        elif key is not None and value is not None:
            states[key] = value
    return states


def _require_alone(reader: LogReader, topic: str, partition: int, rows: int) -> None:
    """See that nobody else wrote: else a row of before may stand after one that is newer."""
    (part,) = reader.slices(topic, [partition])
    if part.end != rows:
        raise SegwireError(
            f"{topic} partition {partition} got {part.end - rows} records of somebody else meanwhile: stop membership, "
            "delete the topic, make it anew (segwire topics apply) and begin again"
        )
