"""How many of a segment's records are pending, and since when, by the source that they came from. Pure."""

from bisect import bisect_left
from collections.abc import Iterator

_STEP_MS = 1000


class _Share:
    __slots__ = ("_steps", "pending_records")

    def __init__(self) -> None:
        self.pending_records = 0
        self._steps: list[list[int]] = []
        """Offsets of the first and the last record of about a second, and when the first was received."""

    def add(self, offset: int, received_at_ms: int) -> None:
        steps = self._steps
        if steps and received_at_ms < steps[-1][2] + _STEP_MS:
            steps[-1][1] = offset
        else:
            steps.append([offset, offset, received_at_ms])

    def oldest_ms(self, done_up_to: int) -> int:
        steps = self._steps
        at = bisect_left(steps, done_up_to, key=lambda step: step[1])
        return steps[min(at, len(steps) - 1)][2]


class Shares:
    """The sources of one segment."""

    __slots__ = ("_of",)

    def __init__(self) -> None:
        """Begin with none."""
        self._of: dict[str, _Share] = {}

    def add(self, source: str, offset: int, received_at_ms: int, *, pending: bool) -> None:
        """Take note of a record; they come in the order of their offsets."""
        share = self._of.get(source)
        if share is None:
            share = self._of[source] = _Share()
        share.add(offset, received_at_ms)
        share.pending_records += pending

    def done(self, source: str) -> None:
        """Take note that a record is not pending any more."""
        share = self._of.get(source)
        if share is not None:
            share.pending_records -= 1

    def pending(self, done_up_to: int) -> Iterator[tuple[str, int, int]]:
        """Yield the sources that have any, how many, and since when, to a second; before `done_up_to` none is."""
        # A copy, as the metrics are read by another thread.
        for source, share in list(self._of.items()):
            if (records := share.pending_records) > 0:
                yield source, records, share.oldest_ms(done_up_to)
