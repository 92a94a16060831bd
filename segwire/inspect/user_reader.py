"""Finds all that is published of one user: only the user's partition is read, and only the user's records decoded."""

from runtime.settings import KafkaSettings
from schemas.avro_codec import AvroDecodeError, decode_change, decode_key, decode_membership
from schemas.membership import SegmentMembership, SegmentMembershipChange, SegmentMembershipKey
from schemas.partitioning import partition_of
from schemas.topics import TopicNames
from segwire.inspect.history import UserRecords
from segwire.inspect.log_reader import LogReader


def read_user(kafka: KafkaSettings, aam_uuid: str) -> UserRecords:
    """Read a user's rows and changes. A record that cannot be decoded is left out: `doctor` tells of those.

    Raises:
        SegwireError: Kafka does not answer, or the topics are not there.
    """
    names = TopicNames(kafka.topic_prefix)
    wanted = aam_uuid.encode()
    rows: dict[SegmentMembershipKey, SegmentMembership] = {}
    changes: list[SegmentMembershipChange] = []
    reader = LogReader(kafka)
    topics = (names.segment_membership_changes, names.segment_membership)
    slices = reader.slices_at([(topic, partition_of(aam_uuid, reader.partitions(topic))) for topic in topics])
    # In either topic the user's ID lies in the key's bytes as it is.
    for message in reader.read(slices, keep=lambda key: key is not None and wanted in key):
        key, value = message.key() or b"", message.value()
        if message.topic() == names.segment_membership:
            _keep_row(rows, aam_uuid, key, value)
        elif key == wanted and value is not None:
            _keep_change(changes, value)
    return UserRecords(rows=rows, changes=changes)


def _keep_row(
    rows: dict[SegmentMembershipKey, SegmentMembership], aam_uuid: str, key: bytes, value: bytes | None
) -> None:
    try:
        which = decode_key(key)
        row = None if value is None else decode_membership(value)
    except AvroDecodeError:
        return
    if which.aam_uuid != aam_uuid:
        return
    if row is None:
        rows.pop(which, None)
    else:
        rows[which] = row


def _keep_change(changes: list[SegmentMembershipChange], value: bytes) -> None:
    try:
        changes.append(decode_change(value))
    except AvroDecodeError:
        return
