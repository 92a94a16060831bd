"""What has to be known of a changelog and its group before a partition can be restored."""

from typing import NamedTuple

from confluent_kafka import Consumer, IsolationLevel, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from runtime.errors import SegwireError
from runtime.kafka.asking import committed, list_offsets
from runtime.state.store import Checkpoint
from runtime.state.table import Census

# Who asks, asks again: a partition that is taken away need not wait longer than this for a dead broker's answer.
_TIMEOUT_S = 10.0
_EARLIEST = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_LATEST = OffsetSpec.latest()  # type: ignore[no-untyped-call]


class Extent(NamedTuple):
    """A changelog partition: its first offset, and its end with open transactions counted in."""

    start: int
    end: int


class Changelog(NamedTuple):
    """A changelog topic as the cluster has it now."""

    cluster_id: str
    topic: str
    partitions: int
    delete_retention_ms: int
    rules: str = ""

    def checkpoint(self, offset: int, now_ms: int, census: Census) -> Checkpoint:
        """Return the checkpoint that says: the store holds this changelog below `offset`, so many entries."""
        return Checkpoint(
            self.cluster_id, self.topic, self.partitions, offset, now_ms, census.entries, census.active, self.rules,
            census.groups,
        )  # fmt: skip


def extents(admin: AdminClient, topic: str, partitions: list[int]) -> dict[int, Extent]:
    """Ask for the extent of each partition; the end is READ_UNCOMMITTED, or a commit in progress would be missed."""
    where = [TopicPartition(topic, partition) for partition in partitions]
    uncommitted = IsolationLevel.READ_UNCOMMITTED
    starts = list_offsets(admin, dict.fromkeys(where, _EARLIEST), uncommitted, _TIMEOUT_S)
    ends = list_offsets(admin, dict.fromkeys(where, _LATEST), uncommitted, _TIMEOUT_S)
    return {partition: Extent(starts[topic, partition], ends[topic, partition]) for partition in partitions}


def committed_offsets(consumer: Consumer, topic: str, partitions: list[int]) -> dict[int, int | None]:
    """Return the group's committed input offsets, None where it has none; open transactions are waited for."""
    found = committed(consumer, [TopicPartition(topic, partition) for partition in partitions], _TIMEOUT_S)
    return {tp.partition: tp.offset if tp.offset >= 0 else None for tp in found}


def learn(consumer: Consumer, topic: str) -> None:
    """Have the consumer learn who leads the partitions of `topic`.

    Where it is assigned a topic that it knows nothing of, librdkafka looks for that once a second, so that the first
    record comes up to a second late.
    """
    consumer.list_topics(topic, timeout=_TIMEOUT_S)


def usable(checkpoint: Checkpoint | None, changelog: Changelog, extent: Extent, now_ms: int) -> bool:
    """Tell whether a local checkpoint may be gone on from, else the partition is wiped and rebuilt.

    Not where the cluster, topic or partition count differs, where the checkpoint lies outside the log, or where it is
    older than half of `delete.retention.ms`: tombstones may be compacted away that would have deleted users here.
    """
    if checkpoint is None:
        return False
    same = (checkpoint.cluster_id, checkpoint.topic, checkpoint.partitions) == changelog[:3]
    within = extent.start <= checkpoint.offset <= extent.end
    return same and within and now_ms - checkpoint.written_at < changelog.delete_retention_ms // 2


def require_changelog(checkpoint: Checkpoint, changelog: Changelog, partition: int, extent: Extent) -> None:
    """Refuse to give up a store for a changelog that never had a record: then the store is all there is of the state.

    Raises:
        SegwireError: the topic was deleted and made anew on the same cluster.
    """
    same = (checkpoint.cluster_id, checkpoint.topic) == (changelog.cluster_id, changelog.topic)
    if same and extent.end == 0 and checkpoint.offset > 0 and checkpoint.entries > 0:
        raise SegwireError(
            f"changelog {changelog.topic} partition {partition} is empty, but the local store holds "
            f"{checkpoint.entries} entries of it, up to offset {checkpoint.offset}: the topic was deleted; write the "
            "store to it with segwire state publish, or remove the state directory to begin with nothing"
        )
