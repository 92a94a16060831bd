"""Which bytes of a segment are done with: a low mark, and what was finished out of order above it. Pure."""

from bisect import bisect_right
from collections.abc import Iterable


class Intervals:
    """A set of byte offsets as disjoint intervals; the first is [0, low)."""

    __slots__ = ("_ends", "_starts")

    def __init__(self, low: int, above: Iterable[tuple[int, int]] = ()) -> None:
        """Begin with everything below `low`, and the given [start, end)."""
        self._starts = [0]
        self._ends = [low]
        for start, end in above:
            self.add(start, end)

    @property
    def low(self) -> int:
        """The offset below which everything is done."""
        return self._ends[0]

    def above(self) -> list[tuple[int, int]]:
        """Return the intervals above `low`."""
        return list(zip(self._starts[1:], self._ends[1:], strict=True))

    def add(self, start: int, end: int) -> bool:
        """Add [start, end); return whether any of it is new."""
        starts, ends = self._starts, self._ends
        at = bisect_right(starts, start) - 1
        if end <= ends[at]:
            return False
        if start <= ends[at]:
            ends[at] = end
        else:
            at += 1
            starts.insert(at, start)
            ends.insert(at, end)
        after = at + 1
        while after < len(starts) and starts[after] <= end:
            ends[at] = max(ends[at], ends[after])
            after += 1
        del starts[at + 1 : after], ends[at + 1 : after]
        return True

    def past(self, offset: int) -> int:
        """Return the first offset at or after this one that is not done."""
        return max(offset, self._ends[bisect_right(self._starts, offset) - 1])
