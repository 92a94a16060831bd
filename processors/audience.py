"""Who enters and leaves the segments that the metrics name, and how many are in each."""

from collections import Counter
from typing import Any, Final

from runtime import metrics
from runtime.state.table import Census, StateTable
from schemas.membership import Cause, ChangeKind

_ENTERED: Final[ChangeKind] = "ENTERED"
_EXITED: Final[ChangeKind] = "EXITED"
_KINDS: Final[tuple[tuple[ChangeKind, Cause], ...]] = (
    (_ENTERED, "QUALIFIED"),
    (_EXITED, "DISQUALIFIED"),
    (_EXITED, "EXPIRED"),
    (_EXITED, "INACTIVE_USER"),
    (_EXITED, "PRIVACY"),
)


class Audience:
    """Counts by segment. What is counted becomes true with the commit, as everything else does."""

    def __init__(self, table: StateTable[Any]) -> None:
        """Count by the groups of the table's codec: they are segments."""
        groups = table.codec.groups
        self.segments: frozenset[str] = frozenset() if groups is None else groups.names
        self._table = table
        self._changes: Counter[tuple[str, str, str]] = Counter()
        for segment in self.segments:
            for change, cause in _KINDS:  # a series that begins with what happened would hide it from `rate`
                metrics.MEMBERSHIP_SEGMENT_CHANGES.labels(segment=segment, change=change, cause=cause)

    def turned(self, partition: int, segment: str, change: ChangeKind, cause: Cause) -> None:
        """Count a membership that was entered or left; only of `segments`."""
        self._table.turned(partition, segment, 1 if change == _ENTERED else -1)
        self._changes[segment, change, cause] += 1

    def committed(self) -> None:
        """Tell what is now published."""
        for (segment, change, cause), count in self._changes.items():
            metrics.MEMBERSHIP_SEGMENT_CHANGES.labels(segment=segment, change=change, cause=cause).inc(count)

    def aborted(self) -> None:
        """Forget what was counted."""
        self._changes.clear()

    def refresh_metrics(self, counts: Census) -> None:
        """Set the sizes."""
        for segment, active in counts.groups.items():
            metrics.MEMBERSHIP_SEGMENT_ACTIVE.labels(segment=segment).set(active)
