"""Follows the topics until they say what the model says, or say nothing new for long enough."""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from runtime.clock import Clock
from schemas.membership import SegmentMembership, SegmentMembershipChange, SegmentMembershipKey
from segwire.simulator.compare import compare
from segwire.simulator.differences import Differences
from segwire.simulator.model import Model
from segwire.simulator.published import Published

# Commits come several a second: this long without one, at the end of the topics, and a comparison is worth its time.
QUIET_S = 2.0


class RowRecord(msgspec.Struct, frozen=True):
    """A record of `segment-membership`; `row` None is a tombstone."""

    key: SegmentMembershipKey
    row: SegmentMembership | None


class Read(msgspec.Struct, frozen=True):
    """One read: this run's records in log order, how many there were of others.

    `at_end`: every partition's end was reached at least once since the reading began.
    """

    records: Sequence[RowRecord | SegmentMembershipChange]
    others: int
    at_end: bool


class TopicReader(Protocol):
    """Reads both topics from their start, committed records only."""

    def read(self) -> Read:
        """Return the next records of this run; blocks for a fraction of a second at most."""


def follow(
    model: Model,
    reader: TopicReader,
    *,
    settle_s: float,
    clock: Clock,
    progress: Callable[[Published], None] = lambda _: None,
) -> tuple[Published, Differences]:
    """Read until nothing differs, or until no record of the run came for `settle_s` seconds; blocks.

    Even when all agrees it waits for two quiet seconds, so that a late duplicate is not missed.
    """
    published = Published()
    changed_s = clock.monotonic_s()
    differences: Differences | None = None
    while True:
        read = reader.read()
        for record in read.records:
            take(published, record)
        now_s = clock.monotonic_s()
        progress(published)
        if read.records or (read.others and not read.at_end):
            changed_s, differences = now_s, None
        quiet_s = now_s - changed_s
        if quiet_s < min(QUIET_S, settle_s) or not (read.at_end or quiet_s >= settle_s):
            continue
        if differences is None:
            differences = compare(model, published)
        if quiet_s >= settle_s or not _could_be_mended(differences, published):
            return published, differences


def _could_be_mended(differences: Differences, published: Published) -> bool:
    """Tell whether later records could still take a difference away."""
    lasting = published.duplicates.count + published.gaps.count
    return differences.total > lasting


def take(published: Published, record: RowRecord | SegmentMembershipChange) -> None:
    """Give a record to where it belongs."""
    if isinstance(record, RowRecord):
        key = record.key
        published.take_row((key.destination_id, key.aam_uuid, key.segment_id), record.row)
    else:
        published.take_change(record)
