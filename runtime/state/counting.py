"""What a partition holds, counted while it is restored."""

from typing import Any

from runtime.state.store import Checkpoint
from runtime.state.table import Census, Codec, Summary


class Counting:
    """Counts stored values by a codec."""

    def __init__(self, codec: Codec[Any]) -> None:
        """Count what `codec` reads."""
        self._codec = codec
        self._groups = codec.groups

    def nothing(self) -> Census:
        """Return the census of an empty partition."""
        return Census(groups={} if self._groups is None else dict.fromkeys(self._groups.names, 0))

    def known(self, checkpoint: Checkpoint | None) -> Census | None:
        """Return the census of a checkpoint; None where it was not counted, or not by the groups of now."""
        if checkpoint is None or checkpoint.entries < 0:
            return None
        names = frozenset() if self._groups is None else self._groups.names
        if not names <= checkpoint.groups.keys():
            return None
        return Census(checkpoint.entries, checkpoint.active, {name: checkpoint.groups[name] for name in names})

    def add(self, census: Census, raw: bytes, summary: Summary, by: int = 1) -> None:
        """Count a value, or with `by` -1 one that is no longer there."""
        census.entries += by
        census.active += by * summary.active
        if self._groups is not None and summary.active:
            for name in self._groups.of(raw):
                census.groups[name] += by
